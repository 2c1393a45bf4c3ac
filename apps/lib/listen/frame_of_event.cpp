#include "apps/lib/listen/frame_of_event.h"

#include "common/bits.h"

namespace prose::apps {
namespace {
using namespace phy;

void put_bits(captured_frame& f, std::span<const std::uint8_t> bits) {
  f.octets.resize((bits.size() + 7) / 8);
  pack_bits(bits, f.octets);
  f.n_bits = static_cast<int>(bits.size());
}

void fill(captured_frame& f, const mib_sl_event& e) {
  f.kind = frame_kind::mib_sl;
  f.n_sl_id = e.n_sl_id;
  f.mib = e.mib;
  f.n_prb = 6;  // PSBCH: the middle six
}
void fill(captured_frame& f, const sci_event& e) {
  f.kind = frame_kind::sci;
  f.sci = e.fields;
  f.n_subchannels = e.n_subchannels;
  f.prb_start = e.prb;
  f.n_prb = e.format == 0 ? 1 : 2;
}
void fill(captured_frame& f, const tb_event& e) {
  f.kind = frame_kind::sl_sch;
  f.crc_ok = e.crc_ok;
  f.repetition = e.repetition;
  f.n_transmissions = e.n_transmissions;
  f.prb_start = e.prb_start;
  f.n_prb = e.n_prb;
  f.tbs = e.tbs;
  f.mcs = e.mcs;
  f.modulation_order = e.modulation_order;
  f.rv = e.rv;
  f.n_x_id = e.n_x_id;
}
void fill(captured_frame& f, const discovery_event& e) {
  f.kind = frame_kind::discovery;
  f.crc_ok = e.crc_ok;
  f.repetition = e.repetition;
  f.n_transmissions = e.n_transmissions;
  f.prb_start = e.prb;
  f.n_prb = 2;
  f.rv = e.rv;
}

}  // namespace

captured_frame frame_of(const monitor_event& event, const stream_position& at, std::uint64_t number) {
  captured_frame f;
  f.number = number;
  f.time_s = at.t_s;
  f.sample = at.sample;
  std::visit(
      [&f](const auto& e) {
        f.absolute_subframe = e.rx.absolute_subframe;
        f.snr_db = e.rx.snr_db;
        f.power_db = e.rx.power_db;
        f.cfo_hz = e.rx.cfo_hz;
        f.timing_offset_samples = e.rx.timing_offset_samples;
        fill(f, e);
        put_bits(f, e.bits);
      },
      event);
  return f;
}

}  // namespace prose::apps
