// When a transmission is believed to be there: one set of thresholds for the UE and the sniffer. A DMRS metric is the
// share (0..1) of the DMRS energy that one sequence explains: near SNR / (SNR + 1) for the right one, near 1 / (number
// of DMRS resource elements) for noise and for wrong ones.
#pragma once

#include <algorithm>

#include "phy/types/channels.h"

namespace prose::phy {

/// TM1/2: two DMRS symbols (TS 36.211 9.8), so noise shows 1 / (24 n_prb). Seven times that for few PRBs, where noise
/// scatters; a tenth for many, an SNR of -9.5 dB. Both chosen, not derived.
inline float least_pssch_metric_tm2(const pssch_config& c) {
  return std::max(0.1F, 7.0F / static_cast<float>(c.n_prb * subcarriers_per_prb * 2));
}
/// TM3/4: four DMRS symbols, so noise shows 1 / (48 n_prb). Six times that for few PRBs; for many an SNR of -10.6 dB.
inline float least_pssch_metric_tm4(const pssch_config& c) {
  return std::max(0.08F, 6.0F / static_cast<float>(c.n_prb * subcarriers_per_prb * 4));
}
/// The 48 DMRS resource elements of a PSDCH show 1/48 in noise, and reach this about once in 10^4 resources.
inline constexpr float least_psdch_metric = 0.2F;
/// A PSSCH is clearly there, decoded or not: an SNR of 0 dB. Chosen, not derived.
inline constexpr float clear_pssch_metric = 0.5F;

}  // namespace prose::phy
