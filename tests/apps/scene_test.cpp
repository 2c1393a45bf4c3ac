// Scenes: what is read, and that every contradiction is one line with the file and the key.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "apps/lib/listen/event_json.h"
#include "apps/lib/listen/pool_keys.h"
#include "apps/lib/listen/scene.h"
#include "apps/lib/listen/settings.h"
#include "mac/default_pools.h"
#include "prose_test_paths.h"

namespace prose::apps {
namespace {
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

json v2x_scene() {
  return json::parse(
      R"({"carrier":{"n_prb":50,"cp":"normal","transmission_mode":4,"sample_rate_hz":15360000.0,"fft_size":1024},
    "first_subframe_sample":20,"samples_per_subframe":15360,"absolute_subframes":[3,7],
    "pool":{"kind":"v2x","size":5,"count":10,"start_prb":0,"adjacent_pscch_pssch":true}})");
}
const sample_facts file_of_two{"x.sigmf-meta", "global.core:sample_rate", 15.36e6, 2 * 15360};

/// The error of reading a scene and holding it against a file of two subframes; empty when all fits.
std::string error_of(const json& j, const sample_facts& f = file_of_two) {
  const auto s = parse_scene(j.dump(), "s.json");
  if (!s) return s.error().message;
  std::string assumed;
  const auto c = carrier_of(*s, f, assumed);
  return c ? "" : c.error().message;
}
json with(json j, const char* pointer, const json& value) {
  j[json::json_pointer(pointer)] = value;
  return j;
}

TEST(pools, are_written_as_they_are_read) {
  for (const auto tm : {phy::transmission_mode::tm2, phy::transmission_mode::tm4})
    for (const int n_prb : {25, 50}) {
      const auto ue = mac::default_ue_config(tm, n_prb);
      phy::comm_pool_config tm1 = ue.comm, unknown;
      tm1.data.reset();
      tm1.hopping = {17, 2, 3};
      unknown.known = false;
      phy::v2x_pool_config apart = ue.v2x;
      apart.adjacent = false;
      apart.start_prb_pscch = 2;
      for (const phy::monitor_pool& p :
           std::initializer_list<phy::monitor_pool>{ue.comm, ue.v2x, ue.discovery, tm1, unknown, apart}) {
        const auto again = parse_pool(json::parse(to_yaml(p)), "pool");
        ASSERT_TRUE(again) << again.error().message;
        EXPECT_EQ(to_yaml(*again), to_yaml(p));
        EXPECT_EQ(again->index(), p.index());
      }
    }
}

TEST(pools, of_configs_sniffer_yaml_are_those_of_ues) {
  sniffer_settings s;
  const auto ok = load_settings(PROSE_SOURCE_DIR "/configs/sniffer.yaml", s);
  ASSERT_TRUE(ok) << ok.error().message;
  const auto known = scene_of(s);
  ASSERT_TRUE(known) << known.error().message;
  const auto ue = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  ASSERT_EQ(known->pools.size(), 2U);
  EXPECT_EQ(to_yaml(known->pools[0]), to_yaml(ue.comm));
  EXPECT_EQ(to_yaml(known->pools[1]), to_yaml(ue.discovery));
}

TEST(scene, reads_carrier_pool_and_timing) {
  const auto s = parse_scene(v2x_scene().dump(), "s.json");
  ASSERT_TRUE(s) << s.error().message;
  std::string assumed;
  const auto c = carrier_of(*s, file_of_two, assumed);
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(assumed, "");
  EXPECT_EQ(c->n_prb, 50);
  EXPECT_EQ(c->tm, phy::transmission_mode::tm4);
  EXPECT_EQ(s->first_subframe_sample, 20);
  EXPECT_EQ(s->absolute_subframes, (std::vector<int>{3, 7}));
  const auto& p = std::get<phy::v2x_pool_config>(s->pools.at(0));
  EXPECT_EQ(p.size_subchannel, 5);
  EXPECT_EQ(p.n_subchannels, 10);
  EXPECT_TRUE(p.adjacent);
}

TEST(scene, absent_null_and_unknown_keys_are_no_mistake) {
  EXPECT_EQ(error_of(json::object()), "");
  EXPECT_EQ(
      error_of(json::parse(
          R"({"carrier":null,"pool":null,"first_subframe_sample":null,"absolute_subframes":null,"samples_per_subframe":null,"source":7})")),
      "");
  auto j = v2x_scene();
  j["carrier"]["colour"] = "red";
  j["pool"]["remark"] = {1, 2};
  EXPECT_EQ(error_of(j), "");
  const auto s = parse_scene("{}", "s.json");
  ASSERT_TRUE(s);
  std::string assumed;
  const auto c = carrier_of(*s, file_of_two, assumed);
  ASSERT_TRUE(c);
  EXPECT_EQ(c->n_prb, 50);
  EXPECT_THAT(assumed, HasSubstr("transmission mode 4"));
}

TEST(scene, communication_and_discovery_pools) {
  auto s = parse_scene(
      R"({"carrier":{"n_prb":25,"transmission_mode":2},"pool":{"kind":"sl_comm","mode":"tm2","sc_period":"sf40",
    "prb_num":12,"prb_start":0,"prb_end":24,"offset_indicator":40,"subframe_bitmap":"0111",
    "data":{"prb_num":5,"prb_start":1,"prb_end":20,"offset_indicator":8,"subframe_bitmap":"11"}}})",
      "s.json");
  ASSERT_TRUE(s) << s.error().message;
  const auto& c = std::get<phy::comm_pool_config>(s->pools.at(0));
  EXPECT_TRUE(c.known);
  EXPECT_EQ(c.sc_period_subframes, 40);
  ASSERT_TRUE(c.data);
  EXPECT_EQ(c.data->offset_indicator, 8);
  s = parse_scene(R"({"pool":{"kind":"sl_comm","mode":"unknown"}})", "s.json");
  ASSERT_TRUE(s);
  EXPECT_FALSE(std::get<phy::comm_pool_config>(s->pools.at(0)).known);
  s = parse_scene(
      R"({"pool":{"kind":"psdch","disc_period":"rf32","num_retx":3,"num_repetition":5,"prb_num":3,"prb_start":0,
    "prb_end":5,"offset_indicator":13,"subframe_bitmap":"0111"}})",
      "s.json");
  ASSERT_TRUE(s);
  EXPECT_EQ(std::get<phy::discovery_pool_config>(s->pools.at(0)).disc_period_subframes, 320);
}

