// What Wireshark itself says of our capture files. tshark is the judge; without it the tests skip.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "apps/capture/pcap_writer.h"
#include "common/hex.h"

namespace prose::apps {
namespace {

std::string temporary(const std::string& name) {
  return ::testing::TempDir() + "prose_pcap_" + std::to_string(getpid()) + "_" + name;
}

std::string run(const std::string& command) {
  std::string out;
  FILE* p = popen(command.c_str(), "r");
  if (p == nullptr) return out;
  std::array<char, 4096> chunk{};
  for (std::size_t n = 0; (n = fread(chunk.data(), 1, chunk.size(), p)) > 0;) out.append(chunk.data(), n);
  pclose(p);
  return out;
}

class pcap : public ::testing::Test {
protected:
  void SetUp() override {
    if (std::system("tshark --version > /dev/null 2>&1") != 0) GTEST_SKIP() << "tshark is not installed";
  }
  static std::string fields(const std::string& path, const std::string& names) {
    std::string command = "tshark -r " + path + " -T fields";
    for (std::size_t at = 0; at < names.size();) {
      const auto end = std::min(names.find(' ', at), names.size());
      command += " -e " + names.substr(at, end - at);
      at = end + 1;
    }
    return run(command + " 2>/dev/null");
  }
};

TEST_F(pcap, tshark_reads_the_fields_of_an_sl_sch_pdu) {
  const std::string path = temporary("slsch.pcap");
  {
    auto w = pcap_writer::open(path);
    ASSERT_TRUE(w) << w.error().message;
    // V 1, SRC 123456, DST abcd; LCID 3 with a length, then a last subheader of padding.
    const auto pdu = from_hex("10123456abcd23051f1122334455000000").value();
    ASSERT_TRUE(w->write_sl_sch({.time_ns = 1'500'000'000, .transmitter = 7, .frame_number = 341, .subframe = 7},
                                pcap_phy_context{.modulation_order = 4, .tbs_index = 9, .n_prb = 8, .prb_start = 2},
                                pdu));
    EXPECT_EQ(w->n_records(), 1U);
  }
  EXPECT_EQ(fields(path,
                   "frame.time_epoch mac-lte.slsch.version mac-lte.slsch.src-l2-id mac-lte.slsch.dst-l2-id "
                   "mac-lte.slsch.lcid mac-lte.slsch.sdu mac-lte.ueid mac-lte.sfn mac-lte.subframe _ws.malformed"),
            "1.500000000\t1\t0x123456\t0xabcd\t0x03,0x1f\t1122334455\t7\t341\t7\t\n");
  std::remove(path.c_str());
}

TEST_F(pcap, tshark_reads_both_forms_of_the_mib) {
  const std::string path = temporary("mib.pcap");
  {
    auto w = pcap_writer::open(path);
    ASSERT_TRUE(w);
    ASSERT_TRUE(w->write_mib_sl({}, from_hex("6155780000").value()));
    ASSERT_TRUE(w->write_mib_sl({}, from_hex("615578000000").value()));
  }
  // A truncated MIB shows no error in Wireshark, so the reserved field at its end must be there.
  const auto text = fields(path,
                           "lte-rrc.directFrameNumber_r12 lte-rrc.directSubframeNumber_r12 lte-rrc.reserved_r12 "
                           "lte-rrc.directFrameNumber_r14 lte-rrc.directSubframeNumber_r14 lte-rrc.reserved_r14 "
                           "_ws.malformed");
  const auto second = text.find('\n') + 1;
  EXPECT_EQ(text.substr(0, 7), "5540\t7\t") << text;
  EXPECT_NE(text.substr(0, second), "5540\t7\t\t\t\t\t\n") << "no reserved field: " << text;
  EXPECT_NE(text.substr(second).find("5540\t7\t"), std::string::npos) << text;
  std::remove(path.c_str());
}

TEST_F(pcap, ip_packets_go_through_wiresharks_own_stack) {
  const std::string path = temporary("ip.pcap");
  {
    auto w = pcap_writer::open(path);
    ASSERT_TRUE(w);
    ASSERT_TRUE(w->write_ip({}, from_hex("450000200001000040117ccb0a4000010a4000021234567800"
                                         "0c000070696e67")
                                    .value()));
  }
  EXPECT_EQ(fields(path, "ip.src ip.dst udp.srcport udp.dstport data.data _ws.malformed"),
            "10.64.0.1\t10.64.0.2\t4660\t22136\t70696e67\t\n");
  std::remove(path.c_str());
}

TEST_F(pcap, a_path_that_cannot_be_written_is_an_error) {
  const auto w = pcap_writer::open("/nonexistent/folder/x.pcap");
  ASSERT_FALSE(w);
  EXPECT_NE(w.error().message.find("/nonexistent/folder/x.pcap"), std::string::npos);
  if (std::ifstream("/dev/full")) {
    auto full = pcap_writer::open("/dev/full");
    if (full) {
      EXPECT_FALSE(full->write_ip({}, std::array<std::uint8_t, 1>{0x45}));
    }
  }
}

}  // namespace
}  // namespace prose::apps
