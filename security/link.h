// State of one link and of one peer. Internal to link_engine and to the exports; not part of the interface.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "security/epoch_chain.h"
#include "security/link_handshake.h"
#include "security/link_work.h"

namespace prose::security {

/// Of a handler of link_engine: no reason to drop, the message or the job took effect.
inline constexpr std::nullopt_t took_effect = std::nullopt;

/// What was tried already, by the first half of its SHA-256.
using octets_digest = std::array<std::uint8_t, 16>;
octets_digest digest_of(bytes_view octets);
inline constexpr std::size_t most_trials = 2;
struct tried_octets {
  std::array<octets_digest, most_trials> digests{};
  std::uint32_t n = 0;
  bool contains(const octets_digest& d) const {
    return std::find(digests.begin(), digests.begin() + n, d) != digests.begin() + n;
  }
  /// Returns false if no more are tried.
  bool add(const octets_digest& d) {
    if (n >= most_trials) return false;
    digests[n++] = d;
    return true;
  }
};

/// Initiator: request sent, no valid command yet.
struct link_attempt {
  peer_id peer = 0;
  std::shared_ptr<initiator_handshake> handshake;  // shared with the work that reads a command
  handshake_context context;
  tried_octets tried;  // commands with a good token
  time_ms next_send;
  time_ms expires;
};

/// One generation of keys: what a set-up or a rekeying produced.
struct generation {
  epoch_chain chain;
  rekey_binding binding;
  suite suite_used;
  std::uint16_t kd_sess_id;
  std::array<std::uint8_t, 8> fingerprint;
  time_ms born;
};

struct rekey_attempt {
  std::shared_ptr<initiator_handshake> handshake;
  tried_octets tried;  // responses
  time_ms next_send;
  time_ms expires;
};
/// Responder of a rekeying: the answer to repeat, and keys that wait for the initiator's first record under them.
struct staged_rekey {
  std::uint16_t seq;  // of the request
  std::vector<std::uint8_t> request, answer;
  generation keys;
};

generation make_generation(handshake_secrets&& s, role own, const epoch_config& epochs, random_port& random,
                           time_ms now);

struct link {
  link(generation&& keys, peer_id with, role own, time_ms now, slot_t slot)
      : peer(with),
        own_role(own),
        current(std::move(keys)),
        created(now),
        created_slot(slot),
        last_heard(now),
        last_sent(now) {}

  link_id id = 0;  // given when it is established
  peer_id peer;
  role own_role;
  generation current;
  std::optional<epoch_chain> previous;    // of the generation before; opens only
  std::optional<time_ms> previous_until;  // empty until the peer is heard under the current one
  std::optional<staged_rekey> staged;
  std::optional<rekey_attempt> rekeying;
  time_ms rekey_backoff_until = 0;

  // Set-up.
  handshake_context setup;             // binding unused
  bool complete_pending = false;       // initiator: repeat the Complete until a record of the responder verifies
  std::vector<std::uint8_t> request;   // responder: what it answered
  std::vector<std::uint8_t> command;   // responder: the identical answer
  std::vector<std::uint8_t> complete;  // initiator: to repeat; responder: the one that verified
  std::optional<complete_key> complete_key_used;
  time_ms created;
  slot_t created_slot;  // ours; the peer's Complete or Accept was made in no earlier one
  time_ms next_complete = 0;
  time_ms last_answer = 0;  // responder: last DSM Command or Accept

  std::uint32_t reported_epoch = 0;
  time_ms last_heard;
  time_ms last_sent;
  time_ms next_keepalive = 0;
  std::uint32_t keepalive_counter = 0;
  std::uint16_t next_seq = 0;
};

/// A link that we released. It is gone for its users, and kept only to repeat the Release until the peer answers.
struct closing_link {
  peer_id peer;
  std::vector<epoch> epochs;  // the first one seals; all open
  std::array<std::uint8_t, release_octets> message;
  std::uint32_t sends_left;
  time_ms next_send;
};

/// Scalar multiplications that are under way, and what happens when they are due. Until then the state of the engine
/// does not change.
enum class link_job_kind : std::uint8_t { request, command, connect, rekeying_request, rekeying_response, rekey };
/// Whether we answer (four multiplications); else we ask or read an answer (two). At most one of each is under way with
/// a peer.
constexpr bool responds(link_job_kind k) { return k == link_job_kind::request || k == link_job_kind::rekeying_request; }
struct link_job {
  link_job_kind what;
  peer_id peer;
  time_ms due;
  std::shared_ptr<set_up_work> work;
  link_id link = 0;                             // of a rekeying
  std::array<std::uint8_t, 8> generation = {};  // that it renews
  bool missed = false;  // not done when due; kept for a repetition of the same octets, which then costs nothing
};

/// What one peer may still cause. It is never borrowed from another peer's.
struct peer_budget {
  std::int64_t multiplications_ms;  // left, times the interval in which the whole budget comes back
  time_ms counted_at;
  time_ms rekeying_again_at = INT64_MIN;
  octets_digest last_rekeying{};     // the request that was considered last: the same octets are not considered again
  time_ms trials_since = INT64_MIN;  // hashes over octets that anybody may have made
  std::uint32_t trials = 0;
};

struct peer_links {
  std::optional<link_attempt> attempt;
  std::unique_ptr<link> pending;  // keys exist on this side; the peer has not proved that it has them too
  std::unique_ptr<link> live;
};

}  // namespace prose::security
