// Cyclic redundancy checks (TS 36.212 5.1.1). Registers start at zero, so leading zeros (filler bits) do not change
// them.
#pragma once

#include <cstdint>
#include <span>

namespace prose::phy {

struct crc_code {
  std::uint32_t polynomial;  ///< without the leading term
  int length;                ///< bits
};

inline constexpr crc_code crc16{0x1021, 16};
inline constexpr crc_code crc24a{0x864CFB, 24};
inline constexpr crc_code crc24b{0x800063, 24};

/// CRC of unpacked bits (the lowest bit of each octet counts). The first parity bit is the most significant one.
std::uint32_t crc_bits(const crc_code& code, std::span<const std::uint8_t> bits) noexcept;

/// Writes value's code.length bits, most significant first; out.size() == code.length.
void put_crc(const crc_code& code, std::uint32_t value, std::span<std::uint8_t> out) noexcept;

}  // namespace prose::phy
