// Everything that the analysis knows of one reception: what the monitor decoded, copied out of its event, so that it
// outlives the stream. The sniffer fills it; the verdict, the report and the capture files read it.
#pragma once

#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

#include "mac/sl_sch.h"
#include "phy/types/mib_sl.h"
#include "phy/types/sci.h"

namespace prose::apps {

enum class frame_kind : std::uint8_t { mib_sl, sci, sl_sch, discovery };

constexpr const char* name_of(frame_kind k) {
  switch (k) {
    case frame_kind::mib_sl:
      return "mib_sl";
    case frame_kind::sci:
      return "sci";
    case frame_kind::sl_sch:
      return "sl_sch";
    case frame_kind::discovery:
      return "discovery";
  }
  return "?";
}

struct captured_frame {
  std::uint64_t number = 0;  ///< place among all frames of the capture, from 0: how evidence names it
  frame_kind kind = frame_kind::sl_sch;
  double time_s = 0;           ///< device time
  std::int64_t sample = 0;     ///< first sample of its subframe, from the start of the file or stream
  int absolute_subframe = -1;  ///< 10 * DFN + subframe, 0..10239; -1 where it is not known
  float snr_db = 0;            ///< per resource element
  float power_db = 0;          ///< per resource element, relative to full scale
  float cfo_hz = 0;
  float timing_offset_samples = 0;  ///< of this transmitter, relative to `sample`
  bool crc_ok = true;
  bool repetition = false;  ///< another transmission of a block that was reported before (HARQ, PSDCH repetition)
  int n_transmissions = 1;  ///< combined
  int prb_start = 0;        ///< of the channel that carried it
  int n_prb = 0;

  /// MIB-SL, SCI, SL-SCH PDU or PC5_DISCOVERY; most significant bit first, zero padded at the end. Empty unless crc_ok.
  std::vector<std::uint8_t> octets;
  int n_bits = 0;  ///< 40 or 48, the SCI's, the TBS, 232

  // mib_sl
  int n_sl_id = 0;
  phy::mib_sl mib;

  // sci
  std::variant<phy::sci_format0, phy::sci_format1> sci;
  int n_subchannels = 0;  ///< format 1: what the fields were read with; 0: not known, fields are a guess

  // sl_sch
  int tbs = 0;
  int mcs = 0;
  int modulation_order = 2;
  int rv = 0;
  std::uint32_t n_x_id = 0;  ///< TM1/2: the group destination ID of SCI format 0; TM3/4: from the SCI's CRC
};

/// The SL-SCH PDU of a frame; its SDUs point into frame.octets. DST is complete: with V 1 and 2 its 8 LSB are the group
/// destination ID of SCI format 0 (TS 36.321 6.1.6), which is n_x_id (TS 36.211 9.2.4). Empty: another kind, a wrong
/// CRC, or malformed.
inline std::optional<mac::sl_sch_pdu> sl_sch_of(const captured_frame& f) {
  if (f.kind != frame_kind::sl_sch || !f.crc_ok || f.octets.empty()) return std::nullopt;
  mac::sl_sch_pdu pdu;
  if (mac::parse(f.octets, pdu) != mac::sl_sch_status::ok) return std::nullopt;
  if (pdu.header.version != mac::sl_sch_version::v2x) pdu.header.dst |= f.n_x_id & 0xffU;
  return pdu;
}

}  // namespace prose::apps
