// One UE without its radio: subframes and what was heard in them go in, transmissions for a later subframe and events
// come out. No clock, thread, I/O or random device in here; the program (or a simulation) supplies the time, the
// security sublayer random octets.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "common/result.h"
#include "mac/discovery_scheduler.h"
#include "mac/rx_path.h"
#include "mac/security_port.h"
#include "mac/sync_reference.h"
#include "mac/tm2_scheduler.h"
#include "mac/tm4_scheduler.h"
#include "mac/transmission.h"
#include "mac/tx_flows.h"
#include "phy/types/carrier.h"
#include "phy/types/pool.h"

namespace prose::mac {

struct ue_config {
  int n_prb = 25;
  phy::transmission_mode tm = phy::transmission_mode::tm2;
  phy::comm_pool_config comm;  ///< TM2
  phy::v2x_pool_config v2x;    ///< TM4
  phy::discovery_pool_config discovery;
  discovery_tx_config discovery_tx;
  tm2_config tm2;
  tm4_config tm4;
  sync_config sync;
  tx_limits limits;
  int lead_subframes = 4;             ///< step(n) decides what goes out in subframe n + lead
  bool auto_connect = true;           ///< ask for a link with every permitted peer that is heard
  time_ms connect_backoff_ms = 1000;  ///< after a failed attempt; plus a random part as long
  /// NOT 3GPP: a repeated PC5-S message and its answer first wait a random time up to this. Repetitions every 400 ms
  /// are a whole number of SC periods apart, and an answer follows its request by one period. Without this, a jammer of
  /// every other period would stop every set-up.
  time_ms signalling_spread_ms = 160;
};

// --- what was heard --------------------------------------------------------------------------------------------------
struct rx_slss {
  slss_heard heard;
};
/// SCI format 1, for sensing.
struct rx_sci1 {
  phy::sci_format1 sci;
  int prb = 0;
  double rsrp_dbm = 0;
};
/// How a transmission was received.
struct signal_measured {
  float snr_db = 0;                 ///< in a used resource element
  float cfo_hz = 0;                 ///< carrier offset of its sender against ours
  float timing_offset_samples = 0;  ///< positive: it comes later than our subframe begins
};
/// A transport block whose CRC was right, once each.
struct rx_block {
  std::span<const std::uint8_t> octets;
  std::optional<std::uint8_t> group_destination_id;  ///< of SCI format 0; empty in TM4
  signal_measured signal{};
};
struct rx_discovery {
  std::span<const std::uint8_t, security::discovery_octets> message;
};
struct received_frame {
  std::int64_t subframe = 0;  ///< local number of the subframe it was in
  std::variant<rx_slss, rx_sci1, rx_block, rx_discovery> content;
};

struct step_input {
  std::int64_t subframe = 0;       ///< local number of the subframe that is over; never goes back
  time_ms now_ms = 0;              ///< monotonic
  std::optional<slot_t> utc_slot;  ///< UTC-based counter; never from SLSS
  std::span<const received_frame> frames;
  std::span<const double> subchannel_rssi_dbm;  ///< of this subframe (TM4), if measured
};

// --- events ----------------------------------------------------------------------------------------------------------
struct ev_peer_discovered {
  peer_id peer;
  slot_t slot;
  bool by_response;  ///< model B
};
struct ev_link_established {
  peer_id peer;
  security::link_info info;
  std::uint64_t frames;      ///< subframes that this UE sent for the set-up
  std::uint64_t octets;      ///< of PC5-S messages in them, PDCP headers included
  std::uint64_t air_octets;  ///< of the transport blocks sent in those subframes, every transmission counted
  time_ms duration_ms;       ///< since the peer was heard, or since its request was answered
};
struct ev_data {
  peer_id peer;
  security::sdu_type type;
  std::vector<std::uint8_t> data;
};
struct ev_rekeyed {
  peer_id peer;
  security::link_info info;
};
struct ev_epoch {
  peer_id peer;
  security::link_id link;
  std::uint32_t epoch;
};
struct ev_link_lost {
  peer_id peer;
  security::lost_reason reason;
};
struct ev_attempt_failed {
  peer_id peer;
};
struct ev_sync {
  sync_role role;
  int n_sl_id;
  bool timing_changed;
};
struct ev_clock_refused {
  slot_t slot;
};
using ue_event = std::variant<ev_peer_discovered, ev_link_established, ev_data, ev_rekeyed, ev_epoch, ev_link_lost,
                              ev_attempt_failed, ev_sync, ev_clock_refused>;

struct step_output {
  /// Decided in this step; ascending, at most up to subframe + lead.
  std::vector<subframe_transmission> transmissions;
  std::vector<ue_event> events;
  double shift_samples = 0;  ///< move the origin of the local subframes by so much
};

struct ue_counters {
  std::uint64_t subframes_sent = 0, slss_sent = 0, discovery_sent = 0, dropped_for_priority = 0, late = 0;
  std::uint64_t discovery_heard = 0, discovery_matched = 0;
  rx_counters rx;
  tx_counters tx;
  scheduler_counters scheduler;
};

class ue {
public:
  /// security must outlive the UE.
  static result<std::unique_ptr<ue>> make(const ue_config& config, security_port& security);
  ue(const ue&) = delete;
  ue& operator=(const ue&) = delete;

