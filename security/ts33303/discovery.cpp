#include "security/ts33303/discovery.h"

#include <algorithm>

#include "security/ts33303/octets.h"

namespace prose::security::ts33303 {
namespace {

constexpr std::size_t code_at = 1, mic_at = code_at + code_octets, lsb_at = mic_at + std::tuple_size_v<discovery_mic>;
static_assert(lsb_at + 1 == discovery_octets);

using kdf_output = std::array<std::uint8_t, 32>;

std::array<std::uint8_t, 4> octets_of(std::uint32_t counter) {
  std::array<std::uint8_t, 4> o{};
  store32(counter, o);
  return o;
}

/// The last octets of `key`'s output are added to `out`, where `where` has ones.
void add_keystream(const kdf_output& from, bytes_span out, bytes_view where) {
  const auto stream = bytes_view(from).last(out.size());
  for (std::size_t i = 0; i < out.size(); ++i) out[i] ^= static_cast<std::uint8_t>(stream[i] & where[i]);
}

discovery_mic mic_of(const discovery_integrity_key& duik, std::uint8_t type, bytes_view code, std::uint32_t counter) {
  kdf_output all{};
  kdf(duik.expose(), unverified::fc_discovery_mic, {{&type, 1}, code, octets_of(counter)}, all);
  discovery_mic mic{};
  std::ranges::copy(bytes_view(all).last(mic.size()), mic.begin());
  return mic;
}

/// Hides and shows.
void apply_duck(const code_security& keys, std::uint32_t counter, bytes_view mic, bytes_span code) {
  if (!keys.duck) return;
  kdf_output all{};
  kdf(keys.duck->expose(), unverified::fc_discovery_keystream, {octets_of(counter), mic}, all);
  add_keystream(all, code, keys.encrypted_bits);
}

/// Scrambles and unscrambles code and MIC. NOT VERIFIED: that type and counter LSB stay as they are.
void apply_dusk(const code_security& keys, std::uint32_t counter, discovery_pdu& pdu) {
  if (!keys.dusk) return;
  kdf_output all{};
  kdf(keys.dusk->expose(), unverified::fc_discovery_scrambling, {octets_of(counter)}, all);
  std::array<std::uint8_t, lsb_at - code_at> everywhere{};
  everywhere.fill(0xff);
  add_keystream(all, bytes_span(pdu).subspan(code_at, everywhere.size()), everywhere);
}

bool matches(bytes_view code, const code_filter& filter, const restricted_code* hidden) {
  for (std::size_t i = 0; i < code_octets; ++i) {
    const unsigned looked_at = filter.mask[i] & (hidden == nullptr ? 0xffU : ~unsigned{(*hidden)[i]});
    if (((code[i] ^ filter.value[i]) & looked_at) != 0) return false;
  }
  return true;
}

bool known_type(std::uint8_t t) {
  const auto type = static_cast<discovery_type>(t);
  return type == discovery_type::announcement || type == discovery_type::response || type == discovery_type::query;
}

/// The counter with these 8 LSB that is nearest to one's own; empty if it is too far away. Counters wrap.
std::optional<std::uint32_t> completed(std::uint8_t lsb, std::uint32_t own) {
  const auto ahead = static_cast<std::int8_t>(static_cast<std::uint8_t>(lsb - own));
  if (ahead > unverified::max_offset_s || ahead < -unverified::max_offset_s) return std::nullopt;
  return own + static_cast<std::uint32_t>(ahead);
}

}  // namespace

discovery_pdu protect_discovery(discovery_type type, const restricted_code& code, const code_security& keys,
                                std::uint32_t counter, random_port& random) {
  discovery_pdu pdu{};
  pdu[0] = static_cast<std::uint8_t>(type);
  std::ranges::copy(code, pdu.begin() + code_at);
  const auto mic = bytes_span(pdu).subspan(mic_at, std::tuple_size_v<discovery_mic>);
  if (keys.duik) {
    std::ranges::copy(mic_of(*keys.duik, pdu[0], code, counter), mic.begin());
  } else {
    random.fill(mic);
  }
  apply_duck(keys, counter, mic, bytes_span(pdu).subspan(code_at, code_octets));
  apply_dusk(keys, counter, pdu);
  pdu[lsb_at] = static_cast<std::uint8_t>(counter);
  return pdu;
}

result<opened_discovery, drop_reason> open_discovery(bytes_view pdu, const code_security& keys,
                                                     const code_filter& filter, std::uint32_t own_counter) {
  if (pdu.size() != discovery_octets || !known_type(pdu[0])) return tl::unexpected(drop_reason::malformed);
  const auto counter = completed(pdu[lsb_at], own_counter);
  if (!counter) return tl::unexpected(drop_reason::stale);
  discovery_pdu clear{};
  std::ranges::copy(pdu, clear.begin());
  apply_dusk(keys, *counter, clear);
  const auto code = bytes_span(clear).subspan(code_at, code_octets);
  const auto mic = bytes_view(clear).subspan(mic_at, std::tuple_size_v<discovery_mic>);
  if (!matches(code, filter, keys.duck ? &keys.encrypted_bits : nullptr))
    return tl::unexpected(drop_reason::not_addressed);
  apply_duck(keys, *counter, mic, code);
  if (!matches(code, filter, nullptr)) return tl::unexpected(drop_reason::not_addressed);
  if (keys.duik && !equal_constant_time(mic_of(*keys.duik, clear[0], code, *counter), mic))
    return tl::unexpected(drop_reason::bad_token);
  opened_discovery o{static_cast<discovery_type>(clear[0]), {}, *counter, {}, keys.duik.has_value()};
  std::ranges::copy(code, o.code.begin());
  std::ranges::copy(mic, o.mic.begin());
  return o;
}

}  // namespace prose::security::ts33303
