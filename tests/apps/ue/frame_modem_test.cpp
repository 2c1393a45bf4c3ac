// UEs with the real modem in between: every transmission becomes samples, samples of all transmitters and noise become
// frames. The air here is a sum of subframes with carrier offsets; delays and fading are the emulated air's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdio>
#include <map>
#include <random>

#include "apps/ue/frame_modem.h"
#include "mac/default_pools.h"
#include "mac/security_adapter.h"
#include "security/crypto/x25519.h"
#include "tests/mac/diskless_adapter.h"

using namespace prose;
using namespace prose::apps;

namespace {
class seeded final : public security::random_port {
public:
  explicit seeded(unsigned s) : rng_(s) {}
  void fill(security::bytes_span out) override {
    for (auto& b : out) b = static_cast<std::uint8_t>(rng_());
  }

private:
  std::mt19937_64 rng_;
};
struct node {
  seeded random;
  security::crypto::mbedtls_x25519 dh;
  security::key_pair pair;
  security::public_key key;
  std::unique_ptr<security::ue_security> sec;
  std::unique_ptr<mac::security_adapter> port;
  std::unique_ptr<mac::ue> u;
  std::unique_ptr<frame_modem> modem;
  std::map<std::int64_t, mac::subframe_transmission> planned;
  double cfo_hz;
  std::set<security::peer_id> discovered;
  int data = 0, links = 0;
  node(unsigned seed, double cfo, phy::transmission_mode tm, int n_prb)
      : random(seed), dh(random), pair(security::key_pair::generate({random, dh})), key(pair.public_part), cfo_hz(cfo) {
    sec = std::make_unique<security::ue_security>(security::ue_config{}, std::move(pair), security::ports{random, dh});
    port = std::make_unique<mac::test::diskless_adapter>(*sec);
    frame_modem_config c;
    c.ue = mac::default_ue_config(tm, n_prb);
    c.ue.sync.mode = mac::time_mode::gnss;
    c.sample_rate_hz = phy::standard_fft_size(n_prb) * 15e3;
    u = std::move(*mac::ue::make(c.ue, *port));
    modem = std::move(*frame_modem::make(c));
  }
};
struct variant {
  phy::transmission_mode tm;
  int n_prb;
};
class ue_over_samples : public testing::TestWithParam<variant> {};
}  // namespace

