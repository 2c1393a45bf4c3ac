#include "apps/lib/keys/system_random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>

namespace prose::keys {

void system_random::fill(security::bytes_span out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto n = getrandom(out.data() + done, out.size() - done, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) {
      std::fputs("no randomness from the kernel\n", stderr);
      std::abort();
    }
    done += n;
  }
}

}  // namespace prose::keys
