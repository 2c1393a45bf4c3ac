// False alarms on noise. By default a size for every run; PROSE_NOISE_CAMPAIGN=full for the promised one: at most 10
// false SCIs on 10^7 PSCCH candidates, and no transport block, MIB or discovery message on 10^4 subframes. Fixed seed;
// every candidate is fresh white noise.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "phy/modem/subframe_receiver.h"
#include "tests/phy/receiver_fixture.h"

using namespace prose::phy;
using namespace prose::phy::test;

namespace {

bool full_campaign() {
  const char* v = std::getenv("PROSE_NOISE_CAMPAIGN");
  return v != nullptr && std::strcmp(v, "full") == 0;
}

/// Gaussian noise quickly: pairs by Box and Muller from a small generator, seeded.
class fast_noise {
public:
  explicit fast_noise(std::uint64_t seed) : s_(seed) {}
  void fill(std::span<cf32> x) {
    for (auto& v : x) {
      const std::uint64_t r = next();
      const float u = (static_cast<float>(r >> 40) + 1.0F) * 0x1p-24F;
      const float angle = static_cast<float>(r & 0xFFFFFFU) * static_cast<float>(2 * std::numbers::pi * 0x1p-24);
      const float radius = std::sqrt(-std::log(u));
      v = {radius * std::cos(angle), radius * std::sin(angle)};
    }
  }

private:
  std::uint64_t next() {  // splitmix64
    std::uint64_t z = (s_ += 0x9E3779B97F4A7C15ULL);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  std::uint64_t s_;
};

void pscch_campaign(transmission_mode tm, long n_candidates, int most_false) {
  // 3/4 rate: fewer samples for the same number of candidates.
  const auto c = *carrier_config::make(100, cyclic_prefix::normal, tm, 23.04e6);
  auto rx = *subframe_receiver::make({.carrier = c});
  std::vector<int> prbs;
  for (int p = 0; p < 100; p += is_v2x(tm) ? 2 : 1) prbs.push_back(p);
  fast_noise noise(1);
  std::vector<cf32> x(static_cast<std::size_t>(c.samples_per_subframe()));
  long n = 0;
  int found = 0;
  while (n < n_candidates) {
    noise.fill(x);
    rx.load(x);
    found += static_cast<int>(rx.find_pscch(prbs).size());
    n += static_cast<long>(prbs.size());
  }
  std::printf("TM%d: %d false SCIs on %ld candidates\n", static_cast<int>(tm), found, n);
  EXPECT_LE(found, most_false);
}

void subframe_campaign(transmission_mode tm, int n_subframes) {
  const auto c = *carrier_config::make(25, cyclic_prefix::normal, tm, 5.76e6);
  auto rx = *subframe_receiver::make({.carrier = c});
  fast_noise noise(2);
  random_source rng(2);
  std::vector<cf32> x(static_cast<std::size_t>(c.samples_per_subframe()));
  soft_buffer buffer(1000);
  std::vector<std::uint8_t> message(discovery_message_bits);
  std::vector<std::uint8_t> block(1000);
  int false_tb = 0;
  int false_mib = 0;
  int false_discovery = 0;
  int false_slss = 0;
  for (int i = 0; i < n_subframes; ++i) {
    noise.fill(x);
    rx.load(x);
    const auto id = rx.detect_slss();
    false_slss += id.detected ? 1 : 0;
    // The identity that noise resembles most, and another.
    false_mib += rx.decode_psbch(id.n_sl_id).detected ? 1 : 0;
    false_mib += rx.decode_psbch(rng.integer(n_slss_ids)).detected ? 1 : 0;
    for (int prb = 0; prb + 2 <= 25; prb += 6) {
      buffer.reset(discovery_message_bits);
      false_discovery += rx.decode_psdch({prb, 0}, buffer, message).crc_ok ? 1 : 0;
    }
    buffer.reset(1000);
    const pssch_config p{.prb_start = rng.integer(16),
                         .n_prb = 9,
                         .tbs = 1000,
                         .modulation_order = 2,
                         .n_x_id = static_cast<std::uint32_t>(rng.integer(65536)),
                         .n_ssf = rng.integer(10)};
    false_tb += rx.decode_pssch(p, {}, buffer, block).crc_ok ? 1 : 0;
  }
  std::printf("TM%d, %d subframes: %d blocks, %d MIBs, %d discovery messages, %d identities\n", static_cast<int>(tm),
              n_subframes, false_tb, false_mib, false_discovery, false_slss);
  EXPECT_EQ(false_tb, 0);
  EXPECT_EQ(false_mib, 0);
  EXPECT_EQ(false_discovery, 0);
  EXPECT_EQ(false_slss, 0);
}

}  // namespace

TEST(noise, false_sci_tm4) {
  pscch_campaign(transmission_mode::tm4, full_campaign() ? 10'000'000 : 200'000, full_campaign() ? 10 : 1);
}
TEST(noise, false_sci_tm2) {
  pscch_campaign(transmission_mode::tm2, full_campaign() ? 10'000'000 : 200'000, full_campaign() ? 10 : 1);
}
TEST(noise, false_messages_tm4) { subframe_campaign(transmission_mode::tm4, full_campaign() ? 10'000 : 500); }
TEST(noise, false_messages_tm2) { subframe_campaign(transmission_mode::tm2, full_campaign() ? 10'000 : 500); }
