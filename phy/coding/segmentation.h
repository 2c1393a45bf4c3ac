// Code block segmentation (TS 36.212 5.1.2) and the share of the channel bits each block gets (5.1.4.1.2).
#pragma once

namespace prose::phy {

struct segmentation {
  int tbs = 0;        ///< transport block without CRC24A
  int n_blocks = 0;   ///< C
  int n_small = 0;    ///< C-: the first n_small blocks have k_small bits
  int k_small = 0;    ///< K- (0 when n_small is 0)
  int k_large = 0;    ///< K+
  int filler = 0;     ///< F: filler bits at the start of block 0
  int block_crc = 0;  ///< L: 24 when there are several blocks

  int size(int block) const { return block < n_small ? k_small : k_large; }
  int filler_of(int block) const { return block == 0 ? filler : 0; }
  /// Bits of the transport block and its CRC24A in this block.
  int data_bits(int block) const { return size(block) - filler_of(block) - block_crc; }
};

/// tbs >= 0 bits without CRC24A.
segmentation make_segmentation(int tbs) noexcept;

/// E of one block out of `coded_bits` = G, one layer (N_L = 1). All blocks together get the largest multiple of
/// modulation_order that does not exceed G.
int block_coded_bits(const segmentation& s, int block, int coded_bits, int modulation_order) noexcept;

}  // namespace prose::phy
