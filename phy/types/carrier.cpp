#include "phy/types/carrier.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace prose::phy {

result<carrier_config> carrier_config::make(int n_prb, cyclic_prefix cp, transmission_mode tm, double sample_rate_hz) {
  if (std::find(bandwidths_prb.begin(), bandwidths_prb.end(), n_prb) == bandwidths_prb.end())
    return fail("n_prb " + std::to_string(n_prb) + " is not one of 6, 15, 25, 50, 75, 100");
  if (static_cast<int>(tm) < 1 || static_cast<int>(tm) > 4)
    return fail("transmission_mode " + std::to_string(static_cast<int>(tm)) + " is not one of 1, 2, 3, 4");
  if (cp == cyclic_prefix::extended && is_v2x(tm))
    return fail("cp extended exists only with transmission modes 1 and 2");
  const int standard = standard_fft_size(n_prb);
  for (const int fft_size : {standard, standard * 3 / 4}) {
    if (std::abs(sample_rate_hz - fft_size * subcarrier_spacing_hz) <= 1.0)
      return carrier_config{n_prb, cp, tm, fft_size};
  }
  return fail("sample_rate_hz " + std::to_string(sample_rate_hz) + " does not fit " + std::to_string(n_prb) +
              " PRB; accepted: " + std::to_string(standard * 15000) + " or " + std::to_string(standard * 11250));
}

}  // namespace prose::phy
