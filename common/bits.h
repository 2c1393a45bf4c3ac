// Bit strings as 3GPP writes them: one bit an octet (0 or 1) while coding, packed most significant bit first elsewhere.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace prose {

/// Appends `width` bits of `value`, most significant first, to unpacked bits.
class bit_writer {
public:
  explicit bit_writer(std::span<std::uint8_t> out) : out_(out) {}
  void put(std::uint32_t value, int width) {
    for (int i = width - 1; i >= 0; --i) {
      assert(pos_ < out_.size());
      out_[pos_++] = static_cast<std::uint8_t>((value >> i) & 1U);
    }
  }
  std::size_t position() const { return pos_; }

private:
  std::span<std::uint8_t> out_;
  std::size_t pos_ = 0;
};

/// Reads fields most significant bit first from unpacked bits. Reading past the end gives zeros and sets overrun().
class bit_reader {
public:
  explicit bit_reader(std::span<const std::uint8_t> in) : in_(in) {}
  std::uint32_t get(int width) {
    std::uint32_t v = 0;
    for (int i = 0; i < width; ++i) {
      v <<= 1;
      if (pos_ < in_.size()) {
        v |= in_[pos_] & 1U;
      } else {
        overrun_ = true;
      }
      ++pos_;
    }
    return v;
  }
  std::size_t position() const { return pos_; }
  bool overrun() const { return overrun_; }

private:
  std::span<const std::uint8_t> in_;
  std::size_t pos_ = 0;
  bool overrun_ = false;
};

/// Packs unpacked bits, most significant first, padding the last octet with zeros. out.size() >= ceil(bits.size() / 8).
inline void pack_bits(std::span<const std::uint8_t> bits, std::span<std::uint8_t> out) {
  assert(out.size() >= (bits.size() + 7) / 8);
  for (std::size_t i = 0; i < (bits.size() + 7) / 8; ++i) out[i] = 0;
  for (std::size_t i = 0; i < bits.size(); ++i)
    out[i / 8] = static_cast<std::uint8_t>(out[i / 8] | ((bits[i] & 1U) << (7 - i % 8)));
}

/// Unpacks bits.size() bits. packed.size() >= ceil(bits.size() / 8).
inline void unpack_bits(std::span<const std::uint8_t> packed, std::span<std::uint8_t> bits) {
  assert(packed.size() >= (bits.size() + 7) / 8);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = (packed[i / 8] >> (7 - i % 8)) & 1U;
}

}  // namespace prose
