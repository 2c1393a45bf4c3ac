#include "apps/lib/capture/frame_text.h"

#include "mac/rlc_um.h"
#include "security/messages.h"
#include "security/pdcp.h"

namespace prose::apps {
namespace {

/// As TS 24.334 12.5.1.1 calls them.
const char* name_of(security::message_type t) {
  switch (t) {
    case security::message_type::direct_communication_request:
      return "DIRECT_COMMUNICATION_REQUEST";
    case security::message_type::direct_communication_accept:
      return "DIRECT_COMMUNICATION_ACCEPT";
    case security::message_type::keepalive:
      return "DIRECT_COMMUNICATION_KEEPALIVE";
    case security::message_type::keepalive_ack:
      return "DIRECT_COMMUNICATION_KEEPALIVE_ACK";
    case security::message_type::release:
      return "DIRECT_COMMUNICATION_RELEASE";
    case security::message_type::release_accept:
      return "DIRECT_COMMUNICATION_RELEASE_ACCEPT";
    case security::message_type::security_mode_command:
      return "DIRECT_SECURITY_MODE_COMMAND";
    case security::message_type::security_mode_complete:
      return "DIRECT_SECURITY_MODE_COMPLETE";
    case security::message_type::rekeying_request:
      return "DIRECT_REKEYING_REQUEST";
    case security::message_type::rekeying_response:
      return "DIRECT_REKEYING_RESPONSE";
  }
  return "message of an unknown type";
}

std::string text_of(const mac::sl_sch_sdu& sdu) {
  if (mac::carries_data(sdu.lcid)) return "data";
  if (sdu.lcid == mac::lcid_pc5s_protected) return "PC5-S, protected";
  mac::umd_pdu umd;
  if (!mac::parse(sdu.data, umd) || umd.starts_inside_sdu || umd.n_elements == 0) return "PC5-S, continued";
  const auto first = umd.elements[0];
  if (first.size() <= security::pdcp_header_octets) return "PC5-S";
  return std::string("PC5-S ") + name_of(static_cast<security::message_type>(first[security::pdcp_header_octets]));
}

std::string number(const char* name, int value) { return std::string(name) + ' ' + std::to_string(value); }

frame_text text_of_sci(const captured_frame& f) {
  const std::string at = number("PSCCH PRB", f.prb_start);
  if (const auto* s = std::get_if<phy::sci_format0>(&f.sci))
    return {"SCI format 0", at + number(", group destination", s->group_destination_id) + number(", MCS", s->mcs) +
                                number(", I_TRP", s->time_resource_pattern)};
  const auto& s = std::get<phy::sci_format1>(f.sci);
  return {"SCI format 1", at + number(", priority", s.priority + 1) + number(", MCS", s.mcs) +
                              number(", time gap", s.time_gap) + number(", retransmission", s.retransmission_index) +
                              number(", reservation", s.resource_reservation)};
}

}  // namespace

frame_text text_of(const captured_frame& f) {
  switch (f.kind) {
    case frame_kind::mib_sl:
      return {"MIB-SL", number("SLSS", f.n_sl_id)};
    case frame_kind::discovery:
      return {"PC5_DISCOVERY", number("PSDCH PRB", f.prb_start)};
    case frame_kind::sci:
      return text_of_sci(f);
    case frame_kind::sl_sch:
      break;
  }
  const auto pdu = sl_sch_of(f);
  if (!pdu) return {"SL-SCH", "malformed"};
  std::string info;
  for (const auto& sdu : pdu->all()) {
    const auto text = text_of(sdu);
    if (info.find(text) == std::string::npos) info += (info.empty() ? "" : ", ") + text;
  }
  return {info.empty() ? "SL-SCH, padding" : info, info + number(info.empty() ? "MCS" : ", MCS", f.mcs)};
}

}  // namespace prose::apps
