// The generators behind everything that others can observe: places, moments, identifiers, order. NOT 3GPP, which leaves
// the generator open. There is one stream for each purpose and peer, so that what is drawn for one peer changes nothing
// that another peer sees.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <utility>

#include "security/ports.h"
#include "security/secret.h"
#include "security/types.h"

namespace prose::security {

using stream_key = secret<struct stream_key_tag, 32>;

/// ChaCha20 (RFC 8439 2.4, nonce zero) with fast key erasure: the first 32 octets of each draw's key stream become the
/// next key, what follows is handed out, and neither is kept. Whoever seizes the state later cannot compute an earlier
/// draw. No allocation; not thread-safe.
class random_stream final : public random_port {
public:
  explicit random_stream(stream_key seed) : key_(std::move(seed)) {}
  void fill(bytes_span out) override;
  /// What a thief of the state finds.
  const stream_key& key() const { return key_; }

private:
  stream_key key_;
};

/// Made when first asked for, each with 256 bits of its own from the system's generator. There is no master key
/// from which a thief could compute them again.
class random_streams {
public:
  explicit random_streams(random_port& system) : system_(system) {}
  random_streams(const random_streams&) = delete;
  random_streams& operator=(const random_streams&) = delete;

  /// For what concerns everybody. The references stay valid.
  random_port& common(stream_purpose p);
  /// For what concerns one peer. Valid until long after forget().
  random_port& of(stream_purpose p, peer_id peer, const public_key& key);
  /// The peer has left. Its streams go once many others have left after it: its release may still be under way.
  void forget(peer_id peer);
  /// For a peer that has left; the common stream once its own are gone.
  random_port& of_former(stream_purpose p, peer_id peer);
  std::size_t size() const { return streams_.size(); }
  static constexpr std::size_t former_peers_kept = 16;

private:
  using id = std::pair<peer_id, stream_purpose>;  // peer 0: nobody
  random_port& open(const id& i, const stream_label& label);
  random_port& system_;
  std::map<id, std::unique_ptr<random_port>> streams_;
  std::deque<peer_id> former_;
};

}  // namespace prose::security
