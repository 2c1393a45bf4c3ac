// One link: a transmitter, a channel, a receiver; a trial is one transport block, control message or synchronisation
// subframe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "common/result.h"
#include "phy/dsp/multipath.h"
#include "phy/types/carrier.h"

namespace prose::apps {

enum class link_channel : std::uint8_t { pssch, pscch, psbch, psdch, slss };
std::optional<link_channel> link_channel_from(const std::string& name);
const char* name_of(link_channel c);

struct link_config {
  link_channel channel = link_channel::pssch;
  phy::carrier_config carrier;
  int mcs = 4;
  int n_prb = 10;  ///< of PSSCH
  int transmission_format = 0;
  phy::fading_model fading;
  double cfo_hz = 0;         ///< a transmitter is off by a uniform draw within +-cfo_hz
  double delay_samples = 0;  ///< and late by a uniform draw within 0..delay_samples
  int n_antennas = 1;
  int n_transmissions = 1;  ///< HARQ: redundancy versions 0, 2, 3, 1, each in a fading state of its own
  int max_turbo_iterations = 8;
  bool known_offsets = false;  ///< tell the receiver the carrier offset and timing instead of letting it estimate them
};

/// SNR is E_s/N_0 of a used resource element: elements of unit power (PSCCH without its boost, PSSS elements too),
/// noise of 1/SNR in each. One object a thread. A trial's outcome depends on the seed and the SNR alone.
class link_simulator {
public:
  static result<link_simulator> make(const link_config& config);
  link_simulator(link_simulator&&) noexcept;
  link_simulator& operator=(link_simulator&&) noexcept;
  ~link_simulator();
  /// True: lost (for PSCCH, PSBCH and PSDCH also: not reported, or with wrong bits).
  bool trial(std::uint64_t seed, double snr_db);
  /// Payload bits of one block, 0 for SLSS.
  int payload_bits() const;

private:
  struct state;
  explicit link_simulator(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::apps
