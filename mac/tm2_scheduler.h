// TM2: autonomous selection in SC periods (TS 36.321 5.14.1.1, TS 36.213 14.1.1.3, 14.2.1.2). Per period and
// destination one grant: a PSCCH resource, a time pattern, PRBs; each transport block is sent four times.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "mac/security_port.h"
#include "mac/transmission.h"
#include "mac/tx_flows.h"
#include "phy/types/pool.h"

namespace prose::mac {

struct tm2_config {
  int mcs = 14;
  int max_prb = 12;  ///< largest PSSCH allocation, also limited by the pool; half a band leaves room for others
  int max_grants_per_period = 1;  ///< destinations served in one SC period (Rel-13: several grants); they take turns
  int max_pattern_weight = 4;  ///< sum of k_TRP over the grants of a period, of 8 subframes; in the rest the UE listens
};

struct scheduler_counters {
  std::uint64_t grants = 0, blocks = 0, pscch = 0, pssch = 0, unused = 0, selections = 0, reselections = 0,
                raised_thresholds = 0;
};

class tm2_scheduler {
public:
  tm2_scheduler(const tm2_config& config, const phy::comm_pool& pool, security_port& security);

  /// Decides one subframe: at the start of a period it chooses the grants of the whole period. is_taken(local
  /// subframe): an own SLSS goes out there.
  template <class IsTaken>
  void decide(std::int64_t local, int absolute, tx_flows& flows, time_ms now, IsTaken&& is_taken,
              subframe_transmission& out) {
    const auto at = pool_.locate(absolute);
    if (!at) return;
    if (at->offset == 0 || local - at->offset != period_start_) {
      // After a jump of the timing the rest of a period is not used.
      grants_.clear();
      period_start_ = local - at->offset;
      if (at->offset == 0 && flows.any_waiting()) {
        taken_.assign(pool_.config().sc_period_subframes, 0);
        for (int i = 0; i < std::ssize(taken_); ++i) taken_[i] = is_taken(local + i) ? 1 : 0;
        choose(flows, now);
      }
    }
    fill(at->offset, absolute, flows, now, out);
  }
  bool has_grants() const { return !grants_.empty(); }
  std::int64_t period_start() const { return period_start_; }
  void reset() {
    grants_.clear();
    period_start_ = INT64_MIN;
  }
  /// Octets of the largest block; 0: no allocation is large enough for one.
  std::size_t block_capacity() const;
  /// Octets that one period can carry for one destination.
  std::size_t period_capacity() const;
  const scheduler_counters& counters() const { return counters_; }

private:
  struct grant {
    l2_id src = 0, dst = 0;
    phy::sci_format0 sci;
    std::array<phy::comm_pool::pscch_place, 2> pscch;
    std::size_t tbs_octets = 0;
    std::vector<int> subframes;  ///< offsets of its PSSCH transmissions
    transport_block block;       ///< the one under way; empty: nothing was left to send
  };
  void choose(tx_flows& flows, time_ms now);
  /// A time resource pattern and what it gives in one period.
  struct pattern {
    int trp = 0;     ///< I_TRP
    int blocks = 0;  ///< that fit a period
    int weight = 0;  ///< k_TRP
  };
  /// Adds a grant; returns the weight of its pattern, 0 where there is none.
  int choose_one(const tx_flow& f, std::size_t backlog, int weight_left);
  std::optional<pattern> choose_pattern(int blocks_wanted, int weight_left, security::random_port& random) const;
  bool meets_own_transmission(const pattern& p) const;
  bool place_pscch(grant& g, security::random_port& random) const;
  int place_prbs(int n_prb, security::random_port& random) const;
  void fill(int offset, int absolute, tx_flows& flows, time_ms now, subframe_transmission& out);
  std::size_t octets_of(int n_prb) const;

  tm2_config config_;
  const phy::comm_pool& pool_;
  security_port& security_;       ///< for its streams
  std::vector<int> allocations_;  ///< usable 2^a 3^b 5^c numbers of PRBs, ascending
  std::vector<grant> grants_;
  std::vector<char> taken_;  ///< by an own transmission of this period, by offset
  std::int64_t period_start_ = INT64_MIN;
  /// PRBs of the PSSCH pool side by side: an allocation lies within one of them (TS 36.211 9.3.6: a single carrier).
  struct prb_run {
    int first = 0;  ///< among the pool's PRBs
    int length = 0;
  };
  std::vector<prb_run> runs_;
  scheduler_counters counters_;
};

}  // namespace prose::mac
