// The monitor against the third-party recordings: every frame that is expected, none that is not, with the timing
// given, and again after a random delay, carrier offset, gain and noise, with the timing and the sub-channel layout
// withheld.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdlib>
#include <numbers>
#include <random>
#include <set>
#include <tuple>

#include "prose_test_paths.h"
#include "tests/phy/shared_recording.h"

using namespace prose::phy;

namespace {

/// Channel, stored subframe (-1 where it does not count), payload, N_ID^SL (-1 but for PSBCH).
using frame = std::tuple<std::string, int, std::string, int>;

struct score {
  int expected = 0;
  int found = 0;
  int invented = 0;
  std::string missing;
};

std::string dump(const frame& f) {
  return std::get<0>(f) + " subframe " + std::to_string(std::get<1>(f)) + " " + std::get<2>(f).substr(0, 24) + " " +
         std::to_string(std::get<3>(f));
}

void collect(std::span<const monitor_event> events, bool aligned, const shared_recording& r, std::set<frame>& got) {
  const auto subframe = [&](const reception& rx) {
    return aligned ? static_cast<int>(std::lround(static_cast<double>(rx.sample - r.first_sample()) /
                                                  r.carrier.samples_per_subframe()))
                   : -1;
  };
  for (const auto& event : events) {
    if (const auto* m = std::get_if<mib_sl_event>(&event))
      got.insert({"PSBCH", subframe(m->rx), hex_of_bits(m->bits), m->n_sl_id});
    if (const auto* s = std::get_if<sci_event>(&event))
      got.insert({"PSCCH", subframe(s->rx), hex_of_bits(s->bits), -1});
    if (const auto* t = std::get_if<tb_event>(&event); t != nullptr && t->crc_ok)
      got.insert({"PSSCH", -1, hex_of_bits(t->bits), -1});
    if (const auto* d = std::get_if<discovery_event>(&event); d != nullptr && d->crc_ok)
      got.insert({"PSDCH", -1, hex_of_bits(d->bits), -1});
  }
}

score judge(const shared_recording& r, std::span<const cf32> samples, const monitor_config& config) {
  const bool aligned = config.sync == sync_mode::aligned;
  std::set<frame> want;
  std::set<frame> optional;
  for (const auto& f : r.expected["frames"]) {
    const std::string channel = f["channel"];
    const bool counts_once = !aligned || (channel != "PSBCH" && channel != "PSCCH");
    const frame key{channel, counts_once ? -1 : f["index"].get<int>(), f["hex"].get<std::string>(),
                    channel == "PSBCH" ? f["n_sl_id"].get<int>() : -1};
    (f.value("optional", false) ? optional : want).insert(key);
  }
  auto m = monitor::make(config);
  EXPECT_TRUE(m) << r.name << ": " << m.error().message;
  score s;
  s.expected = static_cast<int>(want.size());
  if (!m) return s;
  std::set<frame> got;
  const std::size_t block = 10007;  // no multiple of a subframe
  for (std::size_t i = 0; i < samples.size(); i += block)
    collect(m->process(samples.subspan(i, std::min(block, samples.size() - i)), static_cast<std::int64_t>(i)), aligned,
            r, got);
  collect(m->finish(), aligned, r, got);
  for (const frame& f : want) {
    if (got.contains(f)) {
      ++s.found;
    } else {
      s.missing += "\n   missing " + dump(f);
    }
  }
  for (const frame& f : got)
    if (!want.contains(f) && !optional.contains(f)) {
      ++s.invented;
      s.missing += "\n   invented " + dump(f);
    }
  return s;
}

monitor_config config_of(const shared_recording& r, sync_mode sync) {
  monitor_config c;
  c.carrier = r.carrier;
  c.sync = sync;
  if (!r.expected["pool"].is_null()) c.pools = {pool_from(r.expected["pool"])};
  if (sync == sync_mode::aligned) {
    c.timing.first_subframe_sample = r.first_sample();
    if (!r.expected["absolute_subframes"].is_null())
      c.timing.absolute_subframes = r.expected["absolute_subframes"].get<std::vector<int>>();
  }
  return c;
}

/// As a caller would record it: noise before and after, another carrier frequency, another gain.
std::vector<cf32> perturbed(const shared_recording& r, std::mt19937_64& rng, double snr_db) {
  double power = 0;
  for (const cf32& v : r.samples) power += std::norm(v) / static_cast<double>(r.samples.size());
  const auto delay = std::uniform_int_distribution<std::size_t>(0, 40000)(rng);
  const double cfo = std::uniform_real_distribution<double>(-3000, 3000)(rng);
  const double gain = std::pow(10.0, std::uniform_real_distribution<double>(-2, std::log10(3.0))(rng));
  std::normal_distribution<double> g(0.0, std::sqrt(power / 2 * std::pow(10.0, -snr_db / 10)));
  std::vector<cf32> out(delay + r.samples.size() + 4000);
  for (std::size_t i = 0; i < out.size(); ++i) {
    std::complex<double> v(g(rng), g(rng));
    if (i >= delay && i - delay < r.samples.size()) v += std::complex<double>(r.samples[i - delay]);
    out[i] =
        cf32(v * std::polar(gain, 2 * std::numbers::pi * cfo / r.carrier.sample_rate_hz() * static_cast<double>(i)));
  }
  return out;
}

/// Later by so many microseconds (negative: the first samples are cut off), with noise.
std::vector<cf32> delayed(const shared_recording& r, double us, std::mt19937_64& rng, double snr_db) {
  const auto delay = std::lround(us * 1e-6 * r.carrier.sample_rate_hz());
  double power = 0;
  for (const cf32& v : r.samples) power += std::norm(v) / static_cast<double>(r.samples.size());
  std::normal_distribution<float> g(0.0F, static_cast<float>(std::sqrt(power / 2 * std::pow(10.0, -snr_db / 10))));
  std::vector<cf32> out(r.samples.size() + r.carrier.samples_per_subframe());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto from = static_cast<long>(i) - delay;
    out[i] = cf32(g(rng), g(rng));
    if (from >= 0 && from < std::ssize(r.samples)) out[i] += r.samples[from];
  }
  return out;
}

