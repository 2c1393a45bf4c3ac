// Sidelink control information (TS 36.212 5.4.3.1) and resource indication values (TS 36.213 8.1.1, 14.1.1.4C).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace prose::phy {

inline constexpr int max_sci_bits = 45;
inline constexpr int sci_format1_bits = 32;

/// SCI format 0, TM1 and TM2.
struct sci_format0 {
  bool frequency_hopping = false;
  std::uint16_t resource_block_assignment = 0;  ///< width riv_bits(n_prb): RIV, with its hopping bits when hopping
  std::uint8_t time_resource_pattern = 0;       ///< I_TRP, 0..127
  std::uint8_t mcs = 0;                         ///< 0..31 on the air, 29..31 are not used
  std::uint16_t timing_advance = 0;             ///< 11 bits; TM2 sends 0
  std::uint8_t group_destination_id = 0;        ///< n_ID^SA
  bool operator==(const sci_format0&) const = default;
};

/// SCI format 1, TM3 and TM4.
struct sci_format1 {
  std::uint8_t priority = 0;              ///< value p means PPPP p + 1
  std::uint8_t resource_reservation = 0;  ///< TS 36.213 table 14.2.1-2
  std::uint8_t frequency_location = 0;    ///< RIV over sub-channels, width riv_bits(n_subchannels)
  std::uint8_t time_gap = 0;              ///< SF_gap 0..15
  std::uint8_t mcs = 0;                   ///< 0..31
  std::uint8_t retransmission_index = 0;  ///< 0 or 1
  std::uint8_t transmission_format = 0;   ///< Rel-15: 1 = last symbol rate matched
  std::uint16_t reserved = 0;             ///< what the remaining bits held; sent as 0
  bool operator==(const sci_format1&) const = default;
};

/// ceil(log2(n (n + 1) / 2)).
int riv_bits(int n);
/// Contiguous range [start, start + length) of n as a RIV. length 1..n, start 0..n-length.
std::uint32_t riv_encode(int n, int start, int length);
struct riv_range {
  int start;
  int length;
};
/// Empty when the value names no range of n.
std::optional<riv_range> riv_decode(int n, std::uint32_t riv);

int sci_format0_bits(int n_prb);
/// bits.size() == sci_format0_bits(n_prb), unpacked.
void pack(const sci_format0& sci, int n_prb, std::span<std::uint8_t> bits);
sci_format0 unpack_sci_format0(std::span<const std::uint8_t> bits, int n_prb);
/// bits.size() == sci_format1_bits, unpacked.
void pack(const sci_format1& sci, int n_subchannels, std::span<std::uint8_t> bits);
sci_format1 unpack_sci_format1(std::span<const std::uint8_t> bits, int n_subchannels);

}  // namespace prose::phy
