#include "phy/air/kernels.h"

#include <cmath>

namespace prose::phy::air {

void rotation_table::fill(double radians_a_sample) {
  for (std::size_t i = 0; i < block; ++i) {
    const double angle = radians_a_sample * static_cast<double>(i);
    re[2 * i] = re[2 * i + 1] = static_cast<float>(std::cos(angle));
    im_alt[2 * i + 1] = static_cast<float>(std::sin(angle));
    im_alt[2 * i] = -im_alt[2 * i + 1];
  }
}

}  // namespace prose::phy::air
