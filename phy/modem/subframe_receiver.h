// One subframe in, the transmissions of every sidelink channel out. The caller gives the subframe's start and what to
// look for (a monitor that follows a stream gives both); this object estimates each transmitter's carrier offset,
// timing, channel and noise for itself, so several transmitters in one subframe each get their own.
//
//   auto rx = subframe_receiver::make({.carrier = carrier, .n_antennas = 2});
//   rx->load(antennas);                                       // exactly one subframe for each antenna
//   for (const auto& sci : rx->find_pscch(prbs)) ...          // DMRS check, decoding, CRC and agreement
//   rx->decode_pssch(grant, hints_of(sci.signal), buffer, payload);
//
// One object a thread. Nothing is allocated after make().
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include "common/result.h"
#include "phy/coding/transport_code.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/channels.h"
#include "phy/types/grid.h"
#include "phy/types/mib_sl.h"
#include "phy/types/sci.h"

namespace prose::phy {

struct receiver_config {
  carrier_config carrier;
  int n_antennas = 1;            ///< 1..max_rx_antennas
  int max_turbo_iterations = 8;  ///< full iterations of a code block
};
inline constexpr int max_rx_antennas = 4;

/// What is measured on one transmission.
struct signal_estimate {
  float snr_db = 0;    ///< signal over noise in a used resource element, all antennas combined
  float power_db = 0;  ///< mean power of the transmission in one antenna's samples, 0 dB = full scale
  float noise_db = 0;  ///< noise power in one resource element, on the scale where power_db of one subcarrier is
  float cfo_hz = 0;    ///< carrier offset of the transmitter against the samples
  float timing_offset_samples = 0;  ///< positive: the transmission comes later than the subframe start that was assumed
  constellation_sample symbols{};
};

/// What is already known of a transmitter, for instance from its PSCCH in the same subframe. Without a value the
/// receiver estimates it unaided.
struct signal_hints {
  std::optional<float> cfo_hz;
  std::optional<float> timing_offset_samples;
};
inline signal_hints hints_of(const signal_estimate& s) { return {s.cfo_hz, s.timing_offset_samples}; }

struct load_report {
  int n_invalid_samples = 0;  ///< NaN, infinite or absurdly large samples, replaced by 0
  float power_db = -300;      ///< mean power of the samples over all antennas
};

struct pscch_result {
  pscch_config config;    ///< the cyclic shift is what was found
  bool detected = false;  ///< all checks hold: DMRS, CRC and agreement. The bits are valid only then
  bool crc_ok = false;
  std::uint16_t crc = 0;  ///< n_ID^X of the PSSCH in TM3/4
  float agreement = 0;    ///< control_decode::agreement
  float dmrs_metric = 0;  ///< 0..1, share of the DMRS energy that one transmission explains
  int n_bits = 0;
  std::array<std::uint8_t, max_sci_bits> bits{};
  signal_estimate signal;
  std::span<const std::uint8_t> payload() const { return {bits.data(), static_cast<std::size_t>(n_bits)}; }
};

struct psbch_result {
  bool detected = false;  ///< all checks hold
  bool crc_ok = false;
  float agreement = 0;
  float dmrs_metric = 0;
  int n_bits = 0;
  std::array<std::uint8_t, 48> bits{};
  signal_estimate signal;
  std::span<const std::uint8_t> payload() const { return {bits.data(), static_cast<std::size_t>(n_bits)}; }
};

/// PSSCH and PSDCH.
struct transport_result {
  bool crc_ok = false;    ///< the transport block is right (CRC24 and the DMRS signal check)
  int iterations = 0;     ///< turbo iterations of the slowest code block
  float dmrs_metric = 0;  ///< 0..1
  signal_estimate signal;
};

struct slss_result {
  bool detected = false;
  int n_sl_id = 0;
  float metric = 0;         ///< 0..1, normalised correlation of the SSSS
  float second_metric = 0;  ///< of the next best identity
  signal_estimate signal;
};

class subframe_receiver {
public:
  static result<subframe_receiver> make(const receiver_config& config);
  ~subframe_receiver();
  subframe_receiver(subframe_receiver&&) noexcept;
  subframe_receiver& operator=(subframe_receiver&&) noexcept;

  const receiver_config& config() const noexcept;

