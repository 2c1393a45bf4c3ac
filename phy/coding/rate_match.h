// Sub-block interleavers and circular buffers of TS 36.212 5.1.4. NULL bits (padding and filler) never reach the
// channel, so the circular buffer is kept without them: selecting E bits is then a plain circular copy, and combining
// is a circular sum.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace prose::phy {

inline constexpr int rate_match_columns = 32;

/// Tables 5.1.4-1 (turbo) and 5.1.4-2 (convolutional): the turbo one reverses the five bits of the column number, the
/// convolutional one also inverts the lowest bit of the result, which puts the odd columns first.
constexpr std::array<int, 32> column_permutation(bool convolutional) {
  std::array<int, 32> p{};
  for (int c = 0; c < 32; ++c) {
    int r = 0;
    for (int b = 0; b < 5; ++b) r |= ((c >> b) & 1) << (4 - b);
    p[c] = convolutional ? r ^ 1 : r;
  }
  return p;
}

/// The circular buffer of the convolutional code (5.1.4.2) for three streams of d bits, d <= 96: entry i of the buffer
/// is bit order[i] of the streams laid end to end.
struct conv_circular_buffer {
  std::array<std::uint16_t, 3 * 96> order{};
  int size = 0;
};
conv_circular_buffer make_conv_circular_buffer(int d) noexcept;

/// The circular buffer of one turbo code block (5.1.4.1) with N_cb = K_w.
class turbo_circular_buffer {
public:
  turbo_circular_buffer(int k, int filler) noexcept;
  /// Entries, all of them real: 3 (K + 4) - 2 F.
  int size() const { return size_; }
  /// Entry at which redundancy version rv begins (k_0).
  int start(int rv) const { return start_[rv & 3]; }

  /// Calls visit(entry, stream, index in stream) for all entries in order. Stream 0 is systematic, 1 and 2 parity; the
  /// indices K .. K+3 are the tail.
  template <class F>
  void for_each(F&& visit) const {
    int entry = 0;
    const int first = padding_ + filler_;
    for (const int column : columns_)
      for (int n = column + skip(column, first); n < padded_; n += 32) visit(entry++, 0, n - padding_);
    for (const int column : columns_) {
      // Streams 1 and 2 alternate; stream 2 is read one position ahead of stream 1 (pi(k) = ... + 1 mod K_pi).
      for (int n = column; n < padded_; n += 32) {
        if (n >= first) visit(entry++, 1, n - padding_);
        const int ahead = n + 1 == padded_ ? 0 : n + 1;
        if (ahead >= padding_) visit(entry++, 2, ahead - padding_);
      }
    }
  }

private:
  static int skip(int column, int first) { return first > column ? (first - column + 31) / 32 * 32 : 0; }
  static constexpr std::array<int, 32> columns_ = column_permutation(false);

  int padded_;   // K_pi
  int padding_;  // N_D
  int filler_;
  int size_;
  std::array<int, 4> start_{};
};

/// out[i] = buffer[(start + i) mod buffer.size()].
template <class T>
void circular_copy(std::span<const T> buffer, std::size_t start, std::span<T> out) {
  if (buffer.empty()) return;
  std::size_t done = 0;
  while (done < out.size()) {
    const std::size_t n = std::min(out.size() - done, buffer.size() - start);
    std::copy_n(buffer.begin() + start, n, out.begin() + done);
    done += n;
    start = 0;
  }
}

/// One soft bit made safe: NaN becomes an erasure, and the size is limited so that sums stay finite.
inline float safe_llr(float x) {
  constexpr float limit = 1e6F;
  x = x == x ? x : 0.0F;
  x = x < limit ? x : limit;
  return x > -limit ? x : -limit;
}

/// buffer[(start + i) mod size] += in[i].
inline void circular_add(std::span<const float> in, std::size_t start, std::span<float> buffer) {
  if (buffer.empty()) return;
  std::size_t done = 0;
  while (done < in.size()) {
    const std::size_t n = std::min(in.size() - done, buffer.size() - start);
    const float* from = in.data() + done;
    float* to = buffer.data() + start;
    for (std::size_t i = 0; i < n; ++i) to[i] += safe_llr(from[i]);
    done += n;
    start = 0;
  }
}

}  // namespace prose::phy
