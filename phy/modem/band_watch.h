// Which resource blocks of a subframe carry power, and which of those belong to nothing that was received. NOT 3GPP:
// for a receiver that reports how much of the air it understood.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "phy/modem/subframe_receiver.h"

namespace prose::phy {

/// One object a monitor. Allocates in its constructor only.
class band_watch {
public:
  explicit band_watch(const carrier_config& carrier) : n_prb_(carrier.n_prb), power_(n_prb_), explained_(n_prb_) {
    unexplained_.reserve(n_prb_);
  }
  /// What was learnt of the noise.
  void forget() { quietest_ = 0; }
  void begin_subframe(subframe_receiver& rx) {
    std::ranges::fill(explained_, std::uint8_t{0});
    const resource_grid& g = rx.grid(0);
    double least = std::numeric_limits<double>::max(), most = 0;
    for (int p = 0; p < n_prb_; ++p) {
      double sum = 0;
      // The first and the last symbol are not sent by every channel, or in part.
      for (int l = 1; l < g.n_symbols() - 1; ++l)
        for (const cf32& y : g.symbol(l).subspan(p * subcarriers_per_prb, subcarriers_per_prb)) sum += std::norm(y);
      power_[p] = sum;
      least = std::min(least, sum);
      most = std::max(most, sum);
    }
    quietest_ = quietest_ == 0 ? least : std::min(least, quietest_ * forgetting);
    floor_ = std::max(over_quietest * quietest_, below_strongest * most);
  }
  void explain(int prb, int n) {
    for (int p = std::max(prb, 0); p < std::min(prb + n, n_prb_); ++p) explained_[p] = 1;
  }
  /// The mean power of these PRBs is above the floor.
  bool occupied(int prb, int n) const {
    double sum = 0;
    for (int p = prb; p < prb + n; ++p) sum += power_[p];
    return sum > floor_ * n;
  }
  bool explained(int prb, int n) const {
    return std::all_of(explained_.begin() + prb, explained_.begin() + prb + n, [](auto e) { return e != 0; });
  }
  /// At least one of them is explained.
  bool touched(int prb, int n) const {
    return std::any_of(explained_.begin() + prb, explained_.begin() + prb + n, [](auto e) { return e != 0; });
  }
  /// PRBs with power that nothing explains so far, ascending. Valid until the next call.
  std::span<const int> unexplained() {
    unexplained_.clear();
    for (int p = 0; p < n_prb_; ++p)
      if (explained_[p] == 0 && occupied(p, 1)) unexplained_.push_back(p);
    return unexplained_;
  }
  int n_occupied() const {
    int n = 0;
    for (int p = 0; p < n_prb_; ++p) n += occupied(p, 1) ? 1 : 0;
    return n;
  }

private:
  static constexpr double over_quietest = 4.0;     // 6 dB: 168 resource elements of noise scatter by a twelfth
  static constexpr double below_strongest = 1e-3;  // 30 dB: leakage of a strong transmitter's subcarriers
  // The quietest PRB may rise by half in 400 subframes: a carrier that is full for a while must not pass for noise.
  static constexpr double forgetting = 1.001;
  int n_prb_;
  std::vector<double> power_;
  std::vector<std::uint8_t> explained_;
  std::vector<int> unexplained_;
  double quietest_ = 0, floor_ = 0;
};

}  // namespace prose::phy
