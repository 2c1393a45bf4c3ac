// What Wireshark itself says of our capture files. tshark is the judge; without it the tests skip.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/lib/capture/pcap_sink.h"
#include "apps/lib/capture/pcap_writer.h"
#include "common/hex.h"
#include "mac/sl_sch.h"
#include "prose_test_paths.h"
#include "security/record.h"

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
  void TearDown() override { std::remove(plugin_.c_str()); }
  /// The option that loads our plugin. A copy: not everybody may read the folder of the source.
  std::string plugin() {
    std::filesystem::copy_file(PROSE_SOURCE_DIR "/scripts/wireshark/prose.lua", plugin_,
                               std::filesystem::copy_options::overwrite_existing);
    return "-X lua_script:" + readable(plugin_);
  }
  static std::string readable(const std::string& path) {
    ::chmod(path.c_str(), 0644);
    return path;
  }
  static std::string fields(const std::string& path, const std::string& names, const std::string& options = "") {
    // Wireshark runs no plugins as root from 4.4 on, and does not say so. Plugins of this machine, an installed copy of
    // ours too, are not loaded: they are looked for in folders that are not there.
    std::string command = ::geteuid() == 0 ? "setpriv --reuid=65534 --regid=65534 --clear-groups " : "";
    command += "env HOME=/nonexistent WIRESHARK_PLUGIN_DIR=/nonexistent tshark " + options + " -r " + readable(path) +
               " -T fields";
    for (std::size_t at = 0; at < names.size();) {
      const auto end = std::min(names.find(' ', at), names.size());
      command += " -e " + names.substr(at, end - at);
      at = end + 1;
    }
    return run(command + " 2>/dev/null");
  }
  const std::string plugin_ = temporary("prose.lua");
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

const std::string key_line =
    "PROSE_RECORD_KEY AES-256-GCM 1234 0a0b0c 0d0e0f " + std::string(64, '7') + " " + std::string(24, '5');

/// A frame whose MAC PDU carries one record of LCID 3, whole in one RLC PDU, sealed with the key of key_line.
captured_frame sealed_frame(const std::string& packet_hex, std::uint32_t dst_lsb) {
  const auto key = security::parse_key_log_line(key_line);
  security::record_sealer sealer(security::record_protection(key->suite_used, security::record_key(key->key.expose()),
                                                             security::record_iv(key->iv.expose()), key->kd_sess_id));
  const auto packet = from_hex(packet_hex).value();
  std::vector<std::uint8_t> rlc(1 + packet.size() + security::record_overhead_octets);
  rlc[0] = 0;  // FI 00, E 0, SN 0
  EXPECT_TRUE(sealer.seal(3, security::sdu_type::ip, packet, std::span(rlc).subspan(1)));
  captured_frame f;
  f.octets.resize(200);
  mac::sl_sch_builder b({mac::sl_sch_version::unicast, 0x0a0b0c, 0x0d0e00}, f.octets);
  const auto room = b.add(3, rlc.size());
  std::copy(rlc.begin(), rlc.end(), room.begin());
  b.finish();
  f.kind = frame_kind::sl_sch;
  f.n_x_id = dst_lsb;
  f.time_s = 2.25;
  f.absolute_subframe = 3417;
  f.n_bits = 1600;
  return f;
}
constexpr const char* udp_packet = "450000200001000040117ccb0a4000010a40000212345678000c000070696e67";

TEST_F(pcap, a_key_log_brings_the_packets_inside_and_another_key_does_not) {
  for (const bool right : {true, false}) {
    const std::string path = temporary("sink.pcap"), log = temporary("keylog");
    std::string text = "# a remark\n\n" + key_line + "\n";
    if (!right) text.replace(text.rfind("77"), 2, "78");
    std::ofstream(log) << text;
    {
      auto sink = pcap_sink::open(path, log);
      ASSERT_TRUE(sink) << sink.error().message;
      auto f = sealed_frame(udp_packet, 0x0f);
      ASSERT_TRUE(sink->add(f));
      f.repetition = true;
      ASSERT_TRUE(sink->add(f));  // left out
      EXPECT_EQ(sink->n_opened(), right ? 1U : 0U);
    }
    const auto text_of =
        fields(path, "mac-lte.sfn mac-lte.subframe mac-lte.slsch.src-l2-id ip.src ip.dst data.data _ws.malformed");
    EXPECT_EQ(text_of,
              std::string("341\t7\t0x0a0b0c\t\t\t\t\n") + (right ? "\t\t\t10.64.0.1\t10.64.0.2\t70696e67\t\n" : ""));
    std::remove(path.c_str());
    std::remove(log.c_str());
  }
}

