// Links with peers: set-up, records, epochs, rekeying, release. Events come in with the time, actions go out; no clock,
// no I/O.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "common/result.h"
#include "security/discovery.h"
#include "security/epoch_chain.h"
#include "security/link_handshake.h"
#include "security/types.h"

namespace prose::security {

inline constexpr std::array suites_by_preference{suite::aes_256_gcm, suite::chacha20_poly1305};

/// An answer that costs scalar multiplications leaves, and takes effect, so many subframes (of 1 ms) after the message
/// that it answers; so does a request after the announcement. It is the same for every UE, configuration and number of
/// peers. It is long enough even if max_peers peers use up what is reserved for them at one moment: 6 multiplications
/// each, 384 in all, leave 1.04 ms for each. An answer that is not ready by then is not sent.
inline constexpr time_ms answer_delay_ms = 400;

struct link_config {
  std::vector<suite> suites{suites_by_preference.begin(),
                            suites_by_preference.end()};  // best first; also what is offered
  time_ms request_interval_ms = 400;                      // T4100: identical retransmission
  time_ms request_lifetime_ms = 8000;
  time_ms answer_gap_ms = 160;  // one sidelink control period: at most one identical answer in it
  time_ms half_open_lifetime_ms = 8000;
  time_ms complete_interval_ms = 400;
  // Constants of the product, which no option changes; tests may.
  time_ms answer_after_ms = answer_delay_ms;
  time_ms budget_interval_ms = 5'000;
  std::uint32_t set_up_multiplications = 12;  // that a peer may cause in set-ups in that interval
  time_ms rekeying_interval_ms = 5'000;       // one of a peer's requests to rekey is answered in it
  std::uint32_t trials_per_10_ms = 64;        // failed hashes over requests for one peer, whoever made them
  epoch_config epochs;
  time_ms keepalive_after_ms = 10'000;  // T4102: nothing sent for so long
  time_ms lost_after_ms = 30'000;       // T4108: nothing verified for so long
  time_ms rekey_after_ms = 30 * 60'000;
  time_ms rekey_larger_key_waits_ms = 60'000;
  time_ms rekey_interval_ms = 1'000;
  time_ms rekey_lifetime_ms = 10'000;
  time_ms refuse_after_ms = 40 * 60'000;
  time_ms release_interval_ms = 400;  // T4103
  std::uint32_t release_sends = 5;    // then the peer finds out by its silence timer
};

// --- actions ---------------------------------------------------------------------------------------------------------
/// Send octets as one RLC SDU on (src, dst, lcid). LCID 28 and 29: a PC5-S message, to be put into a PDCP PDU whose
/// KD-sess ID and SN are zero (TS 36.323 5.6.2; `unprotected_pdcp_header`). LCID 30: a complete, sealed PDCP PDU.
struct send_message {
  peer_id peer;
  std::uint8_t lcid;
  l2_id src, dst;
  std::vector<std::uint8_t> octets;
};
struct link_established {
  peer_id peer;
  link_id link;
  role own_role;
  std::uint16_t kd_sess_id;
  suite suite_used;
  std::array<std::uint8_t, 8> key_fingerprint;  // equal at both ends, says nothing about the keys
};
/// New layer-2 IDs and KD-sess ID are in use for sending. Worth a key-log line where that is allowed.
struct epoch_entered {
  peer_id peer;
  link_id link;
  std::uint32_t epoch;
};
struct rekeyed {
  peer_id peer;
  link_id link;
  std::uint16_t kd_sess_id;
  suite suite_used;
  std::array<std::uint8_t, 8> key_fingerprint;
};
enum class lost_reason : std::uint8_t { silence, released_by_us, released_by_peer, replaced, key_age };
const char* name_of(lost_reason r);
struct link_lost {
  peer_id peer;
  link_id link;
  lost_reason reason;
};
/// The request was not answered in its lifetime; the peer may be discovered and asked again.
struct attempt_failed {
  peer_id peer;
};
using action = std::variant<send_message, link_established, epoch_entered, rekeyed, link_lost, attempt_failed>;
using actions = std::vector<action>;

// --- results ---------------------------------------------------------------------------------------------------------
struct received_data {
  peer_id peer;
  link_id link;
  bool is_data;  // false: signalling, dealt with; data is empty
  sdu_type type;
  bytes_view data;  // inside the output given to receive()
};
struct sealed_pdu {
  std::size_t octets;
  l2_id src, dst;  // of this PDU; they change with the epoch
};
struct link_info {
  peer_id peer;
  link_id link;
  role own_role;
  std::uint16_t kd_sess_id;  // as sent now
  suite suite_used;
  std::array<std::uint8_t, 8> key_fingerprint;
  std::uint32_t epoch;
  l2_id own_l2, peer_l2;  // as sent now
  time_ms key_age_ms;
  const char* algorithms = nullptr;  // of another profile, in the place of the suite (ts33303/direct_links.h)
};

struct link;
struct generation;
struct closing_link;
struct peer_links;
struct link_job;
struct peer_budget;
class set_up_work;
enum class set_up_work_kind : std::uint8_t;
enum class link_job_kind : std::uint8_t;

class link_engine {
public:
  link_engine(const link_config& config, peer_table& peers, discovery_engine& discovery);
  ~link_engine();
  link_engine(const link_engine&) = delete;
  link_engine& operator=(const link_engine&) = delete;

