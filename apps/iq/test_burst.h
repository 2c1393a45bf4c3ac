// A burst that both ends of a cable know, and what a capture of it tells of the path: where it is, its carrier offset,
// power, SNR, EVM. The carrier offset may be larger than any modem here accepts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "common/result.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/channels.h"

namespace prose::apps {

/// One subframe of PSSCH (QPSK) over nearly the whole carrier.
struct test_burst {
  phy::carrier_config carrier;
  phy::pssch_config config;
  std::vector<std::uint8_t> payload;
  std::vector<phy::cf32> samples;
  std::size_t active = 0;  ///< samples before the guard symbol, whose samples are zero

  /// The bandwidth whose LTE rate this is. power_db: mean of the active samples, 0 dB = full scale.
  static result<test_burst> make(double sample_rate_hz, float power_db);
};

inline constexpr double most_offset_hz = 50e3;  ///< between two carriers, that can be measured
inline constexpr float clip_level = 0.98F;      ///< of I or Q: a converter is at its end

struct burst_place {
  double sample = 0;  ///< where its first sample lies in the capture; not an integer
  double cfo_hz = 0;
};

struct burst_measurement {
  burst_place place;
  double power_dbfs = -300;  ///< mean of the active samples, noise included
  float peak = 0;            ///< largest |I| or |Q|
  int n_clipped = 0;         ///< samples at clip_level or above
  bool decoded = false;      ///< CRC right, and the payload that was sent
  float snr_db = 0;          ///< of a used resource element
  phy::constellation_sample symbols{};
};

/// Mean power of samples, 0 dB = full scale; -300 dB where there are none or all are zero.
double power_dbfs(std::span<const phy::cf32> x);

/// Root mean square distance of equalised QPSK symbols from the nearest point, as a share of their amplitude. Without
/// symbols: 1.
double evm_of(std::span<const phy::cf32> symbols);

class burst_finder {
public:
  static result<burst_finder> make(test_burst burst);
  const test_burst& burst() const { return burst_; }

  /// The first burst of the capture that stands out of its noise.
  std::optional<burst_place> find_first(std::span<const phy::cf32> capture) const;
  /// The burst that begins within `around` samples of `expected`.
  std::optional<burst_place> find_near(std::span<const phy::cf32> capture, double expected, int around) const;
  /// Each burst of a series, nothing where it is lost. starts: where they are expected (series_starts), all of them off
  /// by the same number of samples, at most `slack`, which is less than 4 periods. With one burst alone it is a guess
  /// which of the series that is.
  std::vector<std::optional<burst_place>> find_series(std::span<const phy::cf32> capture,
                                                      std::span<const std::int64_t> starts, std::int64_t slack) const;
  burst_measurement measure(std::span<const phy::cf32> capture, const burst_place& place);

private:
  burst_finder(test_burst burst, phy::subframe_receiver receiver);
  std::optional<burst_place> best_between(std::span<const phy::cf32> x, std::int64_t first, std::int64_t last) const;
  std::vector<std::optional<burst_place>> around_burst(std::span<const phy::cf32> x,
                                                       std::span<const std::int64_t> starts, std::size_t number,
                                                       const burst_place& place) const;
  double match(std::span<const phy::cf32> x) const;
  double offset_at(std::span<const phy::cf32> x) const;

  test_burst burst_;
  phy::subframe_receiver receiver_;
  std::size_t lag_;                     ///< of the differential correlation, which a carrier offset does not disturb
  std::vector<phy::cf32> differences_;  ///< s[n] conj(s[n - lag])
  double differences_energy_ = 0;
  std::vector<phy::cf32> derotated_;
};

/// Where n bursts of a series begin, from `first` on, at least a period apart. Neighbouring gaps differ, so that bursts
/// that are all alike tell by their distances which of the series they are, whichever of them are lost.
std::vector<std::int64_t> series_starts(std::int64_t first, std::int64_t period, int n);

/// The active samples of a burst again and again, without a pause.
std::vector<phy::cf32> endless(const test_burst& burst, std::size_t n_samples);

struct known_signal {
  std::span<const phy::cf32> samples;
  double cfo_hz = 0, sample_rate_hz = 0;
  std::size_t piece = 1;  ///< samples
};

/// How strong the signal is in the capture, piece by piece, relative to its last third, dB. It begins within `around`
/// samples of `begin`; its last third tells where.
std::vector<double> strength_of(std::span<const phy::cf32> capture, const known_signal& signal, std::int64_t begin,
                                int around);

/// First piece from which the strength stays above -3 dB.
std::size_t heard_from(std::span<const double> strength_db);

}  // namespace prose::apps
