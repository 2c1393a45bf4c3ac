// Two worlds with the same radios and traffic. In the first John has a link with Mary and, at other times, one with
// Peter. In the second John does not know Peter: a fourth UE sends to Peter, at the same places and times, what John
// sent to him. What John sends to Mary or to everybody must be the same octets in the same subframes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "phy/types/carrier.h"

namespace prose::noninterference {

struct worlds_config {
  phy::transmission_mode tm = phy::transmission_mode::tm2;
  bool model_b = false;              ///< John and the others ask and answer instead of announcing
  bool slss = true;                  ///< else the radio's PPS gives the subframe numbers
  bool peter_first = false;          ///< John permitted Peter before Mary
  bool mary_has_smaller_key = true;  ///< decides who goes on where both ask, and who rekeys first
  std::uint64_t seed = 1;
  bool asks_only_without_link = false;  ///< a control: as the program once did
};

struct comparison {
  std::string difference;    ///< empty: none
  std::size_t compared = 0;  ///< of John's transmissions to Mary or everybody
  std::size_t to_peter = 0;  ///< of John's transmissions in the first world that the fourth UE makes in the second
  std::size_t hidden = 0;    ///< discovery messages that gave way to a transmission to Peter in the same subframe
  // What happened, so that a world in which nothing happens is noticed.
  int links_with_mary = 0, links_with_peter = 0, rekeyings_with_mary = 0, rekeyings_with_peter = 0,
      epochs_with_mary = 0;
  int heard_by_mary = 0;  ///< data SDUs of John's
  int lost_links_with_mary = 0;
  std::size_t injected = 0;  ///< what Mary sent from another radio: forged, altered, replayed
};

comparison compare(const worlds_config& config);

}  // namespace prose::noninterference
