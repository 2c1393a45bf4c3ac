// PSSCH and PSDCH coding (TS 36.212 5.4.2, 5.4.4): CRC24A, segmentation with CRC24B (5.1.2), turbo code (5.1.3.2), rate
// matching (5.1.4.1, without soft-buffer limitation: N_cb = K_w). The channel interleaver is separate (interleaver.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "phy/types/cf32.h"

namespace prose::phy {

/// Largest transport block of TS 36.213 7.1.7.2.1-1 for one layer.
inline constexpr int max_transport_block_bits = 97896;

/// What encoder and decoder must agree on.
struct transport_format {
  int tbs = 0;               ///< payload bits without CRC
  int modulation_order = 2;  ///< Q_m: rate matching gives each code block a multiple of it (N_L = 1)
  int rv = 0;                ///< redundancy version 0..3
  bool operator==(const transport_format&) const = default;
};

class transport_encoder {
public:
  transport_encoder();
  ~transport_encoder();
  transport_encoder(transport_encoder&&) noexcept;
  transport_encoder& operator=(transport_encoder&&) noexcept;
  /// payload: format.tbs unpacked bits. coded: G unpacked bits out, G a multiple of modulation_order. No allocation.
  void encode(const transport_format& format, std::span<const std::uint8_t> payload,
              std::span<std::uint8_t> coded) noexcept;

private:
  struct state;
  std::unique_ptr<state> s_;
};

/// Soft bits of one transport block, combined over its redundancy versions. Storage for a block of max_tbs bits is
/// allocated once.
class soft_buffer {
public:
  explicit soft_buffer(int max_tbs = max_transport_block_bits);
  ~soft_buffer();
  soft_buffer(soft_buffer&&) noexcept;
  soft_buffer& operator=(soft_buffer&&) noexcept;
  /// Empties it for a new transport block of `tbs` <= max_tbs bits.
  void reset(int tbs) noexcept;
  /// Becomes a copy of `other`, whose block must not be larger than max_tbs. No allocation.
  void copy(const soft_buffer& other) noexcept;
  int tbs() const noexcept;

private:
  friend class transport_decoder;
  struct state;
  std::unique_ptr<state> s_;
};

struct transport_decode {
  bool crc_ok = false;  ///< CRC24A of the block and, where it is segmented, every CRC24B
  int iterations = 0;   ///< full turbo iterations of the slowest code block
};

/// Adds one transmission to a soft buffer and tries to decode it. Code blocks that an earlier transmission already
/// decoded are not decoded again. Early stop by CRC.
class transport_decoder {
public:
  explicit transport_decoder(int max_iterations = 8);
  ~transport_decoder();
  transport_decoder(transport_decoder&&) noexcept;
  transport_decoder& operator=(transport_decoder&&) noexcept;
  /// coded: G soft bits (erasures 0). payload: buffer.tbs() unpacked bits out, written whether or not the CRC holds.
  /// buffer.tbs() must equal format.tbs. No allocation.
  transport_decode decode(const transport_format& format, std::span<const llr> coded, soft_buffer& buffer,
                          std::span<std::uint8_t> payload) noexcept;

private:
  struct state;
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
