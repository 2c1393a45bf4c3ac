#include "apps/town/listener.h"

#include <ctime>

#include "common/bits.h"

namespace prose::apps::town {
namespace {
constexpr std::int64_t samples_per_subframe = 7680;
constexpr float noise_dbfs = -60;

std::vector<std::uint8_t> packed(std::span<const std::uint8_t> bits) {
  std::vector<std::uint8_t> octets((bits.size() + 7) / 8);
  pack_bits(bits, octets);
  return octets;
}
}  // namespace

double cpu_now_s() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

listener::listener(const mac::ue_config& ue) : ue_(ue), analysis_(verdict_options{}) {}

captured_frame listener::frame(std::int64_t now, const reception::item& item, const std::function<float(int)>& cfo_hz) {
  captured_frame f;
  f.time_s = static_cast<double>(now) / 1000;
  f.sample = now * samples_per_subframe;
  f.absolute_subframe = item.of->t.absolute_subframe;
  f.snr_db = item.snr_db;
  f.power_db = item.rsrp_db + noise_dbfs;
  f.cfo_hz = cfo_hz(item.of->from);
  f.n_transmissions = item.n_transmissions;
  return f;
}

void listener::add(captured_frame&& f) {
  f.number = n_frames_++;
  const double before = cpu_now_s();
  analysis_.add(f);
  cpu_s_ += cpu_now_s() - before;
}

void listener::hear(std::int64_t now, const reception& r, const std::function<float(int)>& cfo_hz) {
  if (first_ < 0 && !r.items.empty()) first_ = now;
  std::vector<std::uint8_t> bits;
  for (const auto& item : r.items) {
    const auto& t = item.of->t;
    if (item.pscch) {
      auto f = frame(now, item, cfo_hz);
      f.kind = frame_kind::sci;
      f.sci = t.pscch->sci;
      f.prb_start = t.pscch->config.prb;
      if (const auto* s0 = std::get_if<phy::sci_format0>(&t.pscch->sci)) {
        f.n_prb = 1;
        bits.assign(phy::sci_format0_bits(ue_.n_prb), 0);
        phy::pack(*s0, ue_.n_prb, bits);
      } else {
        f.n_prb = 2;
        f.n_subchannels = ue_.v2x.n_subchannels;
        bits.assign(phy::sci_format1_bits, 0);
        phy::pack(std::get<phy::sci_format1>(t.pscch->sci), ue_.v2x.n_subchannels, bits);
      }
      f.n_bits = static_cast<int>(bits.size());
      f.octets = packed(bits);
      add(std::move(f));
    }
    if (item.block) {
      auto f = frame(now, item, cfo_hz);
      const auto& c = t.pssch->config;
      f.kind = frame_kind::sl_sch;
      f.octets = *t.pssch->block;
      f.n_bits = f.tbs = c.tbs;
      f.mcs = phy::is_v2x(ue_.tm) ? ue_.tm4.mcs : ue_.tm2.mcs;
      f.modulation_order = c.modulation_order;
      f.rv = c.rv;
      f.n_x_id = c.n_x_id;
      f.prb_start = c.prb_start;
      f.n_prb = c.n_prb;
      add(std::move(f));
    }
    if (item.psdch) {
      auto f = frame(now, item, cfo_hz);
      f.kind = frame_kind::discovery;
      f.octets.assign(t.psdch->message.begin(), t.psdch->message.end());
      f.n_bits = phy::discovery_message_bits;
      f.prb_start = t.psdch->config.prb;
      f.n_prb = 2;
      add(std::move(f));
    }
  }
}

verdict listener::judge(std::int64_t now, const air::totals& n) {
  const double before = cpu_now_s();
  hearing h;
  h.blocks_announced = n.blocks_announced;
  h.blocks_decoded = n.blocks_decoded;
  h.discovery_occupied = n.discovery_sent;
  h.discovery_decoded = n.discovery_decoded;
  h.seconds = first_ < 0 ? 0 : static_cast<double>(now - first_) / 1000;
  h.pools_told = h.searched_beside = true;
  analysis_.heard(h);
  auto v = analysis_.judge();
  cpu_s_ += cpu_now_s() - before;
  return v;
}

}  // namespace prose::apps::town
