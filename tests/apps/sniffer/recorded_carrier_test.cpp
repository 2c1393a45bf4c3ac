// What a recording tells of its carrier: written and read again, under what is told otherwise, and what is no such
// thing.
#include "apps/lib/listen/recorded_carrier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/lib/listen/pool_keys.h"
#include "apps/lib/listen/settings.h"
#include "mac/default_pools.h"

namespace prose::apps {
namespace {
using nlohmann::json;
using testing::HasSubstr;

constexpr double rate_hz = 7.68e6;

std::string meta_with(const json& fields) {
  json global = {{"core:datatype", "ci16_le"}, {"core:version", "1.0.0"}, {"core:sample_rate", rate_hz}};
  for (const auto& [key, value] : fields.items()) global["prose:" + key] = value;
  return json{{"global", global}, {"captures", json::array({{{"core:sample_start", 0}}})}}.dump();
}

struct read_back {
  recorded_carrier carrier;
  std::string remark;
};
read_back read(const std::string& text) {
  const auto meta = phy::parse_sigmf_meta(text, "x.sigmf-meta");
  if (!meta) return {{}, "meta: " + meta.error().message};
  read_back out;
  out.carrier = carrier_from(*meta, "x.sigmf-meta", out.remark);
  return out;
}

recorded_carrier ue_carrier(phy::transmission_mode tm) {
  const auto ue = mac::default_ue_config(tm, 25);
  recorded_carrier c;
  c.known.n_prb = 25;
  c.known.tm = tm;
  c.known.cp = phy::cyclic_prefix::normal;
  c.known.pools = {phy::is_v2x(tm) ? phy::monitor_pool(ue.v2x) : phy::monitor_pool(ue.comm), ue.discovery};
  c.sync = "gnss";
  return c;
}

TEST(recorded_carrier, is_read_as_it_was_written) {
  for (const auto tm : {phy::transmission_mode::tm2, phy::transmission_mode::tm4}) {
    auto written = ue_carrier(tm);
    written.known.first_subframe_sample = 20;
    written.known.absolute_subframes = {3, 7};
    phy::sigmf_meta meta;
    meta.sample_rate_hz = rate_hz;
    meta.captures.emplace_back();
    meta.prose = extension_text(written);
    const auto text = phy::to_json_text(meta);
    EXPECT_EQ(json::parse(text)["global"]["core:extensions"],
              json::parse(R"([{"name": "prose", "version": "1.0.0", "optional": true}])"));
    const auto [c, remark] = read(text);
    EXPECT_EQ(remark, "");
    EXPECT_TRUE(c.told());
    EXPECT_EQ(c.known.n_prb, 25);
    EXPECT_EQ(c.known.tm, tm);
    EXPECT_EQ(c.known.cp, phy::cyclic_prefix::normal);
    EXPECT_EQ(c.sync, "gnss");
    EXPECT_EQ(c.known.first_subframe_sample, 20);
    EXPECT_EQ(c.known.absolute_subframes, (std::vector<int>{3, 7}));
    ASSERT_EQ(c.known.pools.size(), 2U);
    for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(to_yaml(c.known.pools[i]), to_yaml(written.known.pools[i]));
  }
}

TEST(recorded_carrier, a_recording_without_it_tells_nothing) {
  phy::sigmf_meta meta;
  meta.captures.emplace_back();
  EXPECT_FALSE(json::parse(phy::to_json_text(meta))["global"].contains("core:extensions"));
  const auto [c, remark] = read(meta_with(json::object()));
  EXPECT_EQ(remark, "");
  EXPECT_FALSE(c.told());
  EXPECT_FALSE(read(meta_with({{"colour", "red"}})).carrier.told());
}

TEST(recorded_carrier, what_is_malformed_is_left_out_with_a_remark_that_names_it) {
  const std::vector<std::pair<json, std::string>> wrong{
      {{{"carrier", 7}}, "carrier must be an object"},
      {{{"carrier", {{"n_prb", "many"}}}}, "carrier.n_prb"},
      {{{"carrier", {{"n_prb", 1e300}}}}, "carrier.n_prb"},
      {{{"carrier", {{"n_prb", 25}, {"transmission_mode", 9}}}}, "carrier.transmission_mode"},
      {{{"carrier", {{"n_prb", 25}}}, {"pool", "all"}}, "pool must be an object"},
      {{{"carrier", {{"n_prb", 25}}}, {"pool", json::array({{{"kind", "v2x"}}})}}, "pool[0].size is missing"},
      {{{"carrier", {{"n_prb", 25}}}, {"pool", json::array({1, 2, 3, 4, 5, 6, 7, 8, 9})}}, "pool: at most 8"},
      {{{"carrier", {{"n_prb", 25}}}, {"sync", "auto"}}, "sync must be one of"},
      {{{"carrier", {{"n_prb", 25}}}, {"sync", json::array()}}, "sync must be one of"},
      {{{"carrier", {{"n_prb", 25}}}, {"absolute_subframes", {-1}}}, "absolute_subframes[0]"},
      {{{"carrier", {{"n_prb", 25}}}, {"first_subframe_sample", 7680}},
       "first_subframe_sample must lie in the first ms"},
  };
  for (const auto& [fields, what] : wrong) {
    const auto [c, remark] = read(meta_with(fields));
    EXPECT_THAT(remark, HasSubstr("x.sigmf-meta: global.prose: " + what)) << fields;
    EXPECT_EQ(remark.find('\n'), std::string::npos) << fields;
    EXPECT_FALSE(c.told()) << fields;
    EXPECT_EQ(c.sync, "") << fields;
  }
}

TEST(recorded_carrier, a_value_that_is_nested_deeply_is_left_out) {
  constexpr std::size_t deep = 200'000;
  auto text = meta_with({{"carrier", {{"n_prb", 25}}}, {"sync", "DEEP"}});
  const std::string nested = std::string(deep, '[') + std::string(deep, ']');
  text.replace(text.find("\"DEEP\""), 6, nested);
  const auto meta = phy::parse_sigmf_meta(text, "x");
  ASSERT_TRUE(meta) << meta.error().message;
  EXPECT_THAT(meta->remarks, testing::ElementsAre(HasSubstr("nested too deeply")));
  EXPECT_EQ(json::parse(meta->prose), json::parse(R"({"carrier": {"n_prb": 25}})"));
}

TEST(recorded_carrier, what_is_told_otherwise_wins) {
  const auto recorded = ue_carrier(phy::transmission_mode::tm2);
  sniffer_settings s;
  s.iq = "x.sigmf-meta";
  auto known = scene_of(s, recorded.known);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->n_prb, 25);
  EXPECT_EQ(known->pools.size(), 2U);
  EXPECT_EQ(sync_of(s, "gnss"), listen_sync::gnss);
  EXPECT_EQ(sync_of(s), listen_sync::slss);
  s.sync = "blind";
  EXPECT_EQ(sync_of(s, "gnss"), listen_sync::blind);
  s.sync = "auto";
  EXPECT_EQ(sync_of(s, "gnss"), std::nullopt);

