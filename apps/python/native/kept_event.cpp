#include "apps/python/native/kept_event.h"

namespace prose::python {
namespace {
using apps::captured_frame;

/// What all events of the monitor tell.
py::dict common(const captured_frame& f, const phy::reception& rx) {
  return py::dict("t"_a = f.time_s, "sample"_a = f.sample, "bits"_a = f.n_bits,
                  "data"_a = py::bytes(reinterpret_cast<const char*>(f.octets.data()), f.octets.size()),
                  "absolute_subframe"_a =
                      f.absolute_subframe >= 0 ? py::object(py::int_(f.absolute_subframe)) : py::object(py::none()),
                  "snr_db"_a = f.snr_db, "power_db"_a = f.power_db, "cfo_hz"_a = f.cfo_hz,
                  "timing_offset_samples"_a = f.timing_offset_samples, "symbols"_a = to_python(rx.symbols));
}

py::object make(const phy::mib_sl_event& e, const captured_frame& f) {
  const auto& m = e.mib;
  return python_class("prose.events", "MibSlEvent")(
      **common(f, e.rx), "n_sl_id"_a = e.n_sl_id,
      "fields"_a = python_class("prose.events", "MibSl")(m.n_prb, m.tdd_config, m.direct_frame_number,
                                                         m.direct_subframe_number, m.in_coverage, m.reserved));
}

py::object make(const phy::sci_event& e, const captured_frame& f) {
  return python_class("prose.events", "SciEvent")(
      **common(f, e.rx), "format"_a = e.format, "prb"_a = e.prb, "cyclic_shift"_a = e.cyclic_shift,
      "fields"_a = std::visit([](const auto& fields) { return to_python(fields); }, e.fields),
      "n_subchannels"_a = e.n_subchannels);
}

py::object make(const phy::tb_event& e, const captured_frame& f) {
  return python_class("prose.events", "TbEvent")(
      **common(f, e.rx), "tbs"_a = e.tbs, "mcs"_a = e.mcs, "rv"_a = e.rv, "crc_ok"_a = e.crc_ok,
      "prb_start"_a = e.prb_start, "n_prb"_a = e.n_prb, "modulation_order"_a = e.modulation_order,
      "n_x_id"_a = e.n_x_id, "n_ssf"_a = e.n_ssf, "n_transmissions"_a = e.n_transmissions,
      "repetition"_a = e.repetition, "open_bits"_a = e.open_bits);
}

py::object make(const phy::discovery_event& e, const captured_frame& f) {
  return python_class("prose.events", "DiscoveryEvent")(**common(f, e.rx), "prb"_a = e.prb, "rv"_a = e.rv,
                                                        "crc_ok"_a = e.crc_ok, "n_transmissions"_a = e.n_transmissions,
                                                        "repetition"_a = e.repetition);
}

py::object make(const kept_frame& k) {
  return std::visit([&k](const auto& e) { return make(e, k.frame); }, k.event);
}

py::object make(const apps::stream_gap& g) {
  return python_class("prose.events", "GapEvent")(g.t_s, g.sample, g.samples_lost);
}

py::object make(const kept_statistics& k) {
  const auto& s = k.counts;
  return python_class("prose.events", "Statistics")(
      "t"_a = k.t_s, "samples"_a = s.samples, "non_finite_samples"_a = s.non_finite_samples,
      "subframes"_a = s.subframes, "gaps"_a = s.gaps, "pscch_candidates"_a = s.pscch_candidates, "sci"_a = s.sci,
      "tb_ok"_a = s.tb_ok, "tb_failed"_a = s.tb_failed, "mib"_a = s.mib, "discovery"_a = s.discovery,
      "soft_buffers_evicted"_a = s.soft_buffers_evicted, "blocks_announced"_a = s.blocks_announced,
      "blocks_decoded"_a = s.blocks_decoded, "blocks_absent"_a = s.blocks_absent,
      "discovery_occupied"_a = s.discovery_occupied, "discovery_decoded"_a = s.discovery_decoded,
      "prbs_occupied"_a = s.prbs_occupied, "prbs_unexplained"_a = s.prbs_unexplained);
}

}  // namespace

py::object to_python(const kept_event& e) {
  return std::visit([](const auto& k) { return make(k); }, e);
}

}  // namespace prose::python
