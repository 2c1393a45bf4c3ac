#include "apps/lib/listen/event_json.h"

#include "common/bits.h"

namespace prose::apps {
namespace {
using namespace phy;

void add_bits(json_object& o, std::span<const std::uint8_t> bits) {
  std::vector<std::uint8_t> packed((bits.size() + 7) / 8);
  pack_bits(bits, packed);
  o.add("bits", static_cast<std::uint64_t>(bits.size()));
  o.add_hex("hex", packed);
}

void add_reception(json_object& o, const reception& rx) {
  if (rx.absolute_subframe >= 0)
    o.add("absolute_subframe", rx.absolute_subframe);
  else
    o.add_null("absolute_subframe");
  o.add_fixed("snr_db", rx.snr_db, 2).add_fixed("power_db", rx.power_db, 2);
  o.add_fixed("cfo_hz", rx.cfo_hz, 1).add_fixed("timing_offset_samples", rx.timing_offset_samples, 2);
}

json_object fields_of(const sci_format0& f) {
  json_object o;
  o.add("frequency_hopping", f.frequency_hopping ? 1 : 0).add("riv", int{f.resource_block_assignment});
  o.add("time_resource_pattern", int{f.time_resource_pattern}).add("mcs", int{f.mcs});
  return o.add("timing_advance", int{f.timing_advance}).add("group_destination_id", int{f.group_destination_id});
}

json_object fields_of(const sci_format1& f) {
  json_object o;
  o.add("priority", int{f.priority}).add("resource_reservation", int{f.resource_reservation});
  o.add("riv", int{f.frequency_location}).add("time_gap", int{f.time_gap}).add("mcs", int{f.mcs});
  o.add("retransmission_index", int{f.retransmission_index});
  return o.add("transmission_format", int{f.transmission_format}).add("reserved", int{f.reserved});
}

event make(const mib_sl_event& e, const stream_position& at) {
  event o("mib_sl", at.t_s);
  o.add("sample", at.sample).add("n_sl_id", e.n_sl_id);
  add_bits(o, e.bits);
  json_object f;
  f.add("n_prb", e.mib.n_prb).add("tdd_config", int{e.mib.tdd_config});
  f.add("direct_frame_number", int{e.mib.direct_frame_number})
      .add("direct_subframe_number", int{e.mib.direct_subframe_number});
  f.add("in_coverage", e.mib.in_coverage).add("reserved", e.mib.reserved);
  o.add("fields", f);
  add_reception(o, e.rx);
  return o;
}

event make(const sci_event& e, const stream_position& at) {
  event o("sci", at.t_s);
  o.add("sample", at.sample).add("format", e.format).add("prb", e.prb);
  if (e.format == 1) o.add("cyclic_shift", e.cyclic_shift);
  add_bits(o, e.bits);
  o.add("fields", std::visit([](const auto& f) { return fields_of(f); }, e.fields));
  // Without the layout the fields after the frequency location are a guess; a reader must be able to tell.
  if (e.format == 1) o.add("n_subchannels", e.n_subchannels);
  add_reception(o, e.rx);
  return o;
}

event make(const tb_event& e, const stream_position& at) {
  event o("tb", at.t_s);
  o.add("sample", at.sample)
      .add("channel", "PSSCH")
      .add("tbs", e.tbs)
      .add("mcs", e.mcs)
      .add("rv", e.rv)
      .add("crc_ok", e.crc_ok);
  o.add("prb_start", e.prb_start).add("n_prb", e.n_prb).add("modulation_order", e.modulation_order);
  o.add("n_x_id", e.n_x_id)
      .add("n_ssf", e.n_ssf)
      .add("n_transmissions", e.n_transmissions)
      .add("repetition", e.repetition);
  if (e.open_bits > 0) o.add("reason", "not decodable from this transmission alone").add("open_bits", e.open_bits);
  add_bits(o, e.bits);
  add_reception(o, e.rx);
  return o;
}

event make(const discovery_event& e, const stream_position& at) {
  event o("discovery", at.t_s);
  o.add("sample", at.sample).add("prb", e.prb).add("rv", e.rv).add("crc_ok", e.crc_ok);
  o.add("n_transmissions", e.n_transmissions).add("repetition", e.repetition);
  add_bits(o, e.bits);
  add_reception(o, e.rx);
  return o;
}

}  // namespace

event to_event(const monitor_event& e, const stream_position& at) {
  return std::visit([&at](const auto& x) { return make(x, at); }, e);
}

std::int64_t tick_of(const monitor_event& e) {
  return std::visit([](const auto& x) { return x.rx.sample; }, e);
}

event to_event(const monitor_statistics& s, double t_s) {
  event o("statistics", t_s);
  o.add("samples", s.samples)
      .add("non_finite_samples", s.non_finite_samples)
      .add("subframes", s.subframes)
      .add("gaps", s.gaps);
  o.add("pscch_candidates", s.pscch_candidates).add("sci", s.sci).add("tb_ok", s.tb_ok).add("tb_failed", s.tb_failed);
  o.add("mib", s.mib).add("discovery", s.discovery).add("soft_buffers_evicted", s.soft_buffers_evicted);
  o.add("blocks_announced", s.blocks_announced)
      .add("blocks_decoded", s.blocks_decoded)
      .add("blocks_absent", s.blocks_absent);
  o.add("discovery_occupied", s.discovery_occupied).add("discovery_decoded", s.discovery_decoded);
  o.add("prbs_occupied", s.prbs_occupied).add("prbs_unexplained", s.prbs_unexplained);
  return o;
}

}  // namespace prose::apps
