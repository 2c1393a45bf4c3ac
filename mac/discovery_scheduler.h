// PSDCH: which discovery message goes out on which resource of a discovery period (type 1 selection by the UE:
// TS 36.321 5.15.1.1, TS 36.213 14.3.1).
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <vector>

#include "mac/security_port.h"
#include "mac/transmission.h"
#include "phy/types/pool.h"

namespace prose::mac {

struct discovery_tx_config {
  bool announce = true;         ///< model A
  int per_period = 6;           ///< announcements in one discovery period; the entries of a slot take turns
  double tx_probability = 1.0;  ///< txProbability 0.25, 0.5, 0.75, 1
};

class discovery_scheduler {
public:
  discovery_scheduler(const discovery_tx_config& config, const phy::discovery_pool& pool, security_port& security)
      : config_(config), pool_(pool), security_(security) {}

  /// All queries of model B of a slot: sent once, in the next period. They replace those that have not gone out yet.
  void enqueue_queries(std::span<const security::discovery_pdu> queries) {
    queries_.assign(queries.begin(), queries.end());
  }
  /// A response of model B to this peer: sent once, in the next period.
  void enqueue_response(const security::discovery_pdu& pdu, peer_id to);
  /// Decides subframe `local`; at the start of a period the messages of the period take their resources.
  template <class IsTaken>
  void decide(std::int64_t local, int absolute, time_ms now, IsTaken&& is_taken, subframe_transmission& out) {
    const auto at = pool_.locate(absolute);
    if (!at) return;
    if (at->offset == 0) {
      choose(now);
      for (auto p = planned_.begin(); p != planned_.end();)
        p = is_taken(local + p->first) ? planned_.erase(p) : std::next(p);
      period_start_ = local;
    }
    if (local - at->offset != period_start_) planned_.clear();  // the timing jumped
    const auto p = planned_.find(at->offset);
    if (p == planned_.end()) return;
    out.psdch = p->second;
    planned_.erase(p);
    ++sent_;
  }
  void reset() {
    planned_.clear();
    period_start_ = INT64_MIN;
  }
  bool planned() const { return !planned_.empty(); }
  bool waiting() const { return !queries_.empty() || !responses_.empty(); }
  bool announcing() const { return config_.announce; }
  std::uint64_t sent() const { return sent_; }
  static constexpr std::size_t max_queued = 64;

private:
  void choose(time_ms now);
  void place(const security::discovery_pdu& message, security::random_port& random);
  discovery_tx_config config_;
  const phy::discovery_pool& pool_;
  struct response {
    security::discovery_pdu pdu;
    peer_id to;
  };
  security_port& security_;
  std::vector<security::discovery_pdu> queries_;
  std::deque<response> responses_;
  std::map<int, psdch_transmission> planned_;  ///< by offset in the period
  std::int64_t period_start_ = INT64_MIN;
  std::size_t turn_ = 0;
  std::uint64_t sent_ = 0;
};

}  // namespace prose::mac
