// The audit log changes its file when it is full, and loses no line by it.
#include "apps/function/audit_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "apps/lib/common/stop.h"

namespace prose::function {
namespace {
namespace fs = std::filesystem;

class audit_rotation_test : public ::testing::Test {
protected:
  audit_rotation_test() { fs::create_directories(folder_); }
  ~audit_rotation_test() override { fs::remove_all(folder_); }
  audit_log open(audit_rotation r) {
    auto log = audit_log::open(file_, r);
    EXPECT_TRUE(log) << log.error().message;
    return std::move(*log);
  }
  static void write(audit_log& log, int from, int to) {
    for (int i = from; i < to; ++i) log.write(audit_record{"mary", "192.0.2.1", "grant " + std::to_string(i)});
  }
  /// The numbers of the grants that a file tells of.
  static std::multiset<int> in(const std::string& file) {
    std::multiset<int> found;
    std::ifstream lines(file);
    for (std::string line; std::getline(lines, line);) {
      const auto at = line.find("grant ");
      if (at != std::string::npos) found.insert(std::stoi(line.substr(at + 6)));
    }
    return found;
  }
  const std::string folder_ = ::testing::TempDir() + "prose_audit_" + std::to_string(getpid());
  const std::string file_ = folder_ + "/audit.jsonl";
};

constexpr audit_rotation small{2000, 3};

TEST_F(audit_rotation_test, full_files_move_on_and_no_line_is_lost) {
  auto log = open({2000, 100});
  write(log, 0, 200);
  std::multiset<int> all;
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    ++files;
    EXPECT_LE(fs::file_size(entry), small.most_octets);
    EXPECT_EQ(fs::status(entry).permissions(), fs::perms::owner_read | fs::perms::owner_write);
    all.merge(in(entry.path()));
  }
  EXPECT_GT(files, 3);
  std::multiset<int> expected;
  for (int i = 0; i < 200; ++i) expected.insert(i);
  EXPECT_EQ(all, expected);
  EXPECT_EQ(*in(file_).rbegin(), 199) << "the newest lines are in the file itself";
  EXPECT_EQ(*in(file_ + ".1").rbegin() + 1, *in(file_).begin());
  EXPECT_EQ(log.lost(), 0U);
}

TEST_F(audit_rotation_test, the_oldest_is_deleted) {
  auto log = open(small);
  write(log, 0, 500);
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1 + small.files);
}

TEST_F(audit_rotation_test, what_an_earlier_start_wrote_counts) {
  for (int i = 0; i < 100; ++i) {
    auto log = open(small);
    write(log, i, i + 1);
    ASSERT_LE(fs::file_size(file_), small.most_octets);
  }
  EXPECT_TRUE(fs::exists(file_ + ".1"));
}

TEST_F(audit_rotation_test, never_without_a_limit_nor_for_what_is_no_file) {
  auto log = open({});
  write(log, 0, 200);
  EXPECT_EQ(in(file_).size(), 200U);
  EXPECT_FALSE(fs::exists(file_ + ".1"));
  auto null = audit_log::open("/dev/null", small);
  ASSERT_TRUE(null);
  write(*null, 0, 200);
  EXPECT_FALSE(fs::exists("/dev/null.1"));
}

TEST_F(audit_rotation_test, what_was_open_already_does_not_change_files) {
  const apps::file_descriptor mine(::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  ASSERT_TRUE(mine);
  const auto log = audit_log::open("/dev/fd/" + std::to_string(mine.get()), small);
  ASSERT_TRUE(log);
  EXPECT_FALSE(log->rotates()) << "as root it would rename /dev/stdout";
  EXPECT_TRUE(open(small).rotates());
}

// A signal that comes while a line waits for the reader of a pipe.
TEST_F(audit_rotation_test, a_hangup_loses_no_line) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe(ends.data()), 0);
  const apps::file_descriptor reader(ends[0]), writer(ends[1]);
  const int room = ::fcntl(writer.get(), F_GETPIPE_SZ);
  const std::string full(static_cast<std::size_t>(room), 'x');
  ASSERT_EQ(::write(writer.get(), full.data(), full.size()), room);
  auto log = audit_log::open("/dev/fd/" + std::to_string(writer.get()));
  ASSERT_TRUE(log);
  apps::take_hangups();
  std::atomic<int> id{0};
  std::thread waits([&] {
    id = static_cast<int>(::syscall(SYS_gettid));
    write(*log, 0, 1);
  });
  const auto sleeps = [&] {
    std::ifstream stat("/proc/self/task/" + std::to_string(id.load()) + "/stat");
    std::string number, program, state;
    return id != 0 && stat >> number >> program >> state && state == "S";
  };
  while (!sleeps()) std::this_thread::yield();
  ::pthread_kill(waits.native_handle(), SIGHUP);
  while (!apps::hangup_taken()) std::this_thread::yield();
  std::string got(full.size(), ' ');
  ASSERT_EQ(::read(reader.get(), got.data(), got.size()), room);
  waits.join();
  EXPECT_EQ(log->lost(), 0U);
}

TEST_F(audit_rotation_test, a_file_that_cannot_move_is_written_on) {
  auto log = open(small);
  write(log, 0, 50);
  const auto first = in(file_ + ".1");
  ASSERT_FALSE(first.empty());
  fs::remove(file_ + ".3");
  fs::create_directories(file_ + ".3/taken");  // a folder with content: nothing can be renamed to it
  const auto before = in(file_).size();
  write(log, 50, 250);
  EXPECT_EQ(in(file_).size(), before + 200);
  EXPECT_EQ(in(file_ + ".1"), first) << "nothing is overwritten";
  EXPECT_EQ(log.lost(), 0U);
}

}  // namespace
}  // namespace prose::function
