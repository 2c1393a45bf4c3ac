// How many bits of a transport block one transmission leaves open, by elimination over GF(2). The CRCs are not counted
// as equations: whoever uses them to find the bits cannot check the block with them.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

#include "phy/coding/interleaver.h"
#include "phy/coding/qpp.h"
#include "phy/coding/rate_match.h"
#include "phy/coding/segmentation.h"
#include "phy/coding/turbo_encoder.h"

namespace prose::phy {

/// A transmission of a block of tbs bits: n_columns columns (data symbols) that the code fills, of which the last
/// n_unsent are not sent.
struct sent_format {
  int tbs = 0;
  int modulation_order = 2;
  int subcarriers = 12;
  int n_columns = 0;
  int n_unsent = 0;
};

/// Rank of vectors of n bits, as rows of 64-bit words. Changes them.
inline int rank_of(std::vector<std::vector<std::uint64_t>>& rows, std::size_t n) {
  std::size_t rank = 0;
  for (std::size_t bit = 0; bit < n && rank < rows.size(); ++bit) {
    const std::size_t word = bit / 64;
    const std::uint64_t mask = std::uint64_t{1} << bit % 64;
    std::size_t pivot = rank;
    while (pivot < rows.size() && (rows[pivot][word] & mask) == 0) ++pivot;
    if (pivot == rows.size()) continue;
    std::swap(rows[rank], rows[pivot]);
    for (std::size_t r = rank + 1; r < rows.size(); ++r)
      if ((rows[r][word] & mask) != 0)
        for (std::size_t w = word; w < rows[r].size(); ++w) rows[r][w] ^= rows[rank][w];
    ++rank;
  }
  return static_cast<int>(rank);
}

/// The code block whose received circular buffer entries these are: its bits that are not determined.
inline int open_bits_of_code_block(const qpp& q, int filler, const std::vector<bool>& received) {
  const std::size_t k = q.k;
  const turbo_circular_buffer circle(q.k, filler);
  std::vector<bool> known(k);
  std::vector<int> parity[3];  // received equations: index in the stream (of stream 0 the tail only)
  circle.for_each([&](int entry, int stream, int index) {
    if (!received[entry]) return;
    if (stream == 0 && index < q.k)
      known[index] = true;
    else
      parity[stream].push_back(stream == 0 ? index - q.k : index);
  });
  const std::size_t n = parity[0].size() + parity[1].size() + parity[2].size();
  std::vector<std::vector<std::uint64_t>> columns;
  std::vector<std::uint8_t> bits(k), tail(turbo_tail), first(k + turbo_tail), second(k + turbo_tail);
  for (std::size_t u = filler; u < k; ++u) {
    if (known[u]) continue;
    bits[u] = 1;
    turbo_encode(q, bits, tail, first, second);
    bits[u] = 0;
    auto& column = columns.emplace_back((n + 63) / 64);
    std::size_t at = 0;
    const auto add = [&](const std::vector<int>& of, const std::vector<std::uint8_t>& values) {
      for (const int i : of) {
        if (values[i] != 0) column[at / 64] |= std::uint64_t{1} << at % 64;
        ++at;
      }
    };
    add(parity[0], tail);
    add(parity[1], first);
    add(parity[2], second);
  }
  const int unknown = static_cast<int>(columns.size());
  return unknown - rank_of(columns, n);
}

/// Bits of all code blocks that the transmission with redundancy version rv does not determine.
inline int open_bits_of_block(const sent_format& f, int rv) {
  const int coded = f.subcarriers * f.n_columns * f.modulation_order;
  const segmentation seg = make_segmentation(f.tbs);
  int open = 0;
  int at = 0;
  for (int r = 0; r < seg.n_blocks; ++r) {
    const qpp& q = qpp_at_least(seg.size(r));
    const turbo_circular_buffer circle(q.k, seg.filler_of(r));
    const int e = block_coded_bits(seg, r, coded, f.modulation_order);
    std::vector<bool> received(circle.size());
    for (int i = 0; i < e; ++i) {
      const int column = (at + i) / f.modulation_order % f.n_columns;
      if (column < f.n_columns - f.n_unsent) received[(circle.start(rv) + i) % circle.size()] = true;
    }
    at += e;
    open += open_bits_of_code_block(q, seg.filler_of(r), received);
  }
  return open;
}

}  // namespace prose::phy
