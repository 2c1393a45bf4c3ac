#include "apps/lib/common/program.h"

#include <fcntl.h>
#include <pwd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <new>

#include "apps/lib/common/cli.h"
#include "apps/lib/common/safe_file.h"

namespace prose::apps {
namespace {

// Closed standard output stays one that takes nothing: what is written there is lost, and that is told. Closed input is
// an empty one.
void hold_standard_descriptors() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) != -1 || errno != EBADF) continue;
    // The lowest free number is this one.
    if (::open("/dev/null", fd == 2 ? O_WRONLY : O_RDONLY) != fd) std::_Exit(exit_failure);
  }
}

void have_home() {
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') return;
  const passwd* user = ::getpwuid(::geteuid());
  ::setenv("HOME", user != nullptr && user->pw_dir != nullptr && *user->pw_dir != '\0' ? user->pw_dir : "/", 1);
}

}  // namespace

int run_program(const char* name, int (*body)(int, char**), int argc, char** argv) {
  hold_standard_descriptors();
  have_home();
  int code = exit_failure;
  try {
    code = body(argc, argv);
  } catch (const std::bad_alloc&) {
    return report(name, "out of memory", exit_failure);
  } catch (const std::exception& e) {
    return report(name, e.what(), exit_failure);
  }
  errno = 0;
  std::cout.flush();
  const bool lost = std::fflush(stdout) != 0 || std::ferror(stdout) != 0 || !std::cout;
  if (lost && code == exit_ok)
    return report(
        name, "standard output does not take the result" + (errno != 0 ? ": " + why_not_written(errno) : std::string()),
        exit_failure);
  return code;
}

}  // namespace prose::apps
