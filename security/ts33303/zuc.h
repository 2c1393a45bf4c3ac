// ZUC (ETSI/SAGE "128-EEA3 and 128-EIA3", document 2): the keystream generator below 128-EEA3 and 128-EIA3.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace prose::security::ts33303 {

/// Runs in constant time, allocates nothing, and wipes its state when it dies.
class zuc {
public:
  zuc(std::span<const std::uint8_t, 16> key, std::span<const std::uint8_t, 16> iv);
  ~zuc();
  zuc(const zuc&) = delete;
  zuc& operator=(const zuc&) = delete;

  /// The next 32 bits of the keystream.
  std::uint32_t next();

private:
  std::uint32_t s(unsigned i) const { return lfsr_[(first_ + i) % 16]; }
  /// Lower half of s_i and upper half of s_k.
  std::uint32_t joined(unsigned i, unsigned k) const { return s(i) << 16 | s(k) >> 15; }
  std::uint32_t clock_f();
  void clock_lfsr(std::uint32_t fed_back);

  std::array<std::uint32_t, 16> lfsr_{};  // of 31 bits; 0 stands as 2^31 - 1
  std::array<std::uint32_t, 2> r_{};
  unsigned first_ = 0;  // where s0 is
};

}  // namespace prose::security::ts33303
