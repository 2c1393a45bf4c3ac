// The delays of a transmission against the assumed start of its subframe.
#pragma once

#include "phy/types/carrier.h"

namespace prose::phy {

/// Over the useful part of a symbol (66.7 us), which is also the phase slope in turns a subcarrier.
struct delay_range {
  double earliest = 0;
  double latest = 0;
};
/// Around a delay that is known.
constexpr delay_range delays_in_prefix(cyclic_prefix cp) { return {-prefix_share(cp), prefix_share(cp)}; }
/// What is received: 5 us early (a badly timed peer) to 15 us late; with an extended prefix what it covers. UEs that
/// share a time (GNSS) may be 4.5 km apart. A follower begins late by the way from its reference and is heard late by
/// the way back: 2.25 km between the two. Late transmissions have room for a start that is 4 us off, early ones have
/// none. Chosen, not derived.
constexpr delay_range received_delays(cyclic_prefix cp) {
  return cp == cyclic_prefix::normal ? delay_range{-0.08, 0.29} : delays_in_prefix(cp);
}
/// The latest that is received.
constexpr double most_late_samples(const carrier_config& c) { return received_delays(c.cp).latest * c.fft_size; }

}  // namespace prose::phy