  /// Requests a link with a peer that discovery has heard. `limit` while a request or a half-open link to it exists.
  result<void, drop_reason> connect(const peer_heard& heard, time_ms now, actions& out);

  /// Takes what arrived for one of own_l2_ids(): on LCID 28/29 the PC5-S message (after its PDCP header), on 1..10 and
  /// 30 the whole PDCP PDU. Data is opened into `buffer` (at least octets.size() long). Everything unverified is
  /// dropped without change of state; the error says why, to nobody but the caller.
  result<received_data, drop_reason> receive(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view octets, time_ms now,
                                             bytes_span buffer, actions& out);

  /// Seals data for an established link; allocates nothing. out.size() >= data.size() + record_overhead_octets. data
  /// may lie in out at offset pdcp_header_octets. `moved` epochs are reported by the next tick.
  result<sealed_pdu, drop_reason> seal(link_id link, std::uint8_t lcid, sdu_type type, bytes_view data, time_ms now,
                                       bytes_span out);

  /// Retransmissions, expiries, keep-alives, rekeying. Call at least every 100 ms of `now`.
  void tick(time_ms now, actions& out);

  /// Lets what has become due leave and take effect. Call it in every subframe, before deciding what to send; tick does
  /// it too.
  void release_due(time_ms now, actions& out);
  /// When there is something to release next; INT64_MAX: nothing.
  time_ms next_due() const;

  /// Begins rekeying: the request leaves when it is due.
  result<void, drop_reason> rekey(link_id link, time_ms now, actions& out);
  /// Ends the link here at once and tells the peer, protected and repeatedly until it accepts. Only what this needs is
  /// kept.
  result<void, drop_reason> release(link_id link, time_ms now, actions& out);
  /// Releases the peer's link and forgets every set-up with it. Call before the peer leaves the table.
  void remove_peer(peer_id peer, time_ms now, actions& out);

  std::optional<link_info> info(link_id link, time_ms now) const;
  std::optional<link_id> link_with(peer_id peer) const;
  std::vector<link_info> links(time_ms now) const;
  /// Every layer-2 ID to listen on now: rendezvous, set-ups, and all epochs that open.
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const;
  /// Set-ups and epochs with both their layer-2 IDs: nothing else opens on LCID 1..10, 29 and 30.
  void append_own_l2_pairs(time_ms now, std::vector<l2_pair>& out) const;
  std::uint64_t dropped(drop_reason r) const { return drops_[r]; }
  /// Released links whose peers have not accepted yet: keep ticking until there is none.
  std::size_t closing() const;
  /// For the exports (export.h).
  const std::map<peer_id, peer_links>& state() const { return peers_state_; }
  const std::vector<closing_link>& closing_state() const { return closing_; }
  const std::vector<link_job>& jobs() const { return jobs_; }
  const discovery_engine& discovery() const { return discovery_; }

private:
  /// Why a message or a job is dropped; empty where it took effect.
  using refusal = std::optional<drop_reason>;

