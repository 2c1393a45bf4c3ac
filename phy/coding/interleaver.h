// The PUSCH channel interleaver without control information (TS 36.212 5.2.2.8), as every sidelink channel uses it:
// written row by row in groups of Q_m bits, read column by column; a column is a symbol, the punctured last one
// included.
#pragma once

#include <cassert>
#include <cstddef>
#include <span>

namespace prose::phy {

/// Calls move(position in the written order, position in the transmitted order) for every bit.
template <class F>
void for_each_interleaved(std::size_t n_bits, int n_columns, int q_m, F&& move) {
  const std::size_t columns = n_columns;
  const std::size_t group = q_m;
  assert(n_bits % (columns * group) == 0);
  const std::size_t rows = n_bits / (columns * group);
  std::size_t sent = 0;
  for (std::size_t c = 0; c < columns; ++c)
    for (std::size_t r = 0; r < rows; ++r)
      for (std::size_t b = 0; b < group; ++b) move((r * columns + c) * group + b, sent++);
}

/// Sizes equal, a multiple of n_columns * q_m; no overlap.
template <class T>
void channel_interleave(std::span<const T> in, int n_columns, int q_m, std::span<T> out) {
  for_each_interleaved(in.size(), n_columns, q_m,
                       [&](std::size_t written, std::size_t sent) { out[sent] = in[written]; });
}

template <class T>
void channel_deinterleave(std::span<const T> in, int n_columns, int q_m, std::span<T> out) {
  for_each_interleaved(in.size(), n_columns, q_m,
                       [&](std::size_t written, std::size_t sent) { out[written] = in[sent]; });
}

}  // namespace prose::phy
