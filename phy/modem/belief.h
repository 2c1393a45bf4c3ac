// When the subframe receiver believes what it decoded: a CRC of 16 or 24 bits is not enough where thousands of places
// are tried.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "phy/channels/soft_bits.h"
#include "phy/scfdma/dmrs.h"
#include "phy/types/carrier.h"

namespace prose::phy {

/// A control channel is worth decoding only if its reference symbols stand out. A decoded word is believed only if the
/// soft bits agree with it better than with the best of all words on noise, which depends on the code rate. Set with
/// the noise campaign (tests/phy/receiver_noise_test.cpp) and with the sensitivity of each channel in mind.
struct belief {
  float dmrs_metric;
  float agreement;   ///< with as many soft bits as noise makes of a whole subframe of normal prefix
  float noise_bits;  ///< that number: control_decode::effective_bits of noise
  /// Fewer bits agree better by chance. An extended prefix has a symbol or two less; uneven noise (lost samples, steps
  /// of the power, impulses) may leave a single symbol that counts.
  float needed_agreement(float effective_bits) const {
    return effective_bits > 0 ? agreement * std::sqrt(std::max(1.0F, noise_bits / effective_bits)) : 2.0F;
  }
};
/// 2 / pi of the bits, less its scatter.
inline float noise_bits(sl_channel channel, transmission_mode tm, int n_prb) {
  return 0.6F * static_cast<float>(2 * n_prb * subcarriers_per_prb *
                                   (symbols_of(channel, cyclic_prefix::normal, tm).n_data - 1));
}
inline belief pscch_belief(transmission_mode tm) {
  return is_v2x(tm) ? belief{0.105F, 0.48F, noise_bits(sl_channel::pscch, tm, 2)}
                    : belief{0.22F, 0.63F, noise_bits(sl_channel::pscch, tm, 1)};
}
inline belief psbch_belief(transmission_mode tm) {
  return is_v2x(tm) ? belief{0.06F, 0.45F, noise_bits(sl_channel::psbch, tm, 6)}
                    : belief{0.07F, 0.38F, noise_bits(sl_channel::psbch, tm, 6)};
}

/// A block is believed only if its sequence has so many times the DMRS energy that noise gives it on average. Chosen,
/// not derived; with one delay and carrier offset noise exceeds 8 once in exp(8), about 3000.
inline constexpr float min_transport_evidence = 8;

inline bool all_zero(std::span<const std::uint8_t> bits) {
  return std::all_of(bits.begin(), bits.end(), [](std::uint8_t b) { return b == 0; });
}
/// The block of zeros has a CRC of zeros, and a decoder with too little information (one redundancy version at a high
/// rate) falls back on it. Its code word is all zeros as well, so the soft bits must lean that way by more than chance:
/// eight standard deviations, but no more than 0.3 of their magnitude. Both chosen, not derived.
inline bool agrees_with_zero(std::span<const llr> soft) {
  double sum = 0;
  double magnitude = 0;
  for (const llr v : soft) {
    sum += v;
    magnitude += std::abs(v);
  }
  const double chance = 8 / std::sqrt(static_cast<double>(soft.size()));
  return sum > std::min(0.3, chance) * magnitude;
}

}  // namespace prose::phy
