// Random payloads: how often is the verdict wrong? Only content checks see these frames; identity checks see their
// random layer-2 IDs.
#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "apps/lib/verdict/verdict.h"
#include "mac/rlc_um.h"
#include "security/record.h"

namespace prose::apps {
namespace {

std::vector<captured_frame> random_capture(std::mt19937_64& rng, int records, std::size_t octets) {
  std::vector<captured_frame> out;
  const std::uint32_t a = rng() & 0xffffff, b = rng() & 0xffffff;
  const auto kd = static_cast<std::uint16_t>(rng() | 1);
  for (int i = 0; i < records; ++i) {
    std::vector<std::uint8_t> pdu(5 + octets);
    for (auto& x : pdu) x = static_cast<std::uint8_t>(rng());
    security::write_pdcp_header({security::sdu_type::ip, kd, static_cast<std::uint16_t>(i)}, std::span(pdu).first<5>());
    mac::rlc_um_tx rlc;
    rlc.enqueue(pdu);
    captured_frame f;
    f.number = out.size();
    f.octets.resize(pdu.size() + 20);
    mac::sl_sch_builder build({mac::sl_sch_version::v2x, a, b}, f.octets);
    rlc.build(build.add(1, rlc.wanted_octets()));
    build.finish();
    out.push_back(f);
  }
  return out;
}

void expect_false_alarms_within(double stated, int captures, int records, std::size_t octets) {
  std::mt19937_64 rng(20240607);
  verdict_options o;
  o.false_alarm_rate = stated;
  int alarms = 0;
  for (int i = 0; i < captures; ++i) {
    const auto v = judge(random_capture(rng, records, octets), o);
    ASSERT_NE(v.outcome, verdict_outcome::nothing_proven);
    alarms += v.outcome == verdict_outcome::exposed ? 1 : 0;
  }
  const double mean = stated * captures;
  std::printf("stated %g: %d alarms in %d captures of %d x %zu octets (at most %.1f expected)\n", stated, alarms,
              captures, records, octets, mean);
  EXPECT_LE(alarms, mean + 4 * std::sqrt(mean) + 1);
}

TEST(false_alarms, of_short_captures_stay_within_what_is_stated) { expect_false_alarms_within(0.05, 2000, 16, 64); }
TEST(false_alarms, of_longer_captures_with_every_test_in_use) { expect_false_alarms_within(0.05, 300, 40, 400); }
TEST(false_alarms, at_the_default_rate) { expect_false_alarms_within(1e-4, 2000, 16, 64); }

}  // namespace
}  // namespace prose::apps