  result<received_data, drop_reason> dispatch(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view octets, time_ms now,
                                              bytes_span buffer, actions& out);
  // set-up (link_setup.cpp)
  refusal on_request(l2_id src, l2_id dst, bytes_view octets, std::uint16_t seq, time_ms now, actions& out);
  refusal answer_request(const peer& p, rendezvous_slot& slot, l2_id src, l2_id dst, bytes_view octets,
                         std::uint16_t seq, time_ms now, actions& out);
  refusal on_command(l2_id src, l2_id dst, bytes_view octets, std::uint16_t seq, time_ms now, actions& out);
  refusal on_complete(l2_id src, l2_id dst, bytes_view octets, std::uint16_t seq, time_ms now, actions& out);
  void establish(peer_links& state, time_ms now, actions& out);
  void send_accept(link& l, time_ms now, actions& out);
  random_port& ephemerals(peer_id peer) const;
  std::uint8_t draw_half(peer_id peer);
  std::uint16_t draw_seq(peer_id peer);
  refusal finish_connect(link_job& j, time_ms now, actions& out);
  refusal finish_request(link_job& j, time_ms now, actions& out);
  refusal finish_command(link_job& j, time_ms now, actions& out);
  // what costs scalar multiplications (link_budget.cpp). begin(): also empty where the job takes effect when it is due.
  refusal begin(link_job&& j, time_ms now, actions& out);
  refusal finish(link_job& j, time_ms now, actions& out);
  void miss(link_job& j, time_ms now, actions& out);
  /// A job that missed its time and answers the same octets: it need not be done again.
  std::optional<link_job> take_missed(link_job_kind k, peer_id peer, bytes_view octets);
  bool answers_already(link_job_kind k, peer_id peer, bytes_view octets) const;
  bool under_way(peer_id peer, bool responds) const;
  bool under_way(peer_id peer, link_job_kind k) const;
  void cancel(peer_id peer, link_job_kind k);
  peer_budget& budget_of(peer_id peer, time_ms now);
  bool afford(peer_id peer, std::uint32_t multiplications, time_ms now);
  bool may_try(peer_id peer, time_ms now);
  std::shared_ptr<set_up_work> new_work(set_up_work_kind k, peer_id peer) const;
  // records (link_records.cpp)
  result<received_data, drop_reason> on_record(std::uint8_t lcid, l2_id src, l2_id dst, bytes_view pdu, time_ms now,
                                               bytes_span buffer, actions& out);
  result<received_data, drop_reason> try_record(link& l, std::uint8_t lcid, const pdcp_header& h, l2_id src, l2_id dst,
                                                bytes_view pdu, time_ms now, bytes_span buffer, actions& out);
  /// Returns false if the message ended the link.
  bool on_signalling(link& l, bytes_view message, time_ms now, actions& out);
  void send_signalling(link& l, bytes_view message, time_ms now, actions& out);
  void send_keepalive(link& l, time_ms now, actions& out);
  /// An unanswered keep-alive is repeated so often: four fit into the time after which one is due.
  time_ms keepalive_repetition_ms() const { return config_.keepalive_after_ms / 4; }
  // release (link_release.cpp)
  void send_release(closing_link& c, time_ms now, actions& out);
  refusal on_closing_record(std::uint8_t lcid, const pdcp_header& h, l2_id src, l2_id dst, bytes_view pdu,
                            bytes_span buffer, actions& out);
  void tick_closing(time_ms now, actions& out);
  // rekeying (link_rekey.cpp)
  bool rekeying_is_due(const link& l, time_ms now) const;
  bool keys_are_too_old(const link& l, time_ms now) const;
  refusal begin_rekey(link& l, time_ms now, actions& out);
  refusal finish_rekey(link_job& j, time_ms now, actions& out);
  refusal finish_rekey_request(link_job& j, time_ms now, actions& out);
  refusal finish_rekey_response(link_job& j, time_ms now, actions& out);
  link* find_generation(const link_job& j);
  void on_rekey_request(link& l, bytes_view message, std::uint16_t seq, time_ms now, actions& out);
  void on_rekey_response(link& l, bytes_view message, time_ms now, actions& out);
  void adopt(link& l, generation&& next, bool peer_heard_already, time_ms now, actions& out);
  void report_epochs(link& l, actions& out);

  void tick_link(peer_links& state, time_ms now, actions& out);
  void tick_attempt(peer_links& state, time_ms now, actions& out);
  void tick_pending(peer_links& state, time_ms now, actions& out);
  void tick_live(peer_links& state, time_ms now, actions& out);
  void tick_rekeying(link& l, time_ms now, actions& out);
  void drop_live(peer_links& state, lost_reason why, actions& out);
  link* find_live(link_id id);

  link_config config_;
  std::uint16_t offered_ = 0;
  peer_table& peers_;
  discovery_engine& discovery_;
  ports ports_;
  std::map<peer_id, peer_links> peers_state_;
  std::vector<closing_link> closing_;
  std::vector<link_job> jobs_;  // in the order of submission
  std::map<peer_id, peer_budget> budgets_;
  std::vector<rendezvous_slot*> candidates_;
  drop_counters drops_;
  link_id next_link_ = 1;
};

}  // namespace prose::security
