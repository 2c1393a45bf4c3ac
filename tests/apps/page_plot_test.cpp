// What the pictures of prose-iq plot and prose-bler --plot say, before gnuplot draws it.
#include <gtest/gtest.h>

#include <cmath>
#include <complex>

#include "apps/bler/output.h"
#include "apps/iq/burst_labels.h"
#include "apps/lib/listen/symbol_error.h"

namespace prose::apps {
namespace {
std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}
burst at(double start_s, double high_hz, const std::string& label) {
  return {start_s, start_s + 1e-3, high_hz - 360e3, high_hz, 1, label};
}

TEST(page_plot, a_line_at_10_percent_a_dashed_bound_and_arrows_without_errors) {
  bler_point seen, none, empty;
  seen.snr_db = 1, seen.trials = 100, seen.errors = 10;
  none.snr_db = 3, none.trials = 1000;
  empty.snr_db = 5;
  const std::vector<bler_curve> curves{{"a 'b' {c}", {none, seen, empty}, -2.5}, {"no bound", {seen}}};
  const auto script = plot_script(curves, "title");
  EXPECT_EQ(count(script, "first 0.1 nohead"), 1U);
  EXPECT_EQ(count(script, "set arrow from -2.5,0.1 to -2.5,"), 1U);
  EXPECT_EQ(count(script, "dt 2 lw 1.5"), 1U);
  EXPECT_EQ(count(script, "head filled"), 1U);
  EXPECT_EQ(count(script, "set arrow from 3,"), 1U);  // from the interval's end, downwards
  EXPECT_EQ(count(script, "1 0.1 0.0552"), 4U);       // 10 of 100, low end; each curve twice, without the other points
  EXPECT_EQ(count(script, "\ne\n") + 1, 4U);
  EXPECT_NE(script.find("set xrange [-3:5.5]"), std::string::npos);  // with what is no data of gnuplot's
  EXPECT_NE(script.find("what is possible"), std::string::npos);
  EXPECT_EQ(plot_script(std::span(curves).subspan(1), "").find("what is possible"), std::string::npos);
}

TEST(page_plot, an_error_is_the_distance_to_the_nearest_ideal_symbol) {
  const float q = std::sqrt(0.5F);
  EXPECT_NEAR(symbol_error({q, -q}, 2), 0, 1e-9);
  EXPECT_NEAR(symbol_error({q + 0.1F, -q}, 2), 0.01, 1e-6);
  EXPECT_NEAR(symbol_error({5, q}, 2), (5 - q) * (5 - q), 1e-4);  // beyond the last one
  const float s = 1 / std::sqrt(10.0F);
  for (const float i : {-3 * s, -s, s, 3 * s}) EXPECT_NEAR(symbol_error({i, 3 * s}, 4), 0, 1e-9);
  const float e = 1 / std::sqrt(42.0F);
  EXPECT_NEAR(symbol_error({7 * e, -5 * e}, 6), 0, 1e-9);
  EXPECT_NEAR(symbol_error({0, 0}, 4), 2 * s * s, 1e-6);
}

TEST(page_plot, labels_do_not_lie_on_each_other_and_each_text_has_its_turn) {
  const burst_view view{0, 1, 7.68e6, 1000, 400};
  std::vector<burst> all;
  for (int i = 0; i < 900; ++i) all.push_back(at(i * 1e-3, 0, "PSSCH aaaaaa > bbbbbb"));
  all.push_back(at(0.0405, 0, "PSDCH"));
  EXPECT_TRUE(seen_boxes(all, view).empty());      // one pixel each
  EXPECT_EQ(placed_labels(all, view).size(), 1U);  // each text once; the other one finds no room beside it
  EXPECT_EQ(placed_labels(all, {0, 0.9, 7.68e6, 9000, 400}).size(), 60U);
  const burst_view near{0, 0.1, 7.68e6, 1000, 400};
  EXPECT_NEAR(static_cast<double>(seen_boxes(all, near).size()), 101, 1);  // none beyond what is shown
  const auto placed = placed_labels(all, near);
  EXPECT_EQ(placed.front().label, "PSSCH aaaaaa > bbbbbb");
  EXPECT_EQ(placed[1].label, "PSDCH");  // before the first text comes again
  ASSERT_GT(placed.size(), 4U);
  for (std::size_t i = 0; i < placed.size(); ++i)
    for (std::size_t k = 0; k < i; ++k) EXPECT_GT(std::abs(placed[i].start_s - placed[k].start_s), 3e-3);
  EXPECT_TRUE(placed_labels({at(0.999, 0, "too far right")}, view).empty());
}

}  // namespace
}  // namespace prose::apps
