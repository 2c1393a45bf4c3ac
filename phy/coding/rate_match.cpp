#include "phy/coding/rate_match.h"

#include <cassert>

namespace prose::phy {

conv_circular_buffer make_conv_circular_buffer(int d) noexcept {
  constexpr std::array<int, 32> columns = column_permutation(true);
  assert(d >= 0 && d <= 96);
  conv_circular_buffer b;
  const int padded = (d + 31) / 32 * 32;
  const int padding = padded - d;
  for (int stream = 0; stream < 3; ++stream)
    for (const int column : columns)
      for (int n = column; n < padded; n += 32)
        if (n >= padding) b.order[b.size++] = static_cast<std::uint16_t>(stream * d + n - padding);
  return b;
}

turbo_circular_buffer::turbo_circular_buffer(int k, int filler) noexcept
    : padded_((k + 4 + 31) / 32 * 32), padding_(padded_ - k - 4), filler_(filler), size_(3 * (k + 4) - 2 * filler) {
  // k_0 = R (2 ceil(N_cb / 8R) rv + 2) with N_cb = 96 R: the columns 2 and 26 of stream 0, 9 and 21 of the alternating
  // part.
  constexpr std::array<std::array<int, 2>, 4> position{{{2, 0}, {26, 0}, {32, 9}, {32, 21}}};
  const int rows = padded_ / 32;
  for (std::size_t rv = 0; rv < 4; ++rv) {
    int real = 0;
    for (int c = 0; c < position[rv][0]; ++c) real += rows - skip(columns_[c], padding_ + filler_) / 32;
    for (int c = 0; c < position[rv][1]; ++c) {
      const int column = columns_[c];
      const bool wraps = column == 31 && padding_ > 0;  // the last row of the last column reads the first padding bit
      real += 2 * rows - skip(column, padding_ + filler_) / 32 - skip(column + 1, padding_) / 32 - (wraps ? 1 : 0);
    }
    start_[rv] = real;
  }
}

}  // namespace prose::phy