TEST(scene, every_contradiction_names_the_file_and_the_key) {
  const auto j = v2x_scene();
  ASSERT_EQ(error_of(j), "");
  const std::vector<std::pair<json, const char*>> wrong{
      {with(j, "/carrier/sample_rate_hz", 7.68e6), "carrier.sample_rate_hz"},
      {with(j, "/carrier/sample_rate_hz", "fast"), "carrier.sample_rate_hz"},
      {with(j, "/carrier/sample_rate_hz", -1), "carrier.sample_rate_hz"},
      {with(j, "/carrier/n_prb", 51), "carrier.n_prb"},
      {with(j, "/carrier/n_prb", 49.5), "carrier.n_prb"},
      {with(j, "/carrier/n_prb", 6), "global.core:sample_rate"},
      {with(j, "/carrier/cp", "extended"), "carrier.cp"},
      {with(j, "/carrier/cp", "long"), "carrier.cp"},
      {with(j, "/carrier/transmission_mode", 5), "carrier.transmission_mode"},
      {with(j, "/carrier/transmission_mode", 2), "pool.kind"},
      {with(j, "/carrier/fft_size", 768), "carrier.fft_size"},
      {with(j, "/carrier", 7), "carrier"},
      {with(j, "/samples_per_subframe", 7680), "samples_per_subframe"},
      {with(j, "/first_subframe_sample", 30720), "first_subframe_sample"},
      {with(j, "/first_subframe_sample", -1), "first_subframe_sample"},
      {with(j, "/absolute_subframes", {1, 2, 3}), "absolute_subframes"},
      {with(j, "/absolute_subframes", {1, 10240}), "absolute_subframes[1]"},
      {with(j, "/absolute_subframes", "all"), "absolute_subframes"},
      {with(j, "/pool", 7), "pool"},
      {with(j, "/pool/kind", "wlan"), "pool.kind"},
      {with(j, "/pool/kind", nullptr), "pool.kind"},
      {with(j, "/pool/kind", "sl_comm"), "pool.kind"},
      {with(j, "/pool/size", 0), "pool.size"},
      {with(j, "/pool/size", nullptr), "pool.size"},
      {with(j, "/pool/count", 11), "pool.count"},
      {with(j, "/pool/start_prb", 1), "pool.count"},
      {with(j, "/pool/sl_Subframe_r14", "10x1"), "pool.sl_Subframe_r14"},
      {with(j, "/pool/adjacent_pscch_pssch", "yes"), "pool.adjacent_pscch_pssch"},
  };
  for (const auto& [scene_json, key] : wrong) {
    const auto e = error_of(scene_json);
    EXPECT_THAT(e, AllOf(HasSubstr(key), Not(HasSubstr("\n")))) << scene_json;
    EXPECT_THAT(e, HasSubstr("s.json")) << scene_json;
  }
  EXPECT_THAT(parse_scene("{\n\"carrier\":\n", "s.json").error().message, HasSubstr("s.json:3: not JSON"));
}

