// Noise_KKpsk0 as the product runs it, with every secret of the thief at every place of the chain.
//
// A chain runs psk, e, es, ss | payload of the request | e, ee, se | payload of the answer | Split -> KD_0 -> Complete.
// The key of a payload and the chaining key after it come from the same inputs, so a chain that does not open the
// request cannot be the right one for what follows, and is not followed. Chaining keys that were stolen enter at every
// place of it.
#pragma once

#include "tests/security/search/records.h"

namespace prose::security::test {

/// A state after the request from which an answer can be made: that of a chain that opened it, or a stolen chaining key
/// in each possible context.
struct answering_state {
  key32 ck, after_offer;
  std::size_t initiator, responder;  // index of evidence::publics
  slot_t t;
};

struct message {
  octets text;
  bool open = false;
};
/// A request, its answers, and the Completes that follow: of a set-up or of a rekeying.
struct exchange {
  bool rekeying = false;
  l2_id initiator = 0, responder = 0;  // zero when rekeying
  message request;
  std::vector<message> answers, completes;
  std::vector<answering_state> may_answer;
};

class handshake_search {
public:
  explicit handshake_search(const evidence& e);

  /// Messages that were read inside records: rekeyings.
  void hear_signalling(const std::vector<octets>& messages, holdings& h);
  /// KD_0 of chains that fit go into `h`.
  void try_fresh(holdings& h, const record_search& records, findings& out);
  const std::vector<exchange>& exchanges() const { return exchanges_; }

private:
  void try_completes(exchange& x, const holdings& h, findings& out) const;

  std::vector<exchange> exchanges_;
  slot_t first_slot_, last_slot_;
};

}  // namespace prose::security::test
