#include "security/ts33303/context.h"

#include <cstring>

#include "security/crypto/declassify.h"

namespace prose::security::ts33303 {
namespace {

/// Empty for an LCID that carries nothing under a context.
constexpr std::optional<std::size_t> channel_of(std::uint8_t lcid) {
  if (carries_data(lcid)) return lcid - lcid_data_first;
  if (lcid == lcid_pc5s_security_mode) return 10;
  if (lcid == lcid_pc5s_protected) return 11;
  return std::nullopt;
}
constexpr bool fits(std::uint8_t lcid, sdu_type type) { return carries_data(lcid) == (type != sdu_type::pc5s); }
/// On LCID 29 the commanding UE sends the Command, which the other end must be able to read before it has keys.
constexpr bool is_ciphered(std::uint8_t lcid, side sender) {
  return lcid != lcid_pc5s_security_mode || sender != side::commanding;
}
constexpr side other(side s) { return s == side::commanding ? side::requesting : side::commanding; }

}  // namespace

std::optional<security_context> security_context::make(const context_parameters& parameters,
                                                       const kd_sess_key& kd_sess) {
  if (parameters.kd_sess_id == 0) return std::nullopt;
  return security_context(parameters, kd_sess);
}

security_context::security_context(const context_parameters& parameters, const kd_sess_key& kd_sess)
    : parameters_(parameters),
      ciphering_(parameters.ciphering_algorithm, derive_pek(kd_sess, parameters.ciphering_algorithm)),
      integrity_(parameters.integrity_algorithm, derive_pik(kd_sess, parameters.integrity_algorithm)) {}

stream_inputs security_context::inputs(std::uint8_t lcid, std::uint16_t sn, side sender) const {
  return {unverified::count_of(parameters_.kd_sess_id, sn), unverified::bearer_of(lcid),
          (sender == side::commanding) == unverified::direction_of_commanding};
}

result<std::size_t, drop_reason> security_context::protect(std::uint8_t lcid, sdu_type type, bytes_view sdu,
                                                           bytes_span out) {
  if (!channel_of(lcid) || !fits(lcid, type)) return tl::unexpected(drop_reason::wrong_channel);
  const std::size_t covered = pdcp_header_octets + sdu.size(), whole = covered + (has_mac(lcid) ? mac_octets : 0);
  if (sdu.empty() || sdu.size() > max_sdu_octets || out.size() < whole) return tl::unexpected(drop_reason::malformed);
  if (next_sn_ > last_sn) return tl::unexpected(drop_reason::exhausted);
  const auto sn = static_cast<std::uint16_t>(next_sn_++);
  const auto in = inputs(lcid, sn, parameters_.own);
  const auto data = out.subspan(pdcp_header_octets, sdu.size());
  std::memmove(data.data(), sdu.data(), sdu.size());
  write_pdcp_header({type, parameters_.kd_sess_id, sn}, out.first<pdcp_header_octets>());
  // MAC-I covers header and data before ciphering, and is not ciphered itself (TS 36.323 5.7, 6.3.3).
  if (has_mac(lcid)) {
    const auto mac = integrity_.mac(in, out.first(covered), 8 * covered);
    std::ranges::copy(mac, out.subspan(covered).begin());
  }
  if (is_ciphered(lcid, parameters_.own)) ciphering_.apply(in, data, 8 * data.size(), data);
  crypto::declassify(out.first(whole));  // it goes on the air
  return whole;
}

result<security_context::opened, drop_reason> security_context::open(std::uint8_t lcid, bytes_view pdu,
                                                                     bytes_span out) {
  const auto header = read_pdcp_header(pdu);
  const auto channel = channel_of(lcid);
  if (!header) return tl::unexpected(drop_reason::malformed);
  if (header->kd_sess_id != parameters_.kd_sess_id) return tl::unexpected(drop_reason::unknown_link);
  if (!channel || !fits(lcid, header->type)) return tl::unexpected(drop_reason::wrong_channel);
  const std::size_t tail = has_mac(lcid) ? mac_octets : 0;
  if (pdu.size() <= pdcp_header_octets + tail || pdu.size() > pdcp_header_octets + max_sdu_octets + tail ||
      out.size() < pdu.size())
    return tl::unexpected(drop_reason::malformed);
  auto& window = windows_[*channel];
  if (has_mac(lcid) && !window.fresh(header->sn)) return tl::unexpected(drop_reason::replayed);

  const side sender = other(parameters_.own);
  const auto in = inputs(lcid, header->sn, sender);
  const auto covered = out.first(pdu.size() - tail), data = covered.subspan(pdcp_header_octets);
  std::memcpy(covered.data(), pdu.data(), covered.size());
  if (is_ciphered(lcid, sender)) ciphering_.apply(in, data, 8 * data.size(), data);
  if (has_mac(lcid)) {
    if (!integrity_.verify(in, covered, 8 * covered.size(), pdu.last<mac_octets>())) {
      wipe(covered);
      return tl::unexpected(drop_reason::bad_record);
    }
    window.accept(header->sn);
  }
  crypto::declassify(data);  // for who acts on it
  return opened{header->type, data};
}

}  // namespace prose::security::ts33303
