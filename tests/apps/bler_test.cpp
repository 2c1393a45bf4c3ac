// The statistics of prose-bler, on links whose error rate is known.
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>

#include "apps/bler/campaign.h"

namespace prose::apps {
namespace {

TEST(wilson, is_the_textbook_interval) {
  // Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662; 0 of 20 gives 0 to 0.1611; 1 of 29 gives 0.0061 to
  // 0.1718.
  auto i = wilson(81, 263);
  EXPECT_NEAR(i.low, 0.2553, 1e-4);
  EXPECT_NEAR(i.high, 0.3662, 1e-4);
  i = wilson(0, 20);
  EXPECT_NEAR(i.low, 0.0, 1e-12);
  EXPECT_NEAR(i.high, 0.1611, 1e-4);
  i = wilson(1, 29);
  EXPECT_NEAR(i.low, 0.0061, 1e-4);
  EXPECT_NEAR(i.high, 0.1718, 1e-4);
  EXPECT_EQ(wilson(0, 0).high, 1.0);
}

TEST(crossing, is_found_between_points_and_nowhere_else) {
  EXPECT_NEAR(crossing_db({{0, 1000, 1000}, {1, 1000, 100}, {2, 1000, 10}}, 0.1), 1.0, 1e-9);
  EXPECT_NEAR(crossing_db({{2, 1000, 10}, {0, 1000, 1000}}, 0.1), 1.0, 1e-9);  // order does not matter
  EXPECT_TRUE(std::isnan(crossing_db({{0, 1000, 1000}, {1, 1000, 900}}, 0.1)));
  EXPECT_TRUE(std::isnan(crossing_db({{0, 1000, 1}, {1, 1000, 0}}, 0.1)));
  EXPECT_TRUE(std::isnan(crossing_db({}, 0.1)));
}

TEST(run_parallel, does_every_item_once) {
  std::vector<std::atomic<int>> done(1000);
  run_parallel(3, 1000, [&](int thread, std::int64_t i) {
    EXPECT_LT(thread, 3);
    ++done[i];
  });
  for (const auto& d : done) EXPECT_EQ(d, 1);
}

std::vector<link_simulator> make_links(link_config c, int n) {
  std::vector<link_simulator> links;
  for (int i = 0; i < n; ++i) {
    auto l = link_simulator::make(c);
    EXPECT_TRUE(l) << l.error().message;
    links.push_back(std::move(*l));
  }
  return links;
}

link_config small_link(link_channel channel) {
  link_config c;
  c.channel = channel;
  c.carrier = *phy::carrier_config::make(6, phy::cyclic_prefix::normal, phy::transmission_mode::tm4, 1.92e6);
  c.n_prb = 4;
  c.fading = *phy::fading_model_from("awgn");
  return c;
}

TEST(campaign, the_number_of_threads_changes_nothing) {
  auto one = make_links(small_link(link_channel::pssch), 1), three = make_links(small_link(link_channel::pssch), 3);
  campaign_config c;
  c.max_trials = 400;
  c.min_errors = 1000;
  const double snr_db = 0;  // somewhere on the slope
  const auto a = measure(one, snr_db, c), b = measure(three, snr_db, c);
  EXPECT_EQ(a.errors, b.errors);
  EXPECT_EQ(a.trials, b.trials);
  EXPECT_GT(a.errors, 0);
  EXPECT_LT(a.errors, 400);
  c.seed = 2;
  EXPECT_NE(measure(one, snr_db, c).errors, a.errors);
}

TEST(campaign, every_channel_fails_far_below_and_works_far_above) {
  for (const auto channel :
       {link_channel::pssch, link_channel::pscch, link_channel::psbch, link_channel::psdch, link_channel::slss}) {
    auto config = small_link(channel);
    if (channel == link_channel::psdch) config.carrier.tm = phy::transmission_mode::tm2;
    auto links = make_links(config, 1);
    campaign_config c;
    c.max_trials = 30;
    c.min_errors = 1000;
    EXPECT_EQ(measure(links, 20, c).errors, 0) << name_of(channel);
    EXPECT_GE(measure(links, -25, c).errors, 28) << name_of(channel);
  }
}

TEST(campaign, offsets_fading_antennas_and_repetitions_act_as_they_should) {
  campaign_config c;
  c.max_trials = 200;
  c.min_errors = 1000;
  auto config = small_link(link_channel::pssch);
  config.cfo_hz = 3000;
  config.delay_samples = 4;
  auto links = make_links(config, 1);
  EXPECT_LE(measure(links, 12, c).errors, 2);
  config.fading = *phy::fading_model_from("eva70");
  links = make_links(config, 1);
  const auto faded = measure(links, 5, c).errors;
  EXPECT_GT(faded, 5);  // fades are deep
  config.n_antennas = 2;
  links = make_links(config, 1);
  const auto two = measure(links, 5, c).errors;
  EXPECT_LT(two, faded);
  config.n_antennas = 1;
  config.n_transmissions = 2;
  links = make_links(config, 1);
  EXPECT_LT(measure(links, 5, c).errors, faded);
}

TEST(link, refuses_what_does_not_exist) {
  auto c = small_link(link_channel::pssch);
  c.mcs = 30;
  EXPECT_FALSE(link_simulator::make(c));
  c = small_link(link_channel::pssch);
  c.n_prb = 7;
  EXPECT_FALSE(link_simulator::make(c));
  c = small_link(link_channel::pssch);
  c.delay_samples = 100;
  EXPECT_FALSE(link_simulator::make(c));
}

}  // namespace
}  // namespace prose::apps
