// Timing and identity search, on recordings of other implementations and on noise.
#include <gtest/gtest.h>

#include <algorithm>
#include <complex>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "phy/sync/prefix_search.h"
#include "phy/sync/slss_search.h"
#include "phy/sync/slss_sequences.h"
#include "prose_test_paths.h"
#include "tests/phy/shared_recording.h"

using namespace prose::phy;

namespace {

std::vector<cf32> noise(std::mt19937& rng, std::size_t n, double power) {
  std::normal_distribution<float> g(0.0F, static_cast<float>(std::sqrt(power / 2)));
  std::vector<cf32> x(n);
  for (cf32& v : x) v = {g(rng), g(rng)};
  return x;
}

void rotate(std::vector<cf32>& x, double cfo_hz, double rate_hz) {
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] *= cf32(std::polar(1.0, 2 * std::numbers::pi * cfo_hz / rate_hz * static_cast<double>(i)));
}

}  // namespace

TEST(slss_sequences, distinct_identities) {
  for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
    std::vector<std::vector<float>> all(336, std::vector<float>(slss_length));
    for (int id = 0; id < 336; ++id) ssss_sequence(id, tm, all[id]);
    for (std::size_t a = 0; a < 336; ++a)
      for (std::size_t b = a + 1; b < 336; ++b) {
        float c = 0;
        for (std::size_t k = 0; k < slss_length; ++k) c += all[a][k] * all[b][k];
        ASSERT_LT(std::abs(c), 40.0F) << a << " " << b;
      }
  }
}

TEST(slss_search, recordings_with_delay_and_carrier_offset) {
  const auto all = shared_recordings({"recorded", "generated_a", "generated_b"}, "PSBCH");
  if (all.empty()) GTEST_SKIP() << "no recordings in " << PROSE_SHARED_IQ;
  std::mt19937 rng(1);
  for (const auto& r : all) {
    const std::size_t sps = r.carrier.samples_per_subframe();
    for (const auto& f : r.expected["frames"]) {
      if (f["channel"] != "PSBCH") continue;
      const auto first = static_cast<std::size_t>(r.first_sample()) + f["index"].get<std::size_t>() * sps;
      std::vector<cf32> sf(r.samples.begin() + first, r.samples.begin() + (first + sps));
      double power = 0;
      for (const cf32& v : sf) power += std::norm(v) / static_cast<double>(sps);
      const auto delay = std::uniform_int_distribution<std::size_t>(0, sps - 1)(rng);
      const double cfo = std::uniform_real_distribution<double>(-5000, 5000)(rng);
      auto search = slss_search::make({.carrier = r.carrier});
      ASSERT_TRUE(search) << search.error().message;
      auto x = noise(rng, std::max(search->window_samples(), 2 * sps), power * 1e-2);
      for (std::size_t i = 0; i < sps && delay + i < x.size(); ++i) x[delay + i] += sf[i];
      rotate(x, cfo, r.carrier.sample_rate_hz());
      const auto found = search->search(x);
      ASSERT_EQ(found.size(), 1U) << r.name << " subframe " << f["index"];
      EXPECT_EQ(found[0].n_sl_id, f["n_sl_id"].get<int>()) << r.name;
      EXPECT_NEAR(found[0].start_samples, static_cast<double>(delay), 0.01 * r.carrier.fft_size) << r.name;
      // The tester's own carrier offset is part of what is measured.
      EXPECT_NEAR(found[0].cfo_hz, cfo, 300.0) << r.name;
      RecordProperty(r.name, std::to_string(found[0].ssss_metric));
    }
  }
}

TEST(slss_search, noise_has_no_identity) {
  const auto carrier = carrier_config::make(6, cyclic_prefix::normal, transmission_mode::tm4, 1.92e6);
  auto search = slss_search::make({.carrier = *carrier});
  std::mt19937 rng(2);
  int found = 0;
  for (int i = 0; i < 500; ++i)
    found += static_cast<int>(search->search(noise(rng, search->window_samples(), 1.0)).size());
  EXPECT_EQ(found, 0);
}

TEST(prefix_search, recordings_with_delay_and_carrier_offset) {
  const auto all = shared_recordings({"recorded", "generated_a", "generated_b"});
  if (all.empty()) GTEST_SKIP() << "no recordings in " << PROSE_SHARED_IQ;
  std::mt19937 rng(3);
  for (const auto& r : all) {
    const std::size_t sps = r.carrier.samples_per_subframe();
    int last = -1;
    for (const auto& f : r.expected["frames"]) {
      if (f["index"] == last) continue;
      last = f["index"];
      const auto first = static_cast<std::size_t>(r.first_sample()) + f["index"].get<std::size_t>() * sps;
      std::vector<cf32> sf(r.samples.begin() + first, r.samples.begin() + std::min(first + sps, r.samples.size()));
      double power = 0;
      for (const cf32& v : sf) power += std::norm(v) / static_cast<double>(sps);
      const auto delay = std::uniform_int_distribution<std::size_t>(0, sps - 1)(rng);
      const double cfo = std::uniform_real_distribution<double>(-5000, 5000)(rng);
      auto search = prefix_search::make({.carrier = r.carrier});
      ASSERT_TRUE(search) << search.error().message;
      auto x = noise(rng, search->window_samples(), power * 1e-3);
      for (std::size_t i = 0; i < sf.size() && delay + i < x.size(); ++i) x[delay + i] += sf[i];
      rotate(x, cfo, r.carrier.sample_rate_hz());
      const auto found = search->search(x);
      // The true start is among the candidates with its carrier offset. The files of the testers start up to a prefix
      // away from where their notes say, and have a carrier offset of their own.
      const double prefix = prefix_samples(r.carrier);
      int rank = -1;
      for (std::size_t i = 0; i < found.size(); ++i)
        if (std::abs(found[i].start_samples - static_cast<double>(delay)) <= prefix) {
          rank = static_cast<int>(i);
          EXPECT_NEAR(found[i].cfo_hz, cfo, 400.0) << r.name;
          if (std::getenv("SYNC_VERBOSE"))
            std::printf("%s sf %d: rank %d error %+.0f of prefix %.0f cfo error %.0f share %.2f of %zu\n",
                        r.name.c_str(), last, rank, found[i].start_samples - static_cast<double>(delay), prefix,
                        found[i].cfo_hz - cfo, found[i].correlation, found.size());
          break;
        }
      EXPECT_GE(rank, 0) << r.name << " subframe " << last;
      EXPECT_LT(rank, 14) << r.name << " subframe " << last;
    }
  }
}
