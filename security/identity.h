// Own identity and the peers that it has mutual permission with.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/result.h"
#include "security/keys.h"
#include "security/ports.h"
#include "security/random_streams.h"
#include "security/types.h"

namespace prose::security {

struct key_pair {
  static_private_key private_key;
  public_key public_part;
  static key_pair generate(ports p);
  static key_pair from_private(static_private_key k, ports p);
};

/// Keys of one direction: what `announcer` sends and `monitor` recognises. Both ends can compute them, nobody else.
struct direction_keys {
  announce_key announce;
  mic_key mic;
  request_token_key request_token;
  command_token_key command_token;
  rendezvous_key rendezvous;
  query_key query;
  response_key response;
};
/// Kd = HKDF(salt = psk, ikm = X25519 of the statics, info = "LTESL/1 disc" || announcer || monitor), then one key a
/// purpose.
direction_keys derive_direction(const pre_shared_key& psk, const dh_output& ss, const public_key& announcer,
                                const public_key& monitor);

/// The address that `owner` has on its link with `other`, and on no other link: HKDF-Expand(Kd of owner and other,
/// "LTESL/1 address"). Both ends compute the same; without the pair's secret nobody can. Neither end can choose it: a
/// wanted value costs 2^80 key pairs.
address_bits derive_address(const pre_shared_key& psk, const dh_output& ss, const public_key& owner,
                            const public_key& other);

struct peer {
  peer_id id = 0;
  std::string name;
  public_key key;
  pre_shared_key psk;               // zero octets where the pair has none
  dh_output shared;                 // X25519 of the statics, computed once
  direction_keys ours;              // we announce or answer, the peer monitors or asks
  direction_keys theirs;            // the peer announces or answers
  bool own_key_is_smaller = false;  // decides simultaneous requests
  address_bits own_address{};       // ours on the link with this peer
  address_bits peer_address{};      // the peer's
};

class peer_table {
public:
  peer_table(key_pair own, ports p);
  peer_table(peer_table&&) noexcept = default;

  /// The stream of choices that others can observe: of those that concern everybody, or one peer (also one that has
  /// just left).
  random_port& stream(stream_purpose p) const { return streams_->common(p); }
  random_port& stream(stream_purpose p, peer_id peer) const;

  /// Refused: own key, a key or a name that is present already, all-zero, low-order and non-canonical keys.
  result<peer_id> add(std::string_view name, const public_key& key, std::optional<pre_shared_key> psk = std::nullopt);
  /// Wipes the pair's keys. The id is not reused. Tell the discovery and link engines first (ue_security does).
  bool remove(peer_id id);

  const peer* find(peer_id id) const;
  const peer* find(std::string_view name) const;
  /// Ascending ids.
  const std::vector<std::shared_ptr<const peer>>& all() const { return peers_; }
  std::size_t size() const { return peers_.size(); }
  /// The same for work that is under way elsewhere (link_work.h): a removed peer's keys are wiped once that is done.
  std::shared_ptr<const peer> share(peer_id id) const;
  std::shared_ptr<const key_pair> share_own() const { return own_; }
  const key_pair& own_pair() const { return *own_; }
  const public_key& own_public() const { return own_->public_part; }
  const static_private_key& own_private() const { return own_->private_key; }
  const ports& ports_used() const { return ports_; }

private:
  std::shared_ptr<const key_pair> own_;  // a stable address: handshakes point at it
  ports ports_;
  std::unique_ptr<random_streams> streams_;
  std::vector<std::shared_ptr<const peer>> peers_;
  peer_id next_id_ = 1;
};

/// X25519 ignores the top bit and reduces modulo p (RFC 7748 5), so that other octets are the same key and would pass
/// as another peer's. Only the reduced form is taken.
bool canonical(const public_key& key);

/// SHA-256 of the two public keys in ascending order, for people to compare by voice: the same on both sides.
std::array<std::uint8_t, 32> pair_fingerprint(const public_key& a, const public_key& b);

}  // namespace prose::security
