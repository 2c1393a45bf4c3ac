// What the sniffer tells of a block that nobody could decode: TM4, sent once, in a format that leaves bits of it open
// (phy/types/open_bits.h).
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>

#include "apps/sniffer/program.h"
#include "phy/io/sigmf_writer.h"
#include "phy/modem/transmitter.h"
#include "phy/types/open_bits.h"
#include "phy/types/v2x_pool.h"

using namespace prose;

namespace {

constexpr int mcs = 15;
const phy::carrier_config carrier =
    *phy::carrier_config::make(50, phy::cyclic_prefix::normal, phy::transmission_mode::tm4, 15.36e6);
const phy::v2x_pool_config layout{.n_prb = 50, .size_subchannel = 5, .n_subchannels = 8};

/// One subframe with one block on so many sub-channels; returns the PRBs of its PSSCH.
int record_block(const std::string& path, int n_subchannels) {
  const auto pool = *phy::v2x_pool::make(layout);
  const phy::sci_format1 sci{.frequency_location = pool.frequency_location(0, n_subchannels), .mcs = mcs};
  std::vector<std::uint8_t> bits(phy::sci_format1_bits);
  pack(sci, layout.n_subchannels, bits);
  const int prb = pool.pscch_prbs()[0];
  const auto config = *pool.pssch(sci, prb, phy::sci_crc(bits), 0);
  std::mt19937 rng(7);
  std::vector<std::uint8_t> payload(static_cast<std::size_t>(config.tbs));
  for (auto& b : payload) b = static_cast<std::uint8_t>(rng() & 1U);
  const phy::transmission list[] = {{phy::pscch_transmission{{prb, 0}, bits}},
                                    {phy::pssch_transmission{config, payload}}};
  std::vector<phy::cf32> samples(static_cast<std::size_t>(carrier.samples_per_subframe()));
  auto tx = *phy::transmitter::make({.carrier = carrier});
  EXPECT_TRUE(tx.transmit(list, samples));
  auto writer = phy::sigmf_writer::make({.path = path, .sample_rate_hz = carrier.sample_rate_hz()});
  EXPECT_TRUE(writer);
  const std::span<const phy::cf32> channels[] = {samples};
  EXPECT_TRUE((*writer)->write(channels, 0));
  EXPECT_TRUE((*writer)->finish());
  return config.n_prb;
}

std::vector<nlohmann::json> blocks_told(const std::string& recording, const std::string& events, bool report_failed) {
  apps::sniffer_settings s;
  s.iq = recording;
  s.carrier = "prb=50,tm=4,cp=normal";
  s.pools = {"kind=v2x,size=5,count=8,start_prb=0,adjacent_pscch_pssch=true"};
  s.sync = "blind";
  s.events = events;
  s.report_failed = report_failed;
  EXPECT_EQ(apps::run_sniffer("prose-sniffer", s, ""), 0);
  std::vector<nlohmann::json> out;
  std::ifstream in(events);
  for (std::string line; std::getline(in, line);)
    if (auto e = nlohmann::json::parse(line); e["event"] == "tb") out.push_back(std::move(e));
  return out;
}

}  // namespace

TEST(report_failed, tells_why_a_block_could_not_be_decoded) {
  std::string folder = testing::TempDir() + "failed_block_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto recording = folder + "/x";
  for (const int n_subchannels : {5, 4}) {
    const int n_prb = record_block(recording, n_subchannels);
    const int open = phy::open_bits(carrier, mcs, n_prb);
    ASSERT_EQ(open > 0, n_subchannels == 5);
    for (const bool report_failed : {false, true}) {
      const auto told = blocks_told(recording + ".sigmf-meta", folder + "/events", report_failed);
      ASSERT_EQ(told.size(), open == 0 || report_failed ? 1U : 0U);
      if (told.empty()) continue;
      EXPECT_EQ(told[0]["crc_ok"], open == 0);
      EXPECT_EQ(told[0].contains("reason"), open > 0);
      if (open == 0) continue;
      EXPECT_EQ(told[0]["reason"], "not decodable from this transmission alone");
      EXPECT_EQ(told[0]["open_bits"], open);
    }
  }
  std::filesystem::remove_all(folder);
}
