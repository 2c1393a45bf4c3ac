// Noise, fading, interpolation, converter and configuration of the emulated air, without UHD.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <vector>

#include "phy/air/air_config.h"
#include "phy/air/air_node.h"

namespace prose::phy::air {
namespace {

constexpr std::int64_t ticks_192 = ticks_per_second / 1'920'000;

TEST(noise, is_white_gaussian_of_the_right_power_and_keyed_on_the_index) {
  const noise_source n(1, "mary");
  constexpr int groups = 1 << 16;
  std::vector<float> x(2 * group * groups);
  n.fill(0, groups, 0.1F, x.data());
  double power = 0, fourth = 0, lag = 0, mean = 0;
  int beyond = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double v = x[i];
    mean += v;
    power += v * v;
    fourth += v * v * v * v;
    if (i >= 2) lag += v * x[i - 2];
    beyond += std::abs(v) > 3 * 0.1 / std::numbers::sqrt2 ? 1 : 0;
  }
  const auto count = static_cast<double>(x.size());
  EXPECT_NEAR(power / count, 0.005, 0.005 * 0.02);
  EXPECT_NEAR(mean / count, 0, 3e-4);
  EXPECT_NEAR(fourth / count / (power / count) / (power / count), 3.0, 0.06);
  EXPECT_NEAR(lag / power, 0, 0.01);
  EXPECT_NEAR(beyond / count, 0.0027, 0.0003);
  std::vector<float> part(2 * group * 3);
  n.fill(8 * 1001, 3, 0.1F, part.data());
  EXPECT_TRUE(std::equal(part.begin(), part.end(), x.begin() + 2 * 8 * 1001));
  const noise_source other(1, "john");
  other.fill(8 * 1001, 3, 0.1F, part.data());
  EXPECT_FALSE(std::equal(part.begin(), part.end(), x.begin() + 2 * 8 * 1001));
}

TEST(fading, taps_have_unit_mean_power_and_the_doppler_of_jakes) {
  for (const auto profile : {fading_profile::epa, fading_profile::eva}) {
    double power = 0, correlation = 0, first = 0;
    constexpr int draws = 3000;
    const double fd = 70.0;
    const double lag_s = 0.3 / fd;
    for (int d = 0; d < draws; ++d) {
      const fading_channel c(profile, fd, mix64(static_cast<std::uint64_t>(d)));
      for (int t = 0; t < c.n_taps(); ++t) power += std::norm(c.gain(t, 1.0));
      correlation += (c.gain(0, 1.0) * std::conj(c.gain(0, 1.0 + lag_s))).real();
      first += std::norm(c.gain(0, 1.0));
    }
    EXPECT_NEAR(power / draws, 1.0, 0.05);
    EXPECT_NEAR(correlation / first, std::cyl_bessel_j(0.0, 2 * std::numbers::pi * 0.3), 0.06);
  }
}

TEST(interpolator, gives_band_limited_signals_between_samples) {
  const interpolator f(1.92e6, 1.92e6, 0.0);
  std::vector<cf32> x(static_cast<std::size_t>(f.n_taps()));
  for (const double cycles : {0.0, 0.1, -0.25, 0.39}) {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = std::polar(1.0F, static_cast<float>(2 * std::numbers::pi * cycles * static_cast<double>(i)));
    for (const double fraction : {0.0, 0.1, 0.5, 0.777}) {
      const double t = f.n_taps() / 2.0 - 1 + fraction;
      EXPECT_LT(
          std::abs(f.at(x.data(), fraction) - std::polar(1.0F, static_cast<float>(2 * std::numbers::pi * cycles * t))),
          3e-3F)
          << cycles << " " << fraction;
    }
  }
}

TEST(quantiser, rounds_to_twelve_bits_and_clips) {
  const quantiser q(12);
  std::vector<cf32> x{{0.3F, -0.3F}, {5.0F, -5.0F}, {1.0F / 4096 * 0.9F, 0.0F}}, y(3);
  q.run(x.data(), y.data(), 3);
  EXPECT_EQ(y[0], cf32(614.0F / 2048, -614.0F / 2048));
  EXPECT_EQ(y[1], cf32(2047.0F / 2048, -1.0F));
  EXPECT_EQ(y[2], cf32(0, 0));
}

TEST(air_config, node_rules_merge_field_by_field) {
  const auto c =
      parse_air_config("nodes: {\"*\": {noise_dbfs: -40}, mary: {clock_ppm: 1}, john: {noise_dbfs: -50}}", "test");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(resolve_node(c->settings, "mary").noise_dbfs, -40);
  EXPECT_EQ(resolve_node(c->settings, "mary").clock_ppm, 1);
  EXPECT_EQ(resolve_node(c->settings, "john").noise_dbfs, -50);
  EXPECT_EQ(resolve_node(c->settings, "peter").clock_ppm, 0);
}

// Two devices in this process, speed max.
struct pair_on_air {
  explicit pair_on_air(const std::string& yaml) {
    static int count = 0;
    auto c = parse_air_config(yaml, "test");
    EXPECT_TRUE(c) << (c ? "" : c.error().message);
    c->settings.speed = 0;
    const std::string name = "mix" + std::to_string(getpid()) + "_" + std::to_string(count++);
    hub = std::make_unique<air_link>(std::move(*air_link::create(name, c->settings)));
    for (const char* n : {"mary", "john"}) {
      links.push_back(std::make_unique<air_link>(std::move(*air_link::attach(name, std::chrono::milliseconds(0)))));
      EXPECT_TRUE(links.back()->join(n));
      watches.push_back(std::make_unique<hub_watch>(*links.back()));
    }
    tx = std::make_unique<transmitter>(*links[0], *watches[0]);
    rx = std::make_unique<receiver>(*links[1], *watches[1], ticks_per_ms);
  }
  // Sends `burst` at sample `at` after the start of reception, receives n in chunks.
  std::vector<cf32> pass(const std::vector<cf32>& burst, std::int64_t at, std::size_t n, std::size_t chunk,
                         std::int64_t tx_ticks = ticks_192) {
    air_memory& m = hub->memory();
    m.nodes[links[0]->slot()].tx_ticks_per_sample = tx_ticks;
    const std::int64_t start = (m.now.load() / ticks_per_ms + 20) * ticks_per_ms;
    const patience limit(m, 5.0);
    EXPECT_EQ(rx->start(start, ticks_192), air_status::ok);
    EXPECT_EQ(tx->open(start + at * tx_ticks, tx_ticks, 0.0, 1.0F, limit), air_status::ok);
    std::size_t written = 0;
    EXPECT_EQ(tx->write(burst, limit, written), air_status::ok);
    tx->close();
    std::vector<cf32> out(n);
    for (std::size_t k = 0; k < n; k += chunk) {
      std::size_t got = 0;
      EXPECT_EQ(rx->read(std::span(out).subspan(k, std::min(chunk, n - k)), {}, limit, got), air_status::ok);
    }
    rx->stop();
    return out;
  }
  std::unique_ptr<air_link> hub;
  std::vector<std::unique_ptr<air_link>> links;
  std::vector<std::unique_ptr<hub_watch>> watches;
  std::unique_ptr<transmitter> tx;
  std::unique_ptr<receiver> rx;
};

std::vector<cf32> smooth_pulse() {
  std::vector<cf32> p(401);
  for (int i = 0; i < 401; ++i) p[i] = {0.8F * std::exp(-static_cast<float>((i - 200) * (i - 200)) / 800.0F), 0.0F};
  return p;
}

double centre_of(const std::vector<cf32>& x) {
  double sum = 0, weight = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += static_cast<double>(i) * std::norm(x[i]);
    weight += std::norm(x[i]);
  }
  return sum / weight;
}

