// The control socket with a status larger than a socket takes at once, and readers that take nothing.
#include "apps/ue/control_socket.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "apps/lib/common/file_descriptor.h"

namespace prose::apps {
namespace {

class control : public testing::Test {
protected:
  control() {
    std::string folder = testing::TempDir() + "control.XXXXXX";
    folder_ = mkdtemp(folder.data());
    path_ = folder_ + "/s";
  }
  ~control() override { std::filesystem::remove_all(folder_); }
  file_descriptor connected() const {
    file_descriptor fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    std::memcpy(a.sun_path, path_.data(), path_.size());
    EXPECT_EQ(connect(fd.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a), 0);
    return fd;
  }
  std::string folder_, path_;
};

double processor_s(clockid_t of) {
  timespec t{};
  clock_gettime(of, &t);
  return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) * 1e-9;
}

/// No descriptor is left in the process while it lives.
class no_descriptors {
public:
  no_descriptors() {
    getrlimit(RLIMIT_NOFILE, &before_);
    const file_descriptor lowest_free(eventfd(0, EFD_CLOEXEC));
    EXPECT_TRUE(lowest_free);
    const rlimit none{static_cast<rlim_t>(lowest_free.get()), before_.rlim_max};
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
  }
  ~no_descriptors() { setrlimit(RLIMIT_NOFILE, &before_); }

private:
  rlimit before_{};
};

TEST_F(control, a_reader_that_cannot_be_accepted_costs_nothing_and_is_served_later) {
  auto c = control_socket::open(path_);
  ASSERT_TRUE(c) << c.error().message;
  (*c)->publish("{}");
  file_descriptor reader(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const double own = processor_s(CLOCK_THREAD_CPUTIME_ID), all = processor_s(CLOCK_PROCESS_CPUTIME_ID);
  {
    const no_descriptors none;
    sockaddr_un a{};
    a.sun_family = AF_UNIX;
    std::memcpy(a.sun_path, path_.data(), path_.size());
    ASSERT_EQ(connect(reader.get(), reinterpret_cast<const sockaddr*>(&a), sizeof a), 0);
    // This thread is busy, so that one that turns in circles gets as much of a loaded machine.
    while (processor_s(CLOCK_THREAD_CPUTIME_ID) - own < 0.3) {
    }
  }
  EXPECT_LT(processor_s(CLOCK_PROCESS_CPUTIME_ID) - all, 0.36);
  char answer[16];
  ASSERT_EQ(recv(reader.get(), answer, sizeof answer, 0), 3);
  EXPECT_EQ(std::string(answer, 3), "{}\n");
}

TEST_F(control, a_reader_that_takes_nothing_holds_up_neither_publishing_nor_the_next_reader) {
  auto server = control_socket::open(path_);
  ASSERT_TRUE(server);
  const std::string large(std::size_t{3} << 20U, 'x');
  (*server)->publish(large);
  const auto stuck = connected();
  // Nobody waits for it here: the status changes while it is served.
  for (int i = 0; i < 100; ++i) (*server)->publish(large + std::to_string(i));
  // It is dropped after a second; whoever asks meanwhile may have to ask again.
  result<std::optional<std::string>> got = fail("not asked");
  for (int tries = 0; tries < 30 && !got; ++tries) got = read_control_socket(path_);
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(**got, large + "99\n");
}

TEST_F(control, readers_that_ask_at_once_are_all_answered) {
  auto server = control_socket::open(path_);
  ASSERT_TRUE(server);
  (*server)->publish("{}");
  std::vector<file_descriptor> readers;
  for (int i = 0; i < 20; ++i) readers.push_back(connected());
  for (const auto& r : readers) {
    char text[4] = {};
    EXPECT_EQ(recv(r.get(), text, sizeof text, MSG_WAITALL), 3);
    EXPECT_STREQ(text, "{}\n");
  }
}

TEST_F(control, only_a_socket_that_nobody_serves_is_replaced) {
  EXPECT_TRUE(control_socket::check(path_));
  EXPECT_FALSE(control_socket::check(folder_ + "/no/s"));
  {
    auto server = control_socket::open(path_);
    ASSERT_TRUE(server);
    EXPECT_FALSE(control_socket::check(path_)) << "served";
    EXPECT_FALSE(control_socket::open(path_));
    struct stat s {};
    ASSERT_EQ(stat(path_.c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 0777U, 0600U);
    // Before its first status.
    const auto early = read_control_socket(path_);
    ASSERT_FALSE(early);
    EXPECT_NE(early.error().message.find("only just started"), std::string::npos) << early.error().message;
  }
  EXPECT_FALSE(std::filesystem::exists(path_));
  const auto none = read_control_socket(path_);
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
}

TEST_F(control, a_name_that_another_program_has_taken_over_stays) {
  {
    auto server = control_socket::open(path_);
    ASSERT_TRUE(server);
    ASSERT_TRUE(std::filesystem::remove(path_));
    std::ofstream(path_) << "another's";
  }
  EXPECT_TRUE(std::filesystem::exists(path_));
}

}  // namespace
}  // namespace prose::apps
