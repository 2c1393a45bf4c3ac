// Channel, timing, carrier offset and noise of one transmission from its demodulation reference signals.
//
// The reference symbols are freed of timing (a phase slope over frequency) and carrier offset (a rotation over time);
// what is left varies slowly. It is expanded in cosines over frequency (per segment of at most 12 resource blocks) and
// in polynomials over time, and each group of coefficients is kept in proportion to how far its energy stands above the
// noise. A flat, static channel so ends as the mean of all its reference symbols, EVA180 keeps what it needs, and
// nothing has to be configured.
#pragma once

#include <array>
#include <map>
#include <span>
#include <vector>

#include "phy/dsp/batch_dft.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/delay_range.h"

namespace prose::phy {

/// What the cyclic prefixes say about the carrier offset in the allocation's band; prior of the hypotheses.
struct prefix_observation {
  cf32 correlation{};     ///< sum of conj(prefix) * (end of the symbol), in RE units times the number of independent
                          ///< samples
  double interval_s = 0;  ///< the useful symbol time
};

/// A phase that grows with the offset over `interval_s`; the log-likelihood of offset f is Re(weighted exp(-j 2 pi f
/// interval)).
struct phase_observation {
  cf32 weighted{};
  double interval_s = 0;
};

struct cfo_hypothesis {
  float cfo_hz = 0;
  float score = 0;  ///< log-likelihood up to a constant
};

class channel_estimator {
public:
  static constexpr int max_pilots = 4;
  static constexpr int max_antennas = 4;
  static constexpr int max_hypotheses = 12;

  channel_estimator(const carrier_config& c, int n_antennas);

  /// Begins a transmission of m subcarriers whose reference symbols start (useful parts) at `pilot_times_s`.
  /// Fill pilot(a, i) for all afterwards.
  void begin(int m, std::span<const double> pilot_times_s) noexcept;
  std::span<cf32> pilot(int antenna, int index) noexcept;
  std::span<const cf32> pilot(int antenna, int index) const noexcept;

  /// Timing from the phase slope, removed from the pilots; then the coefficients. Few subcarriers are searched for a
  /// delay in this range, at most half a symbol to either side.
  void analyse(const delay_range& delays) noexcept;
  /// Offset of the transmission in samples, positive = late, relative to the grid's start.
  float timing_samples() const { return timing_samples_; }
  /// Share (0..1) of the reference symbols' energy that this timing explains, whatever the carrier offset.
  float path_share() const { return path_share_; }

  /// Carrier offsets that the reference symbols allow within [centre - span, centre + span], best first.
  std::span<const cfo_hypothesis> cfo_hypotheses(double centre_hz, double span_hz, const prefix_observation& prefix,
                                                 const phase_observation& extra = {}) noexcept;
  /// Noise variance as far as known before fit().
  float prior_noise(int antenna) const { return prior_noise_[antenna]; }
  /// Cycles per subcarrier that the timing put on the channel.
  double slope() const { return slope_; }

  /// The channel for this carrier offset.
  void fit(double cfo_hz) noexcept;

