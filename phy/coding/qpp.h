// The quadratic permutation polynomial interleaver of the turbo code (TS 36.212 5.1.3.2.3).
#pragma once

#include <cstdint>
#include <span>

namespace prose::phy {

inline constexpr int max_code_block_bits = 6144;  ///< Z of TS 36.212 5.1.2

struct qpp {
  int k;   ///< code block size
  int f1;  ///< output i is input (f1 i + f2 i^2) mod k
  int f2;
};

/// All 188 sizes in ascending order.
std::span<const qpp> qpp_all() noexcept;

/// The smallest size that holds `bits`; the largest of all where none does.
const qpp& qpp_at_least(int bits) noexcept;

/// Calls visit(pi(i)) for i = 0 .. k-1 without a multiplication: pi(i+1) - pi(i) = f1 + f2 (2i + 1) mod k.
template <class F>
void for_each_interleaved_index(const qpp& q, F&& visit) {
  const auto k = static_cast<std::uint32_t>(q.k);
  const std::uint32_t step_step = (2U * static_cast<std::uint32_t>(q.f2)) % k;
  std::uint32_t index = 0;
  std::uint32_t step = static_cast<std::uint32_t>(q.f1 + q.f2) % k;
  for (std::uint32_t i = 0; i < k; ++i) {
    visit(index);
    index += step;
    index = index >= k ? index - k : index;
    step += step_step;
    step = step >= k ? step - k : step;
  }
}

}  // namespace prose::phy
