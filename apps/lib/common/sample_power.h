// Power of samples, and what no receiver gives: no finite sample, or a mean power far beyond full scale. Both mean that
// something else than samples of the told datatype is read.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <string>

#include "phy/types/cf32.h"

namespace prose::apps {

/// Full scale is 1. Only finite samples have a power.
struct sample_power {
  double sum = 0, peak = 0;
  std::uint64_t n = 0, non_finite = 0;

  void add(std::span<const phy::cf32> samples);
  void add(const sample_power& more);
  bool any_finite() const { return n > non_finite; }
  double mean() const { return any_finite() ? sum / static_cast<double>(n - non_finite) : 0; }
  /// "no sample is finite" or "a mean power of N dBFS is no signal's"; empty where nothing is odd.
  std::string oddity() const;

private:
  bool add_finite(std::span<const phy::cf32> samples);
  void add_each(std::span<const phy::cf32> samples);
};

/// Follows a stream, and warns once: of a second that is odd, at its end, or of the whole.
class sample_watch {
public:
  /// name: of the source; hint: appended to the warning, as ": is this cf32_le?"; may be empty.
  sample_watch(std::string name, std::string hint, double rate_hz)
      : name_(std::move(name)), hint_(std::move(hint)), window_(std::max(rate_hz, 1.0)) {}
  /// Of one channel; channels may come one after the other. Allocates only to warn.
  void add(std::span<const phy::cf32> samples);
  /// The stream is over.
  void end();

private:
  void tell(const std::string& oddity);

  std::string name_, hint_;
  double window_;
  sample_power second_, whole_;
  bool told_ = false;
};

}  // namespace prose::apps
