// The UE's receiver and the sniffer's on the same samples: the same SCIs, blocks and discovery messages in the same
// subframes, at any SNR.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <map>
#include <random>
#include <tuple>
#include <vector>

#include "apps/ue/frame_modem.h"
#include "common/bits.h"
#include "mac/default_pools.h"
#include "phy/modem/monitor.h"

namespace prose::apps {
namespace {

using octets = std::vector<std::uint8_t>;
/// Subframe, kind, where it is no block its PRB, and what it says.
using heard = std::tuple<std::int64_t, char, int, octets>;

octets packed(std::span<const std::uint8_t> bits) {
  octets out((bits.size() + 7) / 8);
  pack_bits(bits, out);
  return out;
}

/// Three radios with carrier offsets and delays (5 us early to 15 us late) that send what the pools allow, each block
/// and message as often as the pool says.
class traffic {
public:
  traffic(phy::transmission_mode tm, unsigned seed) : rng_(seed) {
    config_.ue = mac::default_ue_config(tm, 25);
    config_.ue.discovery.num_retx = 3;
    tx_ = std::move(*frame_modem::make(config_));
    if (phy::is_v2x(tm))
      plan_tm4();
    else
      plan_tm2();
    plan_discovery();
  }
  const frame_modem_config& config() const { return config_; }
  static constexpr std::int64_t n_subframes = 1300;

  std::vector<phy::cf32> subframe(std::int64_t n, float noise) {
    const std::size_t size = tx_->carrier().samples_per_subframe();
    std::vector<phy::cf32> sum(size), burst(size);
    const auto [begin, end] = plan_.equal_range(n);
    for (auto i = begin; i != end; ++i) {
      i->second.first.subframe = n;
      i->second.first.absolute_subframe = static_cast<int>(n);
      EXPECT_TRUE(tx_->transmit(i->second.first, burst).has_value());
      const auto [cfo_hz, late_us] = i->second.second;
      const auto late = std::lround(late_us * 1e-6 * tx_->carrier().sample_rate_hz());
      for (std::int64_t k = std::max(0L, late); k < std::ssize(sum) + std::min(0L, late); ++k)
        sum[k] += burst[k - late] * std::polar(1.0F, static_cast<float>(2 * M_PI * cfo_hz * static_cast<double>(k) /
                                                                        tx_->carrier().sample_rate_hz()));
    }
    for (auto& s : sum) s += phy::cf32(gauss_(rng_), gauss_(rng_)) * noise;
    return sum;
  }

private:
  unsigned below(int n) { return static_cast<unsigned>(rng_() % static_cast<unsigned>(n)); }
  mac::transport_block block(int tbs) {
    auto b = std::make_shared<octets>(static_cast<std::size_t>(tbs / 8));
    for (auto& o : *b) o = static_cast<std::uint8_t>(rng_());
    return b;
  }
  struct radio_error {
    double cfo_hz = 0;
    double late_us = 0;
  };
  void add(std::int64_t n, mac::subframe_transmission t, radio_error error) {
    plan_.emplace(n, std::pair(std::move(t), error));
  }