TEST(path, delay_is_exact_in_fractions_of_a_sample) {
  for (const double delay_us : {0.0, 1.0 / 1.92, 0.3, 7.7}) {
    pair_on_air p("adc_bits: 0\npairs: [{from: mary, to: john, delay_us: " + std::to_string(delay_us) + "}]");
    EXPECT_NEAR(centre_of(p.pass(smooth_pulse(), 500, 2000, 256)), 700 + delay_us * 1.92, 2e-3) << delay_us;
  }
}

TEST(path, cfo_turns_and_gain_scales) {
  pair_on_air p("adc_bits: 0\npairs: [{from: mary, to: john, gain_db: -6.0206, cfo_hz: 12000}]");
  const auto y = p.pass(std::vector<cf32>(1000, cf32{0.5F, 0}), 100, 1200, 300);
  for (std::size_t i = 110; i < 1090; ++i) {
    EXPECT_NEAR(std::abs(y[i]), 0.25F, 1e-4F);
    EXPECT_NEAR(std::arg(y[i + 1] * std::conj(y[i])), 2 * std::numbers::pi * 12000 / 1.92e6, 1e-4);
  }
}

TEST(path, two_rates_meet_at_the_same_instant) {
  pair_on_air p("adc_bits: 0");
  // Sent at 3.84 Msps: the pulse is half as long, its middle at (500 + 200) / 2 of the receiver's samples.
  EXPECT_NEAR(centre_of(p.pass(smooth_pulse(), 500, 1000, 100, ticks_192 / 2)), 350, 1e-2);
}

