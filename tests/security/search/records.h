// Records: which of them do keys open, as record keys or as KD_r?
#pragma once

#include "security/crypto/aead.h"
#include "tests/security/search/holdings.h"

namespace prose::security::test {

bool is_record(const frame& f);
std::array<std::uint8_t, 12> record_nonce(const frame& f, bytes_view iv);

/// One direction under a KD_r: 49 octets of HKDF-Expand (epoch_chain.cpp).
struct record_half {
  key32 key{};
  std::array<std::uint8_t, 12> iv{};
  std::uint16_t kd_sess_id = 0;
  l2_id src = 0;
};
record_half half_of(const keyed_hmac& kd, bool initiator);

/// All records of one SRC, DST, KD-sess ID and LCID have one key. A key is tried on the first of such a group, and on
/// all of them once it opens that.
class record_search {
public:
  explicit record_search(const evidence& e);

  /// Everything that holdings::grow() added.
  void try_fresh(const holdings& h, findings& out);
  /// Does this KD_0 open any record? Counts nothing, keeps nothing.
  bool root_opens(const key32& kd0) const;

  std::size_t seen() const { return records_.size(); }
  /// Plaintext of records on LCID 30 that were opened; emptied by the caller.
  std::vector<octets> new_signalling;
  /// Data that was opened, for the judge.
  std::vector<octets> data;

private:
  struct group {
    std::vector<std::size_t> members;
  };
  void attempt(const crypto::aead& box, bytes_view iv, const char* kind, findings& out);
  bool opens(const crypto::aead& box, std::size_t i, bytes_view iv, octets* plain = nullptr) const;

  std::vector<frame> records_;
  std::vector<bool> open_;
  std::vector<group> groups_;
};

}  // namespace prose::security::test