  /// Valid after fit(): h(a, k) at time t is exp(j 2 pi cfo t) * sum over orders of basis(order, t) * surface(a,
  /// order)[k].
  int n_orders() const { return n_orders_; }
  bool order_used(int order) const { return order_used_[order]; }
  bool is_static() const;
  double basis(int order, double t_s) const noexcept;
  std::span<const cf32> surface(int antenna, int order) const noexcept;
  /// Inverse of the noise variance per subcarrier, estimation errors counted in.
  std::span<const float> inverse_noise(int antenna) const noexcept;
  float noise_variance() const { return noise_variance_; }  ///< mean over the antennas, without flagged subcarriers
  float signal_power() const { return signal_power_; }      ///< mean |h|^2 in one antenna
  float snr() const { return snr_; }  ///< sum over antennas of |h|^2 / noise, mean over subcarriers
  /// Share of the pilots' energy that a single path with this offset explains.
  float metric() const { return metric_; }
  int m() const { return m_; }

private:
  struct segment {
    int first = 0;
    int size = 0;
    int n_basis = 0;
    const float* cosines = nullptr;  // n_basis rows of `size`
    const float* row(std::size_t basis) const { return cosines + basis * size; }
  };
  struct cosine_table {
    int n_basis = 0;
    aligned_vector<float> rows;
  };
  struct time_basis {
    std::array<double, max_pilots> centred{};
    double centre = 0;
    std::array<std::array<double, max_pilots>, max_pilots>
        coefficients{};                                               // order -> polynomial in (t - centre) / 1 ms
    std::array<std::array<double, max_pilots>, max_pilots> values{};  // order -> at each pilot
  };
  struct pilot_products;
  /// What the steps of one fit() hand to each other.
  struct fit_run {
    std::array<cf32, max_pilots> back{};          // takes the carrier offset's rotation out of each pilot
    std::array<float, max_antennas> variances{};  // of the noise, by antenna
    float kept_dimensions = 0;                    // coefficients that describe the channel, over all antennas
    bool repaired = false;                        // pilots hit by interference hold the fit's values
  };
  static constexpr int max_segments = 9;
  static constexpr int max_basis = 16;

  void make_time_basis(std::span<const double> times) noexcept;
  void estimate_timing(const delay_range& delays) noexcept;
  float energy_at(int index) const noexcept;
  float timing_by_bank(const delay_range& delays) const noexcept;
  float timing_by_lags() const noexcept;
  void expand() noexcept;
  pilot_products multiply_pilots() noexcept;
  void add_products(std::size_t group, float weight, int antenna, pilot_products& out) noexcept;
  double shrink(fit_run& run) noexcept;
  void scale_group(int order, std::size_t group, float gain) noexcept;
  void build_surfaces() noexcept;
  bool measure_noise(fit_run& run) noexcept;
  float measure_residual(int antenna, const fit_run& run) noexcept;
  bool flag_interference(int antenna, float variance) noexcept;
  void finish(const fit_run& run) noexcept;
  void repair_outliers() noexcept;
  void repair_pilot(int antenna, int index) noexcept;
  cf32* coefficient(int a, int i, int seg) noexcept;
  cf32* shrunk(int a, int order, int seg) noexcept {
    return row_of(shrunk_, (a * max_pilots + order) * max_segments + seg, max_basis);
  }
  cf32* surface_row(int a, int order) noexcept { return row_of(surfaces_, a * max_pilots + order, max_subcarriers); }

  carrier_config carrier_;
  int n_antennas_;
  int m_ = 0;
  int n_pilots_ = 0;
  double slope_ = 0;  // cycles per subcarrier that were removed
  float timing_samples_ = 0;
  float path_share_ = 0;
  std::array<double, max_pilots> times_{};
  time_basis time_;
  std::array<segment, max_segments> segments_{};
  int n_segments_ = 0;
  std::array<cosine_table, 13> cosines_;              // by resource blocks of a segment
  std::array<aligned_vector<cf32>, 7> bank_phasors_;  // by resource blocks, exp(j 2 pi i / (4 m))
  aligned_vector<cf32> pilots_;                       // [antenna][pilot][max_subcarriers], then a copy of it for fit()
  aligned_vector<cf32> coefficients_;                 // [antenna][pilot][segment][max_basis]
  aligned_vector<cf32> shrunk_;                       // [antenna][order][segment][max_basis]
  aligned_vector<cf32> surfaces_;                     // [antenna][order][max_subcarriers]
  aligned_vector<float> residual_;                    // [antenna][max_subcarriers]
  aligned_vector<float> inverse_noise_;               // [antenna][max_subcarriers]
  aligned_vector<float> scratch_;
  aligned_vector<cf32> ramp_;
  std::array<cfo_hypothesis, 64> hypotheses_{};
  std::array<float, max_antennas> prior_noise_{};  // per antenna, from the coefficients that no channel reaches
  int n_orders_ = 0;
  std::array<bool, max_pilots> order_used_{};
  float noise_variance_ = 0;
  float signal_power_ = 0;
  float snr_ = 0;
  float metric_ = 0;
  float energy_ = 0;
};

}  // namespace prose::phy