TEST_F(pcap, the_lua_plugin_shows_discovery_rlc_and_pdcp) {
  const std::string path = temporary("lua.pcap");
  {
    auto sink = pcap_sink::open(path, "");
    ASSERT_TRUE(sink);
    ASSERT_TRUE(sink->add(sealed_frame(udp_packet, 0x0f)));
    captured_frame d;
    d.kind = frame_kind::discovery;
    d.octets = from_hex("08" + std::string(46, 'a') + "11223344" + "2a").value();
    ASSERT_TRUE(sink->add(d));
  }
  const auto text = fields(path,
                           "prose.slrb.rlc.sn prose.slrb.pdcp.sdu_type prose.slrb.pdcp.kd_sess_id prose.slrb.pdcp.sn "
                           "prose.pc5_discovery.type prose.pc5_discovery.mic prose.pc5_discovery.utc_lsb _ws.malformed",
                           plugin());
  EXPECT_EQ(text, "0\t0\t0x1234\t0\t\t\t\t\n\t\t\t\t0x08\t11223344\t42\t\n");
  std::remove(path.c_str());
}

/// An SL-SCH PDU with one SDU, an RLC PDU that holds `sdu` from `first` to `last`.
captured_frame frame_with_sdu(std::uint8_t lcid, const std::vector<std::uint8_t>& sdu, std::uint8_t rlc_header) {
  captured_frame f;
  f.octets.resize(sdu.size() + 40);
  mac::sl_sch_builder b({mac::sl_sch_version::unicast, 0x0a0b0c, 0x0d0e00}, f.octets);
  const auto room = b.add(lcid, sdu.size() + 1);
  room[0] = rlc_header;
  std::copy(sdu.begin(), sdu.end(), room.begin() + 1);
  b.finish();
  f.kind = frame_kind::sl_sch;
  f.n_x_id = 0x0f;
  return f;
}

TEST_F(pcap, the_lua_plugin_shows_pc5_signalling_where_wireshark_shows_no_sdu) {
  const std::string path = temporary("pc5s.pcap");
  {
    auto sink = pcap_sink::open(path, "");
    ASSERT_TRUE(sink);
    // A Direct Communication Request on LCID 28: PDCP header of SDU type 2 and KD-sess ID 0, then 65 octets.
    const auto request = from_hex(
                             "4000000000"
                             "01"
                             "1234"
                             "01" +
                             std::string(64, 'e') + std::string(42, '5') + "7766554433221100")
                             .value();
    ASSERT_TRUE(sink->add(frame_with_sdu(28, request, 0)));
    // Cut short, and of an unknown type: no error, fewer fields.
    ASSERT_TRUE(sink->add(frame_with_sdu(28,
                                         from_hex("4000000000"
                                                  "01"
                                                  "1235"
                                                  "01ee")
                                             .value(),
                                         1)));
    ASSERT_TRUE(sink->add(frame_with_sdu(29,
                                         from_hex("4000000000"
                                                  "63"
                                                  "1236")
                                             .value(),
                                         0)));
  }
  const auto text = fields(
      path, "prose.slrb.lcid prose.pc5s.type prose.pc5s.seq prose.pc5s.version prose.pc5s.ephemeral prose.pc5s.token",
      plugin());
  EXPECT_EQ(text, "28\t1\t4660\t1\t" + std::string(64, 'e') + "\t7766554433221100\n" + "28\t1\t4661\t1\t\t\n" +
                      "29\t99\t4662\t\t\t\n");
  std::remove(path.c_str());
}

TEST_F(pcap, the_lua_plugin_deciphers_ip_with_a_key_log_also_across_segments) {
  for (const std::string suite : {"AES-256-GCM", "ChaCha20-Poly1305"}) {
    const std::string path = temporary("deciphered.pcap"), log = temporary("lua_keylog");
    std::string line = key_line;
    line.replace(line.find("AES-256-GCM"), 11, suite);
    std::ofstream(log) << "# remark\n" << line << "\n";
    const auto key = security::parse_key_log_line(line);
    ASSERT_TRUE(key) << key.error().message;
    security::record_sealer sealer(security::record_protection(key->suite_used, security::record_key(key->key.expose()),
                                                               security::record_iv(key->iv.expose()), key->kd_sess_id));
    // 116 octets of data: several blocks of either cipher.
    const auto packet =
        from_hex("450000740001000040117c770a4000010a4000021234567800600000" + std::string(176, '7')).value();
    std::vector<std::uint8_t> record(packet.size() + security::record_overhead_octets);
    {
      auto sink = pcap_sink::open(path, "");
      ASSERT_TRUE(sink);
      for (int i = 0; i < 2; ++i) {  // COUNT 0 whole, COUNT 1 in two segments
        ASSERT_TRUE(sealer.seal(3, security::sdu_type::ip, packet, record));
        if (i == 0) {
          ASSERT_TRUE(sink->add(frame_with_sdu(3, record, 0)));
        }
      }
      ASSERT_TRUE(sink->add(frame_with_sdu(3, {record.begin(), record.begin() + 50}, 0x40 | 1)));
      ASSERT_TRUE(sink->add(frame_with_sdu(3, {record.begin() + 50, record.end()}, 0x80 | 2)));
      ASSERT_TRUE(
          sink->add(frame_with_sdu(3, {record.begin() + 50, record.end()}, 0x80 | 9)));  // its beginning was lost
    }
    const std::string with_log = plugin() + " -o prose.slrb.keylog:" + readable(log);
    const std::string names = "prose.slrb.pdcp.sn ip.src ip.dst udp.dstport udp.payload _ws.malformed";
    const std::string shown = "\t10.64.0.1\t10.64.0.2\t22136\t" + std::string(176, '7') + "\t\n";
    EXPECT_EQ(fields(path, names, with_log), "0" + shown + "\t\t\t\t\t\n" + "1" + shown + "\t\t\t\t\t\n") << suite;
    EXPECT_EQ(fields(path, names, with_log + " -2"), "0" + shown + "\t\t\t\t\t\n" + "1" + shown + "\t\t\t\t\t\n")
        << suite << ", two passes";
    std::remove(path.c_str());
    std::remove(log.c_str());
  }
}