TEST(path, fading_and_drift_depend_on_no_cut) {
  for (const char* what : {"fading: eva, doppler_hz: 300", "drift_ppm: 20", "cfo_hz: 777, delay_us: 0.1"}) {
    pair_on_air a("nodes: {john: {noise_dbfs: -40}}\ndefault: {" + std::string(what) + "}");
    air_memory& m = a.hub->memory();
    const patience limit(m, 5.0);
    // The same stretch twice from one mixer each, cut differently, once all is final.
    m.nodes[a.links[0]->slot()].tx_ticks_per_sample = ticks_192;
    const std::int64_t at = (m.now.load() / ticks_192) + 40000;
    ASSERT_EQ(a.tx->open(at * ticks_192, ticks_192, 0.0, 1.0F, limit), air_status::ok);
    std::size_t written = 0;
    ASSERT_EQ(a.tx->write(smooth_pulse(), limit, written), air_status::ok);
    a.tx->close();
    receiver_mixer one(m, a.links[1]->slot()), two(m, a.links[1]->slot());
    one.start(ticks_192);
    two.start(ticks_192);
    std::vector<cf32> x(3000), y(3000);
    one.mix(at - 1003, 3000, {}, x.data());
    for (std::size_t k = 0; k < 3000; k += 37)
      two.mix(at - 1003 + static_cast<std::int64_t>(k), std::min<std::size_t>(37, 3000 - k), {}, y.data() + k);
    EXPECT_EQ(x, y) << what;
    double energy = 0;
    for (const cf32 v : x) energy += std::norm(v);
    EXPECT_GT(energy, 2.0) << "the pulse was heard";
  }
}

TEST(path, drift_is_later_one_way_and_earlier_the_other) {
  std::array<double, 2> centre{};
  for (int i = 0; i < 2; ++i) {
    pair_on_air p("adc_bits: 0\npairs: [{from: mary, to: john, drift_ppm: " + std::string(i == 0 ? "100" : "-100") +
                  "}]");
    centre[i] = centre_of(p.pass(smooth_pulse(), 500, 2000, 256));
  }
  // At least 20 ms of air time: 2 us.
  EXPECT_GT(centre[0], 703.0);
  EXPECT_LT(centre[1], 697.0);
  EXPECT_NEAR(centre[0] + centre[1], 1400, 1.0);
}

TEST(path, burst_loss_takes_whole_bursts_at_its_rate) {
  pair_on_air p("adc_bits: 0\npairs: [{from: mary, to: john, burst_loss: 0.2}]");
  int heard = 0;
  constexpr int n = 300;
  for (int i = 0; i < n; ++i) {
    const auto y = p.pass(std::vector<cf32>(64, cf32{0.5F, 0}), 100, 256, 256);
    const auto on = std::count_if(y.begin(), y.end(), [](cf32 v) { return std::abs(v) > 0.4F; });
    EXPECT_TRUE(on == 0 || on == 64) << on;
    heard += on == 64;
  }
  EXPECT_NEAR(heard, 240, 28);  // four standard deviations
}

TEST(config, a_clock_step_has_a_step_and_nothing_else_has_one) {
  const auto c = parse_air_config("faults: [{node: a, kind: clock_step, after_s: 1, step_ms: -37.5}]", "t");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->settings.faults[0].kind, fault_kind::clock_step);
  EXPECT_DOUBLE_EQ(c->settings.faults[0].length_s, -0.0375);
  for (const char* wrong :
       {"kind: clock_step", "kind: clock_step, length_ms: 3", "kind: clock_step, step_ms: 1, length_ms: 3",
        "kind: overflow, step_ms: 3", "kind: clock_step, step_ms: 1e9"})
    EXPECT_FALSE(parse_air_config(std::string("faults: [{node: a, ") + wrong + "}]", "t")) << wrong;
}

TEST(config, fields_override_in_order) {
  const auto c = parse_air_config(
      "default: {gain_db: -10, cfo_hz: 5}\npairs: [{from: a, to: \"*\", gain_db: -3}, {between: [a, b], cfo_hz: 7}]",
      "t");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(resolve_path(c->settings, "a", "b").gain_db, -3);
  EXPECT_EQ(resolve_path(c->settings, "a", "b").cfo_hz, 7);
  EXPECT_EQ(resolve_path(c->settings, "b", "a").cfo_hz, -7);
  EXPECT_EQ(resolve_path(c->settings, "c", "a").gain_db, -10);
  EXPECT_TRUE(resolve_path(c->settings, "a", "a").blocked);
}

}  // namespace
}  // namespace prose::phy::air
