#include "tests/adversary/node.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "common/bits.h"

namespace prose::adversary {

namespace {
constexpr int turnaround_subframes = 2;  // what is decided on after subframe n goes out in n + 2
constexpr int mcs = 14;
constexpr int n_prb_of_block = 24;
constexpr int all_eight = 106;  // I_TRP of eight subframes in eight (TS 36.213 table 14.1.1.1.1-1)
constexpr std::size_t psdch_bits = phy::discovery_message_bits;
constexpr float psdch_dmrs_threshold = 0.12F;

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "adversary node: %s\n", what.c_str());
  std::abort();
}
octets unpacked(std::span<const std::uint8_t> packed, std::size_t n_bits) {
  octets bits(n_bits);
  unpack_bits(packed, bits);
  return bits;
}
}  // namespace

node::node(const node_config& config) : config_(config) {
  const auto& p = config.pools;
  const double rate = phy::standard_fft_size(p.n_prb) * phy::subcarrier_spacing_hz;
  const auto carrier = phy::carrier_config::make(p.n_prb, phy::cyclic_prefix::normal, p.tm, rate);
  if (!carrier) die(carrier.error().message);
  carrier_ = *carrier;
  auto tx = phy::transmitter::make({.carrier = carrier_});
  auto rx = phy::subframe_receiver::make({.carrier = carrier_});
  auto comm = phy::comm_pool::make(p.comm);
  auto disc = phy::discovery_pool::make(p.discovery);
  if (!tx || !rx || !comm || !disc) die("modem or pools");
  tx_.emplace(std::move(*tx));
  rx_.emplace(std::move(*rx));
  comm_.emplace(std::move(*comm));
  discovery_pool_.emplace(std::move(*disc));

  phy::radio_config r;
  r.device_args = "type=virtual,name=" + config.name + ",air=" + config.air;
  r.sample_rate_hz = rate;
  r.blank_own_bursts = false;  // two radios in one box: the attacker hears while she sends
  r.receive_timeout_s = 60;
  auto radio = phy::radio::open(r);
  if (!radio) die(radio.error().message);
  radio_ = std::move(*radio);
  const int spsf = carrier_.samples_per_subframe();
  const std::int64_t begin = (radio_->now_tick().value() / spsf + config.begin_after_subframes) * spsf;
  const auto started = radio_->start(begin);
  if (!started) die(started.error().message);
  subframe_ = first_subframe = (*started + spsf - 1) / spsf;
  samples_.resize(spsf);
  burst_.resize(samples_.size());
  bits_.resize(32'000);
}
node::~node() { radio_->stop(); }

std::size_t node::block_octets() const {
  return static_cast<std::size_t>(phy::pssch_transport(carrier_.tm, mcs, n_prb_of_block)->tbs) / 8;
}

void node::send_block(octets tb, std::uint8_t dst_lsb, std::int64_t not_before) {
  if (tb.size() > block_octets()) die("block of " + std::to_string(tb.size()) + " octets is too long");
  tb.resize(block_octets());  // the SL-SCH subheaders say where SDUs end, unless the last one has no length: then the
                              // caller pads
  blocks_.push_back({not_before, {std::move(tb), dst_lsb}});
}

void node::send_raw(std::int64_t subframe, phy::transmission t) {
  owned o{t, {}};
  std::visit(
      [&](auto& w) {
        if constexpr (requires { w.payload; }) {
          o.bits.assign(w.payload.begin(), w.payload.end());
        } else {
          o.bits.assign(w.bits.begin(), w.bits.end());
        }
      },
      o.t.what);
  schedule_[subframe].push_back(std::move(o));
  last_sent = std::max(last_sent, subframe);
}

void node::send_samples(std::int64_t subframe, std::vector<phy::cf32> samples, float gain) {
  for (auto& x : samples) x *= gain;
  copies_of_samples_[subframe] = std::move(samples);
}

void node::run(double s) {
  const std::int64_t end = subframe_ + std::llround(s * 1000);
  while (subframe_ < end) step();
}
bool node::run_until(const std::function<bool()>& done, double s) {
  const std::int64_t end = subframe_ + std::llround(s * 1000);
  while (subframe_ < end) {
    // The condition often reads files: every 10 ms of device time is often enough.
    if (subframe_ % 10 == 0 && done()) return true;
    step();
  }
  return done();
}

void node::step() {
  const auto spsf = static_cast<std::int64_t>(samples_.size());
  std::size_t have = 0;
  std::fill(samples_.begin(), samples_.end(), phy::cf32{});
  while (have < samples_.size()) {
    const auto r = radio_->read(std::span(samples_).subspan(have));
    if (!r) die(r.error().message);
    if (r->first_tick != subframe_ * spsf + static_cast<std::int64_t>(have))
      die("the air went on without the attacker (stalled)");
    have += r->n_samples;
  }
  receive(samples_);
  ++subframe_;
  if (on_subframe) on_subframe();
  const std::int64_t out = subframe_ - 1 + turnaround_subframes;
  plan_discovery(out);
  if (const auto at = comm_->locate(absolute(out)); at && at->offset == 0) plan_period(out);
  transmit(out);
  while (radio_->poll_event()) {
  }
}

// --- reception
// ----------------------------------------------------------------------------------------------------------------

void node::receive(std::span<const phy::cf32> samples) {
  double energy = 0;
  for (const auto& x : samples) energy += std::norm(x);
  power_db.push_back(static_cast<float>(10 * std::log10(energy / static_cast<double>(samples.size()) + 1e-20)));
  if (record && power_db.back() > -50) recorded[subframe_].assign(samples.begin(), samples.end());
  if (!config_.decode) return;
  const int abs = absolute(subframe_);
  const int n_disc = discovery_pool_->n_candidates(abs);
  const bool comm = !comm_->pscch_candidates(abs).empty() || !grants_.empty();
  const bool slss_here = config_.look_for_slss && (abs % 40 == 17 || abs % 40 == 37);
  if (n_disc == 0 && !comm && !slss_here) return;
  rx_->load(samples);
  if (slss_here)
    if (const auto s = rx_->detect_slss(); s.detected) slss.push_back({subframe_, s.n_sl_id});
  receive_comm(abs);
  octets bits(psdch_bits);
  phy::soft_buffer buffer(psdch_bits);
  for (int i = 0; i < n_disc; ++i) {
    const auto c = discovery_pool_->candidate_at(abs, i);
    if (rx_->psdch_dmrs_metric(c.config.prb) < psdch_dmrs_threshold) continue;
    buffer.reset(psdch_bits);
    const auto r = rx_->decode_psdch(c.config, buffer, bits);
    if (!r.crc_ok) continue;
    heard_discovery h{subframe_, c.n, {}, r.signal.cfo_hz};
    pack_bits(bits, h.pdu);
    discovery.push_back(h);
    if (on_discovery) on_discovery(h);
  }
}

void node::receive_comm(int abs) {
  const auto at = comm_->locate(abs);
  if (!at) return;
  if (subframe_ - at->offset != period_) {
    period_ = subframe_ - at->offset;
    grants_.clear();
  }
  for (const auto& found : rx_->find_pscch(comm_->pscch_candidates(abs))) {
    const auto sci = phy::unpack_sci_format0(found.payload(), carrier_.n_prb);
    if (std::any_of(grants_.begin(), grants_.end(), [&](const grant& g) { return g.sci == sci; })) continue;
    ++n_sci;
    const auto c = comm_->pssch(sci, 0);
    if (!c || c->tbs <= 0 || static_cast<std::size_t>(c->tbs) > bits_.size()) continue;
    grant g;
    g.sci = sci;
    g.buffer = phy::soft_buffer(static_cast<std::size_t>(c->tbs));
    g.cfo_hz = found.signal.cfo_hz;
    grants_.push_back(std::move(g));
  }
  for (auto& g : grants_) {
    const auto o = comm_->pssch_at(g.sci, abs);
    if (!o) continue;
    auto c = o->config;
    c.rv = phy::rv_order[o->transmission];
    if (g.block != o->block) {
      g.block = o->block;
      g.done = false;
      g.buffer.reset(c.tbs);
    }
    if (g.done) continue;
    const auto bits = std::span(bits_).first(c.tbs);
    const auto r = rx_->decode_pssch(c, {g.cfo_hz, std::nullopt}, g.buffer, bits);
    if (!r.crc_ok) continue;
    g.done = true;
    heard_block b{subframe_, g.sci, octets(static_cast<std::size_t>(c.tbs) / 8), r.signal.snr_db, r.signal.cfo_hz};
    pack_bits(bits, b.tb);
    blocks.push_back(b);
    if (on_block) on_block(b);
    demultiplex(b);
  }
}

void node::demultiplex(const heard_block& b) {
  mac::sl_sch_pdu pdu;
  if (mac::parse(b.tb, pdu) != mac::sl_sch_status::ok) return;
  const std::uint32_t src = pdu.header.src, dst = pdu.header.dst | b.sci.group_destination_id;
  mac::rlc_um_counters unused;
  for (const auto& s : pdu.all())
    rlc_[{src, dst, s.lcid}].receive(s.data, unused, [&](std::span<const std::uint8_t> sdu) {
      messages.push_back({b.subframe, src, dst, s.lcid, {sdu.begin(), sdu.end()}, b.cfo_hz});
      if (on_message) {
        const message m = messages.back();
        on_message(m);
      }
    });
}

// --- transmission
// -------------------------------------------------------------------------------------------------------------

/// One period: up to seven blocks under one destination octet over the whole band, or blocks of up to four destination
/// octets in disjoint patterns. The first transmission of each block (redundancy version 0) and the three repetitions
/// are all sent.
void node::plan_period(std::int64_t start) {
  // Pack messages into blocks: those of one (src, dst), in their order.
  if (!copies_.empty() && copies_.front().not_before <= start) {
    const auto c = std::move(copies_.front().what);
    copies_.pop_front();
    plan_grant(start, c.sci, static_cast<int>(start / 40 * 11 % comm_->n_pscch_resources()), 0, c.tb, true);
    return;
  }
  std::vector<raw_block> ready;
  const std::size_t most = 7;
  while (ready.size() < most && !blocks_.empty() && blocks_.front().not_before <= start) {
    ready.push_back(std::move(blocks_.front().what));
    blocks_.pop_front();
  }
  while (ready.size() < most) {
    const auto first = std::find_if(queue_.begin(), queue_.end(), [&](const auto& m) { return m.not_before <= start; });
    if (first == queue_.end()) break;
    const auto src = first->what.src, dst = first->what.dst;
    octets tb(block_octets());
    mac::sl_sch_builder builder({mac::sl_sch_version::unicast, src, dst & 0xFFFF00}, tb);
    for (auto i = queue_.begin(); i != queue_.end();) {
      const auto& m = i->what;
      if (i->not_before > start || m.src != src || m.dst != dst) {
        ++i;
        continue;
      }
      if (builder.room() < m.pdu.size() + 1) {
        if (builder.empty()) die("message of " + std::to_string(m.pdu.size()) + " octets does not fit");
        break;
      }
      auto at = builder.add(m.lcid, m.pdu.size() + 1);
      auto& sn = sn_[{src, dst, m.lcid}];
      at[0] = sn;  // FI 00, E 0, SN: one whole SDU
      sn = static_cast<std::uint8_t>((sn + 1) % mac::rlc_sn_modulus);
      std::copy(m.pdu.begin(), m.pdu.end(), at.begin() + 1);
      ++messages_sent;
      i = queue_.erase(i);
    }
    builder.finish();
    ready.push_back({std::move(tb), static_cast<std::uint8_t>(dst)});
  }
  if (ready.empty()) return;
  // Streams: the whole pattern for one destination octet, else four patterns of two subframes in eight with one block
  // each.
  const bool one =
      std::all_of(ready.begin(), ready.end(), [&](const auto& b) { return b.dst_lsb == ready[0].dst_lsb; });
  if (one) {
    for (std::size_t i = 0; i < ready.size(); ++i) plan_block(start, -1, static_cast<int>(i), ready[i], i == 0);
    return;
  }
  int stream = 0;
  for (auto& b : ready) {
    if (stream < 4)
      plan_block(start, stream++, 0, b, true);
    else
      blocks_.push_front({start, std::move(b)});
  }
}

void node::plan_block(std::int64_t start, int stream, int first_block, const raw_block& b, bool announce) {
  phy::sci_format0 sci;
  sci.resource_block_assignment = static_cast<std::uint16_t>(phy::riv_encode(carrier_.n_prb, 0, n_prb_of_block));
  sci.mcs = mcs;
  sci.group_destination_id = b.dst_lsb;
  sci.time_resource_pattern = all_eight;
  if (stream >= 0) {
    // Patterns of weight 2 that do not meet: subframes {s, s + 4} of eight.
    for (int i = 8; i < 36; ++i)
      if (phy::time_pattern(8, i) == static_cast<std::uint8_t>((1U << stream) | (1U << (stream + 4))))
        sci.time_resource_pattern = static_cast<std::uint8_t>(i);
  }
  const int resource = stream < 0 ? static_cast<int>(start / 40 * 7 % comm_->n_pscch_resources())
                                  : (stream * 13 + 5) % comm_->n_pscch_resources();
  plan_grant(start, sci, resource, first_block, b.tb, announce);
}

void node::plan_grant(std::int64_t start, const phy::sci_format0& sci, int resource, int first_block, const octets& tb,
                      bool announce) {
  if (announce) {
    octets sci_bits(static_cast<std::size_t>(phy::sci_format0_bits(carrier_.n_prb)));
    phy::pack(sci, carrier_.n_prb, sci_bits);
    for (int t = 0; t < 2; ++t) {
      const auto place = comm_->pscch_resource(resource, t);
      send_raw(start + place.subframe,
               {phy::pscch_transmission{{place.prb, 0}, sci_bits}, phy::re_power_db(carrier_, config_.power_db, 12)});
    }
  }
  const auto tb_bits = unpacked(tb, tb.size() * 8);
  for (int t = 0; t < 4; ++t) {
    const int i = first_block * 4 + t;
    if (i >= comm_->n_pssch_transmissions(sci.time_resource_pattern)) break;
    const std::int64_t sf = start + comm_->pssch_subframe(sci.time_resource_pattern, i);
    auto c = *comm_->pssch(sci, comm_->n_ssf(absolute(sf)));
    c.rv = phy::rv_order[t];
    send_raw(sf, {phy::pssch_transmission{c, tb_bits},
                  phy::re_power_db(carrier_, config_.power_db, static_cast<float>(c.n_prb * 12))});
  }
  ++blocks_sent;
}

void node::plan_discovery(std::int64_t sf) {
  const int n = discovery_pool_->n_candidates(absolute(sf));
  int used = 0;
  // Half of the resources, so that others still find room.
  for (auto i = announcements_.begin(); i != announcements_.end() && used < n;) {
    if (i->not_before > sf) {
      ++i;
      continue;
    }
    const auto c = discovery_pool_->candidate_at(absolute(sf), static_cast<int>((sf * 5 + used) % n));
    const auto bits = unpacked(i->what, psdch_bits);
    send_raw(sf, {phy::psdch_transmission{c.config, bits}, phy::re_power_db(carrier_, config_.power_db - 3, 24)});
    ++discovery_sent;
    used += 2;
    i = announcements_.erase(i);
  }
}

void node::transmit(std::int64_t sf) {
  schedule_.erase(schedule_.begin(), schedule_.lower_bound(sf));
  const auto at = schedule_.find(sf);
  const auto noise = jam_.find(sf);
  const auto copy = copies_of_samples_.find(sf);
  if (at == schedule_.end() && noise == jam_.end() && copy == copies_of_samples_.end()) return;
  std::fill(burst_.begin(), burst_.end(), phy::cf32{});
  if (at != schedule_.end()) {
    std::vector<phy::transmission> list;
    for (auto& o : at->second) {
      std::visit(
          [&](auto& w) {
            if constexpr (requires { w.payload; })
              w.payload = o.bits;
            else
              w.bits = o.bits;
          },
          o.t.what);
      list.push_back(o.t);
    }
    if (const auto ok = tx_->transmit(list, burst_); !ok) die("transmission: " + ok.error().message);
    schedule_.erase(at);
  }
  if (copy != copies_of_samples_.end()) {
    for (std::size_t i = 0; i < burst_.size(); ++i) burst_[i] += copy->second[i];
    copies_of_samples_.erase(copies_of_samples_.begin(), std::next(copy));
  }
  if (noise != jam_.end()) {
    const float a = std::pow(10.0F, noise->second / 20) * std::sqrt(1.5F);
    const auto uniform = [&] {
      noise_state_ ^= noise_state_ << 13, noise_state_ ^= noise_state_ >> 7, noise_state_ ^= noise_state_ << 17;
      return static_cast<float>(noise_state_ >> 40) / static_cast<float>(1 << 23) - 1.0F;
    };
    for (auto& x : burst_) x += phy::cf32(a * uniform(), a * uniform());
    jam_.erase(jam_.begin(), std::next(noise));
  }
  const auto sent = radio_->transmit(sf * static_cast<std::int64_t>(burst_.size()), burst_);
  if (!sent) die(sent.error().message);
}

}  // namespace prose::adversary
