#include "phy/types/hopping.h"

#include <algorithm>

#include "phy/dsp/gold.h"

namespace prose::phy {
namespace {

// Type 1, TS 36.213 8.4.1: the second place of the allocation, used in odd subframes.
std::optional<int> second_start(int first, int n_prb, int rb_offset, int hopping_bits) {
  const int n_ho = rb_offset + rb_offset % 2;
  const int n_hop = n_prb - n_ho - n_prb % 2;
  if (n_hop < 1) return std::nullopt;
  const int shifted = first - n_ho / 2;
  // Table 8.4-2; fewer than 50 PRB have one bit, whose 0 means half the band.
  const int step = hopping_bits == 0 ? n_hop / 4 : hopping_bits == 1 ? -(n_hop / 4) : n_hop / 2;
  return ((shifted + step) % n_hop + n_hop) % n_hop + n_ho / 2;
}

// Type 2, TS 36.211 5.3.4 with i = CURRENT_TX_NB = n_ssf.
class subband_hopping {
public:
  subband_hopping(int n_prb, const hopping_config& h, int n_ssf)
      : n_sb_(h.n_subbands),
        shift_(n_sb_ == 1 ? 0 : (h.rb_offset + 1) / 2),
        size_(n_sb_ == 1 ? n_prb : (n_prb - h.rb_offset - h.rb_offset % 2) / n_sb_) {
    gold_sequence c(h.hopping_parameter == 504 ? 510U : static_cast<std::uint32_t>(h.hopping_parameter));
    int f_m = 0;
    for (int i = 0; i <= n_ssf; ++i) {  // f_hop(i) builds on f_hop(i - 1), f_hop(-1) = 0
      f_m = c.next();
      int sum = 0;
      for (int k = 0; k < 9; ++k) sum |= c.next() << k;
      if (n_sb_ == 2) f_hop_ = (f_hop_ + sum) % n_sb_;
      if (n_sb_ > 2) f_hop_ = (f_hop_ + sum % (n_sb_ - 1) + 1) % n_sb_;
    }
    mirror_ = n_sb_ == 1 ? n_ssf % 2 == 1 : f_m == 1;
  }
  std::optional<int> map(int vrb) const {
    const int v = vrb - shift_;
    if (size_ < 1 || v < 0 || v >= size_ * n_sb_) return std::nullopt;
    const int mirrored = mirror_ ? size_ - 1 - 2 * (v % size_) : 0;
    return (v + f_hop_ * size_ + mirrored) % (size_ * n_sb_) + shift_;
  }

private:
  int n_sb_;
  int shift_;
  int size_;
  int f_hop_ = 0;
  bool mirror_ = false;
};

}  // namespace

std::optional<riv_range> pssch_allocation(const sci_format0& sci, int riv_prb, int n_prb, const hopping_config& h,
                                          int n_ssf) {
  std::uint32_t riv = sci.resource_block_assignment;
  int hopping_bits = 0;
  if (sci.frequency_hopping) {
    // Table 8.4-1: one hopping bit below 50 PRB, two from there on; they are the top bits of the assignment.
    const int n_bits = riv_prb < 50 ? 1 : 2;
    const int rest = riv_bits(riv_prb) - n_bits;
    hopping_bits = static_cast<int>(riv >> rest);
    riv &= (1U << rest) - 1U;
    if (n_bits == 1) hopping_bits += 2;  // 0: half the band, 1: type 2, as 10 and 11 of the two-bit table
  }
  const auto range = riv_decode(riv_prb, riv);
  if (!range || range->start + range->length > n_prb) return std::nullopt;
  if (!sci.frequency_hopping) return range;
  if (hopping_bits != 3) {
    if (n_ssf % 2 == 0) return range;
    const auto start = second_start(range->start, n_prb, h.rb_offset, hopping_bits);
    if (!start || *start + range->length > n_prb) return std::nullopt;
    return riv_range{*start, range->length};
  }
  const subband_hopping hop(n_prb, h, n_ssf);
  int low = n_prb;
  int high = -1;
  for (int v = range->start; v < range->start + range->length; ++v) {
    const auto prb = hop.map(v);
    if (!prb) return std::nullopt;
    low = std::min(low, *prb);
    high = std::max(high, *prb);
  }
  if (high - low + 1 != range->length || high >= n_prb) return std::nullopt;
  return riv_range{low, range->length};
}

}  // namespace prose::phy
