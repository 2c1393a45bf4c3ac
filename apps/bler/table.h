// The rows that the receiver is held against: what the strongest public sidelink receiver reaches, what is possible,
// what is asked.
#pragma once

#include <array>
#include <limits>
#include <optional>

#include "apps/bler/link.h"

namespace prose::apps {

/// dB of E_s/N_0 in AWGN. NaN: not known, or never reached.
struct table_row {
  const char* name;
  link_channel channel;
  int tm;
  int carrier_prb;
  int mcs;
  int n_prb;
  double peer_10, peer_1;          ///< srsRAN_4G 1fab3df as it is
  double repaired_10, repaired_1;  ///< the same with the punctured symbol erased and 8 iterations
  double bound_10;                 ///< normal approximation, channel known
  double target_10;                ///< the point at 10 % must not be above it
};

inline constexpr double no_value = std::numeric_limits<double>::quiet_NaN();
inline constexpr std::array<table_row, 15> baseline_table{{
    {"PSSCH TM4 MCS 4", link_channel::pssch, 4, 25, 4, 10, 2.9, 3.5, 1.8, 2.1, -2.0, 1.8},
    {"PSSCH TM4 MCS 9", link_channel::pssch, 4, 25, 9, 10, 8.1, 8.7, 6.4, 6.8, 2.6, 6.4},
    {"PSSCH TM4 MCS 11", link_channel::pssch, 4, 25, 11, 10, 14.6, no_value, 7.4, 7.7, 3.4, 7.4},
    {"PSSCH TM4 MCS 15", link_channel::pssch, 4, 25, 15, 10, no_value, no_value, 11.6, 11.7, 7.5, 11.6},
    {"PSSCH TM2 MCS 4", link_channel::pssch, 2, 25, 4, 10, 4.5, 5.0, 3.5, 4.0, -3.1, 3.5},
    {"PSSCH TM2 MCS 9", link_channel::pssch, 2, 25, 9, 10, 8.3, 8.8, 7.0, 7.5, 1.3, 7.0},
    {"PSSCH TM2 MCS 15", link_channel::pssch, 2, 25, 15, 10, no_value, no_value, 11.2, 11.5, 5.7, 11.2},
    {"PSSCH TM2 MCS 20", link_channel::pssch, 2, 25, 20, 10, no_value, no_value, 15.0, 15.2, 9.5, 15.0},
    {"PSCCH TM4", link_channel::pscch, 4, 25, 0, 2, -1.3, -0.3, no_value, no_value, -6.8, -3.0},
    {"PSCCH TM2", link_channel::pscch, 2, 25, 0, 1, 3.5, 4.9, no_value, no_value, -3.5, 0.5},
    {"PSBCH TM4", link_channel::psbch, 4, 6, 0, 6, 1.1, 1.9, no_value, no_value, -8.8, -4.0},
    {"PSBCH TM2", link_channel::psbch, 2, 6, 0, 6, -1.2, -0.1, no_value, no_value, -10.0, -5.0},
    {"PSDCH, one transmission", link_channel::psdch, 2, 25, 0, 2, no_value, no_value, no_value, no_value, 0.3, 4.0},
    {"SLSS identity TM4", link_channel::slss, 4, 25, 0, 6, 0.8, 4.4, no_value, no_value, no_value, -3.0},
    {"SLSS identity TM2", link_channel::slss, 2, 25, 0, 6, 0.6, 3.6, no_value, no_value, no_value, -3.0},
}};

}  // namespace prose::apps
