#include "security/discovery_code.h"

#include <algorithm>

#include "security/crypto/declassify.h"
#include "security/crypto/hash.h"

namespace prose::security {
namespace {
// Where the fields of the message are (TS 24.334 11.2.5): type 1, code 23, MIC 4, LSB of the counter 1.
constexpr std::size_t code_at = 1, code_octets = 23;
constexpr std::size_t mic_at = code_at + code_octets, mic_octets = 4;
constexpr std::size_t lsb_at = mic_at + mic_octets;

std::array<std::uint8_t, 4> big_endian(slot_t t) {
  return {static_cast<std::uint8_t>(t >> 24), static_cast<std::uint8_t>(t >> 16), static_cast<std::uint8_t>(t >> 8),
          static_cast<std::uint8_t>(t)};
}
bytes_view code_key(discovery_type type, const direction_keys& keys) {
  switch (type) {
    case discovery_type::query:
      return keys.query.expose();
    case discovery_type::response:
      return keys.response.expose();
    case discovery_type::announcement:
      break;
  }
  return keys.announce.expose();
}
}  // namespace

discovery_pdu make_discovery(discovery_type type, const direction_keys& keys, slot_t t) {
  const auto slot = big_endian(t);
  crypto::digest256 code{};
  crypto::hmac(crypto::hash::sha256, code_key(type, keys), {slot}, code);
  // The MIC is computed over type || code || t. The message begins with type || code, so t is put where the MIC will be
  // and overwritten afterwards.
  discovery_pdu pdu{};
  pdu[0] = static_cast<std::uint8_t>(type);
  std::copy_n(code.begin(), code_octets, pdu.begin() + code_at);
  std::copy(slot.begin(), slot.end(), pdu.begin() + mic_at);
  std::array<std::uint8_t, mic_octets> mic{};
  crypto::aes_cmac(keys.mic.expose(), bytes_view(pdu).first(lsb_at), mic);
  std::copy(mic.begin(), mic.end(), pdu.begin() + mic_at);
  pdu[lsb_at] = static_cast<std::uint8_t>(t);
  crypto::declassify(pdu);  // announced, or compared with what is
  return pdu;
}

l2_id rendezvous_l2_id(const direction_keys& keys, slot_t t) {
  crypto::digest256 d{};
  crypto::hmac(crypto::hash::sha256, keys.rendezvous.expose(), {big_endian(t)}, d);
  crypto::declassify(bytes_view(d).first(3));  // an address on the air
  return l2_id{d[0]} << 16 | l2_id{d[1]} << 8 | d[2];
}

direction_keys make_dummy_keys(random_port& random) {
  const auto root = pair_root_key::make([&](auto out) { random.fill(out); });
  return {derive<announce_key>(root),      derive<mic_key>(root),        derive<request_token_key>(root),
          derive<command_token_key>(root), derive<rendezvous_key>(root), derive<query_key>(root),
          derive<response_key>(root)};
}

}  // namespace prose::security
