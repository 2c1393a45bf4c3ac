// What a UE sends in one subframe: all that a modem needs.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "mac/sync_reference.h"
#include "phy/types/channels.h"
#include "phy/types/sci.h"

namespace prose::mac {

using transport_block = std::shared_ptr<const std::vector<std::uint8_t>>;

struct pscch_transmission {
  phy::pscch_config config;
  std::variant<phy::sci_format0, phy::sci_format1> sci;
};
struct pssch_transmission {
  phy::pssch_config config;  ///< TM4: n_x_id is 0 here; it is the CRC of the PSCCH sent with it
  transport_block block;     ///< config.tbs / 8 octets
};
struct psdch_transmission {
  phy::psdch_config config;
  std::array<std::uint8_t, 29> message{};
};

/// The smallest block that is worth a transmission: headers of SL-SCH (7 octets, subheader 1) and RLC (1) and some of
/// an SDU.
inline constexpr std::size_t min_block_octets = 16;
/// What a scheduler adds to a flow's backlog for the headers of a block: SL-SCH with two subheaders (7 + 3 + 3) and RLC
/// with some length indicators. Too little costs a second block, too much some padding.
inline constexpr std::size_t block_header_octets = 24;

/// TM1/2: one of the channels a subframe (one CP-OFDM burst is one channel). TM3/4: PSCCH and PSSCH together.
struct subframe_transmission {
  std::int64_t subframe = 0;  ///< local number
  int absolute_subframe = 0;  ///< 10 DFN + subframe
  std::optional<slss_transmission> slss;
  std::optional<pscch_transmission> pscch;
  std::optional<pssch_transmission> pssch;
  std::optional<psdch_transmission> psdch;
  bool empty() const { return !slss && !pscch && !pssch && !psdch; }
};

}  // namespace prose::mac
