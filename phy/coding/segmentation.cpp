#include "phy/coding/segmentation.h"

#include "phy/coding/qpp.h"

namespace prose::phy {

segmentation make_segmentation(int tbs) noexcept {
  segmentation s;
  s.tbs = tbs;
  const int b = tbs + 24;
  int total = b;  // B'
  if (b <= max_code_block_bits) {
    s.n_blocks = 1;
  } else {
    s.block_crc = 24;
    s.n_blocks = (b + max_code_block_bits - s.block_crc - 1) / (max_code_block_bits - s.block_crc);
    total = b + s.n_blocks * s.block_crc;
  }
  const qpp& large = qpp_at_least((total + s.n_blocks - 1) / s.n_blocks);
  s.k_large = large.k;
  if (s.n_blocks > 1 && &large != qpp_all().data()) {
    const int below = (&large - 1)->k;
    s.n_small = (s.n_blocks * large.k - total) / (large.k - below);
    s.k_small = s.n_small > 0 ? below : 0;
  }
  s.filler = s.n_small * s.k_small + (s.n_blocks - s.n_small) * s.k_large - total;
  return s;
}

int block_coded_bits(const segmentation& s, int block, int coded_bits, int modulation_order) noexcept {
  const int groups = coded_bits / modulation_order;  // G'
  const int share = groups / s.n_blocks;
  const int rest = groups % s.n_blocks;  // gamma
  return modulation_order * (block < s.n_blocks - rest ? share : share + 1);
}

}  // namespace prose::phy
