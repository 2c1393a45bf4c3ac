#include "apps/ue/frame_modem.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "common/bits.h"
#include "phy/modem/reception/psdch_combiner.h"
#include "phy/modem/reception/tm2_grants.h"
#include "phy/modem/reception/tm4_pairs.h"

namespace prose::apps {
namespace {

constexpr int n_soft_buffers = 24;

std::vector<std::uint8_t> unpacked(std::span<const std::uint8_t> octets, std::size_t n_bits) {
  std::vector<std::uint8_t> bits(n_bits);
  unpack_bits(octets, bits);
  return bits;
}
}  // namespace

struct frame_modem::state {
  frame_modem_config config;
  phy::carrier_config carrier;
  phy::transmitter tx;
  phy::subframe_receiver rx;
  std::vector<phy::psdch_combiner> discovery;
  std::vector<phy::tm2_grants> tm2;
  /// The first is the one in which this UE sends.
  struct v2x_reception {
    phy::v2x_pool pool;
    phy::tm4_pairs pairs;
  };
  std::vector<v2x_reception> v2x;
  phy::soft_buffers buffers{n_soft_buffers, phy::max_transport_block_bits};
  phy::event_sink sink;
  phy::monitor_statistics statistics;

  std::vector<mac::received_frame> frames;
  std::vector<std::uint8_t> octets;  // what frames point to
  std::vector<double> rssi;
  frame_modem_counters counters;

