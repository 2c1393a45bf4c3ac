// UHD reads UHD_MODULE_PATH when it is loaded, before main(): without it this program starts itself once more.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "prose_test_paths.h"
#include "tests/adversary/node.h"

int main(int argc, char** argv) {
  if (std::getenv("UHD_MODULE_PATH") == nullptr) {
    setenv("UHD_MODULE_PATH", PROSE_BINARY_DIR "/uhd_modules", 1);
    setenv("UHD_LOG_CONSOLE_LEVEL", "error", 0);
    execv("/proc/self/exe", argv);
  }
  // A second radio as a process of its own (town::listen): the power of each subframe, written as it is read.
  if (argc == 4 && std::strcmp(argv[1], "--ear") == 0) {
    prose::adversary::node_config c;
    c.name = "ear";
    c.air = argv[2];
    c.decode = false;
    c.begin_after_subframes = 30;
    prose::adversary::node n(c);
    std::FILE* f = std::fopen(argv[3], "wb");
    std::fwrite(&n.first_subframe, sizeof n.first_subframe, 1, f);
    std::fflush(f);
    for (;;) {
      n.step();
      std::fwrite(&n.power_db.back(), sizeof(float), 1, f);
      std::fflush(f);
    }
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
