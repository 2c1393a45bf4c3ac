// Numbers of Wireshark's formats that a capture file is made of: the exported-PDU header (wsutil/exported_pdu_tlvs.h)
// and the framing of LTE MAC PDUs (packet-mac-lte.h).
#pragma once

#include <cstdint>

namespace prose::apps {

inline constexpr int linktype_wireshark_upper_pdu = 252;
inline constexpr std::uint16_t tlv_end = 0;
inline constexpr std::uint16_t tlv_dissector_name = 12;
inline constexpr std::uint16_t tlv_ipv6_source = 22;
inline constexpr std::uint16_t tlv_ipv6_destination = 23;
inline constexpr std::uint16_t tlv_protocol_text = 33;
inline constexpr std::uint16_t tlv_info_text = 36;  // Wireshark 4.0 shows it as octets of an unknown tag
inline constexpr std::uint8_t mac_radio_fdd = 1;
inline constexpr std::uint8_t mac_direction_uplink = 0;
inline constexpr std::uint8_t mac_rnti_type_sl_bch = 7;
inline constexpr std::uint8_t mac_rnti_type_sl_sch = 8;
enum mac_tag : std::uint8_t {
  tag_payload = 0x01,
  tag_rnti = 0x02,
  tag_ueid = 0x03,
  tag_frame_subframe = 0x04,
  tag_crc_status = 0x07,
  tag_carrier_id = 0x0a,
  tag_phy = 0x0b,
};

}  // namespace prose::apps
