// The radio through UHD's whole interface, on the emulated air.
#include "phy/radio/radio.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>
#include <thread>
#include <vector>

#include "phy/radio/rate_bridge.h"
#include "tests/phy/air/hub_process.h"
#include "tests/phy/radio/all_channels.h"
#include "tests/phy/radio/open_radio.h"

namespace prose::phy {
namespace {

using test::config_of;
using test::hub_process;
using test::open_radio;

// Until a receiver has begun the air's time goes with the wall's: so far ahead may what is agreed on one thread be
// asked for on a busy machine.
constexpr double start_ahead_s = 0.5;
std::int64_t ahead_of(const radio& r) {
  return r.now_tick().value() + static_cast<std::int64_t>(start_ahead_s * r.sample_rate_hz());
}

// Reads [first, first + n) in chunks and keeps it.
std::vector<cf32> capture(radio& r, std::int64_t first, std::size_t n, std::size_t chunk) {
  std::vector<cf32> all(n);
  const auto started = r.start(first);
  EXPECT_TRUE(started) << (started ? "" : started.error().message);
  std::size_t have = 0;
  while (have < n) {
    const auto s = r.read(std::span(all).subspan(have, std::min(chunk, n - have)));
    EXPECT_TRUE(s) << (s ? "" : s.error().message);
    if (!s) break;
    EXPECT_FALSE(s->gap_before);
    EXPECT_EQ(s->first_tick, first + static_cast<std::int64_t>(have));
    have += s->n_samples;
  }
  return all;
}

std::vector<cf32> ramp(std::size_t n) {
  std::vector<cf32> v(n);
  for (std::size_t i = 0; i < n; ++i)
    v[i] = std::polar(0.3F + 0.4F * static_cast<float>(i % 97) / 97.0F, 0.37F * static_cast<float>(i));
  return v;
}

TEST(radio, burst_at_tick_n_is_at_sample_n_in_every_receiver) {
  for (const double rate : {1.92e6, 7.68e6, 15.36e6, 23.04e6, 30.72e6}) {
    for (const std::size_t chunk : {std::size_t{501}, std::size_t{4096}, static_cast<std::size_t>(rate / 1000)}) {
      const hub_process hub;
      const auto tx = open_radio(config_of(hub.device("mary"), rate));
      const auto a = open_radio(config_of(hub.device("john"), rate));
      const auto b = open_radio(config_of(hub.device("peter"), rate));
      ASSERT_TRUE(tx && a && b);
      const std::int64_t start = tx->now_tick().value() / 1000 * 1000 + static_cast<std::int64_t>(start_ahead_s * rate);
      const std::int64_t n_burst = start + 3210;
      const auto burst = ramp(1777);
      ASSERT_TRUE(tx->transmit(n_burst, burst));
      std::vector<cf32> at_a, at_b;
      std::thread other([&] { at_b = capture(*b, start, 8000, chunk); });
      at_a = capture(*a, start, 8000, chunk);
      other.join();
      for (const auto* got : {&at_a, &at_b}) {
        for (std::size_t i = 0; i < got->size(); ++i) {
          const auto k = static_cast<std::int64_t>(i) - 3210;
          const cf32 want = k >= 0 && k < 1777 ? burst[k] : cf32{};
          ASSERT_LT(std::abs((*got)[i] - want), 2e-3F) << "rate " << rate << " chunk " << chunk << " sample " << i;
        }
      }
    }
  }
}

TEST(radio, late_burst_is_dropped_and_counted_never_sent) {
  const hub_process hub;
  const auto tx = open_radio(config_of(hub.device("mary"), 1.92e6));
  const auto rx = open_radio(config_of(hub.device("john"), 1.92e6));
  ASSERT_TRUE(tx && rx);
  ASSERT_TRUE(tx->transmit(tx->now_tick().value() - 1000, ramp(500)));
  double energy = 0;
  for (const cf32 v : capture(*rx, ahead_of(*rx), 20000, 1000)) energy += std::norm(v);
  EXPECT_EQ(energy, 0.0);
  const auto c = tx->counters();
  EXPECT_EQ(c.lates, 1U);
  const auto e = tx->poll_event();
  ASSERT_TRUE(e);
  EXPECT_EQ(e->kind, radio_event_kind::late);
  // Known late without asking the device: before what was already received.
  std::vector<cf32> in(1000);
  const auto s = rx->read(in);
  ASSERT_TRUE(s);
  const auto late = rx->transmit(s->first_tick - 5000, ramp(100));
  ASSERT_TRUE(late);
  EXPECT_EQ(*late, transmit_status::late);
}

TEST(radio, tuning_decides_who_hears_whom) {
  const hub_process hub;
  auto cm = config_of(hub.device("mary"), 1.92e6);
  auto cj = config_of(hub.device("john"), 1.92e6);
  auto cp = config_of(hub.device("peter"), 1.92e6);
  cm.center_freq_hz = cj.center_freq_hz = 5.9e9;
  cp.center_freq_hz = 5.91e9;
  const auto mary = open_radio(cm);
  const auto john = open_radio(cj);
  const auto peter = open_radio(cp);
  ASSERT_TRUE(mary && john && peter);
  const std::int64_t start = ahead_of(*mary);
  ASSERT_TRUE(mary->transmit(start + 100, ramp(500)));
  std::vector<cf32> at_peter;
  std::thread other([&] { at_peter = capture(*peter, start, 1000, 1000); });
  const auto at_john = capture(*john, start, 1000, 1000);
  other.join();
  const auto energy = [](const std::vector<cf32>& v) {
    double e = 0;
    for (const cf32 x : v) e += std::norm(x);
    return e;
  };
  EXPECT_GT(energy(at_john), 50.0);
  EXPECT_EQ(energy(at_peter), 0.0);
}

TEST(radio, gains_and_path_gain_scale) {
  const hub_process hub("pairs: [{between: [mary, john], gain_db: -20}]");
  auto cm = config_of(hub.device("mary"), 1.92e6);
  auto cj = config_of(hub.device("john"), 1.92e6);
  cm.tx_gain_db = 6;
  cj.rx_gain_db = 10;
  const auto mary = open_radio(cm);
  const auto john = open_radio(cj);
  ASSERT_TRUE(mary && john);
  const std::int64_t start = ahead_of(*mary);
  ASSERT_TRUE(mary->transmit(start, std::vector<cf32>(1000, cf32{0.5F, 0.0F})));
  const auto got = capture(*john, start, 1000, 1000);
  EXPECT_NEAR(got[500].real(), 0.5 * std::pow(10.0, -4.0 / 20), 2e-3);
}

TEST(radio, own_bursts_and_the_turnaround_are_blanked) {
  const hub_process hub("nodes: {\"*\": {noise_dbfs: -30}}");
  auto c = config_of(hub.device("mary"), 1.92e6);
  c.turnaround_s = 300e-6;
  const auto r = open_radio(c);
  ASSERT_TRUE(r);
  const std::int64_t start = ahead_of(*r);
  ASSERT_TRUE(r->transmit(start + 1000, ramp(500)));
  const auto got = capture(*r, start, 4000, 1000);
  for (std::size_t i = 0; i < got.size(); ++i) {
    const bool deaf = i >= 1000 && i < 1500 + 576;
    if (deaf) {
      ASSERT_EQ(got[i], cf32{}) << i;
    }
  }
  EXPECT_NE(got[999], cf32{});
  EXPECT_NE(got[2077], cf32{});
}

TEST(radio, overflow_loss_and_underflow_are_counted_and_streams_go_on) {
  const hub_process hub(R"(
faults:
  - {node: john, kind: overflow, after_s: 0.01, length_ms: 2}
  - {node: john, kind: drop, after_s: 0.03, length_ms: 1}
  - {node: mary, kind: underflow, after_s: 0}
  - {node: mary, kind: late, after_s: 0.005}
)");
  const auto mary = open_radio(config_of(hub.device("mary"), 1.92e6));
  const auto john = open_radio(config_of(hub.device("john"), 1.92e6));
  ASSERT_TRUE(mary && john);
  const std::int64_t start = ahead_of(*mary);
  for (const int at : {0, 30000, 60000})
    ASSERT_TRUE(mary->transmit(start + at, std::vector<cf32>(1000, cf32{0.5F, 0.0F})));
  ASSERT_TRUE(john->start(start));
  std::vector<cf32> in(1000);
  std::int64_t position = start;
  int gaps = 0, heard = 0;
  while (position < start + 100000) {
    const auto s = john->read(in);
    ASSERT_TRUE(s) << s.error().message;
    if (s->gap_before) {
      ++gaps;
      EXPECT_GT(s->first_tick, position);
    } else {
      EXPECT_EQ(s->first_tick, position);
    }
    for (std::size_t i = 0; i < s->n_samples; ++i) heard += std::abs(in[i]) > 0.1F ? 1 : 0;
    position = s->first_tick + static_cast<std::int64_t>(s->n_samples);
  }
  EXPECT_EQ(gaps, 2);
  const auto c = john->counters();
  EXPECT_EQ(c.overflows, 1U);
  EXPECT_EQ(c.sequence_errors, 1U);
  EXPECT_EQ(c.samples_lost, 3840U + 1920U);
  const auto m = mary->counters();
  EXPECT_EQ(m.underflows, 1U);
  EXPECT_EQ(m.lates, 1U);
  EXPECT_EQ(heard, 500 + 1000);  // the torn burst's first half, not the late one, the third
}

struct heard {
  std::vector<cf32> samples;
  int gaps = 0;
};

void read_on(radio& r, std::size_t n, heard& h) {
  std::vector<cf32> in(n);
  for (std::size_t have = 0; have < n;) {
    const auto s = r.read(std::span(in).subspan(have));
    ASSERT_TRUE(s) << s.error().message;
    h.gaps += s->gap_before ? 1 : 0;
    have += s->n_samples;
  }
  h.samples.insert(h.samples.end(), in.begin(), in.end());
}

// While the thread waits at one device nobody reads the other; neither may hold the other up. Nothing is late that is
// sent a lead after what was last read.
void serve_two_in_turn(const char* speed, std::size_t chunk, double& took) {
  constexpr double rate = 1.92e6;
  const hub_process hub("", speed);
  std::array<std::unique_ptr<radio>, 2> r;
  for (std::size_t k = 0; k < 2; ++k) {
    auto c = config_of(hub.device(k == 0 ? "mary" : "john"), rate);
    c.blank_own_bursts = false;
    r[k] = open_radio(c);
    ASSERT_TRUE(r[k]);
  }
  const auto began = std::chrono::steady_clock::now();
  const std::int64_t start = ahead_of(*r[0]);
  for (auto& one : r) ASSERT_TRUE(one->start(start));
  std::array<heard, 2> h;
  const auto burst = ramp(300);
  std::vector<std::int64_t> sent;
  constexpr std::size_t total = 384000;
  for (std::size_t at = 0; at < total; at += chunk) {
    for (std::size_t k = 0; k < 2; ++k) read_on(*r[k], chunk, h[k]);
    const auto when = static_cast<std::int64_t>(at + chunk) + 960;
    const auto& from = r[(at / chunk) % 2];
    if (when + 300 > static_cast<std::int64_t>(total)) continue;
    const auto t = from->transmit(start + when, burst);
    ASSERT_TRUE(t && *t == transmit_status::sent);
    sent.push_back(when);
  }
  took = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count() - start_ahead_s;
  EXPECT_FALSE(sent.empty());
  for (std::size_t k = 0; k < 2; ++k) {
    EXPECT_EQ(h[k].gaps, 0) << chunk;
    const auto c = r[k]->counters();
    EXPECT_EQ(c.overflows + c.underflows + c.lates, 0U) << chunk;
    for (std::size_t i = k; i < sent.size(); i += 2)  // those of the other one
      for (std::size_t n = 0; n < burst.size(); ++n)
        ASSERT_LT(std::abs(h[1 - k].samples[static_cast<std::size_t>(sent[i]) + n] - burst[n]), 2e-3F)
            << "chunk " << chunk << " burst " << i;
  }
}

TEST(radio, one_thread_serves_two_devices_in_turn) {
  for (const char* speed : {"max", "1"}) {
    for (const std::size_t chunk : {std::size_t{480}, std::size_t{1920}, std::size_t{19200}, std::size_t{96000}}) {
      // A busy machine stands still by itself once in a while; two devices that hold each other up do each time.
      double took = 0;
      for (int tries = 0; tries == 0 || (tries < 3 && took >= 2.0); ++tries) serve_two_in_turn(speed, chunk, took);
      EXPECT_LT(took, 2.0) << "chunk " << chunk << " speed " << speed;  // 0.3 s of air
    }
  }
}

// As with hardware: what is never read overflows, and holds nobody up.
TEST(radio, a_device_that_its_thread_neglects_overflows) {
  const hub_process hub("stall_ms: 10000");
  const auto mary = open_radio(config_of(hub.device("mary"), 1.92e6));
  const auto john = open_radio(config_of(hub.device("john"), 1.92e6));
  ASSERT_TRUE(mary && john);
  const std::int64_t start = ahead_of(*mary);
  ASSERT_TRUE(mary->start(start) && john->start(start));
  heard at_mary, at_john;
  read_on(*mary, 1000000, at_mary);
  read_on(*john, 1000000, at_john);  // kept for it
  EXPECT_EQ(at_john.gaps, 0);
  read_on(*mary, 1500000, at_mary);
  EXPECT_EQ(at_mary.gaps, 0);
  read_on(*john, 1000, at_john);
  EXPECT_EQ(at_john.gaps, 1);
  EXPECT_EQ(john->counters().overflows, 1U);
  EXPECT_EQ(mary->counters().overflows, 0U);
}

TEST(radio, two_threads_open_and_use_two_devices_at_once) {
  const hub_process hub;
  std::array<heard, 2> h;
  const auto use = [&](std::size_t k) {
    const auto r = open_radio(config_of(hub.device(k == 0 ? "mary" : "john"), 7.68e6));
    ASSERT_TRUE(r);
    ASSERT_TRUE(r->start());
    for (int i = 0; i < 100; ++i) {
      read_on(*r, 7680, h[k]);
      const auto t = r->transmit(r->now_tick().value() + 7680, ramp(1000));
      ASSERT_TRUE(t);
    }
    EXPECT_EQ(r->counters().overflows, 0U);
  };
  std::thread other([&] { use(1); });
  use(0);
  other.join();
  for (const auto& one : h) {
    EXPECT_EQ(one.gaps, 0);
    EXPECT_EQ(one.samples.size(), 768000U);
  }
}

TEST(radio, resamples_where_the_device_gives_another_rate) {
  const hub_process hub;
  auto cm = config_of(hub.device("mary"), 23.04e6);
  cm.device_rate_hz = 30.72e6;  // as an N310
  auto cj = config_of(hub.device("john"), 23.04e6);
  cj.device_rate_hz = 30.72e6;
  const auto mary = open_radio(cm);
  const auto john = open_radio(cj);
  const auto peter = open_radio(config_of(hub.device("peter"), 23.04e6));  // no bridge: the air's own interpolation
  ASSERT_TRUE(mary && john && peter);
  const std::int64_t start = ahead_of(*mary) / 23040 * 23040;
  // A band-limited pulse whose middle is known.
  std::vector<cf32> pulse(2001);
  for (int i = 0; i < 2001; ++i) {
    const float t = static_cast<float>(i - 1000) / 40.0F;
    pulse[i] = std::exp(-t * t) * std::polar(0.8F, 0.5F * t);
  }
  ASSERT_TRUE(mary->transmit(start + 4000, pulse));
  std::vector<cf32> at_peter;
  std::thread other([&] { at_peter = capture(*peter, start, 8000, 1000); });
  ASSERT_TRUE(john->start(start));
  std::vector<cf32> got(8000, cf32{9.0F});
  for (std::int64_t position = 0; position < 8000;) {
    std::vector<cf32> in(1000);
    const auto s = john->read(in);
    ASSERT_TRUE(s);
    for (std::size_t i = 0; i < s->n_samples; ++i) {
      position = s->first_tick - start + static_cast<std::int64_t>(i);
      if (position >= 0 && position < 8000) got[position] = in[i];
    }
    ++position;
  }
  other.join();
  for (std::size_t i = 4000; i < 6001; ++i) {
    ASSERT_LT(std::abs(got[i] - pulse[i - 4000]), 6e-3F) << i;
    ASSERT_LT(std::abs(at_peter[i] - pulse[i - 4000]), 6e-3F) << i;
  }
}

TEST(radio, wrong_settings_are_one_line_errors) {
  const hub_process hub;
  const auto error_of = [](const radio_config& c) {
    const auto r = radio::open(c);
    EXPECT_FALSE(r);
    const std::string m = r ? "" : r.error().message;
    EXPECT_EQ(m.find('\n'), std::string::npos);
    return m;
  };
  auto c = config_of(hub.device("mary", "colour=blue"), 1.92e6);
  EXPECT_NE(error_of(c).find("unknown device argument 'colour'"), std::string::npos);
  c = config_of("type=virtual,name=mary,hub_timeout=0.1,air=nobody_made_this", 1.92e6);
  EXPECT_NE(error_of(c).find("is not running"), std::string::npos);
  c = config_of(hub.device("mary"), 1e12);
  EXPECT_NE(error_of(c).find("sample_rate_hz"), std::string::npos);
  c = config_of(hub.device("mary"), 0);
  EXPECT_NE(error_of(c).find("sample_rate_hz 0"), std::string::npos);
  c = config_of(hub.device("mary"), 1.92e6);
  c.rx_antenna = "ROOF";
  EXPECT_NE(error_of(c).find("accepts TX/RX, RX2"), std::string::npos);
  c = config_of(hub.device("mary"), 1.92e6);
  c.clock_source = "sundial";
  EXPECT_NE(error_of(c).find("accepts internal, external, gpsdo"), std::string::npos);
  c.clock_source = "external";
  c.time_source = "gpsdo";
  EXPECT_NE(error_of(c).find("same source"), std::string::npos);
  c = config_of(hub.device("mary"), 1.92e6);
  c.center_freq_hz = 60e9;
  EXPECT_NE(error_of(c).find("center_freq_hz"), std::string::npos);
  c = config_of(hub.device("mary"), 1.92e6);
  c.tx_gain_db = 200;
  EXPECT_NE(error_of(c).find("accepted is 0 to 40"), std::string::npos);
  c = config_of(hub.device("mary"), 1.92e6);
  c.subdev = "C:7";
  EXPECT_NE(error_of(c).find("C:7"), std::string::npos);
  c = config_of("type=nonsense", 1.92e6);
  EXPECT_NE(error_of(c).find("no device for 'type=nonsense'"), std::string::npos);
}

TEST(radio, an_empty_last_piece_ends_the_burst) {
  const hub_process hub("", "1");
  const auto r = open_radio(config_of(hub.device("mary"), 1.92e6));
  ASSERT_TRUE(r);
  ASSERT_TRUE(r->transmit(ahead_of(*r), ramp(1000), burst_piece::first));
  ASSERT_TRUE(r->transmit(0, {}, burst_piece::last));
  for (int i = 0; i < 500 && r->counters().bursts_done == 0; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(r->counters().bursts_sent, 1U);
  EXPECT_EQ(r->counters().bursts_done, 1U);
  EXPECT_EQ(r->counters().underflows, 0U);
}

TEST(radio, device_time_starts_at_the_pps_when_locked) {
  const hub_process hub("", "1");
  auto c = config_of(hub.device("mary"), 1.92e6);
  c.clock_source = c.time_source = "gpsdo";
  const auto g = open_radio(c);
  const auto plain = open_radio(config_of(hub.device("john"), 1.92e6));
  ASSERT_TRUE(g && plain);
  const auto before = plain->now_tick().value(), with_gpsdo = g->now_tick().value(), after = plain->now_tick().value();
  EXPECT_GE(static_cast<double>(with_gpsdo), static_cast<double>(before) - 1.92e6 * 0.05);
  EXPECT_LE(static_cast<double>(with_gpsdo), static_cast<double>(after) + 1.92e6 * 0.05);
  c = config_of(hub.device("peter"), 1.92e6);
  c.clock_source = c.time_source = "external";
  const auto e = open_radio(c);
  ASSERT_TRUE(e);
  const auto utc = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(static_cast<double>(e->now_tick().value()) / 1.92e6, utc, 1.5);
}

TEST(radio, without_a_lock_it_runs_free_and_says_so) {
  const hub_process hub("", "1");
  for (const char* source : {"external", "gpsdo"}) {
    auto c = config_of(hub.device("mary") + ",locked=0", 1.92e6);
    c.clock_source = c.time_source = source;
    c.lock_timeout_s = 0.2;
    {
      const auto r = open_radio(c);
      ASSERT_TRUE(r);
      const bool told = std::any_of(r->notes().begin(), r->notes().end(), [](const std::string& n) {
        return n.find("WARNING") == 0 && n.find("not locked") != std::string::npos &&
               n.find("running free") != std::string::npos;
      });
      EXPECT_TRUE(told) << source;
      EXPECT_LT(static_cast<double>(r->now_tick().value()) / 1.92e6, 5.0) << "its time begins with the session";
    }
    c.require_lock = true;
    const auto refused = radio::open(c);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("not locked"), std::string::npos) << refused.error().message;
    c.device_args = hub.device("mary");
    c.lock_timeout_s = 5;
    const auto locked = open_radio(c);
    ASSERT_TRUE(locked);
    // The emulated PPS may lie anywhere in the host's second, which is a note of its own.
    for (const auto& n : locked->notes()) EXPECT_NE(n.find("WARNING"), 0U) << n;
  }
}

// SLSS and PSBCH, PSCCH of formats 0 and 1, PSSCH, PSDCH through the whole of UHD, with the air's CFO, delay, noise and
// EVA fading.
TEST(radio, every_channel_with_cfo_delay_and_fading) {
  for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
    for (const bool fading : {false, true}) {
      const hub_process hub(
          std::string("seed: 3\nnodes: {\"*\": {noise_dbfs: -55}}\ndefault: {gain_db: -6, delay_us: 0.7, cfo_hz: 350") +
          (fading ? ", fading: eva, doppler_hz: 30}" : "}"));
      const auto mary = open_radio(config_of(hub.device("mary"), 7.68e6));
      const auto john = open_radio(config_of(hub.device("john"), 7.68e6));
      ASSERT_TRUE(mary && john);
      constexpr int rounds = 40;
      const auto n = test::exchange_all_channels(*mary, *john, tm, rounds);
      std::printf("TM%d %s of %d rounds: PSBCH %d, PSCCH %d, PSSCH %d, PSDCH %d\n",
                  tm == transmission_mode::tm2 ? 2 : 4, fading ? "EVA 30 Hz" : "no fading", rounds, n.psbch, n.pscch,
                  n.pssch, n.psdch);
      EXPECT_EQ(n.wrong, 0);
      const int least = fading ? rounds * 8 / 10 : rounds;  // a fade takes a subframe now and then
      EXPECT_GE(n.psbch, least);
      EXPECT_GE(n.pscch, least);
      EXPECT_GE(n.pssch, least);
      EXPECT_GE(n.psdch, least);
      if (!fading) {
        for (const float cfo : n.cfo_hz) EXPECT_NEAR(cfo, 350, 15);
        for (const float t : n.timing_samples) EXPECT_NEAR(t, 0.7e-6 * 7.68e6, 1.0);
      }
    }
  }
}

TEST(rate_bridge, keeps_time_and_amplitude) {
  for (const auto& [from, to] : {std::pair{30.72e6, 23.04e6}, {23.04e6, 30.72e6}, {25e6, 15.36e6}}) {
    auto b = rate_bridge::make(from, to);
    if (from == 25e6) {
      EXPECT_FALSE(b) << "384/625 is beyond the accepted ratios";
      continue;
    }
    ASSERT_TRUE(b);
    std::vector<cf32> in(4000), out;
    const auto value = [&](double t) {
      return std::polar(0.5F * static_cast<float>(std::exp(-std::pow((t - 60e-6) / 15e-6, 2))),
                        static_cast<float>(2e6 * t));
    };
    for (std::size_t i = 0; i < in.size(); ++i) in[i] = value(static_cast<double>(i) / from);
    b->run_burst(in, out);
    ASSERT_EQ(out.size(), static_cast<std::size_t>(std::ceil(4000 * to / from)));
    for (std::size_t k = 0; k < out.size(); ++k)
      ASSERT_LT(std::abs(out[k] - value(static_cast<double>(k) / to)), 1e-3F) << k;
  }
}

}  // namespace
}  // namespace prose::phy
