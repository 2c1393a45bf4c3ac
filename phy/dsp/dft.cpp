#include "phy/dsp/dft.h"

#include <algorithm>
#include <cassert>
#include <cmath>

namespace prose::phy {

dft_bank::dft_bank(fft_direction direction, int max_prb) {
  for (int n = 1; n <= std::min(max_prb, 100); ++n)
    if (is_235(n)) plans_[n].emplace(12 * n, direction);
}

void dft_bank::execute(std::span<const cf32> in, std::span<cf32> out) noexcept {
  assert(in.size() == out.size() && in.size() % 12 == 0);
  auto& plan = plans_[in.size() / 12];
  assert(plan.has_value());
  std::copy(in.begin(), in.end(), plan->input().begin());
  plan->execute();
  const float scale = 1.0F / std::sqrt(static_cast<float>(in.size()));
  const auto result = plan->output();
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = result[i] * scale;
}

}  // namespace prose::phy
