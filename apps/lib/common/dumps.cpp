#include "apps/lib/common/dumps.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace prose::apps {

result<void> forbid_dumps() {
  // The limit alone would not stop a handler that core_pattern pipes to; PR_SET_DUMPABLE does, and closes /proc/PID/mem
  // to the user.
  const rlimit none{0, 0};
  if (::setrlimit(RLIMIT_CORE, &none) != 0 || ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
    return fail(std::string("the system does not let this program forbid dumps of its memory: ") +
                std::strerror(errno));
  return {};
}

}  // namespace prose::apps
