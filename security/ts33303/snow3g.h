// SNOW 3G (TS 35.216): the keystream generator below 128-EEA1 and 128-EIA1.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace prose::security::ts33303 {

/// Runs in constant time, allocates nothing, and wipes its state when it dies.
class snow3g {
public:
  /// `iv`: IV_3 first, IV_0 last, as the key's words are (TS 35.215).
  snow3g(std::span<const std::uint8_t, 16> key, const std::array<std::uint32_t, 4>& iv);
  ~snow3g();
  snow3g(const snow3g&) = delete;
  snow3g& operator=(const snow3g&) = delete;

  /// The next 32 bits of the keystream.
  std::uint32_t next();

private:
  std::uint32_t s(unsigned i) const { return lfsr_[(first_ + i) % 16]; }
  std::uint32_t clock_fsm();
  void clock_lfsr(std::uint32_t fed_back);

  std::array<std::uint32_t, 16> lfsr_{};
  std::array<std::uint32_t, 3> r_{};
  unsigned first_ = 0;  // where s0 is
};

}  // namespace prose::security::ts33303
