// Record protection in the PDCP SLRB layout (TS 36.323 6.2.10: SDU type 3, R 5, KD-sess ID 16, PDCP SN 16, data).
// NOT 3GPP: an AEAD over data with a 16-octet tag in place of EEA + 32-bit MAC-I, a key for each link, direction and
// epoch, a COUNT that restarts with the epoch and never wraps, and a replay window, which TS 36.323 5.1.4 does not
// have.
#pragma once

#include <array>
#include <memory>
#include <optional>

#include "common/result.h"
#include "security/crypto/aead.h"
#include "security/pdcp.h"
#include "security/replay_window.h"
#include "security/types.h"

namespace prose::security {

inline constexpr std::size_t record_overhead_octets = pdcp_header_octets + crypto::tag_octets;
inline constexpr std::uint32_t max_count = 65535;  // 16-bit PDCP SN

/// Logical channels that carry records: 1..10 for data, 30 for PC5-S.
inline constexpr std::size_t record_channels = 11;
constexpr std::optional<std::size_t> channel_index(std::uint8_t lcid) {
  if (lcid >= lcid_data_first && lcid <= lcid_data_last) return lcid - lcid_data_first;
  if (lcid == lcid_pc5s_protected) return record_channels - 1;
  return std::nullopt;
}
/// LCID 30 carries PC5-S and nothing else; data channels carry no PC5-S.
constexpr bool channel_carries(std::uint8_t lcid, sdu_type t) {
  return (lcid == lcid_pc5s_protected) == (t == sdu_type::pc5s);
}

/// One direction of one epoch: key, IV and KD-sess ID. The raw key is kept beside the key schedule for the key log
/// only.
struct record_protection {
  record_protection(suite s, record_key k, record_iv v, std::uint16_t id)
      : suite_used(s), key(std::move(k)), iv(std::move(v)), kd_sess_id(id), box(s, key) {}
  std::array<std::uint8_t, crypto::nonce_octets> nonce(std::uint8_t lcid, std::uint32_t count) const;
  suite suite_used;
  record_key key;
  record_iv iv;
  std::uint16_t kd_sess_id;
  crypto::aead box;
};

class record_sealer {
public:
  explicit record_sealer(record_protection p) : protection_(std::move(p)) {}
  /// Octets of the PDU, data.size() + 21. Refused: COUNT at its end, data too long, a channel that carries no such SDU.
  /// data may lie in out at offset 5.
  result<std::size_t, drop_reason> seal(std::uint8_t lcid, sdu_type type, bytes_view data, bytes_span out);
  std::uint32_t sealed_on(std::uint8_t lcid) const { return next_[*channel_index(lcid)]; }
  std::uint32_t most_sealed() const;
  const record_protection& protection() const { return protection_; }

private:
  record_protection protection_;
  std::array<std::uint32_t, record_channels> next_{};
};

class record_opener {
public:
  explicit record_opener(record_protection p) : protection_(std::move(p)) {}
  /// Octets of data. Nothing changes unless the record verifies; the output is zeroed if it does not.
  result<std::size_t, drop_reason> open(std::uint8_t lcid, const pdcp_header& h, bytes_view pdu, bytes_span out);
  const record_protection& protection() const { return protection_; }

private:
  record_protection protection_;
  std::array<std::unique_ptr<replay_window>, record_channels> windows_;  // allocated by the first record that verifies
};

}  // namespace prose::security