TEST_P(ue_over_samples, mary_john_and_peter_with_2_khz_and_15_db) {
  const auto [tm, n_prb] = GetParam();
  node mary(1, 1000, tm, n_prb), john(2, -1000, tm, n_prb), peter(3, 300, tm, n_prb);
  std::array<node*, 3> nodes{&mary, &john, &peter};
  const auto permit = [](node& a, node& b) {
    EXPECT_TRUE(a.sec->add_peer("x" + std::to_string(b.key.octets[0]), b.key).has_value());
    EXPECT_TRUE(b.sec->add_peer("x" + std::to_string(a.key.octets[0]), a.key).has_value());
  };
  permit(mary, john);
  permit(john, peter);
  const int n_samples = mary.modem->carrier().samples_per_subframe();
  const double rate = mary.modem->carrier().sample_rate_hz();
  std::mt19937 rng(9);
  std::normal_distribution<float> gauss;
  std::map<node*, std::vector<phy::cf32>> burst;
  mac::step_output out;
  int subframe_links = -1;
  for (std::int64_t n = 0; n < 12'000; ++n) {
    burst.clear();
    for (auto* x : nodes)
      if (const auto p = x->planned.find(n); p != x->planned.end()) {
        auto& b = burst[x];
        b.resize(n_samples);
        const auto ok = x->modem->transmit(p->second, b);
        ASSERT_TRUE(ok.has_value()) << ok.error().message;
        for (std::size_t i = 0; i < b.size(); ++i)
          b[i] *= std::polar(1.0F,
                             static_cast<float>(2 * M_PI * x->cfo_hz *
                                                (static_cast<double>(n) * n_samples + static_cast<double>(i)) / rate));
        x->planned.erase(p);
      }
    for (auto* x : nodes) {
      std::span<const mac::received_frame> frames;
      std::vector<phy::cf32> heard;
      if (!burst.contains(x) && !burst.empty()) {
        heard.resize(n_samples);
        // 15 dB below a burst's mean power (-12 dB) in its own band at the narrowest; wider ones see more noise
        for (auto& s : heard) s = phy::cf32(gauss(rng), gauss(rng)) * 0.02F;
        for (const auto& [who, b] : burst)
          for (std::size_t i = 0; i < b.size(); ++i) heard[i] += b[i];
        const std::span<const phy::cf32> antenna(heard);
        frames = x->modem->receive({n, x->u->sync().dfn_subframe(n), false, false}, {&antenna, 1},
                                   [&](std::uint8_t lsb) { return x->u->addressed(lsb); });
      }
      x->u->step({n, n, static_cast<mac::slot_t>(1'700'000'000 + n / 1000), frames, x->modem->subchannel_rssi_dbm()},
                 out);
      for (auto& t : out.transmissions) x->planned[t.subframe] = std::move(t);
      for (const auto& e : out.events) {
        if (const auto* d = std::get_if<mac::ev_peer_discovered>(&e)) x->discovered.insert(d->peer);
        x->links += std::holds_alternative<mac::ev_link_established>(e);
        x->data += std::holds_alternative<mac::ev_data>(e);
      }
    }
    if (subframe_links < 0 && mary.links && peter.links && john.links == 2) subframe_links = static_cast<int>(n);
    if (subframe_links >= 0 && n % 150 == 0) {
      const std::vector<std::uint8_t> d(300, static_cast<std::uint8_t>(n));
      mary.u->send(1, security::sdu_type::ip, d);
    } else if (subframe_links >= 0 && n % 150 == 70) {
      const std::vector<std::uint8_t> d(300, static_cast<std::uint8_t>(n));
      john.u->send(2, security::sdu_type::ip, d);
    }
    if (subframe_links >= 0 && n > subframe_links + 3000 && !peter.discovered.empty() && !mary.discovered.empty() &&
        john.discovered.size() == 2)
      break;
  }
  ASSERT_GE(subframe_links, 0);
  EXPECT_EQ(mary.discovered.size(), 1U);
  EXPECT_EQ(john.discovered.size(), 2U);
  EXPECT_EQ(peter.discovered.size(), 1U);
  EXPECT_GE(john.data, 16);
  EXPECT_GE(peter.data, 16);
  EXPECT_EQ(mary.data, 0);
  const auto& c = john.modem->counters();
  printf(
      "  both links after %d subframes; john: %llu SCI, %llu blocks, %llu failed, %llu discovery messages, %d data at "
      "john, %d at peter of 20\n",
      subframe_links, static_cast<unsigned long long>(c.sci), static_cast<unsigned long long>(c.blocks_ok),
      static_cast<unsigned long long>(c.blocks_failed), static_cast<unsigned long long>(c.discovery_ok), john.data,
      peter.data);
}
INSTANTIATE_TEST_SUITE_P(
    all, ue_over_samples,
    testing::Values(variant{phy::transmission_mode::tm2, 25}, variant{phy::transmission_mode::tm4, 25},
                    variant{phy::transmission_mode::tm2, 50}, variant{phy::transmission_mode::tm4, 50}),
    [](const auto& i) {
      return "tm" + std::to_string(static_cast<int>(i.param.tm)) + "_" + std::to_string(i.param.n_prb) + "prb";
    });

namespace {
/// Of 100 messages, how many arrive in noise, each sent 1 + num_retx times. `combined`: of them, how many only
/// together.
int messages_through_noise(int num_retx, std::uint64_t& combined) {
  frame_modem_config c;
  c.ue = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  c.ue.discovery.num_retx = num_retx;
  const auto modem = std::move(*frame_modem::make(c));
  const auto pool = std::move(*phy::discovery_pool::make(c.ue.discovery));
  const std::size_t n_samples = modem->carrier().samples_per_subframe();
  std::mt19937 rng(77);
  std::normal_distribution<float> gauss;
  int arrived = 0;
  std::vector<phy::cf32> samples(n_samples);
  for (int run = 0; run < 100; ++run) {
    const int resource = static_cast<int>(rng() % static_cast<unsigned>(pool.n_resources()));
    security::discovery_pdu message{};
    for (auto& o : message) o = static_cast<std::uint8_t>(rng());
    int got = 0;
    for (int j = 0; j < pool.n_transmissions(); ++j) {
      mac::subframe_transmission t;
      t.subframe = run * 320 + pool.resource(resource, j).subframe;
      t.absolute_subframe = static_cast<int>(t.subframe % 10240);
      t.psdch = mac::psdch_transmission{pool.psdch(resource, j), message};
      EXPECT_TRUE(modem->transmit(t, samples).has_value());
      // A burst of 2 PRB at a mean power of -12 dB: 24 subcarriers of the 512 in the band, so 0.77 leaves 0.5 dB a
      // subcarrier.
      for (auto& s : samples) s += phy::cf32(gauss(rng), gauss(rng)) * 0.77F;
      const std::span<const phy::cf32> antenna(samples);
      for (const auto& f : modem->receive({t.subframe, t.absolute_subframe, false, false}, {&antenna, 1},
                                          [](std::uint8_t) { return false; }))
        if (const auto* d = std::get_if<mac::rx_discovery>(&f.content)) {
          EXPECT_TRUE(std::equal(d->message.begin(), d->message.end(), message.begin()));
          ++got;
        }
    }
    EXPECT_LE(got, 1) << "one message, however often it was sent";
    arrived += got;
  }
  combined = modem->counters().discovery_combined;
  return arrived;
}
}  // namespace

TEST(discovery_messages, that_are_sent_again_are_combined) {
  std::uint64_t none = 0, combined = 0;
  const int once = messages_through_noise(0, none);
  const int four_times = messages_through_noise(3, combined);
  printf("  of 100 messages in noise: %d sent once, %d sent four times, %llu of them only by combining\n", once,
         four_times, static_cast<unsigned long long>(combined));
  EXPECT_EQ(none, 0U);
  EXPECT_LE(once, 20) << "control: noise that one transmission does not survive";
  EXPECT_GE(four_times, 80) << "four tries alone would bring 1 - (1 - p)^4, at most 60";
  EXPECT_GE(combined, 40U);
}

TEST(discovery_messages, a_new_period_is_a_new_message) {
  frame_modem_config c;
  c.ue = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  c.ue.discovery.num_retx = 3;
  const auto modem = std::move(*frame_modem::make(c));
  const auto pool = std::move(*phy::discovery_pool::make(c.ue.discovery));
  const int period = c.ue.discovery.disc_period_subframes;
  std::vector<phy::cf32> samples(modem->carrier().samples_per_subframe());
  const std::span<const phy::cf32> antenna(samples);
  for (int resource = 0; resource < pool.n_resources(); ++resource) {
    std::vector<std::uint8_t> arrived;
    for (int run = 2 * resource; run < 2 * resource + 2; ++run) {
      security::discovery_pdu message{};
      message.fill(static_cast<std::uint8_t>(run + 1));
      // In the second period the first transmission is missed.
      for (int j = run % 2; j < pool.n_transmissions(); ++j) {
        mac::subframe_transmission t;
        t.subframe = run * period + pool.resource(resource, j).subframe;
        t.absolute_subframe = static_cast<int>(t.subframe % 10240);
        t.psdch = mac::psdch_transmission{pool.psdch(resource, j), message};
        ASSERT_TRUE(modem->transmit(t, samples).has_value());
        for (const auto& f : modem->receive({t.subframe, t.absolute_subframe, false, false}, {&antenna, 1},
                                            [](std::uint8_t) { return false; }))
          if (const auto* d = std::get_if<mac::rx_discovery>(&f.content)) arrived.push_back(d->message[0]);
      }
    }
    const auto first = static_cast<std::uint8_t>(2 * resource + 1);
    EXPECT_THAT(arrived, testing::ElementsAre(first, static_cast<std::uint8_t>(first + 1))) << "resource " << resource;
  }
}

namespace {
/// A receiver of blocks in noise: each is announced by an SCI and sent up to four times (TM2) or twice (TM4); of them
/// `times` are sent.
class block_link {
public:
  block_link(phy::transmission_mode tm, float noise) : noise_(noise) {
    config_.ue = mac::default_ue_config(tm, 25);
    modem_ = std::move(*frame_modem::make(config_));
    samples_.resize(modem_->carrier().samples_per_subframe());
  }
  int of_100_blocks(int times) {
    int arrived = 0;
    for (int run = 0; run < 100; ++run) {
      const int got = phy::is_v2x(config_.ue.tm) ? tm4_block(run, times) : tm2_block(run, times);
      EXPECT_LE(got, 1) << "one block, however often it was sent";
      arrived += got;
    }
    return arrived;
  }
  const frame_modem_counters& counters() const { return modem_->counters(); }

private:
  int tm2_block(int run, int times) {
    const auto pool = std::move(*phy::comm_pool::make(config_.ue.comm));
    const std::int64_t start = std::int64_t{run} * config_.ue.comm.sc_period_subframes;
    phy::sci_format0 sci;
    sci.resource_block_assignment = static_cast<std::uint16_t>(phy::riv_encode(25, static_cast<int>(rng_() % 13), 12));
    sci.mcs = 14;
    sci.group_destination_id = static_cast<std::uint8_t>(rng_());
    do sci.time_resource_pattern = static_cast<std::uint8_t>(rng_() % 106);
    while (pool.n_pssch_transmissions(sci.time_resource_pattern) < 4);
    const auto place =
        pool.pscch_resource(static_cast<int>(rng_() % static_cast<unsigned>(pool.n_pscch_resources())), 0);
    mac::subframe_transmission announced;
    announced.pscch = mac::pscch_transmission{{place.prb, 0}, sci};
    int got = hear(announced, start + place.subframe, 0.01F);
    const auto block = random_block(pool.pssch(sci, 0)->tbs);
    for (int t = 0; t < times; ++t) {
      const std::int64_t n = start + pool.pssch_subframe(sci.time_resource_pattern, t);
      auto c = pool.pssch_at(sci, static_cast<int>(n % 10240))->config;
      c.rv = phy::rv_order[t];
      mac::subframe_transmission s;
      s.pssch = mac::pssch_transmission{c, block};
      got += hear(s, n, noise_);
    }
    return got;
  }
  int tm4_block(int run, int times) {
    const auto pool = std::move(*phy::v2x_pool::make(config_.ue.v2x));
    std::int64_t n = 100 + std::int64_t{run} * 60;
    while (!pool.contains(static_cast<int>(n % 10240))) ++n;
    phy::sci_format1 sci;
    sci.mcs = 14;
    sci.time_gap = static_cast<std::uint8_t>(1 + rng_() % 15);
    sci.frequency_location = pool.frequency_location(0, 3);
    const int prb = pool.pscch_prbs()[0];
    const auto block = random_block(pool.pssch(sci, prb, 0, pool.n_ssf(static_cast<int>(n % 10240)))->tbs);
    int got = 0;
    for (int t = 0; t < times; ++t) {
      const auto absolute = static_cast<int>(n % 10240);
      sci.retransmission_index = static_cast<std::uint8_t>(t);
      auto c = *pool.pssch(sci, prb, 0, pool.n_ssf(absolute));
      c.rv = t == 0 ? 0 : 2;
      mac::subframe_transmission s;
      s.pscch = mac::pscch_transmission{{prb, 0}, sci};
      s.pssch = mac::pssch_transmission{c, block};
      got += hear(s, n, noise_);
      const auto other = t == 0 ? pool.other_subframe(*pool.allocation_of(sci, prb), absolute) : std::nullopt;
      if (other) n += (*other - absolute + 10240) % 10240;
    }
    return got;
  }
  mac::transport_block random_block(int tbs) {
    auto b = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(tbs / 8));
    for (auto& o : *b) o = static_cast<std::uint8_t>(rng_());
    return b;
  }
  int hear(mac::subframe_transmission& t, std::int64_t n, float noise) {
    t.subframe = n;
    t.absolute_subframe = static_cast<int>(n % 10240);
    EXPECT_TRUE(modem_->transmit(t, samples_).has_value());
    for (auto& s : samples_) s += phy::cf32(gauss_(rng_), gauss_(rng_)) * noise;
    const std::span<const phy::cf32> antenna(samples_);
    int got = 0;
    for (const auto& f :
         modem_->receive({n, t.absolute_subframe, false, false}, {&antenna, 1}, [](std::uint8_t) { return true; }))
      if (const auto* b = std::get_if<mac::rx_block>(&f.content)) {
        EXPECT_TRUE(t.pssch && std::equal(b->octets.begin(), b->octets.end(), t.pssch->block->begin()));
        ++got;
      }
    return got;
  }
  float noise_;
  frame_modem_config config_;
  std::unique_ptr<frame_modem> modem_;
  std::vector<phy::cf32> samples_;
  std::mt19937 rng_{78};
  std::normal_distribution<float> gauss_;
};
}  // namespace

TEST(blocks, that_are_sent_again_are_combined) {
  // Bursts at a mean power of -12 dB, noise that one transmission does not survive. In TM4 the SCI has to come through
  // it too.
  for (const auto& [tm, noise, all] :
       {std::tuple{phy::transmission_mode::tm2, 0.3F, 4}, {phy::transmission_mode::tm4, 0.16F, 2}}) {
    block_link alone(tm, noise), repeated(tm, noise), quiet(tm, 0.02F);
    const int once = alone.of_100_blocks(1), together = repeated.of_100_blocks(all);
    printf("  tm%d, of 100 blocks in noise: %d sent once, %d sent %d times\n", static_cast<int>(tm), once, together,
           all);
    EXPECT_LE(once, 5) << "control: tries alone would bring 1 - (1 - p)^n, at most 19";
    EXPECT_GE(together, 90);
    EXPECT_EQ(repeated.counters().blocks_ok, static_cast<std::uint64_t>(together));
    EXPECT_EQ(quiet.of_100_blocks(all), 100)
        << "without noise the first transmission does, and the others deliver nothing again";
  }
}
