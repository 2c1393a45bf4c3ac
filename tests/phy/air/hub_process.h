// prose-air as a child process with an air name of its own, for tests.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <string>

#include "prose_test_paths.h"

namespace prose::test {

class hub_process {
public:
  explicit hub_process(const std::string& yaml = "", const std::string& speed = "max") {
    static int count = 0;
    air_ = "test" + std::to_string(getpid()) + "_" + std::to_string(count++);
    const std::string config = "/tmp/" + air_ + ".yaml";
    std::ofstream(config) << yaml << "\n";
    int out[2];
    if (pipe2(out, O_CLOEXEC) != 0) return;
    pid_ = fork();
    if (pid_ == 0) {
      dup2(out[1], 1);
      execl(PROSE_BINARY_DIR "/bin/prose-air", "prose-air", "--config", config.c_str(), "--air", air_.c_str(),
            "--speed", speed.c_str(), "--start", "0", "--log-level", "off", static_cast<char*>(nullptr));
      _exit(127);
    }
    close(out[1]);
    std::string line;
    char c = 0;
    while (read(out[0], &c, 1) == 1 && c != '\n') line += c;
    close(out[0]);
    std::remove(config.c_str());
    EXPECT_EQ(line, "prose-air: ready, air '" + air_ + "'");
  }
  ~hub_process() { end(SIGTERM); }
  void end(int signal) {
    if (pid_ <= 0) return;
    kill(pid_, signal);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }
  const std::string& air() const { return air_; }
  std::string device(const std::string& name, const std::string& more = "") const {
    return "type=virtual,name=" + name + ",air=" + air_ + (more.empty() ? "" : "," + more);
  }

private:
  std::string air_;
  pid_t pid_ = -1;
};

}  // namespace prose::test
