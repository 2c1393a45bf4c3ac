// Logical channels of the SL-SCH (TS 36.321 table 6.2.4-1).
#pragma once

#include <cstdint>

namespace prose::security {

inline constexpr std::uint8_t lcid_data_first = 1;
inline constexpr std::uint8_t lcid_data_last = 10;
inline constexpr std::uint8_t lcid_pc5s_unprotected = 28;    ///< 11100
inline constexpr std::uint8_t lcid_pc5s_security_mode = 29;  ///< 11101: Direct Security Mode Command and Complete
inline constexpr std::uint8_t lcid_pc5s_protected = 30;      ///< 11110
inline constexpr std::uint8_t lcid_padding = 31;

constexpr bool carries_data(std::uint8_t lcid) { return lcid >= lcid_data_first && lcid <= lcid_data_last; }

}  // namespace prose::security
