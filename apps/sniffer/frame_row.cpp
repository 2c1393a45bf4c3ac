#include "apps/sniffer/frame_row.h"

#include <algorithm>

#include "apps/lib/capture/frame_words.h"
#include "apps/sniffer/page_text.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
template <class... T>
std::string fields(const char* of, T... values) {
  std::string out = std::string("[\"") + of + '"';
  ((out += ',' + std::to_string(values)), ...);
  return out + ']';
}

std::string fields_of(const captured_frame& f) {
  if (f.kind == frame_kind::mib_sl)
    return fields("mib", f.n_sl_id, f.mib.n_prb, +f.mib.tdd_config, f.mib.direct_frame_number,
                  +f.mib.direct_subframe_number, f.mib.in_coverage ? 1 : 0, f.mib.reserved);
  if (f.kind == frame_kind::discovery) return fields("psdch", f.n_transmissions);
  if (f.kind == frame_kind::sl_sch) {
    std::string out = fields("tb", f.tbs, f.modulation_order, f.rv, f.n_x_id, f.n_transmissions);
    const auto pdu = sl_sch_of(f);
    if (!pdu) return out;
    std::string channels;
    for (const auto& sdu : pdu->all()) channels += (channels.empty() ? "" : ", ") + std::to_string(sdu.lcid);
    out.back() = ',';
    return out + std::to_string(static_cast<int>(pdu->header.version)) + ",\"" + channels + "\"]";
  }
  if (const auto* s = std::get_if<phy::sci_format0>(&f.sci))
    return fields("sci0", s->frequency_hopping ? 1 : 0, s->resource_block_assignment, +s->time_resource_pattern,
                  +s->mcs, s->timing_advance, +s->group_destination_id);
  const auto& s = std::get<phy::sci_format1>(f.sci);
  return fields("sci1", +s.priority, +s.resource_reservation, +s.frequency_location, +s.time_gap, +s.mcs,
                +s.retransmission_index, +s.transmission_format, s.reserved, f.n_subchannels);
}
}  // namespace

std::string row_of(const captured_frame& f) {
  const auto shown = std::span(f.octets).first(std::min(f.octets.size(), row_octets));
  std::string out = "[" + std::to_string(f.number) + ',' + std::to_string(static_cast<int>(f.kind)) + ',' +
                    std::to_string(f.sample) + ',' + json_number(f.time_s, 6) + ',' +
                    std::to_string(f.absolute_subframe) + ',' + json_string(who(f)) + ',';
  out += std::to_string(f.prb_start) + ',' + std::to_string(f.n_prb) + ',' + std::to_string(f.n_bits) + ',' +
         (f.kind == frame_kind::sl_sch ? std::to_string(f.mcs) : "null") + ',';
  out +=
      json_number(f.snr_db, 1) + ',' + json_number(f.cfo_hz, 1) + ',' + json_number(f.timing_offset_samples, 2) + ',';
  out += std::to_string((f.crc_ok ? 0 : 1) + (f.repetition ? 2 : 0)) + ',' + std::to_string(f.octets.size()) + ",\"" +
         to_hex(shown) + "\"," + fields_of(f) + ']';
  out.shrink_to_fit();
  return out;
}

std::string row_of_lost(std::uint64_t number) { return "[" + std::to_string(number) + ']'; }

}  // namespace prose::apps
