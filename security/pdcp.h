// The header of a PDCP data PDU on an SLRB, one-to-one communication (TS 36.323 6.2.10, 6.3.14).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace prose::security {

/// 4..7 are reserved and dropped.
enum class sdu_type : std::uint8_t { ip = 0, arp = 1, pc5s = 2, non_ip = 3 };

inline constexpr std::size_t pdcp_header_octets = 5;
inline constexpr std::size_t max_sdu_octets = 8188;  // TS 36.323 4.3.1

struct pdcp_header {
  sdu_type type = sdu_type::pc5s;
  std::uint16_t kd_sess_id = 0;  ///< 0 where nothing is protected (TS 36.323 5.6.2)
  std::uint16_t sn = 0;
  bool operator==(const pdcp_header&) const = default;
};

/// Of the PDU that carries a PC5-S message on LCID 28 or 29.
inline constexpr std::array<std::uint8_t, pdcp_header_octets> unprotected_pdcp_header{
    static_cast<std::uint8_t>(static_cast<unsigned>(sdu_type::pc5s) << 5), 0, 0, 0, 0};

inline void write_pdcp_header(const pdcp_header& h, std::span<std::uint8_t, pdcp_header_octets> out) {
  out[0] = static_cast<std::uint8_t>(static_cast<unsigned>(h.type) << 5);
  out[1] = static_cast<std::uint8_t>(h.kd_sess_id >> 8);
  out[2] = static_cast<std::uint8_t>(h.kd_sess_id);
  out[3] = static_cast<std::uint8_t>(h.sn >> 8);
  out[4] = static_cast<std::uint8_t>(h.sn);
}

/// Empty for a PDU without data and for a reserved SDU type (TS 36.323 5.8). The five R bits are ignored; in a record
/// the tag covers them.
inline std::optional<pdcp_header> read_pdcp_header(std::span<const std::uint8_t> pdu) {
  if (pdu.size() <= pdcp_header_octets || pdu[0] >> 5 > 3) return std::nullopt;
  return pdcp_header{static_cast<sdu_type>(pdu[0] >> 5), static_cast<std::uint16_t>(pdu[1] << 8 | pdu[2]),
                     static_cast<std::uint16_t>(pdu[3] << 8 | pdu[4])};
}

}  // namespace prose::security
