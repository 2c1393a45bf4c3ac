// Before anything else of the program: does this processor have the instructions that the build was made for? Without
// this look a program that was copied to an older machine ends by SIGILL, somewhere. This file alone is compiled for
// every processor of the architecture.
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace {

// No standard library: nothing of it has been set up yet.
void say(const char* text) { [[maybe_unused]] const auto n = ::write(2, text, std::strlen(text)); }

[[noreturn, maybe_unused]] void lacks(const char* instructions) {
  say(program_invocation_short_name);
  say(": this processor has no ");
  say(instructions);
  say(", for which the program was built; build it here, or with -DPROSE_NATIVE=OFF\n");
  ::_exit(1);
}

[[gnu::constructor(101)]] void look_at_processor() {
#if defined(__x86_64__)
  __builtin_cpu_init();
#define PROSE_NEEDS(instructions) \
  if (!__builtin_cpu_supports(instructions)) lacks(instructions);
#include "processor_needs.inc"
#endif
}

}  // namespace
