// The thief's values: what was stolen, what multiplications and derivations make of it, and what the search learns on
// its way.
#pragma once

#include <set>

#include "common/octet_order.h"
#include "tests/security/mary_search.h"
#include "tests/security/search/fast_crypto.h"

namespace prose::security::test {

/// Labels of HKDF-Expand in the product. Kd's own info ("LTESL/1 disc" and two public keys) is in pair_root.
inline constexpr const char* labels[] = {"LTESL/1 announce",         "LTESL/1 mic",         "LTESL/1 request token",
                                         "LTESL/1 command token",    "LTESL/1 rendezvous",  "LTESL/1 query",
                                         "LTESL/1 response",         "LTESL/1 complete",    "LTESL/1 rekey",
                                         "LTESL/1 ratchet",          "LTESL/1 fingerprint", "LTESL/1 record initiator",
                                         "LTESL/1 record responder", "LTESL/1 address"};
inline constexpr const char* pair_root_label = "LTESL/1 disc";
inline constexpr int ratchet_steps = 12;  // epochs that the chain of a root is followed for

/// Kd of one pair and direction, if `psk` and `shared` are that pair's.
struct pair_root {
  key32 root, psk, shared;
  std::size_t announcer, monitor;  // index of evidence::publics
};

/// fresh_*: what the last grow() added. The whole is only ever extended.
class holdings {
public:
  explicit holdings(const evidence& e);

  /// A secret found by the search; derivations follow with the next grow().
  void learn(const key32& k);
  /// A public value read in an opened message, and as the exponent's partner of every private key.
  void learn_point(const public_key& p);
  /// Multiplies and derives what is new; false if nothing was.
  bool grow();

  std::vector<key32> secrets;  // stolen and learnt; all zeros, which is "no PSK"
  std::vector<key32> inputs;   // secrets and X25519 of every private key and public value: what may go into a MixKey
  std::vector<key32> named_psks, named_chaining_keys;  // by their names in the stolen state
  std::vector<key32> transcripts;
  /// Inputs with two derivations of each by any label, and ratchets; public values with one derivation.
  std::vector<key32> all;
  std::vector<key32> fresh_secrets, fresh_inputs, fresh_all;
  std::vector<pair_root> fresh_pair_roots;  // HKDF(salt, input, info) of any secret as PSK, any input, any ordered pair
  octet_set fresh_short_keys;               // 16 octets: stolen or derived
  std::vector<octets> short_stolen;
  std::vector<octets> ivs;                           // stolen, and zero
  std::vector<std::array<std::uint8_t, 64>> splits;  // stolen k1 || k2
  std::vector<public_key> publics;
  std::set<public_key> own;  // whose private key is held: to speak as they is no forgery
  std::size_t pair_roots = 0;
  std::vector<key32> recognised_codes, recognised_tokens;  // keys that made a heard code, or token of a command
  std::vector<octets> recognised_mics;

private:
  void add(const key32& k);
  key32 derived(const keyed_hmac& key, const char* label);

  std::vector<public_key> points_;
  std::vector<key32> privates_;
  std::vector<key32> public_values_;
  std::set<std::pair<std::size_t, std::size_t>> multiplied_;
  std::set<key32> in_secrets_, in_inputs_, in_all_;
  octet_set short_keys_;
  std::size_t secrets_grown_ = 0, inputs_grown_ = 0, publics_grown_ = 0;
};

}  // namespace prose::security::test
