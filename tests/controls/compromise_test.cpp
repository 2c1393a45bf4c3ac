// Stolen state that is empty, half written, too large or not followed to its end must never end in "opaque".
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "apps/lib/verdict/verdict.h"
#include "mac/rlc_um.h"

namespace prose::apps {
namespace {
const std::string key_line = std::string(43, 'A') + "=\n";

std::vector<captured_frame> records(int n) {
  std::mt19937_64 rng(7);
  std::vector<captured_frame> out;
  for (int i = 0; i < n; ++i) {
    std::vector<std::uint8_t> pdu(85);
    for (auto& x : pdu) x = static_cast<std::uint8_t>(rng());
    security::write_pdcp_header({security::sdu_type::ip, 0x1234, static_cast<std::uint16_t>(i)},
                                std::span(pdu).first<5>());
    mac::rlc_um_tx rlc;
    rlc.enqueue(pdu);
    captured_frame f;
    f.number = out.size();
    f.octets.resize(pdu.size() + 20);
    mac::sl_sch_builder build({mac::sl_sch_version::v2x, 0x123456, 0xabcdef}, f.octets);
    rlc.build(build.add(1, rlc.wanted_octets()));
    build.finish();
    out.push_back(f);
  }
  return out;
}

verdict_options with(std::string_view text) {
  auto all = std::make_shared<std::vector<stolen_file>>();
  all->push_back(std::move(*parse_stolen_state(text, "stolen")));
  verdict_options o;
  o.compromised = all;
  return o;
}

struct folder {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("compromise_test." + std::to_string(::getpid()));
  folder() { std::filesystem::create_directories(path); }
  ~folder() { std::filesystem::remove_all(path); }
  std::string put(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

TEST(compromise, that_was_not_tried_is_not_opaque) {
  const auto frames = records(20);
  EXPECT_EQ(exit_status(judge(frames, with(key_line)).outcome), 0);
  for (const auto* nothing : {"", "# no key yet\n", "PROSE_RECORD_KEY 1 aes"}) {
    const auto v = judge(frames, with(nothing));
    EXPECT_EQ(exit_status(v.outcome), 4) << nothing;
    EXPECT_NE(v.reason.find("holds no key"), std::string::npos) << v.reason;
  }
}

TEST(compromise, of_records_beyond_what_is_kept_is_not_opaque) {
  auto o = with(key_line);
  o.max_kept_octets = 85 * 15;
  const auto v = judge(records(20), o);
  EXPECT_EQ(v.frames_not_examined, 5U);
  EXPECT_EQ(exit_status(v.outcome), 4);
  EXPECT_NE(to_text(v).find("5 records"), std::string::npos) << to_text(v);
}

TEST(compromise, an_unfinished_line_is_left_out_and_a_wrong_one_is_not) {
  for (const auto* unfinished : {"P", "PROSE_RECORD_K", "PROSE_RECORD_KEY", "PROSE_RECORD_KEY 1 00"}) {
    EXPECT_TRUE(parse_stolen_state(key_line + unfinished, "k")) << unfinished;
    EXPECT_FALSE(parse_stolen_state(key_line + unfinished + "\n", "k")) << unfinished;
  }
  EXPECT_TRUE(parse_stolen_state(key_line.substr(0, 44), "k")->holds_key()) << "a key file without a line break";
}

TEST(compromise, a_file_over_the_limit_is_refused) {
  folder f;
  const std::string line = "#" + std::string(62, ' ') + "\n";
  std::string text;
  while (text.size() < 1U << 24) text += line;
  EXPECT_TRUE(load_stolen_state(f.put("whole", text)));
  const auto refused = load_stolen_state(f.put("larger", text + key_line));
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("16 MiB"), std::string::npos);
}

TEST(compromise, pre_shared_keys_of_a_permission_file_are_read_with_it) {
  folder f;
  const std::string permit = "john " + key_line.substr(0, 44) + " psk=john.psk\n";
  const auto path = f.put("mary.permit", permit);
  const auto missing = load_stolen_state(path);
  ASSERT_FALSE(missing);
  EXPECT_NE(missing.error().message.find("john.psk"), std::string::npos);
  f.put("john.psk", "no key\n");
  EXPECT_FALSE(load_stolen_state(path));
  f.put("john.psk", key_line);
  const auto read = load_stolen_state(path);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->secrets.size(), 1U);
  EXPECT_EQ(read->secrets.front().octets, std::vector<std::uint8_t>(32));
}

}  // namespace
}  // namespace prose::apps