bool consecutive(const shared_recording& r) {
  const auto& a = r.expected["absolute_subframes"];
  if (a.is_null()) return true;
  for (std::size_t i = 0; i + 1 < a.size(); ++i)
    if (a[i + 1].get<int>() - a[i].get<int>() != 1) return false;
  return true;
}

/// More seeds and other noise by hand: MONITOR_SEEDS=20 MONITOR_SNR_DB=15.
int n_seeds() {
  const char* text = std::getenv("MONITOR_SEEDS");
  return text == nullptr ? 2 : std::max(1, std::atoi(text));
}
double snr_db() {
  const char* text = std::getenv("MONITOR_SNR_DB");
  return text == nullptr ? 30.0 : std::atof(text);
}

const std::vector<std::string> all_folders{"recorded", "generated_a", "generated_b"};

struct total {
  score sum;
  void add(const std::string& name, const score& s) {
    sum.expected += s.expected;
    sum.found += s.found;
    sum.invented += s.invented;
    if (!s.missing.empty()) std::printf("%s: %d/%d%s\n", name.c_str(), s.found, s.expected, s.missing.c_str());
  }
};

}  // namespace

TEST(monitor_recordings, aligned_finds_every_frame_and_invents_none) {
  const auto all = shared_recordings(all_folders);
  if (all.empty()) GTEST_SKIP() << "no recordings in " << PROSE_SHARED_IQ;
  total t;
  for (const auto& r : all) t.add(r.name, judge(r, r.samples, config_of(r, sync_mode::aligned)));
  EXPECT_EQ(t.sum.found, t.sum.expected);
  EXPECT_EQ(t.sum.invented, 0);
}