  void plan_tm2() {
    const auto pool = std::move(*phy::comm_pool::make(config_.ue.comm));
    for (std::int64_t start = 0; start + config_.ue.comm.sc_period_subframes <= n_subframes;
         start += config_.ue.comm.sc_period_subframes)
      for (int radio = 0; radio < 2; ++radio) {
        const radio_error error = radio == 0 ? radio_error{700, -5} : radio_error{-400, 12};
        phy::sci_format0 sci;
        sci.resource_block_assignment = static_cast<std::uint16_t>(phy::riv_encode(25, radio * 12, 12));
        sci.mcs = static_cast<std::uint8_t>(4 + below(12));
        sci.group_destination_id = static_cast<std::uint8_t>(rng_());
        sci.time_resource_pattern = static_cast<std::uint8_t>(below(106));
        const int resource = static_cast<int>(below(pool.n_pscch_resources()));
        for (int j = 0; j < 2; ++j) {
          const auto place = pool.pscch_resource(resource, j);
          mac::subframe_transmission t;
          t.pscch = mac::pscch_transmission{{place.prb, 0}, sci};
          add(start + place.subframe, t, error);
        }
        mac::transport_block b;
        for (int i = 0; i < pool.n_pssch_transmissions(sci.time_resource_pattern); ++i) {
          const std::int64_t n = start + pool.pssch_subframe(sci.time_resource_pattern, i);
          const auto at = pool.pssch_at(sci, static_cast<int>(n));
          if (!at) continue;
          if (i % 4 == 0) b = block(at->config.tbs);
          auto c = at->config;
          c.rv = phy::rv_order[at->transmission];
          mac::subframe_transmission t;
          t.pssch = mac::pssch_transmission{c, b};
          add(n, t, error);
        }
      }
  }
  void plan_tm4() {
    const auto pool = std::move(*phy::v2x_pool::make(config_.ue.v2x));
    for (std::int64_t n = 20; n + 40 < n_subframes; n += 25) {
      if (!pool.contains(static_cast<int>(n))) continue;
      phy::sci_format1 sci;
      sci.mcs = static_cast<std::uint8_t>(4 + below(8));
      sci.priority = static_cast<std::uint8_t>(below(8));
      sci.time_gap = static_cast<std::uint8_t>(below(3) == 0 ? 0 : 1 + below(15));
      sci.frequency_location = pool.frequency_location(0, 2);
      const int prb = pool.pscch_prbs()[0];
      const auto b = block(pool.pssch(sci, prb, 0, 0)->tbs);
      std::int64_t at = n;
      for (int t = 0; t < 2; ++t) {
        const auto absolute = static_cast<int>(at);
        sci.retransmission_index = static_cast<std::uint8_t>(t);
        auto c = *pool.pssch(sci, prb, 0, pool.n_ssf(absolute));
        c.rv = t == 0 ? 0 : 2;
        mac::subframe_transmission s;
        s.pscch = mac::pscch_transmission{{prb, 0}, sci};
        s.pssch = mac::pssch_transmission{c, b};
        add(at, s, {500, static_cast<double>(n % 4) * 20 / 3 - 5});
        if (sci.time_gap == 0) break;
        const auto other = pool.other_subframe(*pool.allocation_of(sci, prb), absolute);
        if (!other || *other >= n_subframes) break;
        at = *other;
      }
    }
  }
  void plan_discovery() {
    const auto pool = std::move(*phy::discovery_pool::make(config_.ue.discovery));
    const auto period = config_.ue.discovery.disc_period_subframes;
    for (std::int64_t start = 0; start + period <= n_subframes; start += period)
      for (int i = 0; i < 3; ++i) {
        security::discovery_pdu message{};
        for (auto& o : message) o = static_cast<std::uint8_t>(rng_());
        const int resource = static_cast<int>(below(pool.n_resources()));
        for (int j = 0; j < pool.n_transmissions(); ++j) {
          mac::subframe_transmission t;
          t.psdch = mac::psdch_transmission{pool.psdch(resource, j), message};
          add(start + pool.resource(resource, j).subframe, t, {100.0 * i, 7.5 * i});
        }
      }
  }
  frame_modem_config config_;
  std::unique_ptr<frame_modem> tx_;
  std::mt19937 rng_;
  std::normal_distribution<float> gauss_;
  std::multimap<std::int64_t, std::pair<mac::subframe_transmission, radio_error>> plan_;
};

class same_reception : public ::testing::TestWithParam<std::tuple<phy::transmission_mode, float>> {};

TEST_P(same_reception, ue_and_sniffer) {
  const phy::transmission_mode tm = std::get<0>(GetParam());
  const auto noise = std::get<1>(GetParam());
  traffic air(tm, 5);
  const auto ue = std::move(*frame_modem::make(air.config()));
  phy::monitor_config c;
  c.carrier = ue->carrier();
  c.sync = phy::sync_mode::aligned;
  c.timing.absolute_subframes = {0};
  c.pools.push_back(air.config().ue.discovery);
  if (phy::is_v2x(tm))
    c.pools.push_back(air.config().ue.v2x);
  else
    c.pools.push_back(air.config().ue.comm);
  auto sniffer = std::move(*phy::monitor::make(c));
  const auto size = ue->carrier().samples_per_subframe();
  std::vector<heard> by_ue, by_sniffer;
  const auto take = [&](std::span<const phy::monitor_event> events) {
    for (const auto& e : events) {
      if (const auto* sci = std::get_if<phy::sci_event>(&e); sci && sci->format == 1) {
        const auto& f = std::get<phy::sci_format1>(sci->fields);
        by_sniffer.emplace_back(sci->rx.sample / size, 's', sci->prb,
                                octets{f.mcs, f.priority, f.time_gap, f.retransmission_index});
      } else if (const auto* tb = std::get_if<phy::tb_event>(&e); tb && !tb->repetition) {
        by_sniffer.emplace_back(tb->rx.sample / size, 'b', phy::is_v2x(tm) ? -1 : static_cast<int>(tb->n_x_id),
                                packed(tb->bits));
      } else if (const auto* d = std::get_if<phy::discovery_event>(&e)) {
        by_sniffer.emplace_back(d->rx.sample / size, 'd', 0, packed(d->bits));
      }
    }
  };
  for (std::int64_t n = 0; n < traffic::n_subframes; ++n) {
    const auto samples = air.subframe(n, noise);
    const std::span<const phy::cf32> antenna(samples);
    for (const auto& f :
         ue->receive({n, static_cast<int>(n), false, false}, {&antenna, 1}, [](std::uint8_t) { return true; })) {
      if (const auto* sci = std::get_if<mac::rx_sci1>(&f.content))
        by_ue.emplace_back(f.subframe, 's', sci->prb,
                           octets{sci->sci.mcs, sci->sci.priority, sci->sci.time_gap, sci->sci.retransmission_index});
      else if (const auto* b = std::get_if<mac::rx_block>(&f.content))
        by_ue.emplace_back(f.subframe, 'b', b->group_destination_id ? *b->group_destination_id : -1,
                           octets(b->octets.begin(), b->octets.end()));
      else if (const auto* d = std::get_if<mac::rx_discovery>(&f.content))
        by_ue.emplace_back(f.subframe, 'd', 0, octets(d->message.begin(), d->message.end()));
    }
    take(sniffer.process(antenna, n * size));
  }
  take(sniffer.finish());
  std::sort(by_ue.begin(), by_ue.end());
  std::sort(by_sniffer.begin(), by_sniffer.end());
  std::printf("  tm%d, noise %.2f: %zu frames\n", static_cast<int>(tm), noise, by_ue.size());
  EXPECT_GT(by_ue.size(), 20U);
  EXPECT_EQ(by_ue, by_sniffer);
}
INSTANTIATE_TEST_SUITE_P(all, same_reception,
                         testing::Combine(testing::Values(phy::transmission_mode::tm2, phy::transmission_mode::tm4),
                                          testing::Values(0.005F, 0.1F, 0.35F, 0.6F)));

}  // namespace
}  // namespace prose::apps
