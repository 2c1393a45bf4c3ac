#include "security/record.h"

#include <algorithm>

namespace prose::security {

// nonce = IV xor (7 zero octets || LCID || COUNT). No two records of one key share it, because LCID or COUNT differs.
std::array<std::uint8_t, crypto::nonce_octets> record_protection::nonce(std::uint8_t lcid, std::uint32_t count) const {
  std::array<std::uint8_t, crypto::nonce_octets> n{};
  std::copy(iv.expose().begin(), iv.expose().end(), n.begin());
  n[7] ^= lcid;
  n[8] ^= static_cast<std::uint8_t>(count >> 24);
  n[9] ^= static_cast<std::uint8_t>(count >> 16);
  n[10] ^= static_cast<std::uint8_t>(count >> 8);
  n[11] ^= static_cast<std::uint8_t>(count);
  return n;
}

std::uint32_t record_sealer::most_sealed() const { return *std::max_element(next_.begin(), next_.end()); }

result<std::size_t, drop_reason> record_sealer::seal(std::uint8_t lcid, sdu_type type, bytes_view data,
                                                     bytes_span out) {
  const auto channel = channel_index(lcid);
  if (!channel || !channel_carries(lcid, type)) return tl::unexpected(drop_reason::wrong_channel);
  if (data.size() > max_sdu_octets || out.size() < data.size() + record_overhead_octets)
    return tl::unexpected(drop_reason::malformed);
  std::uint32_t& next = next_[*channel];
  if (next > max_count) return tl::unexpected(drop_reason::exhausted);
  const auto n = protection_.nonce(lcid, next);
  const auto header = out.first<pdcp_header_octets>();
  write_pdcp_header({type, protection_.kd_sess_id, static_cast<std::uint16_t>(next)}, header);
  ++next;
  protection_.box.seal(n, header, data, out.subspan(pdcp_header_octets, data.size() + crypto::tag_octets));
  return data.size() + record_overhead_octets;
}

result<std::size_t, drop_reason> record_opener::open(std::uint8_t lcid, const pdcp_header& h, bytes_view pdu,
                                                     bytes_span out) {
  const auto channel = channel_index(lcid);
  if (!channel || !channel_carries(lcid, h.type)) return tl::unexpected(drop_reason::wrong_channel);
  if (pdu.size() < record_overhead_octets || pdu.size() > max_sdu_octets + record_overhead_octets)
    return tl::unexpected(drop_reason::malformed);
  const std::size_t n = pdu.size() - record_overhead_octets;
  if (out.size() < n) return tl::unexpected(drop_reason::malformed);
  auto& window = windows_[*channel];
  if (window && !window->fresh(h.sn)) return tl::unexpected(drop_reason::replayed);
  if (!protection_.box.open(protection_.nonce(lcid, h.sn), pdu.first(pdcp_header_octets),
                            pdu.subspan(pdcp_header_octets), out.first(n)))
    return tl::unexpected(drop_reason::bad_record);
  if (!window) window = std::make_unique<replay_window>();
  window->accept(h.sn);
  return n;
}

}  // namespace prose::security
