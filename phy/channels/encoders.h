// The transmit halves of PSBCH (with PSSS and SSSS), PSCCH, PSSCH and PSDCH: payload bits to resource elements
// (TS 36.211 9.3 to 9.7, 36.212 5.4). One object of each a transmitter; encode() adds to the grid, allocates nothing
// and returns the mask of the symbols it wrote. Configurations are checked by the caller (phy/modem/transmitter.h).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/channels/channel_mapper.h"
#include "phy/coding/transport_code.h"
#include "phy/sync/slss_sequences.h"
#include "phy/types/carrier.h"
#include "phy/types/channels.h"
#include "phy/types/grid.h"
#include "phy/types/sci.h"

namespace prose::phy {

/// The 16 CRC bits that the PSCCH carries after these payload bits: n_ID^X of a TM3/4 PSSCH.
std::uint16_t sci_crc(std::span<const std::uint8_t> bits);

class psbch_encoder {
public:
  explicit psbch_encoder(const carrier_config& carrier);
  /// bits: mib_sl_bits(tm). amplitude: of a PSBCH resource element; ssss_amplitude: factor on the SSSS beside that of
  /// the PSSS.
  std::uint32_t encode(int n_sl_id, std::span<const std::uint8_t> bits, float amplitude, float ssss_factor,
                       channel_mapper& mapper, resource_grid& grid) noexcept;

private:
  carrier_config carrier_;
  std::vector<std::uint8_t> coded_;
  std::vector<std::uint8_t> scrambling_;
  std::array<cf32, slss_length> psss_{};
  std::array<float, slss_length> ssss_{};
  int cached_id_ = -1;
};

class pscch_encoder {
public:
  /// srsran_extended: the layout of phy/channels/pscch_extended.h, which matters with extended cyclic prefix only.
  explicit pscch_encoder(const carrier_config& carrier, bool srsran_extended = false);
  std::uint32_t encode(const pscch_config& config, std::span<const std::uint8_t> bits, float amplitude,
                       channel_mapper& mapper, resource_grid& grid) noexcept;

private:
  carrier_config carrier_;
  std::vector<std::uint8_t> coded_;
  std::vector<std::uint8_t> scrambling_;  ///< c_init 510 whatever is sent
  bool srsran_extended_;
};

class pssch_encoder {
public:
  explicit pssch_encoder(const carrier_config& carrier);
  std::uint32_t encode(const pssch_config& config, std::span<const std::uint8_t> payload, float amplitude,
                       channel_mapper& mapper, resource_grid& grid) noexcept;

private:
  carrier_config carrier_;
  transport_encoder code_;
  std::vector<std::uint8_t> coded_;
  std::vector<std::uint8_t> scrambling_;
};

class psdch_encoder {
public:
  explicit psdch_encoder(const carrier_config& carrier);
  std::uint32_t encode(const psdch_config& config, std::span<const std::uint8_t> payload, float amplitude,
                       channel_mapper& mapper, resource_grid& grid) noexcept;

private:
  carrier_config carrier_;
  transport_encoder code_;
  std::vector<std::uint8_t> coded_;
  std::vector<std::uint8_t> scrambling_;
};

}  // namespace prose::phy
