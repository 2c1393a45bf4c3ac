#include "apps/lib/listen/symbol_error.h"

#include <algorithm>
#include <cmath>

namespace prose::apps {

double symbol_error(phy::cf32 symbol, int bits) {
  const int levels = bits == 6 ? 8 : bits == 4 ? 4 : 2;
  const double step = std::sqrt(6.0 / (levels * levels - 1));  // of mean power 1 over both axes
  const auto apart = [&](double v) {
    const double nearest = std::clamp(std::round((v / step) + (levels - 1) / 2.0), 0.0, levels - 1.0);
    return v - (nearest - (levels - 1) / 2.0) * step;
  };
  const double i = apart(symbol.real()), q = apart(symbol.imag());
  return i * i + q * q;
}

}  // namespace prose::apps