TEST(scene, a_rate_that_fits_no_carrier_is_the_recordings_mistake) {
  EXPECT_THAT(error_of(json::object(), {"x.sigmf-meta", "global.core:sample_rate", 1e6, 1000}),
              HasSubstr("x.sigmf-meta: global.core:sample_rate"));
}

TEST(scene, a_partial_last_subframe_counts_as_stored) {
  EXPECT_EQ(error_of(v2x_scene(), {"x", "r", 15.36e6, 15360 + 21}), "");
  EXPECT_NE(error_of(v2x_scene(), {"x", "r", 15.36e6, 15360 + 20}), "");
}

TEST(scene, command_line_text) {
  scene s;
  ASSERT_TRUE(apply_carrier_text("prb=25,tm=2,cp=extended", "--carrier", s));
  EXPECT_EQ(s.n_prb, 25);
  EXPECT_EQ(s.cp, phy::cyclic_prefix::extended);
  ASSERT_TRUE(apply_pool_text(
      "kind=v2x,size=5,count=3,adjacent_pscch_pssch=false,start_prb_pscch_pool=2,sl_Subframe_r14=11110000", "--pool",
      s));
  const auto& p = std::get<phy::v2x_pool_config>(s.pools.at(0));
  EXPECT_FALSE(p.adjacent);
  EXPECT_EQ(p.subframe_bitmap, "11110000");
  EXPECT_THAT(apply_carrier_text("prb=fifty", "--carrier", s).error().message, HasSubstr("--carrier: n_prb"));
  EXPECT_THAT(apply_carrier_text("prb", "--carrier", s).error().message, HasSubstr("KEY=VALUE"));
  EXPECT_THAT(apply_carrier_text("bandwidth=50", "--carrier", s).error().message, HasSubstr("accepted: prb, tm, cp"));
  EXPECT_THAT(apply_pool_text("kind=v2x", "--pool", s).error().message, HasSubstr("--pool.size is missing"));
}

TEST(event_json, has_the_keys_of_the_contract) {
  const std::vector<std::uint8_t> bits{1, 0, 1, 0, 0, 0, 1, 1, 1};
  phy::tb_event tb;
  tb.tbs = 9;
  tb.mcs = 4;
  tb.crc_ok = true;
  tb.bits = bits;
  auto j = json::parse(to_event(phy::monitor_event(tb), {42, 0.25}).text());
  EXPECT_EQ(j["event"], "tb");
  EXPECT_EQ(j["t"], 0.25);
  EXPECT_EQ(j["sample"], 42);
  EXPECT_EQ(j["channel"], "PSSCH");
  EXPECT_EQ(j["hex"], "a380");  // 1010 0011, then 1 and seven zeros
  EXPECT_EQ(j["crc_ok"], true);
  for (const char* key : {"tbs", "mcs", "rv"}) EXPECT_TRUE(j.contains(key)) << key;
  phy::sci_event sci;
  sci.format = 1;
  sci.prb = 10;
  sci.fields = phy::sci_format1{.priority = 3};
  j = json::parse(to_event(phy::monitor_event(sci), {0, 0}).text());
  EXPECT_EQ(j["event"], "sci");
  EXPECT_EQ(j["format"], 1);
  EXPECT_EQ(j["prb"], 10);
  EXPECT_EQ(j["fields"]["priority"], 3);
  EXPECT_TRUE(j.contains("snr_db"));
  phy::mib_sl_event mib;
  mib.n_sl_id = 169;
  j = json::parse(to_event(phy::monitor_event(mib), {0, 0}).text());
  EXPECT_EQ(j["event"], "mib_sl");
  EXPECT_EQ(j["n_sl_id"], 169);
  j = json::parse(to_event(phy::monitor_event(phy::discovery_event{}), {0, 0}).text());
  EXPECT_EQ(j["event"], "discovery");
  EXPECT_EQ(j["crc_ok"], false);
}

}  // namespace
}  // namespace prose::apps
