// The resource grid of one subframe.
#pragma once

#include <algorithm>
#include <cassert>
#include <span>
#include <vector>

#include "phy/types/carrier.h"
#include "phy/types/cf32.h"

namespace prose::phy {

/// symbols_per_subframe() x n_subcarriers() resource elements, symbol after symbol. Subcarrier k = 0 is the lowest.
/// Allocated once, by the constructor.
class resource_grid {
public:
  explicit resource_grid(const carrier_config& c)
      : n_subcarriers_(c.n_subcarriers()),
        n_symbols_(c.symbols_per_subframe()),
        re_(static_cast<std::size_t>(n_subcarriers_) * static_cast<std::size_t>(n_symbols_)) {}
  int n_subcarriers() const { return n_subcarriers_; }
  int n_symbols() const { return n_symbols_; }
  std::span<cf32> symbol(int l) { return {re_.data() + offset(l), static_cast<std::size_t>(n_subcarriers_)}; }
  std::span<const cf32> symbol(int l) const {
    return {re_.data() + offset(l), static_cast<std::size_t>(n_subcarriers_)};
  }
  std::span<cf32> all() { return re_; }
  std::span<const cf32> all() const { return re_; }
  void clear() { std::fill(re_.begin(), re_.end(), cf32{}); }

private:
  std::size_t offset(int l) const {
    assert(l >= 0 && l < n_symbols_);
    return static_cast<std::size_t>(l) * static_cast<std::size_t>(n_subcarriers_);
  }
  int n_subcarriers_;
  int n_symbols_;
  std::vector<cf32> re_;
};

}  // namespace prose::phy
