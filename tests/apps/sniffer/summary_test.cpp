// The table of who is on the air: what is counted, and that it fits the terminal it is drawn over.
#include <gtest/gtest.h>

#include <sstream>

#include "apps/sniffer/summary.h"
#include "mac/rlc_um.h"
#include "mac/sl_sch.h"

namespace prose::apps {
namespace {

class summary_table : public ::testing::Test {
protected:
  /// A block with one whole SDU whose RLC SN is sn.
  captured_frame block(std::uint32_t src, unsigned sn, bool repetition = false) {
    mac::rlc_um_tx rlc;
    captured_frame f;
    f.kind = frame_kind::sl_sch;
    f.repetition = repetition;
    f.time_s = static_cast<double>(n_++);
    f.octets.resize(60);
    mac::sl_sch_builder b({mac::sl_sch_version::v2x, src, 0x222222}, f.octets);
    for (unsigned i = 0; i <= sn % 32; ++i) {
      EXPECT_TRUE(rlc.enqueue(std::vector<std::uint8_t>(20, 0x41)));
      std::vector<std::uint8_t> pdu(rlc.wanted_octets());
      rlc.build(pdu);
      if (i < sn % 32) continue;
      auto room = b.add(4, pdu.size());
      std::copy(pdu.begin(), pdu.end(), room.begin());
    }
    b.finish();
    return f;
  }
  /// Numbers of the row that begins with `who`.
  std::vector<double> row(const std::string& who) const {
    const std::string text = s_.text();
    const auto at = text.find(who);
    EXPECT_NE(at, std::string::npos) << text;
    std::istringstream in(text.substr(at + who.size()));
    std::vector<double> out;
    for (double v; out.size() < 8 && in >> v;) out.push_back(v);
    return out;
  }
  static phy::carrier_config carrier() {
    return *phy::carrier_config::make(25, phy::cyclic_prefix::normal, phy::transmission_mode::tm2, 7.68e6);
  }
  int n_ = 0;
  summary s_{sniffer_settings{}, carrier(), std::nullopt};
};

TEST_F(summary_table, missing_rlc_pdus_of_a_transmitter_are_lost_frames) {
  for (const unsigned sn : {30U, 31U, 0U, 1U, 5U, 6U}) s_.add(block(0x111111, sn));  // 2, 3, 4 are missing
  s_.add(block(0x111111, 6, true));  // the repetition of a block is none
  s_.add(block(0x111111, 5));        // late, or a copy: nothing more is missing
  s_.add(block(0x333333, 9));
  EXPECT_EQ(row("111111 > 222222")[0], 8);
  EXPECT_EQ(row("111111 > 222222")[1], 3);
  EXPECT_EQ(row("333333 > 222222")[1], 0) << "where one begins is not a loss";
}

TEST_F(summary_table, failed_blocks_are_counted_though_no_event_tells_of_them) {
  s_.tick(7'680'000, 5, 17);
  EXPECT_NE(s_.text().find("17 failed"), std::string::npos) << s_.text();
  EXPECT_NE(s_.text().find("5 samples lost"), std::string::npos) << s_.text();
}

TEST_F(summary_table, frames_without_addresses_have_rows_too) {
  captured_frame f;
  f.octets.resize(4);  // no room for SRC and DST
  s_.add(f);
  f.kind = frame_kind::discovery;
  s_.add(f);
  f.kind = frame_kind::mib_sl;
  f.n_sl_id = 30;
  s_.add(f);
  for (const char* who : {"  malformed", "  discovery", "  SLSS 30"}) EXPECT_EQ(row(who)[0], 1) << who;
}

TEST_F(summary_table, no_line_is_longer_than_the_terminal_is_wide) {
  s_.add(block(0x111111, 0));
  for (const std::size_t columns : {20U, 80U, 200U}) {
    std::istringstream in(s_.text(columns));
    int lines = 0;
    for (std::string l; std::getline(in, l); ++lines) EXPECT_LE(l.size(), columns) << l;
    EXPECT_EQ(lines, 3);
  }
  std::istringstream in(s_.text());
  std::string l;
  std::getline(in, l);
  while (std::getline(in, l)) EXPECT_LE(l.size(), 79U) << "the table itself fits 80 columns: " << l;
}

}  // namespace
}  // namespace prose::apps
