// Resource pools of discovery, PSDCH (TS 36.213 14.3). All arithmetic, no signal.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/result.h"
#include "phy/types/channels.h"
#include "phy/types/subframe_set.h"

namespace prose::phy {

/// TS 36.331 SL-DiscResourcePool.
struct discovery_pool_config {
  int n_prb = 50;                   ///< of the carrier
  int tdd_config = 0;               ///< 0 FDD, 1..7 sa0..sa6
  int disc_period_subframes = 320;  ///< discPeriod, rf32 is 320
  int num_retx = 0;                 ///< numRetx 0..3
  int num_repetition = 1;           ///< numRepetition 1..50
  prb_range prb{};
  int offset_indicator = 0;
  std::string subframe_bitmap{};
};

class discovery_pool {
public:
  /// The error names the key and what is accepted.
  static result<discovery_pool> make(const discovery_pool_config& config);
  const discovery_pool_config& config() const { return config_; }

  std::optional<pool_period::position> locate(int absolute_subframe) const { return period_.locate(absolute_subframe); }
  int n_transmissions() const { return config_.num_retx + 1; }  ///< N_TX
  int n_time() const { return n_t_; }                           ///< N_t
  int n_frequency() const { return n_f_; }                      ///< N_f
  int n_resources() const { return n_t_ * n_f_; }

  struct place {
    int prb;  ///< the two PRBs; adjacent but where an odd prb_num pairs PRBs across the pool's gap
    int prb_second;
    int subframe;  ///< offset in the period
    bool operator==(const place&) const = default;
  };
  /// Type 1: transmission 0..n_transmissions() - 1 of resource n of every period.
  place resource(int n, int transmission) const;
  psdch_config psdch(int n, int transmission) const;

  /// Pair 0..n_frequency() - 1 of the PRBs, whatever the subframe: the two of every place().
  int pair_first(int a) const { return prbs_[2 * a]; }
  int pair_second(int a) const { return prbs_[2 * a + 1]; }

  /// One resource of a subframe, as a receiver searches them.
  struct candidate {
    psdch_config config;
    int n;
    int transmission;
  };
  /// Number of candidates in this subframe: n_frequency() or 0. Pass the index below to candidate_at().
  int n_candidates(int absolute_subframe) const;
  candidate candidate_at(int absolute_subframe, int index) const;

  /// Type 2B: semi-persistent resource that hops from period to period (14.3.1).
  struct type2b_config {
    int n1 = 0;         ///< a of discHoppingConfig
    int n2 = 0;         ///< b: also what is added with the period, modulo 10
    int n3 = 1;         ///< c
    int prb_index = 0;  ///< discPRB-Index
    int sf_index = 0;   ///< discSF-Index
  };
  /// Resource n (as of type 1: a_1 = n / N_t, b_1 = n mod N_t) in the i-th period since the configuration, i >= 0.
  int type2b_resource(const type2b_config& config, int i) const;

private:
  place place_of(int a1, int b1, int transmission) const;
  discovery_pool_config config_;
  pool_period period_;
  std::vector<int> prbs_;
  std::vector<int> offsets_;
  std::vector<std::int16_t> index_of_offset_;
  int n_t_ = 0;
  int n_f_ = 0;
};

}  // namespace prose::phy