  s.known.cp = phy::cyclic_prefix::extended;  // the configuration
  s.carrier = "prb=25,tm=2";
  known = scene_of(s, recorded.known);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->cp, phy::cyclic_prefix::extended);
  EXPECT_EQ(known->pools.size(), 2U) << "the same carrier";
  s.pools = {"kind=sl_comm,mode=unknown"};
  known = scene_of(s, recorded.known);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->pools.size(), 1U);
  s.pools.clear();
  s.carrier = "prb=25,tm=4";
  known = scene_of(s, recorded.known);
  ASSERT_TRUE(known);
  EXPECT_EQ(known->tm, phy::transmission_mode::tm4);
  EXPECT_TRUE(known->pools.empty()) << "pools of another mode";
}

TEST(recorded_carrier, a_rate_that_contradicts_it_is_told_with_the_file) {
  auto recorded = ue_carrier(phy::transmission_mode::tm2);
  recorded.known.n_prb = 50;
  const auto [c, remark] = read(meta_with(json::parse(extension_text(recorded))));
  EXPECT_EQ(remark, "");
  sniffer_settings s;
  const auto known = scene_of(s, c.known);
  ASSERT_TRUE(known);
  std::string assumed;
  const auto carrier = carrier_of(*known, {"x.sigmf-meta", "global.core:sample_rate", rate_hz, {}}, assumed);
  ASSERT_FALSE(carrier);
  EXPECT_THAT(carrier.error().message,
              testing::AllOf(HasSubstr("core:sample_rate"), HasSubstr("x.sigmf-meta: global.prose"), HasSubstr("50")));
}

}  // namespace
}  // namespace prose::apps