// Each recording 5 us early to 15 us late, and 40 dB of noise; one delay a recording, all of them with MONITOR_SEEDS.
TEST(monitor_recordings, aligned_at_every_delay) {
  const auto all = shared_recordings(all_folders);
  if (all.empty()) GTEST_SKIP() << "no recordings in " << PROSE_SHARED_IQ;
  constexpr std::array delays_us{-5.0, 4.3, 15.0, 2.6, 9.0, 3.3, 12.0, -3.0, 7.0, 4.6, 6.0};
  const std::size_t n_delays = std::getenv("MONITOR_SEEDS") == nullptr ? 1 : delays_us.size();
  total t;
  std::mt19937_64 rng(20240104);
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t k = 0; k < n_delays; ++k) {
      const auto& r = all[i];
      const double us = delays_us[(i + k) % delays_us.size()];
      t.add(r.name + " at " + std::to_string(us) + " us",
            judge(r, delayed(r, us, rng, 40.0), config_of(r, sync_mode::aligned)));
    }
  EXPECT_EQ(t.sum.found, t.sum.expected);
  EXPECT_EQ(t.sum.invented, 0);
}

TEST(monitor_recordings, blind_after_delay_offset_gain_and_noise) {
  const auto all = shared_recordings(all_folders);
  if (all.empty()) GTEST_SKIP() << "no recordings in " << PROSE_SHARED_IQ;
  total t;
  std::mt19937_64 rng(20240101);
  for (int seed = 0; seed < n_seeds(); ++seed)
    for (const auto& r : all)
      if (consecutive(r)) t.add(r.name, judge(r, perturbed(r, rng, snr_db()), config_of(r, sync_mode::blind)));
  std::printf("%d of %d frames\n", t.sum.found, t.sum.expected);
  EXPECT_GE(t.sum.found, static_cast<int>(std::ceil(0.95 * t.sum.expected)));
  EXPECT_EQ(t.sum.invented, 0);
}

TEST(monitor_recordings, blind_without_the_sub_channel_layout) {
  const auto all = shared_recordings(all_folders);
  if (all.empty()) GTEST_SKIP() << "no recordings in " << PROSE_SHARED_IQ;
  total t;
  std::mt19937_64 rng(20240102);
  for (int seed = 0; seed < n_seeds(); ++seed)
    for (const auto& r : all) {
      if (!consecutive(r) || !is_v2x(r.carrier.tm)) continue;
      auto config = config_of(r, sync_mode::blind);
      config.pools.clear();
      t.add(r.name, judge(r, perturbed(r, rng, snr_db()), config));
    }
  std::printf("%d of %d frames\n", t.sum.found, t.sum.expected);
  EXPECT_GE(t.sum.found, static_cast<int>(std::ceil(0.90 * t.sum.expected)));
  EXPECT_EQ(t.sum.invented, 0);
}

TEST(monitor_recordings, slss_search_finds_the_broadcasts) {
  const auto all = shared_recordings(all_folders, "PSBCH");
  if (all.empty()) GTEST_SKIP() << "no recordings in " << PROSE_SHARED_IQ;
  std::mt19937_64 rng(20240103);
  for (const auto& r : all) {
    auto m = monitor::make(config_of(r, sync_mode::slss));
    ASSERT_TRUE(m);
    const auto x = perturbed(r, rng, 30.0);
    std::set<frame> got;
    collect(m->process(x, 0), false, r, got);
    collect(m->finish(), false, r, got);
    for (const auto& f : r.expected["frames"]) {
      if (f["channel"] != "PSBCH") continue;
      EXPECT_TRUE(got.contains({"PSBCH", -1, f["hex"].get<std::string>(), f["n_sl_id"].get<int>()})) << r.name;
    }
  }
}
