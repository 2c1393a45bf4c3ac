// The resource pools of phy/types against the pools and frames of third-party recordings.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "common/bits.h"
#include "common/hex.h"
#include "phy/modem/transmitter.h"
#include "phy/types/pool.h"
#include "prose_test_paths.h"

namespace prose::phy {
namespace {

using json = nlohmann::json;
namespace fs = std::filesystem;

std::vector<json> scenes(const std::string& folder) {
  std::vector<json> all;
  for (const auto& e : fs::directory_iterator(fs::path(PROSE_SHARED_IQ) / folder))
    if (e.path().string().ends_with(".expected.json")) all.push_back(json::parse(std::ifstream(e.path())));
  return all;
}
prb_range range_of(const json& pool) { return {pool.at("prb_num"), pool.at("prb_start"), pool.at("prb_end")}; }

template <class T>
std::vector<std::uint8_t> frame_bits(const T& f, int n) {
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(n));
  unpack_bits(*from_hex(f.at("hex").template get<std::string>()), bits);
  return bits;
}

TEST(recordings, comm_pools_place_every_frame) {
  if (!fs::is_directory(PROSE_SHARED_IQ "/generated_b")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ;
  int checked = 0;
  for (const auto& e : scenes("generated_b")) {
    if (e.at("pool").is_null() || e.at("pool").at("kind") != "sl_comm") continue;
    const auto& pool = e.at("pool");
    const int n_prb = e.at("carrier").at("n_prb");
    const auto p = comm_pool::make({.n_prb = n_prb,
                                    .tm = transmission_mode::tm1,
                                    .sc_period_subframes = 40,
                                    .pscch = range_of(pool),
                                    .offset_indicator = pool.at("offset_indicator"),
                                    .subframe_bitmap = pool.at("subframe_bitmap")});
    ASSERT_TRUE(p);
    sci_format0 sci;
    std::vector<comm_pool::pscch_identity> identities;
    for (const auto& f : e.at("frames")) {
      const int s = f.at("subframe");
      if (f.at("channel") == "PSCCH") {
        sci = unpack_sci_format0(frame_bits(f, f.at("bits")), n_prb);
        EXPECT_EQ(sci.mcs, f.at("fields").at("mcs").get<int>());
        EXPECT_EQ(sci.timing_advance, f.at("fields").at("timing_advance").get<int>());
        EXPECT_EQ(sci.group_destination_id, f.at("fields").at("group_destination_id").get<int>());
        const auto id = p->identify_pscch(s, f.at("prb"));
        ASSERT_TRUE(id) << e.at("recording");
        identities.push_back(*id);
      } else {
        const auto o = p->pssch_at(sci, s);
        ASSERT_TRUE(o) << e.at("recording") << " subframe " << s;
        EXPECT_EQ(o->config.prb_start, f.at("prb_start").get<int>());
        EXPECT_EQ(o->config.n_prb, f.at("n_prb").get<int>());
        EXPECT_EQ(o->config.tbs, f.at("tbs").get<int>());
        EXPECT_EQ(o->config.modulation_order, f.at("modulation_order").get<int>());
        EXPECT_EQ(o->config.n_ssf, f.at("n_ssf").get<int>());
        EXPECT_EQ(o->config.rv, f.at("rv").get<int>());
        EXPECT_EQ(o->config.n_x_id, f.at("n_x_id").get<std::uint32_t>());
      }
      ++checked;
    }
    ASSERT_EQ(identities.size(), 2U);
    EXPECT_EQ(identities[0].n, identities[1].n);
    EXPECT_NE(identities[0].transmission, identities[1].transmission);
  }
  EXPECT_GE(checked, 48);
}

TEST(recordings, discovery_pools_place_every_frame) {
  if (!fs::is_directory(PROSE_SHARED_IQ "/generated_b")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ;
  int checked = 0;
  for (const auto& e : scenes("generated_b")) {
    if (e.at("pool").is_null() || e.at("pool").at("kind") != "psdch") continue;
    const auto& pool = e.at("pool");
    const auto p = discovery_pool::make({.n_prb = e.at("carrier").at("n_prb"),
                                         .disc_period_subframes = 320,
                                         .num_retx = pool.at("num_retx"),
                                         .num_repetition = pool.at("num_repetition"),
                                         .prb = range_of(pool),
                                         .offset_indicator = pool.at("offset_indicator"),
                                         .subframe_bitmap = pool.at("subframe_bitmap")});
    ASSERT_TRUE(p);
    std::map<int, std::vector<json>> by_resource;
    for (const auto& f : e.at("frames")) by_resource[f.at("n_psdch")].push_back(f);
    for (const auto& [n, frames] : by_resource) {
      ASSERT_EQ(static_cast<int>(frames.size()), p->n_transmissions());
      for (int t = 0; t < p->n_transmissions(); ++t) {
        const auto place = p->resource(n, t);
        const auto& f = frames[t];
        EXPECT_EQ(place.prb, f.at("prb").at(0).get<int>());
        EXPECT_EQ(place.prb_second, f.at("prb").at(1).get<int>());
        EXPECT_EQ(p->config().offset_indicator + place.subframe, f.at("subframe").get<int>());
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 60);
}

TEST(recordings, v2x_pools_place_every_frame) {
  if (!fs::is_directory(PROSE_SHARED_IQ "/generated_b")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ;
  int checked = 0;
  for (const std::string folder : {"generated_a", "generated_b", "recorded"}) {
    if (!fs::is_directory(fs::path(PROSE_SHARED_IQ) / folder)) continue;
    for (const auto& e : scenes(folder)) {
      if (e.at("pool").is_null() || e.at("pool").at("kind") != "v2x") continue;
      const auto& pool = e.at("pool");
      const bool timed = pool.contains("sl_Subframe_r14");
      const auto p = v2x_pool::make({.n_prb = e.at("carrier").at("n_prb"),
                                     .size_subchannel = pool.at("size"),
                                     .n_subchannels = pool.at("count"),
                                     .start_prb = pool.at("start_prb"),
                                     .adjacent = pool.at("adjacent_pscch_pssch"),
                                     .start_prb_pscch = pool.value("start_prb_pscch_pool", 0),
                                     .subframe_bitmap = pool.value("sl_Subframe_r14", ""),
                                     .slss_period = pool.value("slss_period", 0),
                                     .slss_offset = pool.value("slss_offset", 0),
                                     .offset_indicator = pool.value("sl_OffsetIndicator_r14", 0)});
      ASSERT_TRUE(p) << p.error().message;
      std::map<int, json> sci_of;
      for (const auto& f : e.at("frames")) {
        const int index = f.at("index");
        if (f.at("channel") == "PSCCH") {
          sci_of[index] = f;
          const auto sci = unpack_sci_format1(frame_bits(f, 32), p->config().n_subchannels);
          EXPECT_EQ(sci.frequency_location, f.at("fields").at("riv").get<int>());
          EXPECT_EQ(sci.priority, f.at("fields").at("priority").get<int>());
          EXPECT_EQ(sci.time_gap, f.at("fields").at("time_gap").get<int>());
          EXPECT_EQ(sci.mcs, f.at("fields").at("mcs").get<int>());
          EXPECT_EQ(sci.retransmission_index, f.at("fields").at("retransmission_index").get<int>());
        }
        if (f.at("channel") != "PSSCH" || f.contains("optional")) continue;
        const auto& s = sci_of.at(index);
        const auto bits = frame_bits(s, 32);
        const int n_ssf =
            timed ? p->n_ssf(e.at("absolute_subframes").at(static_cast<std::size_t>(index))) : f.at("n_ssf").get<int>();
        const auto g = p->pssch(unpack_sci_format1(bits, p->config().n_subchannels), s.at("prb"), sci_crc(bits), n_ssf);
        ASSERT_TRUE(g) << e.at("recording") << " " << index;
        EXPECT_EQ(g->prb_start, f.at("prb_start").get<int>());
        EXPECT_EQ(g->n_prb, f.at("n_prb").get<int>());
        EXPECT_EQ(g->tbs, f.at("tbs").get<int>());
        EXPECT_EQ(g->modulation_order, f.at("modulation_order").get<int>());
        EXPECT_EQ(g->n_ssf, f.at("n_ssf").get<int>());
        EXPECT_EQ(g->rv, f.at("rv").get<int>()) << e.at("recording") << " " << index;
        if (!f.at("n_x_id").is_null()) {
          EXPECT_EQ(g->n_x_id, f.at("n_x_id").get<std::uint32_t>());
        }
        ++checked;
      }
    }
  }
  EXPECT_GE(checked, 30);
}

}  // namespace
}  // namespace prose::phy
