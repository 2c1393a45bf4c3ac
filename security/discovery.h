// Restricted direct discovery, models A and B, that only the pair can recognise or make. NOT 3GPP (see
// discovery_code.h).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/result.h"
#include "security/discovery_code.h"
#include "security/identity.h"
#include "security/slot_clock.h"

namespace prose::security {

struct discovery_config {
  bool announce = true;                // model A, announcing UE
  bool monitor = true;                 // model A, monitoring UE
  bool answer_queries = false;         // model B, discoveree UE
  std::uint32_t entries = 16;          // announcements a slot: peers and dummies, always this many
  std::uint32_t query_entries = 4;     // queries in a slot that has any: asked peers and dummies, always this many
  slot_t wide_window_slots = 16;       // until a link has taught a peer's clock offset
  slot_t narrow_window_slots = 2;      // afterwards
  time_ms slot_in_use_ms = 3000;       // a slot lasts 1 s; without a next one for so long, the clock has failed
  time_ms request_validity_ms = 8000;  // how long after its last transmission a slot of ours takes requests
};

/// A peer was heard. Its slot t and layer-2 ID are what a Direct Communication Request needs.
struct peer_heard {
  peer_id peer;
  slot_t t;
  l2_id rendezvous;
  discovery_type kind;  // announcement or response
};
/// A peer asked for us; send `response` (once).
struct query_heard {
  peer_id peer;
  slot_t t;
  discovery_pdu response;
};
using discovery_event = std::variant<peer_heard, query_heard>;

/// A slot that we announced or answered to one peer: where its request may arrive and what it has been used for.
struct rendezvous_slot {
  static constexpr std::size_t max_requests = 3;  // different requests with a good token; only the peer can make them
  peer_id peer;
  slot_t t;
  l2_id id;
  time_ms last_sent_ms;
  std::uint32_t requests = 0;
  std::array<std::array<std::uint8_t, 16>, max_requests> seen{};  // digests of those requests
};

/// One object a UE. The caller sets the clock (advance), sends what announcements() and queries() give, feeds every
/// received PC5_DISCOVERY to receive(). Unknown messages cost one hash-table look-up and change nothing.
class discovery_engine {
public:
  discovery_engine(const discovery_config& config, peer_table& peers, std::optional<slot_t> stored_mark = std::nullopt);

  /// Moves to slot t and brings the monitor table up to date. See slot_clock for what is refused.
  slot_clock::step_result advance(slot_t t, time_ms now, bool operator_confirmed = false);
  /// False also when the last step of the clock is too long ago (it stopped, went back or leapt). A slot used for
  /// longer would repeat its codes and take requests that were held back. Discovery is silent and accepts nothing until
  /// advance() succeeds again.
  bool in_use(time_ms now) const { return clock_.now() && now - entered_ms_ <= config_.slot_in_use_ms; }
  bool may_emit(time_ms now) const { return clock_.may_emit() && in_use(now); }
  slot_clock& clock() { return clock_; }
  const slot_clock& clock() const { return clock_; }

  /// What to announce in the current slot: `entries` messages, order redrawn each slot, the same ones when called again
  /// within the slot (call it once for each discovery period; a call counts as transmission). Empty while may_emit()
  /// says no or announcing is off. With more peers than entries they take turns.
  std::span<const discovery_pdu> announcements(time_ms now);

  /// Model B: `query_entries` messages that ask for `wanted` in the current slot; of more they take turns. Dummies
  /// where there are fewer, and in the place of an id that no peer has. The same ones when called again within the
  /// slot, whoever is wanted then. Responses are recognised for the window. Empty while may_emit() says no.
  std::vector<discovery_pdu> queries(std::span<const peer_id> wanted, time_ms now);

  /// Empty for everything that is not a first, fresh message of a permitted peer.
  std::optional<discovery_event> receive(std::span<const std::uint8_t, discovery_octets> pdu, time_ms now);
  drop_reason last_drop() const { return last_drop_; }

  /// After a link: the peer's slot counter was `peer_slot` at a moment between our slot `not_before` and now. Narrows
  /// the window to what that leaves open: who holds the message back makes it wider, but never such that it misses the
  /// peer.
  void learn_offset(peer_id peer, slot_t peer_slot, slot_t not_before);
  void peer_added(peer_id peer);
  /// From now on codes no longer include the peer, and its requests meet silence.
  void peer_removed(peer_id peer);

  /// Slots of ours that take a request at layer-2 ID dst now. Usually none or one.
  void find_rendezvous(l2_id dst, time_ms now, std::vector<rendezvous_slot*>& out);
  /// Layer-2 IDs on which requests may arrive now.
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const;
  /// For the exports (export.h).
  const std::vector<direction_keys>& dummies() const { return dummies_; }
  std::size_t monitor_table_size() const { return expected_.size(); }
  std::size_t rendezvous_table_size() const { return rendezvous_.size(); }

private:
  struct expectation {
    peer_id peer;
    slot_t t;
    discovery_pdu pdu;
    l2_id rendezvous;  // computed ahead too, so that a reception costs no hash at all
  };
  struct window {  // [from, to] of slots that are in the table
    slot_t from = 1;
    slot_t to = 0;
    bool empty() const { return from > to; }
  };
  struct offset_range {  // the peer's slot counter minus ours lies in it
    std::int64_t low, high;
  };
  struct monitored {
    std::optional<offset_range> offset;
    slot_t offset_learnt_at = 0;
    window announcements, queries, responses;
    std::optional<slot_t> last_announcement, last_query, last_response;
    slot_t responses_until = 0;
    // Place among the entries before they are shuffled: the lowest that was free. It does not move when other peers
    // come and go.
    std::size_t seat = SIZE_MAX;
    // Own slots up to this one take no requests of the peer, because what they were used for is forgotten.
    std::optional<slot_t> own_used;
  };
  static std::uint64_t key_of(std::span<const std::uint8_t, discovery_octets> pdu);
  window wanted_window(const monitored& m) const;
  void move_window(const peer& p, discovery_type type, window& have, window want, std::optional<slot_t> last);
  void refresh(const peer& p, monitored& m);
  void remember_rendezvous(const peer& p, slot_t t, time_ms now);
  void expire_rendezvous(time_ms now);
  std::optional<slot_t>& last_of(monitored& m, discovery_type type);
  void take_seat(peer_id peer);

  discovery_config config_;
  peer_table& peers_;
  slot_clock clock_;
  time_ms entered_ms_ = 0;  // when the clock last advanced
  // What removed peers used up, as one slot for all: whoever is added (again) starts after it, so a code counts once
  // even then.
  std::optional<slot_t> removed_heard_, removed_own_;
  std::map<peer_id, monitored> monitored_;
  std::unordered_map<std::uint64_t, expectation> expected_;  // keyed by the first octets of the code
  std::deque<rendezvous_slot> rendezvous_;                   // oldest first
  std::vector<direction_keys> dummies_;
  std::vector<discovery_pdu> current_;
  std::vector<peer_id> current_peers_;
  std::optional<slot_t> current_slot_;
  std::size_t turn_ = 0;
  std::vector<discovery_pdu> current_queries_;
  std::optional<slot_t> queries_slot_;
  std::size_t query_turn_ = 0;
  drop_reason last_drop_ = drop_reason::nothing_new;
};

}  // namespace prose::security
