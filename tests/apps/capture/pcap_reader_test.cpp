// Capture files read again: what our own writer wrote (self-consistency; tshark judges the writer, pcap_test.cpp), and
// files that are none.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <vector>

#include "apps/lib/capture/pcap_reader.h"
#include "apps/lib/capture/pcap_sink.h"
#include "apps/lib/capture/pcap_writer.h"
#include "common/hex.h"

namespace prose::apps {
namespace {

class pcap_reader_files : public ::testing::Test {
protected:
  ~pcap_reader_files() override { std::remove(path_.c_str()); }
  std::string text() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void write(const std::string& octets) const { std::ofstream(path_, std::ios::binary) << octets; }
  std::vector<captured_frame> frames() const {
    auto r = pcap_reader::open(path_);
    EXPECT_TRUE(r) << r.error().message;
    std::vector<captured_frame> out;
    while (r) {
      auto f = r->next();
      EXPECT_TRUE(f) << f.error().message;
      if (!f || !*f) break;
      out.push_back(std::move(**f));
    }
    return out;
  }
  const std::string path_ = ::testing::TempDir() + "prose_pcap_reader_" + std::to_string(getpid());
};

captured_frame frame(frame_kind kind, const std::string& octets) {
  captured_frame f;
  f.kind = kind;
  f.time_s = 2.25;
  f.absolute_subframe = 3417;
  f.octets = from_hex(octets).value();
  return f;
}
const std::string pdu = "10123456abcd23051f1122334455000000";

TEST_F(pcap_reader_files, frames_of_the_sink_come_back) {
  {
    auto sink = pcap_sink::open(path_, "");
    ASSERT_TRUE(sink) << sink.error().message;
    captured_frame block = frame(frame_kind::sl_sch, pdu);
    block.modulation_order = 4;
    block.mcs = 9;
    block.n_prb = 8;
    block.prb_start = 2;
    ASSERT_TRUE(sink->add(block));
    ASSERT_TRUE(sink->add(frame(frame_kind::mib_sl, "6155780000")));
    ASSERT_TRUE(sink->add(frame(frame_kind::mib_sl, "615578000000")));
    ASSERT_TRUE(sink->add(frame(frame_kind::discovery, std::string(58, 'a'))));
  }
  const auto got = frames();
  ASSERT_EQ(got.size(), 4U);
  const frame_kind kinds[] = {frame_kind::sl_sch, frame_kind::mib_sl, frame_kind::mib_sl, frame_kind::discovery};
  const std::string octets[] = {pdu, "6155780000", "615578000000", std::string(58, 'a')};
  const int subframes[] = {3417, 3417, -1, -1};  // only the framing of a MAC PDU holds it
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(got[i].number, i);
    EXPECT_EQ(got[i].kind, kinds[i]);
    EXPECT_EQ(to_hex(got[i].octets), octets[i]);
    EXPECT_EQ(got[i].n_bits, static_cast<int>(4 * octets[i].size()));
    EXPECT_EQ(got[i].absolute_subframe, subframes[i]);
    EXPECT_DOUBLE_EQ(got[i].time_s, 2.25);
    EXPECT_TRUE(got[i].crc_ok);
  }
  const auto& b = got.front();
  EXPECT_EQ(std::vector<int>({b.modulation_order, b.mcs, b.n_prb, b.prb_start, b.tbs}),
            std::vector<int>({4, 9, 8, 2, b.n_bits}));
}

TEST_F(pcap_reader_files, packets_and_headers_without_end_are_passed_over) {
  {
    auto w = pcap_writer::open(path_);
    ASSERT_TRUE(w);
    ASSERT_TRUE(w->write_ip({}, from_hex("4500").value()));
    ASSERT_TRUE(w->write_sl_sch({.crc_ok = false}, {}, from_hex(pdu).value()));
  }
  const std::string whole = text();
  ASSERT_EQ(frames().size(), 1U);
  EXPECT_FALSE(frames()[0].crc_ok);
  // The header's end (four octets of zero) becomes the name of another dissector.
  const std::string name = "mac-lte-framed";
  const auto end = whole.find(name) + name.size();
  std::string without = whole;
  without[end + 1] = 12;
  write(without);
  EXPECT_TRUE(frames().empty());
  // Its length reaches past the record.
  without[end + 3] = 99;
  write(without);
  EXPECT_TRUE(frames().empty());
}

TEST_F(pcap_reader_files, every_cut_is_an_end_or_an_error) {
  {
    auto sink = pcap_sink::open(path_, "");
    ASSERT_TRUE(sink);
    for (int i = 0; i < 2; ++i) ASSERT_TRUE(sink->add(frame(frame_kind::sl_sch, pdu)));
  }
  const std::string whole = text();
  const std::size_t header = 24, record = (whole.size() - header) / 2;
  for (std::size_t n = 0; n < whole.size(); ++n) {
    write(whole.substr(0, n));
    auto r = pcap_reader::open(path_);
    ASSERT_EQ(r.has_value(), n >= header) << n;
    if (!r) {
      EXPECT_EQ(r.error().message.rfind(path_, 0), 0U) << r.error().message;
      continue;
    }
    std::size_t got = 0;
    auto f = r->next();
    for (; f && *f; f = r->next()) ++got;
    EXPECT_EQ(got, (n - header) / record) << n;
    EXPECT_EQ(f.has_value(), (n - header) % record == 0) << n;
  }
}

TEST_F(pcap_reader_files, what_is_no_capture_file_of_ours_is_told) {
  EXPECT_FALSE(pcap_reader::open(path_));
  EXPECT_FALSE(pcap_reader::open(::testing::TempDir()));
  {
    auto w = pcap_writer::open(path_);
    ASSERT_TRUE(w);
    ASSERT_TRUE(w->write_ip({}, from_hex("4500").value()));
  }
  std::string other = text();
  other[20] = 1;  // the link type: Ethernet
  write(other);
  const auto r = pcap_reader::open(path_);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("link type 1; accepted: 252"), std::string::npos) << r.error().message;
}

}  // namespace
}  // namespace prose::apps
