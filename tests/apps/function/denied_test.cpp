// The list of denied users, read again from a configuration. reload_test.py sends the signal to the running server.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "apps/function/options.h"

namespace prose::function {
namespace {

class denied : public ::testing::Test {
public:
  denied() { std::filesystem::create_directories(folder_); }
  ~denied() override { std::filesystem::remove_all(folder_); }
  result<std::set<std::string>> of(const std::string& text) {
    std::ofstream(file_) << text;
    return read_denied(file_);
  }

protected:
  const std::string folder_ = ::testing::TempDir() + "prose_denied_" + std::to_string(getpid());
  const std::string file_ = folder_ + "/function.yaml";
};

TEST_F(denied, is_what_the_file_has_now) {
  EXPECT_EQ(of("denied: [mary, john]\nport: 0\n").value(), (std::set<std::string>{"john", "mary"}));
  EXPECT_EQ(of("denied: mary\n").value(), (std::set<std::string>{"mary"}));
  EXPECT_TRUE(of("denied: []\n").value().empty());
}

TEST_F(denied, without_the_key_the_file_says_nothing) {
  for (const char* text : {"", "# soon\n", "port: 0\n", "denied:\n", "denied: null\n"}) {
    const auto got = of(text);
    ASSERT_FALSE(got) << text;
    EXPECT_NE(got.error().message.find("denied is missing"), std::string::npos) << got.error().message;
  }
}

TEST_F(denied, a_mistake_anywhere_is_refused) {
  for (const char* text :
       {"denied: [~]\n", "denied: ''\n", "denied: {mary: 1}\n", "denied: [mary", "denied: ['a b']\n",
        "denied: [mary]\nport: never\n", "denied: [mary]\ndenied: []\n", "denied: [mary]\nother: 1\n"})
    EXPECT_FALSE(of(text)) << text;
}

TEST_F(denied, only_a_regular_file_is_read) {
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  for (const auto& path : {std::string("/dev/null"), file_}) {  // the pipe has no writer to wait for
    const auto got = read_denied(path);
    ASSERT_FALSE(got);
    ASSERT_NE(got.error().message.find("not a regular file"), std::string::npos) << got.error().message;
  }
  EXPECT_FALSE(read_denied(folder_));
  EXPECT_FALSE(read_denied(folder_ + "/none"));
}

}  // namespace
}  // namespace prose::function
