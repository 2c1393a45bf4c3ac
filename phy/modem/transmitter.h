// One subframe out: a list of transmissions becomes samples.
//
//   auto tx = transmitter::make({.carrier = carrier});
//   const transmission list[] = {{pscch_transmission{...}}, {pssch_transmission{...}}};
//   tx->transmit(list, samples);
//
// One object a thread. Nothing is allocated after make(), but for the text of an error.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <variant>

#include "common/result.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "phy/types/channels.h"

namespace prose::phy {

struct transmitter_config {
  carrier_config carrier;
  /// PSCCH power density over that of PSSCH in TM3/4. 0 in test recordings of some sources.
  float pscch_boost_db = v2x_pscch_boost_db;
  float ssss_db = 0.0F;  ///< SSSS relative to PSSS (its power is a parameter of its own, TS 36.213 14.4)
  /// NOT 3GPP: PSCCH of extended cyclic prefix as srsRAN_4G lays it out (phy/channels/pscch_extended.h). To talk to it,
  /// and to reproduce its recordings.
  bool srsran_extended_pscch = false;
};

/// Synchronisation signals and PSBCH, which always share a subframe. bits: mib_sl_bits(tm), unpacked.
struct psbch_transmission {
  int n_sl_id = 0;
  std::span<const std::uint8_t> bits;
};
/// bits: sci_format0_bits(n_prb) or sci_format1_bits, unpacked.
struct pscch_transmission {
  pscch_config config;
  std::span<const std::uint8_t> bits;
};
/// payload: config.tbs bits, unpacked. config.n_x_id is the caller's: sci_crc() of the PSCCH's bits in TM3/4.
struct pssch_transmission {
  pssch_config config;
  std::span<const std::uint8_t> payload;
};
/// payload: discovery_message_bits bits, unpacked.
struct psdch_transmission {
  psdch_config config;
  std::span<const std::uint8_t> payload;
};

struct transmission {
  std::variant<psbch_transmission, pscch_transmission, pssch_transmission, psdch_transmission> what;
  /// Power of one resource element, 0 dB: one that adds 1 / fft_size to the mean sample power. See re_power_db(). The
  /// PSCCH boost comes on top.
  float re_power_db = 0.0F;
};

/// re_power_db for a mean sample power of `power_db` (0 dB = full scale) in a symbol that uses n_subcarriers
/// subcarriers. Where a boosted PSCCH shares the subframe, TS 36.213 14.1.1.5 counts its subcarriers 10^(boost/10)
/// times.
float re_power_db(const carrier_config& carrier, float power_db, float n_subcarriers);

/// The 16 CRC bits that the PSCCH carries after these payload bits.
std::uint16_t sci_crc(std::span<const std::uint8_t> bits);

class transmitter {
public:
  static result<transmitter> make(const transmitter_config& config);
  ~transmitter();
  transmitter(transmitter&&) noexcept;
  transmitter& operator=(transmitter&&) noexcept;
  const transmitter_config& config() const noexcept;

  /// Writes samples_per_subframe() samples, zeros where nothing is sent. Transmissions add up where they overlap. An
  /// error (a configuration that does not fit the carrier, a payload of the wrong size) names the value; the samples
  /// are then zero.
  result<void> transmit(std::span<const transmission> transmissions, std::span<cf32> out);

private:
  struct state;
  explicit transmitter(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
