#include "apps/town/air.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "phy/dsp/random.h"

namespace prose::apps::town {
namespace {
constexpr int subcarriers_psdch = 24;
constexpr std::int64_t block_lifetime = 200;  // subframes; longer than any SC period or TM4 retransmission gap

template <class F>
void for_each_prb(int first, int n, int second, F&& f) {
  if (second >= 0) {
    f(first);
    f(second);
    return;
  }
  for (int p = first; p < first + n; ++p) f(p);
}
double db(double ratio) { return 10 * std::log10(std::max(ratio, 1e-12)); }
}  // namespace

air::air(const mac::ue_config& ue, const ground& g, const curve_table& curves, std::uint64_t seed)
    : ground_(g),
      curves_(curves),
      seed_(phy::hash64(seed ^ 0x616972ULL)),
      n_prb_(ue.n_prb),
      tm_(phy::is_v2x(ue.tm) ? 4 : 2),
      sc_period_(ue.comm.sc_period_subframes),
      v2x_(ue.v2x),
      receivers_(static_cast<std::size_t>(g.n_ues()) + 1) {}

air::parts air::parts_of(const mac::subframe_transmission& t) const {
  parts p;
  const auto density = [&](float subcarriers) { return static_cast<float>(n_prb_ * 12) / subcarriers; };
  if (t.psdch) p.psdch = {t.psdch->config.prb, 2, t.psdch->config.second(), density(subcarriers_psdch)};
  if (tm_ == 2) {
    if (t.pscch) p.pscch = {t.pscch->config.prb, 1, -1, density(12)};
    if (t.pssch)
      p.pssch = {t.pssch->config.prb_start, t.pssch->config.n_prb, -1,
                 density(static_cast<float>(t.pssch->config.n_prb * 12))};
    return p;
  }
  // PSCCH has twice the density of the PSSCH beside it (v2x_pscch_boost_db).
  const int n = t.pssch ? t.pssch->config.n_prb : 0;
  const float all = density(static_cast<float>(n * 12) + (t.pscch ? 48.0F : 0.0F));
  if (t.pscch) p.pscch = {t.pscch->config.prb, 2, -1, 2 * all};
  if (t.pssch) p.pssch = {t.pssch->config.prb_start, n, -1, all};
  return p;
}

void air::add_power(const part& p, float snr) {
  if (p.n_prb == 0) return;
  for_each_prb(p.prb, p.n_prb, p.second, [&](int prb) {
    if (prb >= 0 && prb < n_prb_) power_[prb] += snr * p.density;
  });
}

// Interference differs from PRB to PRB: the mean of what each can carry, as a ratio again.
double air::ratio(const part& p, float snr, bool alone) const {
  const double own = static_cast<double>(snr) * p.density;
  double bits = 0;
  int n = 0;
  for_each_prb(p.prb, p.n_prb, p.second, [&](int prb) {
    const double others = alone ? 0 : std::max(0.0, static_cast<double>(power_[prb]) - own);
    // What is left of rounding beside a strong own signal is no interference.
    bits += std::log2(1 + own / (1 + (others < 1e-5 * own ? 0 : others)));
    ++n;
  });
  return n == 0 ? 0 : std::exp2(bits / n) - 1;
}

std::uint64_t air::draw(std::uint64_t a, std::uint64_t b, std::uint64_t c) const {
  return phy::hash64(seed_ ^ phy::hash64(a ^ phy::hash64(b ^ phy::hash64(c))));
}

bool air::lost(channel c, int n_prb, double snr, std::uint64_t d) const {
  const int tm = c == channel::psdch ? 2 : tm_;  // of PSDCH there is one curve
  return static_cast<double>(d >> 11) * 0x1p-53 < curves_.error_rate(c, tm, n_prb, db(snr));
}

void air::subframe(std::int64_t now, std::span<const sent> transmissions, asks_fn asks, void* context) {
  touched_.clear();
  parts_.clear();
  if (now - cleaned_ > block_lifetime) forget_old(now);
  if (transmissions.empty()) return;
  for (const auto& x : transmissions) parts_.push_back(parts_of(x.t));
  reach(now, transmissions);
  for (const auto who : touched_) receive(now, who, transmissions, asks, context);
}

/// Who hears what, in the order of transmissions.
void air::reach(std::int64_t now, std::span<const sent> transmissions) {
  const auto touch = [&](std::uint32_t who) -> receiver& {
    auto& r = receivers_[who];
    if (r.touched != now) {
      r.touched = now;
      r.sends = false;
      r.signals.clear();
      r.got.items.clear();
      touched_.push_back(who);
    }
    return r;
  };
  for (const auto& x : transmissions) touch(static_cast<std::uint32_t>(x.from)).sends = true;
  for (std::uint32_t i = 0; i < transmissions.size(); ++i) {
    std::uint32_t slot = 0;
    for (const auto& h : ground_.hearers_of(transmissions[i].from)) {
      auto& r = touch(h.who);
      ++totals_.receptions;
      if (r.sends)
        half_duplex(transmissions[i]);
      else
        r.signals.push_back({i, slot, h.snr});
      ++slot;
    }
  }
}

void air::half_duplex(const sent& x) {
  totals_.psdch.half_duplex += x.t.psdch.has_value();
  totals_.pscch.half_duplex += x.t.pscch.has_value();
  totals_.pssch.half_duplex += x.t.pssch.has_value();
}

void air::receive(std::int64_t now, std::uint32_t who, std::span<const sent> transmissions, asks_fn asks,
                  void* context) {
  auto& r = receivers_[who];
  if (r.signals.empty()) return;
  power_.fill(0);
  for (const auto& s : r.signals)
    for (const part* p : {&parts_[s.index].pscch, &parts_[s.index].pssch, &parts_[s.index].psdch}) add_power(*p, s.snr);
  if (tm_ == 4)
    for (int m = 0; m < v2x_.n_subchannels; ++m) {
      float sum = 0;
      for (int k = 0; k < v2x_.size_subchannel; ++k)
        sum += 1 + power_[std::min(v2x_.start_prb + m * v2x_.size_subchannel + k, n_prb_ - 1)];
      r.got.subchannel_power[m] = sum / static_cast<float>(v2x_.size_subchannel);
    }
  if (static_cast<int>(who) == ground_.listener()) {
    std::uint64_t occupied = 0;  // resources of discovery, by their first PRB
    for (const auto& s : r.signals)
      if (const auto& p = parts_[s.index].psdch; p.n_prb != 0) occupied |= 1ULL << p.prb;
    totals_.discovery_sent += static_cast<std::uint64_t>(std::popcount(occupied));
  }
  for (const auto& s : r.signals) {
    const auto& x = transmissions[s.index];
    reception::item item{&x, 0, 0, false, false, false, 1};
    if (x.t.psdch) receive_discovery(who, s, x, item);
    if (x.t.pscch) receive_grant(now, who, s, x, item);
    if (x.t.pssch) {
      const bool wanted = tm_ == 4 || static_cast<int>(who) == ground_.listener() ||
                          asks(context, static_cast<int>(who), static_cast<std::uint8_t>(x.t.pssch->config.n_x_id));
      if (wanted) receive_block(now, who, s, x, item);
    }
    if (item.psdch || item.pscch || item.block) r.got.items.push_back(item);
  }
}

void air::receive_discovery(std::uint32_t who, const heard_signal& s, const sent& x, reception::item& item) {
  const auto& p = parts_[s.index].psdch;
  const double snr = ratio(p, s.snr, false);
  const auto d = draw(static_cast<std::uint64_t>(x.t.subframe), static_cast<std::uint64_t>(x.from), who);
  item.psdch = !lost(channel::psdch, 2, snr, d);
  item.snr_db = static_cast<float>(db(snr));
  item.rsrp_db = static_cast<float>(db(s.snr * p.density));
  auto& n = totals_.psdch;
  ++(item.psdch ? n.heard : lost(channel::psdch, 2, ratio(p, s.snr, true), d) ? n.weak : n.collided);
  totals_.discovery_decoded += item.psdch && static_cast<int>(who) == ground_.listener();
}

void air::receive_grant(std::int64_t now, std::uint32_t who, const heard_signal& s, const sent& x,
                        reception::item& item) {
  const auto& p = parts_[s.index].pscch;
  const double snr = ratio(p, s.snr, false);
  const auto d = draw(static_cast<std::uint64_t>(x.t.subframe), static_cast<std::uint64_t>(x.from) | 1ULL << 40, who);
  item.pscch = !lost(channel::pscch, p.n_prb, snr, d);
  item.snr_db = static_cast<float>(db(snr));
  item.rsrp_db = static_cast<float>(db(s.snr * p.density));
  auto& n = totals_.pscch;
  ++(item.pscch ? n.heard : lost(channel::pscch, p.n_prb, ratio(p, s.snr, true), d) ? n.weak : n.collided);
  if (!item.pscch || tm_ == 4) return;
  auto& grants = receivers_[who].grants;
  std::erase_if(grants, [&](const grant& g) { return g.until <= now; });
  const auto destination = std::get<phy::sci_format0>(x.t.pscch->sci).group_destination_id;
  grants.push_back({x.from, destination, now - x.t.absolute_subframe % sc_period_ + sc_period_});
}

bool air::knows(const receiver& r, const sent& x) const {
  return std::any_of(r.grants.begin(), r.grants.end(), [&](const grant& g) {
    return g.from == x.from && g.destination == static_cast<std::uint8_t>(x.t.pssch->config.n_x_id) &&
           g.until > x.t.subframe;
  });
}

air::block_state& air::block_of(std::int64_t now, const sent& x) {
  auto [at, fresh] = blocks_.try_emplace(x.t.pssch->block.get());
  auto& block = at->second;
  if (fresh) {
    block.kept = x.t.pssch->block;
    block.number = next_block_++;
    block.receivers.resize(ground_.hearers_of(x.from).size());
  }
  block.at = now;
  return block;
}

/// Every transmission of a block adds its ratio; one draw decides at which sum the receiver has it.
void air::receive_block(std::int64_t now, std::uint32_t who, const heard_signal& s, const sent& x,
                        reception::item& item) {
  const auto& p = parts_[s.index].pssch;
  const bool listener = static_cast<int>(who) == ground_.listener();
  if (tm_ == 4 ? !item.pscch : !knows(receivers_[who], x)) return;
  auto& block = block_of(now, x);
  auto& c = block.receivers[s.slot];
  if (listener && !block.announced) {
    block.announced = true;
    ++totals_.blocks_announced;
  }
  auto& n = totals_.pssch;
  if (c.done) {
    ++n.heard;
    return;
  }
  const double snr = ratio(p, s.snr, false), alone = c.snr + ratio(p, s.snr, true);
  c.snr += static_cast<float>(snr);
  ++c.n;
  const auto d = draw(block.number, 2ULL << 40, who);
  c.done = item.block = !lost(channel::pssch, p.n_prb, c.snr, d);
  item.snr_db = static_cast<float>(db(snr));
  item.rsrp_db = static_cast<float>(db(s.snr * p.density));
  item.n_transmissions = c.n;
  ++(c.done ? n.heard : lost(channel::pssch, p.n_prb, alone, d) ? n.weak : n.collided);
  totals_.blocks_decoded += c.done && listener;
}

void air::forget_old(std::int64_t now) {
  cleaned_ = now;
  std::erase_if(blocks_, [&](const auto& b) { return now - b.second.at > block_lifetime; });
}

}  // namespace prose::apps::town