TEST(link_opener, a_key_log_that_grows_is_read_again) {
  const std::string log = temporary("growing");
  std::ofstream(log) << "";
  auto o = link_opener::open(log);
  ASSERT_TRUE(o);
  int n = 0;
  const auto count = [&n](const link_opener::opened& x) {
    n += x.sdu_type == 0 && x.src == 0x0a0b0c && x.dst == 0x0d0e0f && x.lcid == 3;
  };
  o->add(sealed_frame(udp_packet, 0x0f), count);
  EXPECT_EQ(n, 0);
  std::ofstream(log, std::ios::app) << key_line << "\n";
  o->add(sealed_frame(udp_packet, 0x0f), count);
  EXPECT_EQ(n, 1);
  EXPECT_EQ(o->n_closed(), 1U);
  std::remove(log.c_str());
}

/// Records of the key of key_line in two segments, SNs from 0; `between` gives RLC PDUs that somebody else sends
/// between the two.
template <class Between>
void segmented_records(link_opener& o, int n, Between&& between,
                       const std::function<void(const link_opener::opened&)>& give) {
  const auto key = security::parse_key_log_line(key_line);
  security::record_sealer sealer(security::record_protection(key->suite_used, security::record_key(key->key.expose()),
                                                             security::record_iv(key->iv.expose()), key->kd_sess_id));
  const auto packet = from_hex(udp_packet).value();
  std::vector<std::uint8_t> record(packet.size() + security::record_overhead_octets);
  for (int i = 0; i < n; ++i) {
    const auto sn = static_cast<std::uint8_t>(2 * i % 32);
    EXPECT_TRUE(sealer.seal(3, security::sdu_type::ip, packet, record));
    o.add(frame_with_sdu(3, {record.begin(), record.begin() + 20}, 0x40 | sn), give);
    between(i, sn);
    o.add(frame_with_sdu(3, {record.begin() + 20, record.end()}, static_cast<std::uint8_t>(0x80 | (sn + 1) % 32)),
          give);
  }
}

TEST(link_opener, one_forged_block_an_sdu_hides_nothing) {
  const std::vector<std::uint8_t> forged(20, 0x99);
  // A whole SDU, a beginning, a middle and an end, each under the next SN, the same one, and another.
  for (const int fi : {0x00, 0x40, 0xc0, 0x80})
    for (const int step : {0, 1, 9}) {
      link_opener o(*parse_key_log(key_line, "x"));
      int n = 0;
      const auto count = [&](const link_opener::opened& x) { n += x.sdu_type == 0; };
      segmented_records(
          o, 40,
          [&](int, int sn) {
            o.add(frame_with_sdu(3, forged, static_cast<std::uint8_t>(fi | (sn + step) % 32)), count);
          },
          count);
      EXPECT_EQ(n, 40) << fi << ' ' << step;
      EXPECT_EQ(o.n_opened(), 40U);
      EXPECT_FALSE(o.bound_hit());
    }
}

TEST(link_opener, more_forged_blocks_than_candidates_are_told) {
  link_opener o(*parse_key_log(key_line, "x"));
  int n = 0;
  const auto count = [&](const link_opener::opened& x) { n += x.sdu_type == 0; };
  segmented_records(
      o, 4,
      [&](int i, int sn) {
        for (int k = 0; k < 20; ++k)
          o.add(frame_with_sdu(3, std::vector<std::uint8_t>(20, static_cast<std::uint8_t>(20 * i + k)),
                               static_cast<std::uint8_t>(0x40 | sn)),
                count);
      },
      count);
  EXPECT_LT(n, 4);
  EXPECT_TRUE(o.bound_hit());
}

TEST(link_opener, a_bad_key_log_is_one_line_with_its_number) {
  const auto k = parse_key_log(key_line + "\nPROSE_RECORD_KEY NULL 1 2 3 4 5\n", "x.keylog");
  ASSERT_FALSE(k);
  EXPECT_EQ(k.error().message.rfind("x.keylog:2: ", 0), 0U) << k.error().message;
  EXPECT_FALSE(link_opener::open("/nonexistent/key.log"));
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
