#include "phy/coding/crc.h"

#include <array>
#include <cstring>

namespace prose::phy {
namespace {

using table = std::array<std::uint32_t, 256>;

// The register sits in the upper bits of 32, so that one table form serves every length.
constexpr table make_table(const crc_code& code) {
  table t{};
  for (std::uint32_t i = 0; i < t.size(); ++i) {
    std::uint32_t r = i << 24;
    for (int b = 0; b < 8; ++b) r = (r << 1) ^ ((r >> 31) != 0 ? code.polynomial << (32 - code.length) : 0U);
    t[i] = r;
  }
  return t;
}

constexpr table table16 = make_table(crc16);
constexpr table table24a = make_table(crc24a);
constexpr table table24b = make_table(crc24b);

// Eight unpacked bits as one octet, the first bit the most significant.
std::uint32_t pack8(const std::uint8_t* bits) {
  std::uint64_t x = 0;
  std::memcpy(&x, bits, sizeof x);  // little endian: the first bit is the lowest octet
  return static_cast<std::uint32_t>(((x & 0x0101010101010101ULL) * 0x8040201008040201ULL) >> 56);
}

}  // namespace

std::uint32_t crc_bits(const crc_code& code, std::span<const std::uint8_t> bits) noexcept {
  const table& t = code.length == 16 ? table16 : code.polynomial == crc24a.polynomial ? table24a : table24b;
  const std::uint32_t poly = code.polynomial << (32 - code.length);
  std::uint32_t r = 0;
  std::size_t i = 0;
  for (; i + 8 <= bits.size(); i += 8) r = (r << 8) ^ t[(r >> 24) ^ pack8(bits.data() + i)];
  for (; i < bits.size(); ++i) {
    const std::uint32_t top = (r >> 31) ^ (bits[i] & 1U);
    r = (r << 1) ^ (top != 0 ? poly : 0U);
  }
  return r >> (32 - code.length);
}

void put_crc(const crc_code& code, std::uint32_t value, std::span<std::uint8_t> out) noexcept {
  for (int i = 0; i < code.length; ++i) out[i] = static_cast<std::uint8_t>((value >> (code.length - 1 - i)) & 1U);
}

}  // namespace prose::phy
