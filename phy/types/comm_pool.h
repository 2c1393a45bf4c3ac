// Resource pools of sidelink communication, TM1 and TM2 (TS 36.213 14.1, 14.2). All arithmetic, no signal.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "phy/types/carrier.h"
#include "phy/types/channels.h"
#include "phy/types/hopping.h"
#include "phy/types/sci.h"
#include "phy/types/subframe_set.h"

namespace prose::phy {

struct comm_pool_config {
  int n_prb = 50;  ///< of the carrier
  transmission_mode tm = transmission_mode::tm2;
  /// false: nothing is known. PSCCH may be on any PRB of any subframe, RIVs are relative to the carrier, n_ssf is
  /// unknown.
  bool known = true;
  int tdd_config = 0;            ///< 0 FDD, 1..7 sa0..sa6
  int sc_period_subframes = 40;  ///< sc-Period
  prb_range pscch{};
  int offset_indicator = 0;
  std::string subframe_bitmap{};  ///< of PSCCH
  /// TM2 has a PSSCH pool of its own. Without it PSSCH follows TM1: every uplink subframe after the last one of PSCCH.
  struct data_resources {
    prb_range prb{};
    int offset_indicator = 0;  ///< relative to the start of the period
    std::string subframe_bitmap{};
  };
  std::optional<data_resources> data{};
  hopping_config hopping{};
};

class comm_pool {
public:
  /// The error names the key and what is accepted.
  static result<comm_pool> make(const comm_pool_config& config);
  const comm_pool_config& config() const { return config_; }

  std::optional<pool_period::position> locate(int absolute_subframe) const { return period_.locate(absolute_subframe); }

  // --- PSCCH -------------------------------------------------------------------------------------------------------
  /// PRBs to search in this subframe; empty where it is not in the PSCCH pool. Pass -1 for an unknown subframe.
  std::span<const int> pscch_candidates(int absolute_subframe) const;
  /// Number of PSCCH resources of a period, floor(M / 2) L.
  int n_pscch_resources() const;
  struct pscch_place {
    int prb;
    int subframe;  ///< offset in the period
    bool operator==(const pscch_place&) const = default;
  };
  /// Place of transmission 0 or 1 of PSCCH resource n.
  pscch_place pscch_resource(int n, int transmission) const;
  struct pscch_identity {
    int n;
    int transmission;
  };
  /// Which resource a received PSCCH belongs to.
  std::optional<pscch_identity> identify_pscch(int absolute_subframe, int prb) const;

  // --- PSSCH -------------------------------------------------------------------------------------------------------
  /// j: place of the subframe in the PSSCH pool of its period, -1 if it is not in it or the pool is unknown. n_ssf is j
  /// mod 10.
  int pssch_index(int absolute_subframe) const;
  int n_ssf(int absolute_subframe) const {
    const int j = pssch_index(absolute_subframe);
    return j < 0 ? -1 : j % 10;
  }
  /// PRBs of the PSSCH pool, ascending.
  std::span<const int> pssch_prbs() const { return pssch_prbs_; }
  /// Offsets in the period of the PSSCH pool, ascending.
  std::span<const int> pssch_subframes() const { return pssch_offsets_; }
  /// Number of subframes that a pattern uses in a period: a multiple of 4 (0: pattern reserved). They carry a quarter
  /// as many transport blocks.
  int n_pssch_transmissions(int i_trp) const;
  /// Offset in the period of the i-th subframe of the pattern, i below n_pssch_transmissions().
  int pssch_subframe(int i_trp, int i) const;
  /// What an SCI allocates in a PSSCH subframe n_ssf (0..9), rv left 0. Empty where the SCI is not valid here.
  std::optional<pssch_config> pssch(const sci_format0& sci, int n_ssf) const;
  struct pssch_occasion {
    pssch_config config;
    int block;         ///< transport block of the period, 0..
    int transmission;  ///< 0..3 of that block
  };
  /// What an SCI of this period allocates in this subframe; empty where nothing.
  std::optional<pssch_occasion> pssch_at(const sci_format0& sci, int absolute_subframe) const;

private:
  comm_pool_config config_;
  pool_period period_;
  std::vector<int> pscch_prbs_;
  std::vector<int> pscch_offsets_;
  std::vector<int> pssch_prbs_;  ///< of the pool in TM2, of the carrier otherwise
  std::vector<int> pssch_offsets_;
  std::vector<int> pssch_index_of_offset_;
  std::vector<std::uint8_t> is_pscch_offset_;
};

}  // namespace prose::phy
