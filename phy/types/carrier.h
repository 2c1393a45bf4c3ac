// The numbers of one sidelink carrier: bandwidth, cyclic prefix, transmission mode, sampling rate.
#pragma once

#include <array>
#include <cstdint>

#include "common/result.h"

namespace prose::phy {

enum class cyclic_prefix : std::uint8_t { normal, extended };
/// Length of a prefix over that of the useful part of a symbol: 144 / 2048 (a little less here) and 512 / 2048
/// (TS 36.211 5.6). The delays that are searched for follow from it (delay_range.h).
constexpr double prefix_share(cyclic_prefix cp) { return cp == cyclic_prefix::normal ? 0.07 : 0.25; }

/// TM1/TM2: sidelink communication (scheduled, autonomous). TM3/TM4: V2X (scheduled, autonomous).
enum class transmission_mode : std::uint8_t { tm1 = 1, tm2 = 2, tm3 = 3, tm4 = 4 };

constexpr bool is_v2x(transmission_mode tm) { return tm == transmission_mode::tm3 || tm == transmission_mode::tm4; }

inline constexpr int subcarriers_per_prb = 12;
inline constexpr double subcarrier_spacing_hz = 15e3;
inline constexpr std::array<int, 6> bandwidths_prb{6, 15, 25, 50, 75, 100};
inline constexpr int max_symbols_per_subframe = 14;
inline constexpr int max_subcarriers = 1200;
inline constexpr int max_fft_size = 2048;

struct carrier_config {
  int n_prb = 50;                            ///< one of bandwidths_prb
  cyclic_prefix cp = cyclic_prefix::normal;  ///< extended only with TM1/TM2
  transmission_mode tm = transmission_mode::tm4;
  int fft_size = 1024;  ///< sample rate / 15 kHz: the LTE rate or 3/4 of it

  /// Checks the values against each other; the error names the field and what is accepted.
  static result<carrier_config> make(int n_prb, cyclic_prefix cp, transmission_mode tm, double sample_rate_hz);

  constexpr double sample_rate_hz() const { return fft_size * subcarrier_spacing_hz; }
  constexpr int samples_per_subframe() const { return fft_size * 15; }
  constexpr int symbols_per_slot() const { return cp == cyclic_prefix::normal ? 7 : 6; }
  constexpr int symbols_per_subframe() const { return 2 * symbols_per_slot(); }
  constexpr int n_subcarriers() const { return n_prb * subcarriers_per_prb; }
  bool operator==(const carrier_config&) const = default;
};

/// The LTE FFT size of a bandwidth (128, 256, 512, 1024, 1536, 2048), 0 for any other n_prb.
constexpr int standard_fft_size(int n_prb) {
  switch (n_prb) {
    case 6:
      return 128;
    case 15:
      return 256;
    case 25:
      return 512;
    case 50:
      return 1024;
    case 75:
      return 1536;
    case 100:
      return 2048;
    default:
      return 0;
  }
}

/// First sample of the useful part of symbol `symbol`, counted from the start of the subframe, as an exact number of
/// samples (TS 36.211 5.6: prefixes of 160 and 144 Ts, extended 512 Ts, Ts = 1/30.72 MHz). Not an integer at some 3/4
/// rates: there the modem takes the next lower integer and corrects the rest as a phase ramp.
constexpr double symbol_start_samples(const carrier_config& c, int symbol) {
  const double ts = c.fft_size / 2048.0;
  const int slot = symbol / c.symbols_per_slot();
  const int l = symbol % c.symbols_per_slot();
  const double in_slot = c.cp == cyclic_prefix::normal ? 160.0 + (2048.0 + 144.0) * l : 512.0 + 2560.0 * l;
  return (slot * 15360.0 + in_slot) * ts;
}

/// Prefix of every symbol but the first of a slot; that one's is up to 16 Ts longer.
constexpr double prefix_samples(const carrier_config& c) {
  return symbol_start_samples(c, 1) - symbol_start_samples(c, 0) - c.fft_size;
}

/// True for 2^a 3^b 5^c, the number of PRBs a DFT-precoded allocation may have (TS 36.211 5.3.3).
constexpr bool is_235(int n) {
  if (n < 1) return false;
  for (const int p : {2, 3, 5})
    while (n % p == 0) n /= p;
  return n == 1;
}

}  // namespace prose::phy
