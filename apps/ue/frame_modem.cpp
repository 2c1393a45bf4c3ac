#include "apps/ue/frame_modem.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <deque>
#include <optional>

#include "common/bits.h"
#include "phy/types/pool.h"

namespace prose::apps {

namespace {
constexpr std::size_t max_open_grants = 24;
constexpr float psdch_dmrs_threshold = 0.12F;  // noise explains about 1/24 of the DMRS energy
constexpr int max_block_octets = 4000;

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
  phy::discovery_pool discovery;
  std::optional<phy::comm_pool> comm;
  std::optional<phy::v2x_pool> v2x;

  // An SCI whose PSSCH is under way: TM2 a grant of the SC period, TM4 a block that waits for its second transmission.
  struct grant {
    phy::sci_format0 sci0;
    std::int64_t period_start = 0;      // TM2: local subframe
    int block = -1;
    std::int64_t expected = -1;         // TM4: local subframe of the second transmission
    int first_subchannel = 0, n_subchannels = 0, tbs = 0;
    bool done = false;
    phy::soft_buffer buffer{1};
    std::optional<float> cfo_hz;
  };
  std::deque<grant> grants;
  std::vector<phy::soft_buffer> spare;
  phy::soft_buffer psdch_buffer{phy::discovery_message_bits};
  // One a PSDCH resource, where its messages are sent more than once (numRetx): what the transmissions of this period left.
  struct discovery_resource {
    std::int64_t period_start = INT64_MIN;
    int combined = 0;
    bool done = false;
    phy::soft_buffer buffer{phy::discovery_message_bits};
  };
  std::vector<discovery_resource> discovery_resources;

  std::vector<mac::received_frame> frames;
  std::deque<std::vector<std::uint8_t>> blocks;
  std::deque<std::array<std::uint8_t, 29>> messages;
  std::vector<std::uint8_t> payload;
  std::vector<double> rssi;
  frame_modem_counters counters;
  phy::signal_estimate last;

