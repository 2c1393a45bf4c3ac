// Where annotations lie: never outside of the recording, neither in time nor in frequency.
#include "apps/sniffer/frame_annotations.h"

#include <gtest/gtest.h>

namespace prose::apps {
namespace {

constexpr double rate_hz = 7.68e6, centre_hz = 5.9e9, prb_hz = 180e3;
constexpr int subframe = 7680;

/// What becomes of a block on these resource blocks of 25.
phy::sigmf_annotation annotation_of(std::int64_t sample, int prb_start, int n_prb,
                                    std::vector<phy::sigmf_capture> captures) {
  frame_annotations all(
      *phy::carrier_config::make(25, phy::cyclic_prefix::normal, phy::transmission_mode::tm4, rate_hz),
      std::move(captures));
  captured_frame f;
  f.sample = sample;
  f.prb_start = prb_start;
  f.n_prb = n_prb;
  all.add(f);
  return all.take().at(0);
}

phy::sigmf_capture capture_at(std::int64_t sample, double hz) {
  phy::sigmf_capture c;
  c.sample_start = sample;
  c.frequency_hz = hz;
  return c;
}

TEST(frame_annotations, stay_within_the_bandwidth) {
  const auto within = annotation_of(0, 3, 10, {capture_at(0, centre_hz)});
  EXPECT_EQ(within.freq_lower_hz, centre_hz + (3 - 12.5) * prb_hz);
  EXPECT_EQ(within.freq_upper_hz, centre_hz + (13 - 12.5) * prb_hz);
  const auto beyond = annotation_of(0, 20, 60, {capture_at(0, centre_hz)});
  EXPECT_EQ(beyond.freq_lower_hz, centre_hz + (20 - 12.5) * prb_hz);
  EXPECT_EQ(beyond.freq_upper_hz, centre_hz + rate_hz / 2);
  EXPECT_EQ(annotation_of(0, -60, 80, {capture_at(0, centre_hz)}).freq_lower_hz, centre_hz - rate_hz / 2);
}

TEST(frame_annotations, have_the_frequency_of_their_segment) {
  const std::vector captures{capture_at(100, centre_hz), capture_at(20'000, 2 * centre_hz)};
  const double middle = (12 - 12.5) * prb_hz;
  EXPECT_EQ(annotation_of(99, 12, 1, captures).freq_lower_hz, middle) << "not told";
  EXPECT_EQ(annotation_of(100, 12, 1, captures).freq_lower_hz, centre_hz + middle);
  EXPECT_EQ(annotation_of(19'999, 12, 1, captures).freq_lower_hz, centre_hz + middle);
  EXPECT_EQ(annotation_of(20'000, 12, 1, captures).freq_lower_hz, 2 * centre_hz + middle);
  EXPECT_EQ(annotation_of(-3, 12, 1, {capture_at(0, centre_hz)}).freq_lower_hz, centre_hz + middle);
}

TEST(frame_annotations, stay_within_the_samples) {
  constexpr std::int64_t n_samples = 3 * subframe;
  std::vector<phy::sigmf_annotation> all;
  for (const std::int64_t start : {n_samples, n_samples - 1, n_samples - subframe, std::int64_t{-1},
                                   std::int64_t{1 - subframe}, std::int64_t{-subframe}})
    all.push_back(annotation_of(start, 0, 1, {}));
  phy::fit_annotations(all, n_samples);
  std::vector<std::pair<std::int64_t, std::int64_t>> got;
  for (const auto& a : all) got.emplace_back(a.sample_start, a.sample_count);
  const std::vector<std::pair<std::int64_t, std::int64_t>> want{
      {0, subframe - 1}, {0, 1}, {n_samples - subframe, subframe}, {n_samples - 1, 1}};
  EXPECT_EQ(got, want);
}

}  // namespace
}  // namespace prose::apps
