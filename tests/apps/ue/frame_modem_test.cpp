// UEs with the real modem in between: every transmission becomes samples, samples of all transmitters and noise become frames. The
// air here is a sum of subframes with carrier offsets; delays and fading are the emulated air's.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>
#include <cstdio>
#include <map>
#include <random>

#include "apps/ue/frame_modem.h"
#include "mac/security_adapter.h"
#include "security/crypto/x25519.h"

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
    port = std::make_unique<mac::security_adapter>(*sec);
    port->store_marks_at_once = true;
    frame_modem_config c;
    c.ue = mac::default_ue_config(tm, n_prb);
    c.ue.sync.mode = mac::time_mode::gnss;
    c.ue.seed = seed;
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
        b.resize(static_cast<std::size_t>(n_samples));
        const auto ok = x->modem->transmit(p->second, b);
        ASSERT_TRUE(ok.has_value()) << ok.error().message;
        for (std::size_t i = 0; i < b.size(); ++i)
          b[i] *= std::polar(1.0F, static_cast<float>(2 * M_PI * x->cfo_hz * (static_cast<double>(n) * n_samples + static_cast<double>(i)) / rate));
        x->planned.erase(p);
      }
    for (auto* x : nodes) {
      std::span<const mac::received_frame> frames;
      std::vector<phy::cf32> heard;
      if (!burst.contains(x) && !burst.empty()) {
        heard.resize(static_cast<std::size_t>(n_samples));
        // 15 dB below a burst's mean power (-12 dB) in its own band at the narrowest; wider ones see more noise
        for (auto& s : heard) s = phy::cf32(gauss(rng), gauss(rng)) * 0.02F;
        for (const auto& [who, b] : burst)
          for (std::size_t i = 0; i < b.size(); ++i) heard[i] += b[i];
        const std::span<const phy::cf32> antenna(heard);
        frames = x->modem->receive({n, x->u->sync().dfn_subframe(n), false, false}, {&antenna, 1},
                                   [&](std::uint8_t lsb) { return x->u->addressed(lsb); });
      }
      x->u->step({n, n, static_cast<mac::slot_t>(1'700'000'000 + n / 1000), frames, x->modem->subchannel_rssi_dbm()}, out);
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
    if (subframe_links >= 0 && n > subframe_links + 3000 && !peter.discovered.empty() && !mary.discovered.empty() && john.discovered.size() == 2)
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
  printf("  both links after %d subframes; john: %llu SCI, %llu blocks, %llu failed, %llu discovery messages, %d data at john, %d at peter of 20\n",
         subframe_links, static_cast<unsigned long long>(c.sci), static_cast<unsigned long long>(c.blocks_ok),
         static_cast<unsigned long long>(c.blocks_failed), static_cast<unsigned long long>(c.discovery_ok), john.data, peter.data);
}
INSTANTIATE_TEST_SUITE_P(all, ue_over_samples,
                         testing::Values(variant{phy::transmission_mode::tm2, 25}, variant{phy::transmission_mode::tm4, 25},
                                         variant{phy::transmission_mode::tm2, 50}, variant{phy::transmission_mode::tm4, 50}),
                         [](const auto& i) { return "tm" + std::to_string(static_cast<int>(i.param.tm)) + "_" + std::to_string(i.param.n_prb) + "prb"; });

namespace {
/// Of 100 messages, how many arrive in noise, each sent 1 + num_retx times. `combined`: of them, how many only together.
int messages_through_noise(int num_retx, std::uint64_t& combined) {
  frame_modem_config c;
  c.ue = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  c.ue.discovery.num_retx = num_retx;
  const auto modem = std::move(*frame_modem::make(c));
  const auto pool = std::move(*phy::discovery_pool::make(c.ue.discovery));
  const auto n_samples = static_cast<std::size_t>(modem->carrier().samples_per_subframe());
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
      // A burst of 2 PRB at a mean power of -12 dB: 24 subcarriers of the 512 in the band, so 0.77 leaves 0.5 dB a subcarrier.
      for (auto& s : samples) s += phy::cf32(gauss(rng), gauss(rng)) * 0.77F;
      const std::span<const phy::cf32> antenna(samples);
      for (const auto& f : modem->receive({t.subframe, t.absolute_subframe, false, false}, {&antenna, 1}, [](std::uint8_t) { return false; }))
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
  printf("  of 100 messages in noise: %d sent once, %d sent four times, %llu of them only by combining\n", once, four_times,
         static_cast<unsigned long long>(combined));
  EXPECT_EQ(none, 0U);
  EXPECT_LE(once, 20) << "control: noise that one transmission does not survive";
  EXPECT_GE(four_times, 80) << "four tries alone would bring 1 - (1 - p)^4, at most 60";
  EXPECT_GE(combined, 40U);
}