  /// One subframe from each antenna: antennas.size() == n_antennas, each of samples_per_subframe() samples (what is
  /// missing at the end counts as 0). Copies the samples; forgets the previous subframe.
  load_report load(std::span<const std::span<const cf32>> antennas) noexcept;
  load_report load(std::span<const cf32> antenna) noexcept;

  /// Searches the PSCCH at each first PRB given, all cyclic shifts of the transmission mode, and returns those that
  /// passed every check, at most max_found. The bit count follows from the carrier. Valid until the next call.
  std::span<const pscch_result> find_pscch(std::span<const int> first_prbs) noexcept;
  static constexpr int max_found = 64;

  /// Decodes the PSCCH at one PRB whatever its DMRS look like; the best cyclic shift, or the one given.
  pscch_result decode_pscch(int first_prb, std::optional<int> cyclic_shift = {},
                            const signal_hints& hints = {}) noexcept;

  /// Share (0..1) of the DMRS energy of the allocation that this configuration's DMRS explains, for hypotheses of n_ssf
  /// and n_x_id: near SNR / (SNR + 1) for the right one, near 1 / n_dmrs_re for wrong ones.
  float pssch_dmrs_metric(const pssch_config& config, const signal_hints& hints = {}) noexcept;
  /// A hundred times cheaper: returns false if the metric is not worth measuring (dmrs_screen). One wrong hypothesis in
  /// three to a hundred passes.
  bool pssch_plausible(const pssch_config& config, const signal_hints& hints = {}, float at_least = 0) noexcept;

  /// Adds this transmission to `buffer` (reset it to config.tbs before a new block) and decodes. payload: tbs bits,
  /// unpacked.
  transport_result decode_pssch(const pssch_config& config, const signal_hints& hints, soft_buffer& buffer,
                                std::span<std::uint8_t> payload) noexcept;

  /// Discovery message at a PRB, combined like PSSCH. payload: discovery_message_bits bits, unpacked.
  transport_result decode_psdch(const psdch_config& config, soft_buffer& buffer, std::span<std::uint8_t> payload,
                                const signal_hints& hints = {}) noexcept;

  /// DMRS energy share of a PSDCH candidate, to reject empty resources before decoding.
  float psdch_dmrs_metric(int first_prb) noexcept;
  bool psdch_plausible(int first_prb) noexcept;

  psbch_result decode_psbch(int n_sl_id, const signal_hints& hints = {}) noexcept;

  /// Which of the 336 identities this subframe carries, if any.
  slss_result detect_slss() noexcept;

  /// Carrier offset of all that is in the subframe, from the cyclic prefixes (unambiguous to +-7.5 kHz), and how much
  /// of the samples' energy repeats (0..1).
  struct prefix_estimate {
    float cfo_hz = 0;
    float correlation = 0;
  };
  prefix_estimate prefix_cfo() noexcept;

  /// The demodulated grid of one antenna, with the carrier offset given removed; for plots and power measurements
  /// (RSSI). RE amplitudes are on the samples' scale: a unit RE adds 1 / fft_size to the mean sample power. Valid until
  /// the next load().
  const resource_grid& grid(int antenna, float cfo_hz = 0) noexcept;
  /// The same into `out`: symbols_per_subframe() x n_subcarriers().
  void copy_grid(int antenna, float cfo_hz, std::span<cf32> out) noexcept;

  /// The transmission that was demodulated last, by decode_*() or find_pscch(); for plots. Valid until the next call of
  /// one of these, a metric or load().
  struct demodulated {
    int first_subcarrier = 0;
    int n_subcarriers = 0;
    std::span<const std::int8_t> symbols;  ///< of the subframe, that carry data; empty: none was demodulated
  };
  demodulated last() const noexcept;
  /// Of last().symbols[i]: equalised and de-precoded modulation symbols, unit mean power sent.
  std::span<const cf32> equalised(int i) const noexcept;
  /// The channel at last().symbols[i], a value for each subcarrier of last(): resource elements received, as grid()
  /// gives them for the transmission's carrier offset, over those sent. A transmission outside the cyclic prefix was
  /// received through a window of its own, which grid() does not show.
  void copy_channel(int antenna, int i, std::span<cf32> out) const noexcept;

private:
  struct state;
  explicit subframe_receiver(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
