// Addresses in configs/*.yaml: what is refused, and where it stands.
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "apps/lib/common/config.h"
#include "apps/ue/program_config.h"

namespace prose::apps {
namespace {

result<program_config> read(const std::string& data) {
  auto file = config_section::parse("identity:\n  private_key: keys/john.key\ndata:\n" + data, "/etc/prose/john.yaml");
  if (!file) return tl::unexpected(file.error());
  return read_program_config(*file, "/etc/prose/john.yaml");
}

TEST(address_config, files_have_their_places) {
  auto c = read("  kind: tun\n");
  ASSERT_TRUE(c) << c.error().message;
  EXPECT_EQ(c->tun.ipv4_table, "/etc/prose/keys/john.key.ipv4");
  EXPECT_EQ(c->tun.hosts, "");
  c = read("  ipv4_table: t\n  hosts: h\n");
  ASSERT_TRUE(c);
  EXPECT_EQ(c->tun.ipv4_table, "/etc/prose/t");
  EXPECT_EQ(c->tun.hosts, "/etc/prose/h");
  EXPECT_EQ(read("  ipv4_table: off\n")->tun.ipv4_table, "");
}

TEST(address_config, an_address_twice_is_an_error_with_file_and_line) {
  const std::string peers = "  peers:\n    - {name: mary, ipv4: 10.64.0.2, ipv6: \"fd00::2\"}\n    - ";
  ASSERT_TRUE(
      read("  ipv4: 10.64.0.1\n  ipv6: \"fd00::1\"\n" + peers + "{name: peter, ipv4: 10.64.0.3, ipv6: \"fd00::3\"}\n"));
  const std::pair<std::string, const char*> bad[] = {
      {peers + "{name: peter, ipv4: 10.64.0.2}\n", "john.yaml:6: data.peers[1].ipv4"},
      {peers + "{name: peter, ipv6: \"fd00:0::2\"}\n", "john.yaml:6: data.peers[1].ipv6"},
      {"  ipv4: 10.64.0.2\n" + peers + "{name: peter}\n", "john.yaml:6: data.peers[0].ipv4"},
      {peers + "{name: mary}\n", "john.yaml:6: data.peers[1].name"},
  };
  for (const auto& [text, where] : bad) {
    const auto c = read(text);
    ASSERT_FALSE(c) << text;
    EXPECT_NE(c.error().message.find("john.yaml:6: "), std::string::npos) << c.error().message << " for " << where;
    EXPECT_EQ(c.error().message.find('\n'), std::string::npos);
    EXPECT_NE(c.error().message.find("accepted: each "), std::string::npos) << c.error().message;
  }
}

TEST(address_config, what_no_host_can_have_is_refused) {
  for (const char* bad : {"ipv4: 224.0.0.1", "ipv4: 127.0.0.1", "ipv4: 0.0.0.0", "ipv4: \"fd00::1\"", "ipv6: 10.64.0.1",
                          "ipv6: \"ff02::1\"", "ipv6: \"fe80::1\"", "ipv6: \"::\"", "ipv4: peter"}) {
    const auto c = read(std::string("  ") + bad + "\n");
    ASSERT_FALSE(c) << bad;
    EXPECT_NE(c.error().message.find("john.yaml:4: "), std::string::npos) << c.error().message;
  }
  const auto half = read("  ipv4_table: off\n  peers: [{name: mary, ipv4: 10.64.0.2}]\n");
  ASSERT_FALSE(half);
  EXPECT_NE(half.error().message.find("data.ipv4"), std::string::npos) << half.error().message;
  EXPECT_TRUE(read("  ipv4_table: off\n  ipv4: 10.64.0.1\n  peers: [{name: mary, ipv4: 10.64.0.2}]\n"));
}

}  // namespace
}  // namespace prose::apps
