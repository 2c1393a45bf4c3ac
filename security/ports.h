// What the sublayer needs from outside: randomness, X25519, and a thread for the latter. They are interfaces because
// tests and programs replace them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "security/keys.h"
#include "security/types.h"

namespace prose::security {

/// What a stream of random octets serves (random_streams.h).
enum class stream_purpose : std::uint8_t {
  announcement_order,  // of the entries of a slot
  query_order,
  set_up_identifiers,  // sequence number and layer-2 ID of a request
  kd_sess_id_halves,
  signalling_numbers,  // first sequence number inside a link
  epoch_lengths,
  synchronisation,   // SLSS identity, searches
  slss_muting,       // which own SLSS are left out
  discovery_places,  // of announcements and queries in the discovery pool
  response_places,
  grants,             // places and patterns of communication
  signalling_spread,  // waits of repeated PC5-S messages
  connect_backoff,
};
/// Which stream: for what, and for whom.
struct stream_label {
  stream_purpose purpose;
  const public_key* peer = nullptr;  // null: it concerns everybody
};

/// Cryptographic randomness, in the product the system's generator. fill() may not return without having filled: an
/// implementation that has no entropy ends the program rather than hand out predictable octets. Private keys and
/// ephemerals come from it directly; what others can observe comes from streams that it seeds.
class random_port {
public:
  virtual ~random_port() = default;
  virtual void fill(bytes_span out) = 0;
  /// A generator of its own for a stream; null, as in the product: ChaCha20 from 32 octets of fill(). A test's may
  /// follow from its seed and the label, so that a stream does not depend on which others there are.
  virtual std::unique_ptr<random_port> stream(const stream_label&) { return nullptr; }
  /// Where ephemeral keys for this peer come from: here. A test's generator may have one for each peer.
  virtual random_port& ephemerals_for(const public_key&) { return *this; }

  std::uint32_t below(std::uint32_t bound) {  // uniform in [0, bound)
    const std::uint32_t limit = bound * (UINT32_MAX / bound);
    for (;;) {
      std::uint8_t b[4];
      fill(b);
      const std::uint32_t v = std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
      if (v < limit) return v % bound;
    }
  }
};

/// X25519 (RFC 7748). agree() is empty for a low-order or otherwise unusable point. A test's implementation counts
/// calls.
class dh_port {
public:
  virtual ~dh_port() = default;
  virtual std::optional<dh_output> agree(const static_private_key& own, const public_key& other) = 0;
  virtual std::optional<dh_output> agree(const ephemeral_private_key& own, const public_key& other) = 0;
  virtual public_key public_of(const static_private_key& own) = 0;
  virtual public_key public_of(const ephemeral_private_key& own) = 0;
};

class set_up_work;  // link_work.h

/// Does the scalar multiplications of set-ups and rekeyings on a thread of the program's own, so that they delay no
/// subframe. Without one (tests, simulations) they are done at once where they arise.
class work_port {
public:
  virtual ~work_port() = default;
  /// Returns at once. Calls w->run() once, in the order of submission, on whatever thread, with an X25519 of that
  /// thread's own.
  virtual void submit(std::shared_ptr<set_up_work> w) = 0;
};

struct ports {
  random_port& random;
  dh_port& dh;
  work_port* work = nullptr;
};

}  // namespace prose::security