  state(const frame_modem_config& c, const phy::carrier_config& k, phy::transmitter t, phy::subframe_receiver r)
      : config(c), carrier(k), tx(std::move(t)), rx(std::move(r)) {
    frames.reserve(64);
    octets.reserve(std::size_t{1} << 16);
  }
  double rsrp(float power_db, int n_prb) const {
    return power_db - 10.0 * std::log10(static_cast<double>(n_prb * phy::subcarriers_per_prb)) + config.rsrp_offset_db;
  }
  result<void> add_pool(const phy::monitor_pool& pool);
  void receive_slss(const subframe_info& info);
  void measure_rssi();
  bool is_due(int absolute) const;
  void examine(const phy::subframe_view& view);
  void translate(const subframe_info& info);
  std::span<const std::uint8_t> packed(std::span<const std::uint8_t> bits);
};

frame_modem::frame_modem(std::unique_ptr<state> s) : s_(std::move(s)) {}
frame_modem::~frame_modem() = default;

result<std::unique_ptr<frame_modem>> frame_modem::make(const frame_modem_config& config) {
  const auto carrier = phy::carrier_config::make(config.ue.n_prb, config.cp, config.ue.tm, config.sample_rate_hz);
  if (!carrier) return fail(carrier.error().message);
  auto tx = phy::transmitter::make({.carrier = *carrier});
  if (!tx) return fail(tx.error().message);
  auto rx = phy::subframe_receiver::make({.carrier = *carrier, .n_antennas = config.n_antennas});
  if (!rx) return fail(rx.error().message);
  auto s = std::make_unique<state>(config, *carrier, std::move(*tx), std::move(*rx));
  std::vector<phy::monitor_pool> pools{config.ue.discovery};
  if (phy::is_v2x(config.ue.tm))
    pools.emplace_back(config.ue.v2x);
  else
    pools.emplace_back(config.ue.comm);
  pools.insert(pools.end(), config.other_pools.begin(), config.other_pools.end());
  for (const auto& p : pools)
    if (auto ok = s->add_pool(p); !ok) return tl::unexpected(ok.error());
  return std::unique_ptr<frame_modem>(new frame_modem(std::move(s)));
}

result<void> frame_modem::state::add_pool(const phy::monitor_pool& pool) {
  if (const auto* d = std::get_if<phy::discovery_pool_config>(&pool)) {
    auto p = phy::discovery_pool::make(*d);
    if (!p) return fail("discovery pool: " + p.error().message);
    discovery.emplace_back(std::move(*p));
  } else if (const auto* v = std::get_if<phy::v2x_pool_config>(&pool)) {
    auto p = phy::v2x_pool::make(*v);
    if (!p) return fail("v2x pool: " + p.error().message);
    v2x.push_back({std::move(*p), {}});
  } else {
    auto p = phy::comm_pool::make(std::get<phy::comm_pool_config>(pool));
    if (!p) return fail("communication pool: " + p.error().message);
    tm2.emplace_back(carrier, std::move(*p));
  }
  return {};
}

const phy::carrier_config& frame_modem::carrier() const { return s_->carrier; }
const frame_modem_counters& frame_modem::counters() const { return s_->counters; }
std::span<const double> frame_modem::subchannel_rssi_dbm() const { return s_->rssi; }
void frame_modem::reset() {
  for (auto& p : s_->tm2) p.forget(s_->buffers);
  for (auto& p : s_->v2x) p.pairs.forget(s_->buffers);
  for (auto& p : s_->discovery) p.forget();
}

result<void> frame_modem::transmit(const mac::subframe_transmission& t, std::span<phy::cf32> out) {
  std::array<phy::transmission, 4> list;
  std::size_t n = 0;
  std::vector<std::uint8_t> sci_bits, block_bits, message_bits, mib_bits;
  const float power = s_->config.tx_power_db;
  float subcarriers = 0;
  if (t.slss) {
    mib_bits.resize(phy::mib_sl_bits(s_->carrier.tm));
    phy::pack(t.slss->mib, mib_bits);
    list[n++].what = phy::psbch_transmission{t.slss->n_sl_id, mib_bits};
    subcarriers = 72;
  }
  std::uint16_t crc = 0;
  if (t.pscch) {
    if (const auto* s0 = std::get_if<phy::sci_format0>(&t.pscch->sci)) {
      sci_bits.resize(phy::sci_format0_bits(s_->carrier.n_prb));
      phy::pack(*s0, s_->carrier.n_prb, sci_bits);
      subcarriers = 12;
    } else {
      sci_bits.resize(phy::sci_format1_bits);
      phy::pack(std::get<phy::sci_format1>(t.pscch->sci), s_->v2x.front().pool.config().n_subchannels, sci_bits);
      subcarriers = 2 * 24;  // v2x_pscch_boost_db is twice the power
    }
    crc = phy::sci_crc(sci_bits);
    list[n++].what = phy::pscch_transmission{t.pscch->config, sci_bits};
  }
  if (t.pssch) {
    auto c = t.pssch->config;
    if (!s_->v2x.empty()) c.n_x_id = crc;
    block_bits = unpacked(*t.pssch->block, static_cast<std::size_t>(c.tbs));
    list[n++].what = phy::pssch_transmission{c, block_bits};
    subcarriers += static_cast<float>(c.n_prb * phy::subcarriers_per_prb);
  }
  if (t.psdch) {
    message_bits = unpacked(t.psdch->message, phy::discovery_message_bits);
    list[n++].what = phy::psdch_transmission{t.psdch->config, message_bits};
    subcarriers = 24;
  }
  for (std::size_t i = 0; i < n; ++i) list[i].re_power_db = phy::re_power_db(s_->carrier, power, subcarriers);
  return s_->tx.transmit(std::span(list).first(n), out);
}

// S-RSSI: mean over the symbols of the total power in the sub-channel, first and last symbol left out
// (TS 36.214 5.1.28).
void frame_modem::state::measure_rssi() {
  const auto& c = v2x.front().pool.config();
  rssi.assign(c.n_subchannels, 0.0);
  const auto& g = rx.grid(0);
  for (int m = 0; m < c.n_subchannels; ++m) {
    double sum = 0;
    for (int l = 1; l < g.n_symbols() - 1; ++l) {
      const auto symbol = g.symbol(l);
      for (int k = 0; k < c.size_subchannel * phy::subcarriers_per_prb; ++k) {
        const std::size_t at = (c.start_prb + m * c.size_subchannel) * phy::subcarriers_per_prb + k;
        if (at < symbol.size()) sum += std::norm(symbol[at]);
      }
    }
    const double mean = sum / (g.n_symbols() - 2) / carrier.fft_size;
    rssi[m] = 10 * std::log10(std::max(mean, 1e-20)) + config.rsrp_offset_db;
  }
}

void frame_modem::state::receive_slss(const subframe_info& info) {
  const auto found = rx.detect_slss();
  if (!found.detected) return;
  const auto r = rx.decode_psbch(found.n_sl_id, phy::hints_of(found.signal));
  if (!r.detected) return;
  const auto mib = phy::unpack_mib_sl(r.payload());
  if (!mib || mib->n_prb != carrier.n_prb) return;
  frames.push_back({info.local, mac::rx_slss{{found.n_sl_id, mib->in_coverage,
                                              mib->direct_frame_number * 10 + mib->direct_subframe_number, info.local,
                                              rsrp(r.signal.power_db, 6), r.signal.timing_offset_samples}}});
}

std::span<const std::uint8_t> frame_modem::state::packed(std::span<const std::uint8_t> bits) {
  const std::size_t begin = octets.size();
  octets.resize(begin + (bits.size() + 7) / 8);
  const auto out = std::span(octets).subspan(begin);
  pack_bits(bits, out);
  return out;
}

bool frame_modem::state::is_due(int absolute) const {
  return std::any_of(discovery.begin(), discovery.end(),
                     [&](const auto& p) { return p.pool().n_candidates(absolute) > 0; }) ||
         std::any_of(tm2.begin(), tm2.end(), [&](const auto& p) { return p.is_due(absolute); }) ||
         std::any_of(v2x.begin(), v2x.end(), [&](const auto& p) { return p.pool.contains(absolute); });
}

void frame_modem::state::examine(const phy::subframe_view& view) {
  for (auto& p : tm2)
    if (p.is_due(view.absolute)) p.examine(view, buffers);
  for (auto& p : v2x)
    if (p.pool.contains(view.absolute)) p.pairs.examine(view, buffers, p.pool);
  if (!v2x.empty() && v2x.front().pool.contains(view.absolute)) measure_rssi();
  for (auto& p : discovery)
    if (p.pool().n_candidates(view.absolute) > 0) p.examine(view);
}

/// What was received as the MAC sees it.
void frame_modem::state::translate(const subframe_info& info) {
  const std::int64_t local = info.local;
  // Sensing knows the sub-channels of the own pool.
  const auto is_own = [&](int prb) {
    return v2x.front().pool.contains(info.absolute) && v2x.front().pool.subchannel_of_pscch(prb);
  };
  const auto events = sink.released();
  std::size_t most = 0;
  for (const auto& e : events) std::visit([&](const auto& v) { most += (v.bits.size() + 7) / 8; }, e);
  octets.clear();
  octets.reserve(most);  // frames point into it: it must not move
  for (const auto& e : events) {
    if (const auto* sci = std::get_if<phy::sci_event>(&e)) {
      // Thresholds are for PSSCH-RSRP; PSCCH is stronger.
      if (const auto* f = std::get_if<phy::sci_format1>(&sci->fields); f != nullptr && is_own(sci->prb))
        frames.push_back({local, mac::rx_sci1{*f, sci->prb, rsrp(sci->rx.power_db, 2) - phy::v2x_pscch_boost_db}});
    } else if (const auto* tb = std::get_if<phy::tb_event>(&e)) {
      mac::rx_block block{packed(tb->bits), {}, {tb->rx.snr_db, tb->rx.cfo_hz, tb->rx.timing_offset_samples}};
      // In TM1/2 n_ID^X is the group destination (TS 36.211 9.3.1).
      if (!tm2.empty()) block.group_destination_id = static_cast<std::uint8_t>(tb->n_x_id);
      frames.push_back({local, block});
    } else if (const auto* d = std::get_if<phy::discovery_event>(&e)) {
      counters.discovery_combined += d->n_transmissions > 1;
      frames.push_back({local, mac::rx_discovery{packed(d->bits).first<security::discovery_octets>()}});
    }
  }
}

std::span<const mac::received_frame> frame_modem::receive(const subframe_info& info,
                                                          std::span<const std::span<const phy::cf32>> antennas,
                                                          const std::function<bool(std::uint8_t)>& addressed) {
  state& s = *s_;
  s.frames.clear();
  s.rssi.clear();
  if (info.own_transmission) return {};
  const bool due = info.absolute >= 0 && s.is_due(info.absolute);
  if (!info.slss && !due) return {};
  const auto loaded = s.rx.load(antennas);
  if (info.slss) s.receive_slss(info);
  s.sink.forget_released();
  phy::subframe_view view{s.rx,           s.sink,        s.statistics, info.local * s.carrier.samples_per_subframe(),
                          info.local,     info.absolute, false,        false,
                          loaded.power_db};
  view.addressed = &addressed;
  if (due) s.examine(view);
  s.sink.release_all();
  s.translate(info);
  s.counters.sci = s.statistics.sci;
  s.counters.blocks_ok = s.statistics.tb_ok;
  s.counters.blocks_failed = s.statistics.tb_failed;
  s.counters.discovery_ok = s.statistics.discovery;
  return s.frames;
}

}  // namespace prose::apps
