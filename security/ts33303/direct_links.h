// Direct links after TS 33.303 6.5 and TS 24.334 10.4 with a KD that the pair shares beforehand: set-up, user data,
// keep-alive, rekeying, release. The interface is that of security::link_engine: events come in with the time, actions
// go out; no clock, no I/O.
//
// Requests, Rejects and the time of an answer are what the standard's procedure has: a Request is not authenticated, so
// whoever knows a KD ID and where it is listened for gets a Command; a Reject is not either, and ends an attempt.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "security/discovery.h"
#include "security/link_engine.h"
#include "security/ts33303/context.h"
#include "security/ts33303/kd_table.h"
#include "security/ts33303/negotiation.h"

namespace prose::security::ts33303 {

/// How often something is sent before it is given up. TS 24.334 13.2 leaves both numbers to the UE (NOT VERIFIED).
struct repetition {
  time_ms every_ms = 0;
  std::uint32_t sends = 0;
};

struct direct_link_config {
  algorithm_policy algorithms;
  bool mac_i_on_data = unverified::mac_i_on_data;  ///< the same at both ends
  std::string user_info = "ue";                    ///< of the Request, in clear: 1 to 64 octets
  repetition request{400, 20};                     ///< T4100: the Request, and then the Complete, until the Accept
  time_ms half_open_ms = 8'000;                    ///< T4111: from the Command to the Complete
  time_ms half_open_least_ms = 1'000;  ///< then a Command gives its place to a newer Request where all are taken
  time_ms answer_gap_ms = 160;         ///< a repeated message is answered again at most so often
  repetition rekeying_request{1'000, 10};
  repetition release_request{400, 5};    ///< T4103
  time_ms keepalive_after_ms = 10'000;   ///< T4102: nothing heard for so long
  time_ms keepalive_every_ms = 2'500;    ///< T4101: an unanswered keep-alive is repeated
  time_ms lost_after_ms = 30'000;        ///< T4108: nothing heard for so long
  time_ms rekey_after_ms = 30 * 60'000;  ///< the UE that sent the Request; the other one a minute later
  std::uint32_t rekey_at_pdus_left = 16'384;
};

/// "128-EEA2/128-EIA2"; lives as long as the program.
const char* name_of(const algorithms& a);

struct session;
struct link_attempt;
struct half_open_link;
struct closing_link;
struct peer_links;
struct made_context;

class direct_links {
public:
  /// A peer without a KD in the table gets no link. A Request finds its peer by the layer-2 ID at which `discovery`
  /// expects that peer, and by its KD ID.
  direct_links(const direct_link_config& config, kd_table kds, peer_table& peers, discovery_engine& discovery);
  ~direct_links();
  direct_links(const direct_links&) = delete;
  direct_links& operator=(const direct_links&) = delete;

  /// `limit` while a Request to the peer is out, unknown_link for a peer without a KD.
  result<void, drop_reason> connect(const peer_heard& heard, time_ms now, actions& out);
  /// On LCID 28 the PC5-S message after its PDCP header, on 1..10, 29 and 30 the whole PDCP PDU. `buffer` is at least
  /// as long. What is dropped is counted.
  result<received_data, drop_reason> receive(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view octets, time_ms now,
                                             bytes_span buffer, actions& out);
  /// User data. `exhausted` when the SNs that are left are kept for PC5-S.
  result<sealed_pdu, drop_reason> seal(link_id link, std::uint8_t lcid, sdu_type type, bytes_view data, time_ms now,
                                       bytes_span out);
  /// At least every 100 ms of `now`.
  void tick(time_ms now, actions& out);
  result<void, drop_reason> rekey(link_id link, time_ms now, actions& out);
  result<void, drop_reason> release(link_id link, time_ms now, actions& out);
  /// Before the peer leaves the table. Its KD stays in the KD table, unused.
  void remove_peer(peer_id peer, time_ms now, actions& out);