  void step(const step_input& in, step_output& out);
  /// The next local subframe after `now` at which step() must be called although nothing was heard. A caller in real
  /// time steps every subframe; a simulation may skip to here.
  std::int64_t next_wakeup(std::int64_t now) const;

  // --- requests of the program; they take effect with the next step ---
  /// Returns false if the queue is full. Without a link, data waits for one for tx_limits::unlinked_lifetime_ms.
  bool send(peer_id peer, security::sdu_type type, std::span<const std::uint8_t> data, std::uint8_t lcid = 1);
  /// Model B: asks for these peers, filled up with dummies to a constant number. The list may be empty, and 0 stands
  /// for a peer that is not permitted. Call it in the same way whatever links there are: a UE that stops asking shows
  /// that it has found somebody.
  void query(std::span<const peer_id> peers);
  bool rekey(peer_id peer);
  bool release(peer_id peer);
  /// Request a link when the peer is heard next (with auto_connect off).
  void want(peer_id peer) { wanted_.insert(peer); }
  /// The peer is no longer permitted: call before it leaves the security sublayer.
  void forget(peer_id peer);
  /// Actions of the security sublayer that the program caused itself (removal of a peer).
  void apply(security::actions& actions, step_output& out);

  /// Whether a group destination ID of SCI format 0 may be for this UE. Others need not be decoded.
  bool addressed(std::uint8_t group_destination_id) { return rx_.addressed_lsb(group_destination_id, now_); }
  /// An own transmission was decided for this subframe (within the last 2048).
  bool transmits_in(std::int64_t subframe) const { return sent_in(subframe); }

  const sync_reference& sync() const { return sync_; }
  /// The radio's time leapt, by so many subframes, while local subframes go on: what follows has other numbers, and
  /// what was chosen by the old ones is void. 0: the numbers stay.
  void renumber(std::int64_t subframes);
  ue_counters counters() const;
  /// How the peer's last block with a verified record was received.
  struct peer_hearing {
    time_ms at = 0;
    signal_measured signal;
  };
  std::optional<peer_hearing> hearing(peer_id peer) const;
  bool has_queued_data() const { return flows_.queued_plaintext_octets() + security_.queued_octets() != 0; }
  /// Whether the peer's queue takes so many octets more.
  bool has_room(peer_id peer, std::size_t octets) const {
    return security_.covers() ? security_.has_room(peer, octets) : flows_.has_room(peer, octets);
  }
  const ue_config& config() const { return config_; }
  /// Sizes of everything that could grow, for tests of memory.
  std::size_t held_items() const;

private:
  ue(const ue_config& config, security_port& security, phy::discovery_pool d, std::optional<phy::comm_pool> c,
     std::optional<phy::v2x_pool> v);
  void receive(const received_frame& f, step_output& out);
  void hear_discovery(const rx_discovery& d, step_output& out);
  void decide(std::int64_t subframe, step_output& out);
  void flush_actions(step_output& out);
  void try_connect(const security::peer_heard& h, step_output& out);
  void timing_changed();
  void enter_slot(slot_t slot, step_output& out);
  void synchronise(const step_input& in, step_output& out);
  void sense(const step_input& in);
  void tick(std::int64_t subframe);
  void decide_ahead(std::int64_t subframe, step_output& out);
  void queue_message(security::send_message& m);
  void note_link(security::link_established& e, step_output& out);
  void note_loss(security::link_lost& e, step_output& out);
  std::int64_t next_transmission(std::int64_t from) const;
  time_ms connect_backoff(peer_id peer);
  bool sent_in(std::int64_t subframe) const { return sent_at_[subframe % sent_at_.size()] == subframe; }

  struct setup {
    time_ms since = 0;
    std::uint64_t frames = 0, octets = 0, air_octets = 0;
  };

  ue_config config_;
  security_port& security_;
  sync_reference sync_;
  phy::discovery_pool discovery_pool_;
  std::optional<phy::comm_pool> comm_pool_;
  std::optional<phy::v2x_pool> v2x_pool_;
  tx_flows flows_;
  rx_path rx_;
  discovery_scheduler discovery_;
  std::optional<tm2_scheduler> tm2_;
  std::optional<tm4_scheduler> tm4_;

  security::actions actions_;
  std::map<peer_id, setup> setups_;
  std::map<peer_id, time_ms> connect_not_before_;
  std::map<peer_id, peer_hearing> heard_;
  std::set<peer_id> wanted_;
  std::vector<peer_id> queries_;
  bool query_due_ = false;
  std::array<std::int64_t, 2048> sent_at_;
  std::int64_t last_subframe_ = INT64_MIN;
  std::int64_t last_decided_ = INT64_MIN;
  std::int64_t next_tick_ = INT64_MIN;
  time_ms now_ = 0;
  std::optional<slot_t> slot_;
  bool clock_refused_ = false;
  ue_counters counters_;
};

}  // namespace prose::mac
