// The work of a look-up of a pre-shared key is counted, whoever is asked for.
#include "apps/lib/function/psk_folder.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace prose::function {
namespace {
namespace fs = std::filesystem;

struct work {
  int read = 0, not_there = 0;
  friend bool operator==(const work&, const work&) = default;
};

class psks : public ::testing::Test {
protected:
  psks() {
    fs::create_directories(path_);
    for (const char* name : {"john", "mary", "peter"}) add(name, 7);
    std::ofstream(path_ + "/README.txt") << "no key\n";
    std::ofstream(path_ + "/broken.psk") << "no key\n";
    fs::permissions(path_ + "/broken.psk", fs::perms::owner_read | fs::perms::owner_write);
  }
  ~psks() override { fs::remove_all(path_); }
  void add(const std::string& name, std::uint8_t octet) {
    ASSERT_TRUE(keys::write_secret(path_ + "/" + name + ".psk", std::vector<std::uint8_t>(32, octet)));
  }
  psk_folder open() {
    auto f = psk_folder::open(path_, [this](const std::string& path) {
      auto key = keys::read_psk(path);
      ++(key ? done_.read : done_.not_there);
      return key;
    });
    EXPECT_TRUE(f);
    return std::move(*f);
  }
  work of(psk_folder& folder, const std::string& name, bool known) {
    done_ = {};
    EXPECT_EQ(folder.find(name).has_value(), known) << name;
    return done_;
  }
  const std::string path_ = ::testing::TempDir() + "prose_psks_" + std::to_string(getpid());
  work done_;
};

constexpr work always{1, 1};

TEST_F(psks, a_look_up_costs_the_same_for_known_and_unknown_names) {
  auto folder = open();
  EXPECT_FALSE(folder.find("nobody"));  // chooses what is read instead
  for (const char* name : {"john", "mary", "peter"}) EXPECT_EQ(of(folder, name, true), always) << name;
  const std::string names[] = {"nobody",
                               "johm",
                               "",
                               "../john",
                               "john/../mary",
                               "broken",
                               "~",
                               std::string(64, 'a'),
                               std::string(65, 'a'),
                               std::string("john\0", 5)};
  for (const auto& name : names) EXPECT_EQ(of(folder, name, false), always) << name;
}

TEST_F(psks, and_again_after_a_file_is_gone) {
  auto folder = open();
  for (const char* name : {"john", "mary"}) {
    fs::remove(path_ + "/" + name + ".psk");
    EXPECT_FALSE(folder.find(name)) << "removing its file locks a user out";
    EXPECT_FALSE(folder.find("nobody"));
    EXPECT_EQ(of(folder, name, false), always);
    EXPECT_EQ(of(folder, "peter", true), always);
  }
  fs::remove(path_ + "/peter.psk");
  EXPECT_FALSE(folder.find("peter")) << "no user is left, and nothing to read";
  add("ann", 9);
  ASSERT_TRUE(folder.find("ann"));
  EXPECT_EQ(folder.find("ann")->expose()[0], 9);
}

TEST(psk_folder, must_be_one) { EXPECT_FALSE(psk_folder::open("/nowhere/at/all")); }

}  // namespace
}  // namespace prose::function