  state(const frame_modem_config& c, const phy::carrier_config& k, phy::transmitter t, phy::subframe_receiver r, phy::discovery_pool d)
      : config(c), carrier(k), tx(std::move(t)), rx(std::move(r)), discovery(std::move(d)) {
    payload.resize(static_cast<std::size_t>(max_block_octets) * 8);
    if (discovery.n_transmissions() > 1) discovery_resources.resize(static_cast<std::size_t>(discovery.n_resources()));
  }
  phy::soft_buffer take_buffer() {
    if (spare.empty()) return phy::soft_buffer(max_block_octets * 8);
    auto b = std::move(spare.back());
    spare.pop_back();
    return b;
  }
  void drop_grants(const std::function<bool(const grant&)>& which) {
    for (auto& g : grants)
      if (which(g)) spare.push_back(std::move(g.buffer));
    // The moved-from buffers go with their grants.
    std::erase_if(grants, which);
  }
  void keep_room() {
    if (grants.size() < max_open_grants) return;
    spare.push_back(std::move(grants.front().buffer));
    grants.pop_front();
  }
  double rsrp(const phy::signal_estimate& s, int n_prb) const {
    return s.power_db - 10.0 * std::log10(static_cast<double>(n_prb * phy::subcarriers_per_prb)) + config.rsrp_offset_db;
  }
  bool decode(const phy::pssch_config& c, const phy::signal_hints& hints, phy::soft_buffer& buffer, std::int64_t local,
              std::optional<std::uint8_t> dst) {
    if (c.tbs <= 0 || c.tbs > static_cast<int>(payload.size())) return false;
    const auto bits = std::span(payload).first(static_cast<std::size_t>(c.tbs));
    const auto r = rx.decode_pssch(c, hints, buffer, bits);
    if (!r.crc_ok) {
      ++counters.blocks_failed;
      return false;
    }
    ++counters.blocks_ok;
    last = r.signal;
    blocks.emplace_back(static_cast<std::size_t>((c.tbs + 7) / 8));
    pack_bits(bits, blocks.back());
    frames.push_back({local, mac::rx_block{blocks.back(), dst}});
    return true;
  }
  void receive_tm2(const subframe_info& info, const std::function<bool(std::uint8_t)>& addressed);
  void receive_tm4(const subframe_info& info);
  void receive_discovery(const subframe_info& info);
  void receive_slss(const subframe_info& info);
  void measure_rssi();
};

frame_modem::frame_modem(std::unique_ptr<state> s) : s_(std::move(s)) {}
frame_modem::~frame_modem() = default;

result<std::unique_ptr<frame_modem>> frame_modem::make(const frame_modem_config& config) {
  const auto carrier = phy::carrier_config::make(config.ue.n_prb, phy::cyclic_prefix::normal, config.ue.tm, config.sample_rate_hz);
  if (!carrier) return fail(carrier.error().message);
  auto tx = phy::transmitter::make({.carrier = *carrier});
  if (!tx) return fail(tx.error().message);
  auto rx = phy::subframe_receiver::make({.carrier = *carrier, .n_antennas = config.n_antennas});
  if (!rx) return fail(rx.error().message);
  auto d = phy::discovery_pool::make(config.ue.discovery);
  if (!d) return fail("discovery pool: " + d.error().message);
  auto s = std::make_unique<state>(config, *carrier, std::move(*tx), std::move(*rx), std::move(*d));
  if (phy::is_v2x(config.ue.tm)) {
    auto p = phy::v2x_pool::make(config.ue.v2x);
    if (!p) return fail("v2x pool: " + p.error().message);
    s->v2x.emplace(std::move(*p));
  } else {
    auto p = phy::comm_pool::make(config.ue.comm);
    if (!p) return fail("communication pool: " + p.error().message);
    s->comm.emplace(std::move(*p));
  }
  return std::unique_ptr<frame_modem>(new frame_modem(std::move(s)));
}

const phy::carrier_config& frame_modem::carrier() const { return s_->carrier; }
const frame_modem_counters& frame_modem::counters() const { return s_->counters; }
phy::signal_estimate frame_modem::last_signal() const { return s_->last; }
std::span<const double> frame_modem::subchannel_rssi_dbm() const { return s_->rssi; }
void frame_modem::reset() {
  s_->drop_grants([](const auto&) { return true; });
  for (auto& r : s_->discovery_resources) r.period_start = INT64_MIN;
}

result<void> frame_modem::transmit(const mac::subframe_transmission& t, std::span<phy::cf32> out) {
  std::array<phy::transmission, 4> list;
  std::size_t n = 0;
  std::vector<std::uint8_t> sci_bits, block_bits, message_bits, mib_bits;
  const float power = s_->config.tx_power_db;
  float subcarriers = 0;
  if (t.slss) {
    mib_bits.resize(static_cast<std::size_t>(phy::mib_sl_bits(s_->carrier.tm)));
    phy::pack(t.slss->mib, mib_bits);
    list[n++].what = phy::psbch_transmission{t.slss->n_sl_id, mib_bits};
    subcarriers = 72;
  }
  std::uint16_t crc = 0;
  if (t.pscch) {
    if (const auto* s0 = std::get_if<phy::sci_format0>(&t.pscch->sci)) {
      sci_bits.resize(static_cast<std::size_t>(phy::sci_format0_bits(s_->carrier.n_prb)));
      phy::pack(*s0, s_->carrier.n_prb, sci_bits);
      subcarriers = 12;
    } else {
      sci_bits.resize(phy::sci_format1_bits);
      phy::pack(std::get<phy::sci_format1>(t.pscch->sci), s_->v2x->config().n_subchannels, sci_bits);
      subcarriers = 2 * 24;  // 3 dB above PSSCH
    }
    crc = phy::sci_crc(sci_bits);
    list[n++].what = phy::pscch_transmission{t.pscch->config, sci_bits};
  }
  if (t.pssch) {
    auto c = t.pssch->config;
    if (s_->v2x) c.n_x_id = crc;
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

void frame_modem::state::receive_tm2(const subframe_info& info, const std::function<bool(std::uint8_t)>& addressed) {
  const auto at = comm->locate(info.absolute);
  if (!at) return;
  const std::int64_t start = info.local - at->offset;
  drop_grants([&](const grant& g) { return g.period_start != start; });
  for (const auto& found : rx.find_pscch(comm->pscch_candidates(info.absolute))) {
    const auto sci = phy::unpack_sci_format0(found.payload(), carrier.n_prb);
    // The second transmission of the same SCI adds nothing.
    if (std::any_of(grants.begin(), grants.end(), [&](const grant& g) { return g.sci0 == sci; })) continue;
    ++counters.sci;
    if (!addressed(sci.group_destination_id)) {
      ++counters.sci_other;
      continue;
    }
    const auto c = comm->pssch(sci, 0);
    if (!c || c->tbs <= 0 || c->tbs > max_block_octets * 8) continue;
    keep_room();
    grant g{};
    g.buffer = take_buffer();
    g.cfo_hz = found.signal.cfo_hz;
    g.sci0 = sci;
    g.period_start = start;
    grants.push_back(std::move(g));
  }
  for (auto& g : grants) {
    const auto o = comm->pssch_at(g.sci0, info.absolute);
    if (!o) continue;
    auto c = o->config;
    c.rv = phy::rv_order[static_cast<std::size_t>(o->transmission)];
    if (g.block != o->block) {
      g.block = o->block;
      g.done = false;
      g.buffer.reset(c.tbs);
    }
    if (g.done) continue;
    g.done = decode(c, {g.cfo_hz, std::nullopt}, g.buffer, info.local, g.sci0.group_destination_id);
  }
}

void frame_modem::state::receive_tm4(const subframe_info& info) {
  drop_grants([&](const grant& g) { return g.expected < info.local; });
  struct heard {
    phy::sci_format1 sci;
    phy::pscch_result result;
  };
  std::vector<heard> all;
  for (const auto& found : rx.find_pscch(v2x->pscch_candidates(info.absolute)))
    all.push_back({phy::unpack_sci_format1(found.payload(), v2x->config().n_subchannels), found});
  for (const auto& [sci, found] : all) {
    ++counters.sci;
    const auto a = v2x->allocation_of(sci, found.config.prb);
    const auto c0 = v2x->pssch(sci, found.config.prb, found.crc, v2x->n_ssf(info.absolute));
    if (!a || !c0) continue;
    // PSCCH is 3 dB above PSSCH (TS 36.213 14.2.1); what is compared with the threshold is PSSCH-RSRP.
    frames.push_back({info.local, mac::rx_sci1{sci, found.config.prb, rsrp(found.signal, 2) - 3.0}});
    auto c = *c0;
    c.rv = sci.retransmission_index == 0 ? 0 : 2;
    if (c.tbs <= 0 || c.tbs > max_block_octets * 8) continue;
    const auto hints = phy::hints_of(found.signal);
    if (sci.retransmission_index == 1 && a->has_other) {
      const auto g = std::find_if(grants.begin(), grants.end(), [&](const grant& x) {
        return x.expected == info.local && x.first_subchannel == a->first_subchannel && x.n_subchannels == a->n_subchannels &&
               x.tbs == c.tbs;
      });
      if (g != grants.end()) {
        if (!g->done) g->done = decode(c, hints, g->buffer, info.local, std::nullopt);
        continue;
      }
    }
    grant g{};
    g.buffer = take_buffer();
    g.buffer.reset(c.tbs);
    g.tbs = c.tbs;
    g.done = decode(c, hints, g.buffer, info.local, std::nullopt);
    const auto other = sci.retransmission_index == 0 ? v2x->other_subframe(*a, info.absolute) : std::nullopt;
    if (!other) {
      spare.push_back(std::move(g.buffer));
      continue;
    }
    g.expected = info.local + ((*other - info.absolute) % phy::n_absolute_subframes + phy::n_absolute_subframes) % phy::n_absolute_subframes;
    g.first_subchannel = a->other_first_subchannel;
    g.n_subchannels = a->n_subchannels;
    keep_room();
    grants.push_back(std::move(g));
  }
  measure_rssi();
}

// S-RSSI: mean over the symbols of the total power in the sub-channel, first and last symbol left out (TS 36.214 5.1.28).
void frame_modem::state::measure_rssi() {
  const auto& c = v2x->config();
  rssi.assign(static_cast<std::size_t>(c.n_subchannels), 0.0);
  const auto& g = rx.grid(0);
  for (int m = 0; m < c.n_subchannels; ++m) {
    double sum = 0;
    for (int l = 1; l < g.n_symbols() - 1; ++l) {
      const auto symbol = g.symbol(l);
      for (int k = 0; k < c.size_subchannel * phy::subcarriers_per_prb; ++k) {
        const auto at = static_cast<std::size_t>((c.start_prb + m * c.size_subchannel) * phy::subcarriers_per_prb + k);
        if (at < symbol.size()) sum += std::norm(symbol[at]);
      }
    }
    const double mean = sum / (g.n_symbols() - 2) / carrier.fft_size;
    rssi[static_cast<std::size_t>(m)] = 10 * std::log10(std::max(mean, 1e-20)) + config.rsrp_offset_db;
  }
}

void frame_modem::state::receive_discovery(const subframe_info& info) {
  const int n = discovery.n_candidates(info.absolute);
  std::array<std::uint8_t, phy::discovery_message_bits> bits{};
  const auto at = discovery.locate(info.absolute);
  for (int i = 0; i < n; ++i) {
    const auto c = discovery.candidate_at(info.absolute, i);
    discovery_resource* r = nullptr;
    if (!discovery_resources.empty() && at) {
      r = &discovery_resources[static_cast<std::size_t>(c.n)];
      if (r->period_start != info.local - at->offset) {
        r->period_start = info.local - at->offset;
        r->combined = 0;
        r->done = false;
        r->buffer.reset(phy::discovery_message_bits);
      }
      if (r->done) continue;
    }
    if (rx.psdch_dmrs_metric(c.config.prb) < psdch_dmrs_threshold) continue;
    psdch_buffer.reset(phy::discovery_message_bits);
    bool ok = rx.decode_psdch(c.config, psdch_buffer, bits).crc_ok;
    if (r != nullptr) {  // TS 36.321 5.15.2.2.2: alone first, since two UEs may have met in an earlier transmission
      if (!ok) {
        ok = rx.decode_psdch(c.config, r->buffer, bits).crc_ok && r->combined > 0;
        ++r->combined;
        counters.discovery_combined += ok;
      }
      r->done = ok;
    }
    if (!ok) {
      ++counters.discovery_failed;
      continue;
    }
    ++counters.discovery_ok;
    messages.emplace_back();
    pack_bits(bits, messages.back());
    frames.push_back({info.local, mac::rx_discovery{messages.back()}});
  }
}

void frame_modem::state::receive_slss(const subframe_info& info) {
  const auto found = rx.detect_slss();
  if (!found.detected) return;
  const auto r = rx.decode_psbch(found.n_sl_id, phy::hints_of(found.signal));
  if (!r.detected) return;
  const auto mib = phy::unpack_mib_sl(r.payload());
  if (!mib || mib->n_prb != carrier.n_prb) return;
  ++counters.mib;
  last = r.signal;
  frames.push_back({info.local, mac::rx_slss{{found.n_sl_id, mib->in_coverage, mib->direct_frame_number * 10 + mib->direct_subframe_number,
                                              info.local, rsrp(r.signal, 6), r.signal.timing_offset_samples}}});
}

std::span<const mac::received_frame> frame_modem::receive(const subframe_info& info, std::span<const std::span<const phy::cf32>> antennas,
                                                          const std::function<bool(std::uint8_t)>& addressed) {
  state& s = *s_;
  s.frames.clear();
  s.blocks.clear();
  s.messages.clear();
  s.rssi.clear();
  if (info.own_transmission) return {};
  const auto in_discovery = info.absolute >= 0 && s.discovery.n_candidates(info.absolute) > 0;
  const auto in_comm = info.absolute >= 0 && s.comm && (!s.comm->pscch_candidates(info.absolute).empty() || !s.grants.empty());
  const auto in_v2x = info.absolute >= 0 && s.v2x && s.v2x->contains(info.absolute);
  if (!info.slss && !in_discovery && !in_comm && !in_v2x) return {};
  s.rx.load(antennas);
  if (info.slss) s.receive_slss(info);
  if (s.comm && in_comm) s.receive_tm2(info, addressed);
  if (in_v2x) s.receive_tm4(info);
  if (in_discovery) s.receive_discovery(info);
  return s.frames;
}

}  // namespace prose::apps
