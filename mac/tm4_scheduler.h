// TM4: resources selected by the UE from what it sensed, reserved and kept (TS 36.321 5.14.1.1,
// TS 36.213 14.1.1.4B, 14.1.1.6).
#pragma once

#include <array>
#include <deque>
#include <optional>
#include <utility>
#include <vector>

#include "mac/security_port.h"
#include "mac/sensing.h"
#include "mac/tm2_scheduler.h"
#include "mac/transmission.h"
#include "mac/tx_flows.h"
#include "phy/types/pool.h"
#include "security/random_streams.h"

namespace prose::mac {

struct tm4_config {
  int mcs = 14;
  int priority = 4;         ///< PPPP 1 (highest) .. 8
  int max_subchannels = 3;  ///< of one transmission
  /// Reservation period, ms: 20, 50, 100, 200 .. 1000; 0: every block is selected on its own ("single MAC PDU"
  /// of 5.14.1.1).
  int reservation_period_ms = 20;
  bool retransmit = true;  ///< two transmissions a block (else one)
  /// How often a block is sent, each time with a pair of transmissions, at successive opportunities of the process.
  /// NOT 3GPP: TS 36.321 knows two transmissions a block at most; the receiver sees the same block twice and drops the
  /// second. For bad channels, at 1/repeat of the rate.
  int repeat = 1;
  double prob_resource_keep = 0.4;  ///< probResourceKeep: 0, 0.2 .. 0.8
  int reselect_after = 4;           ///< sl-ReselectAfter: unused opportunities in a row, 1..9
  int max_processes = 2;            ///< sidelink processes that transmit (Rel-14: two)
  int t2 = 20;                      ///< selection window of single blocks; reservations use 100
  std::array<double, 64> threshold_dbm = sensing_config{}.threshold_dbm;
};

/// One transmission of a block on so many sub-channels is not enough, however well it is received
/// (phy/types/open_bits.h).
bool leaves_bits_open(const phy::v2x_pool& pool, int mcs, int n_subchannels);

/// Most subframes of t_k^SL between the two transmissions of a block.
int most_gap(const tm4_config& config);

class tm4_scheduler {
public:
  tm4_scheduler(const tm4_config& config, const phy::v2x_pool& pool, security_port& security);

  /// What was heard, by absolute subframe of its reception.
  void heard_sci(std::int64_t local, int absolute, const phy::sci_format1& sci, int pscch_prb, double rsrp_dbm);
  /// One subframe is over; transmitted: we could not listen.
  void subframe_over(std::int64_t local, int absolute, bool transmitted, std::span<const double> subchannel_rssi_dbm);
  /// Decides subframe `local`: selects resources when something waits and a process is free. Own SLSS subframes are not
  /// in t_k^SL, so they need no check.
  void decide(std::int64_t local, int absolute, tx_flows& flows, time_ms now, subframe_transmission& out);
  bool busy() const { return !processes_.empty(); }
  void reset();
  /// Octets of the largest block; 0: none is large enough for headers and data.
  std::size_t block_capacity() const;
  const scheduler_counters& counters() const { return counters_; }
  const sensing_history& history() const { return history_; }
  std::size_t n_processes() const { return processes_.size(); }

private:
  struct process {
    std::int64_t next = 0;     ///< pool index of the next initial transmission
    int first = 0, count = 1;  ///< sub-channels
    int gap = 0;               ///< retransmission at next + gap; 0: none
    int other_first = 0;
    int period = 0;   ///< subframes of the pool; 0: this once
    int counter = 1;  ///< SL_RESOURCE_RESELECTION_COUNTER
    int missed = 0;
    bool last = false;  ///< the period ends with this block: no reservation is announced
    int turns = 0;      ///< blocks sent
    transport_block block;
    std::optional<security::random_stream> random;  ///< for all draws; of the peer whose flow it was selected for
    /// The flow of the first block; no other may use the process. A reservation that outlived the flow would tell
    /// listeners that two layer-2 IDs, or two links, belong to one UE.
    std::optional<std::pair<l2_id, l2_id>> flow;
    std::int64_t block_at = -1;  ///< initial transmission of `block`
    int again = 0;               ///< repetitions of `kept` still to come
    transport_block kept;
  };
  void select(std::int64_t y, const tx_flow& f, const tx_flows& flows);
  const tx_flow* lacks_process(std::int64_t y, tx_flows& flows) const;
  bool serves(const process& p, const tx_flow& f) const { return p.flow && *p.flow == std::pair{f.src, f.dst}; }
  bool is_served(const tx_flow& f) const;
  tx_flow* next_flow(const process& p, std::int64_t y, tx_flows& flows) const;
  bool must_yield(const process& p, tx_flows& flows) const;
  std::int64_t index_of(std::int64_t local, int absolute) const;
  bool own_use(std::int64_t y) const;
  void fill(std::int64_t y, int absolute, tx_flows& flows, time_ms now, subframe_transmission& out);
  void emit(process& p, bool second, std::int64_t y, int absolute, subframe_transmission& out);
  /// Octets of a block on so many sub-channels; 0: too small to carry anything.
  std::size_t octets_of(int count) const;
  int draw_counter(int period, security::random_port& random);

  tm4_config config_;
  const phy::v2x_pool& pool_;
  security_port& security_;  ///< for its streams
  sensing_history history_;
  std::deque<process> processes_;
  /// Subframes that own SCIs have reserved, also those of processes that have ended since.
  std::deque<std::int64_t> announced_;
  std::vector<candidate_resource> candidates_;
  std::vector<std::uint8_t> usable_;
  scheduler_counters counters_;
};

}  // namespace prose::mac
