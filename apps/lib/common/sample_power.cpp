#include "apps/lib/common/sample_power.h"

#include <cmath>
#include <cstdio>
#include <limits>

#include "apps/lib/common/log.h"

namespace prose::apps {
namespace {
constexpr double loudest = 1e4;  // +40 dBFS: no receiver gives a mean power of this
}

void sample_power::add(std::span<const phy::cf32> samples) {
  n += samples.size();
  for (const auto& v : samples) {
    const double re = v.real(), im = v.imag();
    const double p = re * re + im * im;  // of floats: finite where they are
    const bool finite = p <= std::numeric_limits<double>::max();
    non_finite += finite ? 0 : 1;
    sum += finite ? p : 0;
    peak = std::max(peak, finite ? p : 0);
  }
}

void sample_power::add(const sample_power& more) {
  sum += more.sum;
  peak = std::max(peak, more.peak);
  n += more.n;
  non_finite += more.non_finite;
}

std::string sample_power::oddity() const {
  if (n > 0 && !any_finite()) return "no sample is finite";
  if (mean() <= loudest) return {};
  char text[80];
  std::snprintf(text, sizeof text, "a mean power of %.1f dBFS is no signal's", 10 * std::log10(mean()));
  return text;
}

void sample_watch::tell(const std::string& oddity) {
  if (oddity.empty() || told_) return;
  told_ = true;
  log_warning("{}: {}{}", name_, oddity, hint_);
}

void sample_watch::add(std::span<const phy::cf32> samples) {
  second_.add(samples);
  if (static_cast<double>(second_.n) < window_) return;
  tell(second_.oddity());
  whole_.add(second_);
  second_ = {};
}

void sample_watch::end() {
  whole_.add(second_);
  second_ = {};
  tell(whole_.oddity());
}

}  // namespace prose::apps