  std::optional<link_info> info(link_id link, time_ms now) const;
  std::optional<link_id> link_with(peer_id peer) const;
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const;
  void append_own_l2_pairs(time_ms now, std::vector<l2_pair>& out) const;
  std::uint64_t dropped(drop_reason r) const { return drops_[r]; }
  /// Released links whose peers have not accepted yet.
  std::size_t closing() const;
  /// Commands that wait for their Complete.
  std::size_t half_open() const;

private:
  /// Why a message is dropped; empty where it took effect.
  using refusal = std::optional<drop_reason>;
  struct arrived {  ///< a PDU or, on LCID 28, a message
    std::uint8_t lcid;
    l2_id src, dst;
    bytes_view octets;
    time_ms now;
    bytes_span buffer;
  };

  result<received_data, drop_reason> dispatch(const arrived& a, actions& out);
  // set-up (direct_link_setup.cpp)
  refusal on_unprotected(const arrived& a, actions& out);
  refusal on_request(const arrived& a, const pc5s_message& m, actions& out);
  refusal answer_request(const peer& p, const arrived& a, const pc5s_message& m, actions& out);
  bool is_own_nonce(const nonce& nonce_1) const;
  bool make_room(peer_links& state, time_ms now) const;
  refusal repeat_command(half_open_link& h, time_ms now, actions& out);
  refusal on_reject(const arrived& a, actions& out);
  result<received_data, drop_reason> on_security_mode(const arrived& a, actions& out);
  refusal on_command(peer_links& state, const arrived& a, actions& out);
  refusal on_complete(peer_links& state, std::size_t half_open, const arrived& a, actions& out);
  result<made_context, drop_reason> verify_command(peer_id peer, const nonce& nonce_1, std::uint8_t msb,
                                                   const arrived& a) const;
  std::optional<made_context> make_context(peer_id peer, side own, std::uint16_t kd_sess_id, const nonce& nonce_1,
                                           const nonce& nonce_2, const algorithms& chosen) const;
  void establish(peer_links& state, std::unique_ptr<session> s, time_ms now, actions& out);
  nonce draw_nonce() const;
  std::uint8_t draw_half(peer_id peer) const;
  std::uint16_t draw_seq(peer_id peer) const;
  std::optional<std::uint8_t> free_lsb(peer_id peer, std::uint8_t msb) const;
  // protected PDUs (direct_link_session.cpp)
  result<received_data, drop_reason> on_record(const arrived& a, actions& out);
  result<received_data, drop_reason> on_live_record(session& s, const arrived& a, actions& out);
  result<received_data, drop_reason> on_first_record(peer_links& state, const arrived& a, actions& out);
  refusal on_closing_record(const arrived& a, actions& out);
  void on_signalling(session& s, bytes_view message, time_ms now, actions& out);
  void send(session& s, std::uint8_t lcid, bytes_view message, actions& out) const;
  void repeat_answer(session& s, time_ms now, actions& out) const;
  void tick_live(peer_links& state, time_ms now, actions& out);
  void tick_closing(time_ms now, actions& out);
  void drop_live(peer_links& state, lost_reason why, actions& out);
  // rekeying (direct_link_rekeying.cpp)
  bool rekeying_is_due(const session& s, time_ms now) const;
  void begin_rekeying(session& s, time_ms now, actions& out);
  void on_rekeying_request(session& s, const rekeying_request& r, bytes_view message, time_ms now, actions& out);
  refusal on_live_security_mode(session& s, const arrived& a, actions& out);
  refusal on_rekeying_command(session& s, const arrived& a, actions& out);
  void finish_rekeying(session& s, time_ms now, actions& out);
  void tick_rekeying(session& s, time_ms now, actions& out);

  void tick_attempt(peer_links& state, time_ms now, actions& out);
  session* find_live(link_id id);
  const session* find_live(link_id id) const;

  direct_link_config config_;
  kd_table kds_;
  peer_table& peers_;
  discovery_engine& discovery_;
  std::map<peer_id, peer_links> peers_state_;
  std::vector<closing_link> closing_;
  std::vector<rendezvous_slot*> candidates_;
  drop_counters drops_;
  link_id next_link_ = 1;
};

}  // namespace prose::security::ts33303
