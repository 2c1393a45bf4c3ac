// Key files, permission files, and prose-keys as a program.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "prose_test_paths.h"
#include "security/crypto/x25519.h"

namespace prose::keys {
namespace {

struct run_result {
  int code;
  std::string text;
};
run_result run(const std::string& command) {
  FILE* p = ::popen((command + " 2>&1").c_str(), "r");
  std::string text;
  std::array<char, 256> b{};
  while (std::fgets(b.data(), b.size(), p) != nullptr) text += b.data();
  const int rc = ::pclose(p);
  return {WIFEXITED(rc) ? WEXITSTATUS(rc) : -1, text};
}
const std::string tool = std::string(PROSE_BINARY_DIR) + "/bin/prose-keys";

class key_files : public ::testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/prose_keys_XXXXXX";
    folder = ::mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string path(const std::string& n) const { return folder + "/" + n; }
  std::string put(const std::string& n, const std::string& text, mode_t mode = 0600) const {
    std::ofstream(path(n)) << text;
    ::chmod(path(n).c_str(), mode);
    return path(n);
  }
  std::string folder;
  system_random random;
  security::crypto::mbedtls_x25519 dh{random};
};

TEST_F(key_files, a_key_is_one_line_of_mode_0600_never_overwritten) {
  ASSERT_EQ(run(tool + " gen " + path("a")).code, 0);
  struct stat st {};
  ASSERT_EQ(::stat(path("a").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  EXPECT_EQ(st.st_size, 45);
  EXPECT_TRUE(read_private_key(path("a")));
  const auto again = run(tool + " gen " + path("a"));
  EXPECT_EQ(again.code, 1);
}

TEST_F(key_files, public_key_agrees_with_rfc_7748_and_with_standard_input) {
  // RFC 7748 6.1, Alice's key pair.
  const std::string secret = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
  const std::string expected = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n";
  EXPECT_EQ(run(tool + " pub " + put("k", secret + "\n")).text, expected);
  EXPECT_EQ(run("echo " + secret + " | " + tool + " pub").text, expected);
}

TEST_F(key_files, readable_files_and_no_keys_are_refused_with_one_line) {
  const std::string good = "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=";
  for (const mode_t mode : {0644, 0640, 0604, 0660, 0601, 0700, 0500, 04600, 02600, 01600}) {
    const auto r = run(tool + " pub " + put(std::string("m").append(std::to_string(mode)), good, mode));
    EXPECT_EQ(r.code, 2) << std::oct << mode;
    EXPECT_NE(r.text.find("0600"), std::string::npos);
    EXPECT_EQ(std::count(r.text.begin(), r.text.end(), '\n'), 1);
  }
  int n = 0;
  for (const std::string& bad :
       {std::string(43, 'A') + "=", std::string(), good.substr(1), good + "A", good + "\n" + good,
        good.substr(0, 20) + " " + good.substr(20), std::string("dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCp="),
        std::string(44, '*'), std::string(100000, 'A')}) {
    const auto r = run(tool + " pub " + put(std::string("b").append(std::to_string(n++)), bad));
    EXPECT_EQ(r.code, 2) << bad.substr(0, 60);
    EXPECT_EQ(std::count(r.text.begin(), r.text.end(), '\n'), 1);
  }
  EXPECT_EQ(run(tool + " pub " + folder).code, 2);
  EXPECT_EQ(run(tool + " pub " + path("absent")).code, 2);
  EXPECT_EQ(run(tool + " pub /dev/zero").code, 2);
}

TEST_F(key_files, a_secret_of_another_user_is_refused) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a file away";
  ASSERT_EQ(run(tool + " gen " + path("a")).code, 0);
  ASSERT_EQ(::chown(path("a").c_str(), 1234, 1234), 0);
  EXPECT_FALSE(read_private_key(path("a")));
  ASSERT_EQ(::chown(path("a").c_str(), 0, 0), 0);
  EXPECT_TRUE(read_private_key(path("a")));
}

TEST_F(key_files, replacing_a_file_follows_no_link) {
  put("victim", "kept");
  std::filesystem::create_symlink(path("victim"), path("mark"));
  EXPECT_FALSE(write_mark(path("mark"), 1));
  std::string text;
  std::getline(std::ifstream(path("victim")), text);
  EXPECT_EQ(text, "kept");
}

TEST_F(key_files, pre_shared_keys_are_made_checked_and_named) {
  ASSERT_EQ(run(tool + " gen --psk " + path("psk")).code, 0);
  struct stat st {};
  ASSERT_EQ(::stat(path("psk").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0600U);
  EXPECT_TRUE(read_psk(path("psk")));
  const std::string alice = "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=";
  const std::string permit = tool + " permit alice " + alice + " --permits " + path("p") + " --psk ";
  EXPECT_EQ(run(permit + put("zero", std::string(43, 'A') + "=\n")).code, 2);
  EXPECT_EQ(run(permit + put("open", alice + "\n", 0644)).code, 2);
  EXPECT_EQ(run(permit + path("absent")).code, 2);
  EXPECT_FALSE(std::filesystem::exists(path("p")));
  EXPECT_EQ(run(permit + path("psk")).code, 0);
  const auto all = read_permissions(path("p"), dh, random);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ((*all)[0].psk_path, path("psk"));
}

TEST_F(key_files, another_encoding_of_a_key_is_refused_everywhere) {
  ASSERT_EQ(run(tool + " gen " + path("a")).code, 0);
  auto own = read_private_key(path("a"));
  ASSERT_TRUE(own);
  const auto key = dh.public_of(*own);
  auto alias = key;
  alias.octets[31] |= 0x80;
  security::public_key p_plus_9;  // u = 9, the base point, as p + 9
  p_plus_9.octets.fill(0xff);
  p_plus_9.octets[0] = 0xf6;
  p_plus_9.octets[31] = 0x7f;
  const std::string file = " --permits " + path("p");
  ASSERT_EQ(run(tool + " permit anna " + to_base64(key.octets) + file).code, 0);
  for (const auto& k : {alias, p_plus_9}) {
    const auto text = to_base64(k.octets);
    EXPECT_FALSE(check_public_key(text, dh, random));
    EXPECT_EQ(run(tool + " permit anne " + text + file).code, 2);
    EXPECT_EQ(run(tool + " permit me " + text + " --permits " + path("q") + " --key " + path("a")).code, 2);
    EXPECT_FALSE(parse_permissions("anne " + text + "\n", "f", dh, random));
    security::peer_table peers(
        security::key_pair::from_private(security::static_private_key(own->expose()), {random, dh}), {random, dh});
    EXPECT_FALSE(peers.add("me", k)) << "own key";
  }
  security::peer_table others(security::key_pair::generate({random, dh}), {random, dh});
  ASSERT_TRUE(others.add("anna", key));
  EXPECT_FALSE(others.add("anne", alias));
  auto largest = p_plus_9;  // p - 2: in range, of large order or on the twist
  largest.octets[0] = 0xeb;
  EXPECT_TRUE(security::canonical(largest));
  EXPECT_TRUE(others.add("large", largest));
}

TEST_F(key_files, low_order_and_zero_public_keys_are_refused) {
  // Low-order points of Curve25519 as in RFC 7748 7 and the list that libsodium refuses.
  const std::array<std::uint8_t, 32> zero{};
  std::array<std::uint8_t, 32> one{};
  one[0] = 1;
  std::array<std::uint8_t, 32> p_minus_1{};
  p_minus_1.fill(0xff);
  p_minus_1[0] = 0xec;
  p_minus_1[31] = 0x7f;
  for (const auto& k : {zero, one, p_minus_1}) {
    const auto r = run(tool + " permit peer " + to_base64(k) + " --permits " + path("p"));
    EXPECT_EQ(r.code, 2);
    EXPECT_NE(r.text.find("low order"), std::string::npos) << r.text;
  }
}

TEST_F(key_files, permissions_are_kept_changed_keys_and_duplicates_refused) {
  const auto key = [&](const std::string& n) {
    run(tool + " gen " + path(n));
    auto t = run(tool + " pub " + path(n)).text;
    t.pop_back();
    return t;
  };
  const auto john = key("john"), peter = key("peter"), mary = key("mary");
  const std::string file = " --permits " + path("permits");
  EXPECT_EQ(run(tool + " permit john " + john + file).code, 0);
  EXPECT_EQ(run(tool + " permit peter " + peter + file).code, 0);
  EXPECT_EQ(run(tool + " permit john " + mary + file).code, 2) << "a key is pinned";
  EXPECT_EQ(run(tool + " permit johnny " + john + file).code, 2) << "one key, one name";
  EXPECT_EQ(run(tool + " permit 'a b' " + mary + file).code, 2);
  EXPECT_EQ(run(tool + " permit mary " + mary + file + " --key " + path("mary")).code, 2) << "own key";
  EXPECT_EQ(run(tool + " permit john --remove" + file).code, 0);
  EXPECT_EQ(run(tool + " permit john --remove" + file).code, 2);
  const auto all = read_permissions(path("permits"), dh, random);
  ASSERT_TRUE(all);
  ASSERT_EQ(all->size(), 1U);
  EXPECT_EQ((*all)[0].name, "peter");
  const auto bad = parse_permissions("peter " + peter + "\npeter " + john + "\n", "f", dh, random);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().message.rfind("f:2: ", 0), 0U);
  EXPECT_FALSE(parse_permissions("a " + john + "\nb " + john + "\n", "f", dh, random));
  EXPECT_FALSE(parse_permissions("a " + john + " x psk=y\n", "f", dh, random));
  const auto blank = parse_permissions("a " + john + " psk=x y \r\n", "f", dh, random);
  ASSERT_TRUE(blank);
  EXPECT_EQ((*blank)[0].psk_path, "x y");
  EXPECT_TRUE(parse_permissions("\n# note\na " + john + " psk=x\n", "f", dh, random));
}

TEST_F(key_files, fingerprint_is_the_same_on_both_sides) {
  const auto key = [&](const std::string& n) {
    run(tool + " gen " + path(n));
    auto t = run(tool + " pub " + path(n)).text;
    t.pop_back();
    return t;
  };
  const auto a = key("a"), b = key("b"), c = key("c");
  const auto ab = run(tool + " fingerprint " + b + " --key " + path("a"));
  EXPECT_EQ(ab.code, 0);
  EXPECT_EQ(ab.text, run(tool + " fingerprint " + a + " --key " + path("b")).text);
  EXPECT_NE(ab.text, run(tool + " fingerprint " + c + " --key " + path("b")).text);
  run(tool + " permit bob " + b + " --permits " + path("p"));
  EXPECT_EQ(ab.text, run(tool + " fingerprint bob --key " + path("a") + " --permits " + path("p")).text);
  EXPECT_EQ(run(tool + " fingerprint nobody --key " + path("a") + " --permits " + path("p")).code, 2);
}

TEST_F(key_files, slot_mark_survives_a_restart_and_rejects_rubbish) {
  EXPECT_EQ(*read_mark(path("mark")), std::nullopt);
  ASSERT_TRUE(write_mark(path("mark"), 4294967295U));
  EXPECT_EQ(*read_mark(path("mark")), 4294967295U);
  for (const char* bad : {"", "x", "-1", "4294967296", "1 2"}) EXPECT_FALSE(read_mark(put("bad", bad))) << bad;
}

TEST_F(key_files, program_follows_the_common_contract) {
  EXPECT_EQ(run(tool + " --help").code, 0);
  EXPECT_EQ(run(tool + " --version").code, 0);
  EXPECT_EQ(run(tool).code, 2);
  EXPECT_EQ(run(tool + " --config " + path("none.yaml") + " gen").code, 2);
  put("c.yaml", "key: " + path("k") + "\nspeed: 3\n");
  EXPECT_EQ(run(tool + " --config " + path("c.yaml") + " pub").code, 2);
}

}  // namespace
}  // namespace prose::keys
