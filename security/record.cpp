#include "security/record.h"

#include <algorithm>

namespace prose::security {

void write_pdcp_header(const pdcp_header& h, std::span<std::uint8_t, pdcp_header_octets> out) {
  out[0] = static_cast<std::uint8_t>(static_cast<unsigned>(h.type) << 5);
  out[1] = static_cast<std::uint8_t>(h.kd_sess_id >> 8);
  out[2] = static_cast<std::uint8_t>(h.kd_sess_id);
  out[3] = static_cast<std::uint8_t>(h.sn >> 8);
  out[4] = static_cast<std::uint8_t>(h.sn);
}

std::optional<pdcp_header> read_pdcp_header(bytes_view pdu) {
  if (pdu.size() < pdcp_header_octets || pdu[0] >> 5 > 3) return std::nullopt;
  return pdcp_header{static_cast<sdu_type>(pdu[0] >> 5), static_cast<std::uint16_t>(pdu[1] << 8 | pdu[2]),
                     static_cast<std::uint16_t>(pdu[3] << 8 | pdu[4])};
}

// nonce = IV xor (7 zero octets || LCID || COUNT): no two records of one key share it, because the LCIDs differ or COUNT does.
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

result<std::size_t, drop_reason> record_sealer::seal(std::uint8_t lcid, sdu_type type, bytes_view data, bytes_span out) {
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
