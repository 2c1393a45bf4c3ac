// A UE's carrier and pools: what is taken, and what cannot work together is refused with the place and the reason.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <tuple>

#include "apps/lib/common/config.h"
#include "apps/lib/listen/carrier_keys.h"
#include "apps/lib/listen/settings.h"
#include "apps/ue/frame_modem.h"
#include "apps/ue/program_config.h"
#include "apps/ue/show.h"

namespace prose::apps {
namespace {
using testing::AllOf;
using testing::HasSubstr;

const std::string name = "/etc/prose/john.yaml";
const std::string tm2_pool =
    "  - {kind: sl_comm, mode: tm2, sc_period: 80, prb_num: 4, prb_start: 0, prb_end: 14, subframe_bitmap: "
    "\"11110000\",\n"
    "     data: {prb_num: 8, prb_start: 0, prb_end: 14, offset_indicator: 8, subframe_bitmap: \"1111\"}}\n";
const std::string tm4_pool =
    "  - {kind: v2x, size: 4, count: 3, sl_Subframe_r14: \"1111111111\", slss_period: 20, slss_offset: 17}\n";
const std::string tm2_discovery =
    "  - {kind: psdch, disc_period: rf32, num_repetition: 4, prb_num: 2, prb_start: 0, prb_end: 14, "
    "subframe_bitmap: \"00001100" +
    std::string(72, '0') + "\"}\n";
const std::string tm4_discovery =
    "  - {kind: psdch, disc_period: rf32, num_repetition: 4, prb_num: 2, prb_start: 12, prb_end: 13, subframe_bitmap: "
    "\"11000000\"}\n";

result<program_config> read(const std::string& text) {
  auto file = config_section::parse("identity: {private_key: john.key}\n" + text, name);
  if (!file) return tl::unexpected(file.error());
  return read_program_config(*file, name);
}
std::string refusal(const std::string& text) {
  const auto c = read(text);
  return c ? "" : c.error().message;
}
std::string tm2(const std::string& pools, const std::string& more = "") {
  return "carrier: {prb: 15, tm: 2}\npools:\n" + pools + more;
}
std::string tm4(const std::string& pools, const std::string& more = "") {
  return "carrier: {prb: 15, tm: 4}\npools:\n" + pools + more;
}
/// The text with one part replaced, which must be there.
std::string with(std::string text, const std::string& from, const std::string& to) {
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

class every_carrier : public testing::TestWithParam<std::tuple<int, int>> {};

TEST_P(every_carrier, has_pools_that_fit_and_that_are_told_as_they_are_read) {
  const auto [prb, tm] = GetParam();
  for (const std::string cp : {"normal", "extended"}) {
    if (tm == 4 && cp == "extended") continue;
    const auto carrier =
        "carrier: {prb: " + std::to_string(prb) + ", tm: " + std::to_string(tm) + ", cp: " + cp + "}\n";
    const auto c = read(carrier);
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(c->radio.sample_rate_hz, phy::standard_fft_size(prb) * 15e3);
    const auto modem = frame_modem::make({c->ue, c->radio.sample_rate_hz, 1, -12, 0, c->cp, c->other_pools});
    ASSERT_TRUE(modem) << modem.error().message;
    EXPECT_EQ((*modem)->carrier().cp == phy::cyclic_prefix::extended, cp == "extended");
    const auto told = show_pools(*c);
    const auto shared = parse_carrier_file(told, "carrier.yaml");
    ASSERT_TRUE(shared) << shared.error().message;
    EXPECT_EQ(shared->sync, "gnss");
    // Given as pools, they do not disturb each other, and nothing else is said of them.
    const auto again = read(with(told, "sync: gnss\n", ""));
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(show_pools(*again), told);
  }
}
INSTANTIATE_TEST_SUITE_P(all, every_carrier,
                         testing::Combine(testing::Values(6, 15, 25, 50, 75, 100), testing::Values(2, 4)));

TEST(carrier_config, own_pools_are_those_of_the_ue) {
  const auto c = read(tm2(tm2_pool + tm2_discovery));
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->ue.comm.sc_period_subframes, 80);
  EXPECT_EQ(c->ue.comm.n_prb, 15);
  EXPECT_EQ(c->ue.discovery.disc_period_subframes, 320);
  EXPECT_TRUE(c->other_pools.empty());
  const auto v = read(tm4(tm4_pool + tm4_discovery));
  ASSERT_TRUE(v) << v.error().message;
  EXPECT_EQ(v->ue.v2x.n_subchannels, 3);
  EXPECT_EQ(v->ue.v2x.n_prb, 15);
}

TEST(carrier_config, of_several_pools_of_a_kind_one_is_sent_in) {
  const auto low = with(with(tm2_pool, "prb_num: 4, prb_start: 0, prb_end: 14", "prb_num: 7, prb_start: 0, prb_end: 6"),
                        "prb_num: 8, prb_start: 0, prb_end: 14", "prb_num: 7, prb_start: 0, prb_end: 6");
  const auto high =
      with(with(tm2_pool, "prb_num: 4, prb_start: 0, prb_end: 14", "prb_num: 8, prb_start: 7, prb_end: 14"),
           "prb_num: 8, prb_start: 0, prb_end: 14", "prb_num: 8, prb_start: 7, prb_end: 14");
  const auto late = with(tm2_discovery, "00001100", "00000011");
  const auto text = tm2(low + tm2_discovery + high + late);
  for (const int place : {0, 1}) {
    const auto n = std::to_string(place);
    const auto c = read(text + "sidelink: {transmit_pool: " + n + "}\ndiscovery: {transmit_pool: " + n + "}\n");
    ASSERT_TRUE(c) << c.error().message;
    EXPECT_EQ(c->ue.comm.pscch.prb_start, 7 * place);
    EXPECT_EQ(c->ue.discovery.subframe_bitmap.substr(0, 8), place == 0 ? "00001100" : "00000011");
    EXPECT_EQ(c->other_pools.size(), 2U);
    EXPECT_EQ(c->pools.size(), 4U);
  }
  EXPECT_THAT(refusal(text + "sidelink: {transmit_pool: 2}\n"),
              AllOf(HasSubstr("john.yaml:10: sidelink.transmit_pool: '2' is none of the 2 of kind sl_comm"),
                    HasSubstr("accepted: 0 to 1")));
  EXPECT_THAT(refusal(text + "discovery: {transmit_pool: 3}\n"), HasSubstr("none of the 2 of kind psdch"));
  EXPECT_THAT(refusal("sidelink: {transmit_pool: 1}\n"), HasSubstr("none of the 1 of kind sl_comm"));
}

TEST(carrier_config, an_offset_may_be_large) {
  const auto c = read(tm2(with(tm2_pool, "sc_period", "offset_indicator: 10239, sc_period") +
                          with(tm2_discovery, "prb_num", "offset_indicator: 10239, prb_num")));
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->ue.comm.offset_indicator, 10239);
  EXPECT_THAT(refusal(tm2(with(tm2_pool, "sc_period", "offset_indicator: 10240, sc_period") + tm2_discovery)),
              AllOf(HasSubstr("john.yaml:4: pools[0].offset_indicator"), HasSubstr("0 to 10239")));
}

TEST(carrier_config, a_carrier_that_does_not_exist) {
  EXPECT_THAT(refusal("carrier: {prb: 30}\n"), HasSubstr("accepted: 6, 15, 25, 50, 75, 100"));
  EXPECT_THAT(refusal("carrier: {tm: 3}\n"), HasSubstr("accepted: 2, 4"));
  EXPECT_THAT(refusal("carrier: {tm: 4, cp: extended}\n"),
              AllOf(HasSubstr("john.yaml:2: carrier.cp: extended with carrier.tm 4"), HasSubstr("accepted: normal")));
}

TEST(carrier_config, pools_and_carrier) {
  EXPECT_THAT(refusal(tm2(tm4_pool + tm2_discovery)), HasSubstr("pools[0].kind: v2x contradicts"));
  EXPECT_THAT(refusal(tm4(tm2_pool + tm4_discovery)), HasSubstr("pools[0].kind: sl_comm contradicts"));
  EXPECT_THAT(refusal(tm2(with(tm2_pool, "prb_end: 14", "prb_end: 24") + tm2_discovery)),
              HasSubstr("24 leaves the carrier of 15 PRB"));
  EXPECT_THAT(refusal(tm2(with(tm2_pool, "prb_num: 8", "prb_num: 16") + tm2_discovery)),
              HasSubstr("16 leaves the carrier of 15 PRB"));
  EXPECT_THAT(refusal(tm4(with(tm4_pool, "count: 3", "count: 5") + tm4_discovery)),
              HasSubstr("leaves the carrier of 15 PRB"));
  EXPECT_THAT(refusal(tm2(tm2_pool)), HasSubstr("john.yaml:3: pools: none of them is of kind psdch"));
  EXPECT_THAT(refusal(tm2(tm2_discovery)), HasSubstr("none of them is of kind sl_comm"));
  EXPECT_THAT(refusal(tm4(tm4_discovery)), HasSubstr("none of them is of kind v2x"));
}

TEST(carrier_config, pools_that_no_ue_may_transmit_in) {
  EXPECT_THAT(refusal(tm2(with(tm2_pool, "tm2", "unknown") + tm2_discovery)), HasSubstr("pools[0].mode: unknown"));
  const auto tm1 =
      "  - {kind: sl_comm, mode: tm1, sc_period: 80, prb_num: 4, prb_start: 0, prb_end: 14, "
      "subframe_bitmap: \"11110000\"}\n";
  EXPECT_THAT(refusal(tm2(tm1 + with(tm2_discovery, "00001100", "11110000"))),
              AllOf(HasSubstr("john.yaml:4: pools[0].mode: tm1"), HasSubstr("no UE may transmit")));
  EXPECT_THAT(
      refusal(tm2(with(tm2_pool, "prb_num: 4, prb_start: 0, prb_end: 14", "prb_num: 1, prb_start: 0, prb_end: 0") +
                  tm2_discovery)),
      AllOf(HasSubstr("pools[0].prb_num: 1"), HasSubstr("no UE may transmit")));
  EXPECT_THAT(refusal(tm4(with(tm4_pool, "1111111111", "0000000000") + tm4_discovery)),
              HasSubstr("pools[0].sl_Subframe_r14: has no 1"));
  EXPECT_THAT(refusal(tm4(with(tm4_pool, ", sl_Subframe_r14: \"1111111111\"", "") + tm4_discovery)),
              HasSubstr("has no 1"));
  EXPECT_THAT(
      refusal(tm4(with(tm4_pool, "slss_period", "adjacent_pscch_pssch: false, start_prb_pscch_pool: 8, slss_period") +
                  tm4_discovery)),
      AllOf(HasSubstr("pools[0].start_prb_pscch_pool: 8 lies in the sub-channels"), HasSubstr("size and count")));
}

TEST(carrier_config, a_discovery_pool_with_a_message_across_its_gap) {
  EXPECT_THAT(refusal(tm2(tm2_pool + with(tm2_discovery, "prb_num: 2", "prb_num: 3"))),
              AllOf(HasSubstr("pools[1].prb_num: 3 is odd"), HasSubstr("prb_start and prb_end")));
}

TEST(carrier_config, a_control_period_too_short_for_the_transmissions_of_a_block) {
  EXPECT_THAT(refusal(tm2(with(with(tm2_pool, "sc_period: 80", "sc_period: 40"), "1111\"}}",
                               "0000000000000000000000000000000111\"}}") +
                          tm2_discovery)),
              AllOf(HasSubstr("pools[0].sc_period: 40 with data.subframe_bitmap"), HasSubstr("four of a block")));
}

TEST(carrier_config, pools_that_disturb_each_other) {
  EXPECT_THAT(refusal(tm2(tm2_pool + with(tm2_discovery, "00001100", "00011000"))),
              AllOf(HasSubstr("pools[1].subframe_bitmap: its PSDCH shares PRB 0 of subframe 3"),
                    HasSubstr("the PSCCH of pools[0]")));
  EXPECT_THAT(refusal(tm2(with(tm2_pool, "offset_indicator: 8", "offset_indicator: 3") + tm2_discovery)),
              AllOf(HasSubstr("pools[0].data: its PSSCH shares PRB 0 of subframe 3"), HasSubstr("the same pool")));
  EXPECT_THAT(refusal(tm2(tm2_pool + tm2_pool + tm2_discovery)), HasSubstr("with the PSCCH of pools[0]"));
  EXPECT_THAT(refusal(tm4(tm4_pool + with(tm4_discovery, "prb_start: 12", "prb_start: 11"))),
              HasSubstr("shares PRB 11 of subframe 1 with the PSCCH and PSSCH of pools[0]"));
  // A period that drifts against that of the other pool.
  EXPECT_THAT(refusal(tm2(tm2_pool + with(tm2_discovery, "rf32", "sf330"))), HasSubstr("shares PRB"));
}

TEST(carrier_config, announcements_in_every_subframe_of_the_pool) {
  const auto few = tm2(tm2_pool + with(tm2_discovery, "num_repetition: 4", "num_repetition: 1"));
  EXPECT_THAT(refusal(few + "discovery: {per_period: 2}\n"),
              AllOf(HasSubstr("john.yaml:7: discovery.per_period: 2 messages a period, each sent 1 time, take all 2"),
                    HasSubstr("accepted: per_period up to 1")));
  EXPECT_EQ(refusal(few + "discovery: {per_period: 1}\n"), "");
  EXPECT_EQ(refusal(few + "discovery: {per_period: 2, model: off}\n"), "");
  EXPECT_EQ(refusal("discovery: {retransmissions: 1}\n"), "");
  EXPECT_THAT(refusal("discovery: {retransmissions: 3}\n"),
              AllOf(HasSubstr("discovery.retransmissions: 6 messages a period, each sent 4 times, take all 16"),
                    HasSubstr("up to 3")));
}

TEST(carrier_config, keys_elsewhere_that_contradict_the_pools) {
  const auto pools = tm2(tm2_pool + tm2_discovery);
  EXPECT_EQ(refusal(pools + "discovery: {period_subframes: 320, retransmissions: 0}\n"), "");
  EXPECT_THAT(
      refusal(pools + "discovery: {period_subframes: 640}\n"),
      AllOf(HasSubstr("john.yaml:7: discovery.period_subframes: '640'"), HasSubstr("disc_period of the pool, 320")));
  EXPECT_THAT(refusal(pools + "discovery: {retransmissions: 1}\n"), HasSubstr("num_retx of the pool, 0"));
}

TEST(carrier_config, slss_in_the_subframes_of_a_v2x_pool) {
  const auto slss = "time: {source: slss}\n";
  const auto without = with(tm4_pool, "slss_period: 20, slss_offset: 17", "slss_period: 0");
  EXPECT_EQ(refusal(tm4(without + tm4_discovery)), "");
  EXPECT_THAT(refusal(tm4(without + tm4_discovery, slss)),
              AllOf(HasSubstr("pools[0].slss_period: 0 with time.source slss"), HasSubstr("accepted: 20 or 80")));
  const auto c = read(tm4(
      with(tm4_pool, "slss_period: 20, slss_offset: 17", "slss_period: 80, slss_offset: 93") + tm4_discovery, slss));
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(std::tuple(c->ue.sync.period_subframes, c->ue.sync.offset_1, c->ue.sync.offset_2), std::tuple(160, 93, 13));
}

TEST(carrier_config, a_v2x_pool_without_a_place_for_the_second_transmission) {
  const auto sparse = tm4(with(tm4_pool, "1111111111", "1000000000") + tm4_discovery);
  EXPECT_THAT(refusal(sparse), AllOf(HasSubstr("pools[0].sl_Subframe_r14"), HasSubstr("sidelink.retransmit")));
  EXPECT_EQ(refusal(sparse + "sidelink: {retransmit: false, mcs: 7}\n"), "");
}

// --- the file that UEs and sniffers share ---------------------------------------------------------------------------

class carrier_file : public testing::Test {
protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("carrier_file_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_ / "shared");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& text) const { std::ofstream(folder_ / "shared" / "carrier.yaml") << text; }
  result<program_config> ue(const std::string& more = "") const {
    const auto path = (folder_ / "ue.yaml").string();
    auto file = config_section::parse("identity: {private_key: a}\ncarrier_file: shared/carrier.yaml\n" + more, path);
    if (!file) return tl::unexpected(file.error());
    return read_program_config(*file, path);
  }
  result<sniffer_settings> sniffer(const std::string& more = "") const {
    sniffer_settings s;
    const auto file =
        parse_settings("carrier_file: shared/carrier.yaml\n" + more, (folder_ / "sniffer.yaml").string(), s);
    if (!file) return tl::unexpected(file.error());
    return s;
  }
  std::filesystem::path folder_;
};

TEST_F(carrier_file, is_read_by_ues_and_sniffers_alike) {
  write("carrier: {prb: 15, tm: 2, cp: extended}\nsync: slss\npools:\n" + tm2_pool + tm2_discovery);
  const auto u = ue();
  ASSERT_TRUE(u) << u.error().message;
  EXPECT_EQ(u->ue.n_prb, 15);
  EXPECT_EQ(u->cp, phy::cyclic_prefix::extended);
  EXPECT_EQ(u->ue.comm.sc_period_subframes, 80);
  EXPECT_EQ(u->ue.sync.mode, mac::time_mode::slss);
  EXPECT_EQ(u->carrier_file, (folder_ / "shared" / "carrier.yaml").string());
  const auto s = sniffer();
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ(s->known.n_prb, 15);
  EXPECT_EQ(s->known.cp, phy::cyclic_prefix::extended);
  EXPECT_EQ(s->known.pools.size(), 2U);
  EXPECT_EQ(s->sync, "slss");
  EXPECT_EQ(sniffer("sync: blind\n")->sync, "blind");
  std::string told = show_pools(*u);
  write(told);
  EXPECT_EQ(show_pools(*ue()), told);
}

TEST_F(carrier_file, and_what_it_tells_is_not_told_twice) {
  write("carrier: {prb: 15, tm: 2}\nsync: gnss\n");
  EXPECT_TRUE(ue());
  EXPECT_THAT(ue("carrier: {prb: 25}\n").error().message,
              AllOf(HasSubstr("ue.yaml:3: carrier: carrier_file tells it too"), HasSubstr("accepted: one of them")));
  EXPECT_THAT(ue("pools: []\n").error().message, HasSubstr("ue.yaml:3: pools: carrier_file tells it too"));
  EXPECT_THAT(sniffer("carrier: {prb: 25}\n").error().message, HasSubstr("carrier: carrier_file tells it too"));
  EXPECT_TRUE(ue("time: {source: gnss}\n"));
  EXPECT_THAT(ue("time: {source: slss}\n").error().message,
              AllOf(HasSubstr("ue.yaml:3: time.source: slss contradicts"), HasSubstr("carrier_file")));
}

TEST_F(carrier_file, mistakes_are_told_at_its_own_lines) {
  write("carrier: {prb: 15, tm: 3}\n");
  EXPECT_THAT(ue().error().message,
              AllOf(HasSubstr("shared/carrier.yaml:1: carrier.tm: 3"), HasSubstr("accepted: 2, 4")));
  EXPECT_TRUE(sniffer());
  write("carrier: {prb: 15, tm: 2}\ncolour: red\n");
  EXPECT_THAT(ue().error().message, HasSubstr("shared/carrier.yaml:2: 'colour' is not a known key"));
  EXPECT_THAT(sniffer().error().message, HasSubstr("shared/carrier.yaml:2: 'colour' is not a known key"));
  write("carrier: {prb: 15, tm: 2}\npools:\n" + tm2_pool + with(tm2_discovery, "00001100", "11111111"));
  EXPECT_THAT(ue().error().message, HasSubstr("shared/carrier.yaml:5: pools[1].subframe_bitmap: its PSDCH shares"));
  std::filesystem::remove(folder_ / "shared" / "carrier.yaml");
  EXPECT_THAT(ue().error().message, HasSubstr("shared/carrier.yaml"));
  EXPECT_THAT(sniffer().error().message, HasSubstr("shared/carrier.yaml"));
}

TEST_F(carrier_file, what_the_command_line_changes_is_printed_in_full) {
  write("carrier: {prb: 15, tm: 2}\npools:\n" + tm2_pool + tm2_discovery);
  for (const bool changed : {false, true}) {
    sniffer_settings s;
    auto file = parse_settings("carrier_file: shared/carrier.yaml\n", (folder_ / "sniffer.yaml").string(), s);
    ASSERT_TRUE(file) << file.error().message;
    if (changed) s.carrier = "cp=extended";
    ASSERT_TRUE(note_settings(*file, s));
    sniffer_settings again;
    const auto printed = parse_settings(file->effective(), "/again.yaml", again);
    ASSERT_TRUE(printed) << printed.error().message;
    EXPECT_EQ(again.known.n_prb, 15);
    EXPECT_EQ(again.known.pools.size(), 2U);
    EXPECT_EQ(again.known.cp == phy::cyclic_prefix::extended, changed);
    EXPECT_EQ(again.carrier_file.empty(), changed);
  }
}

}  // namespace
}  // namespace prose::apps
