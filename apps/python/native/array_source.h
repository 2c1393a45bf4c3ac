// Samples of an array as a source. The array must stay, with its samples.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "phy/types/sample_source.h"

namespace prose::python {

class array_source final : public phy::sample_source {
public:
  array_source(std::vector<std::span<const phy::cf32>> antennas, double sample_rate_hz)
      : antennas_(std::move(antennas)), sample_rate_hz_(sample_rate_hz) {}
  double sample_rate_hz() const override { return sample_rate_hz_; }
  int n_antennas() const override { return static_cast<int>(antennas_.size()); }
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override {
    const std::size_t n = std::min(out[0].size(), antennas_[0].size() - at_);
    for (std::size_t a = 0; a < out.size(); ++a) std::ranges::copy(antennas_[a].subspan(at_, n), out[a].begin());
    phy::read_status s;
    s.first_tick = static_cast<std::int64_t>(at_);
    s.n_samples = n;
    at_ += n;
    s.end = at_ == antennas_[0].size();
    return s;
  }

private:
  std::vector<std::span<const phy::cf32>> antennas_;
  double sample_rate_hz_;
  std::size_t at_ = 0;
};

}  // namespace prose::python
