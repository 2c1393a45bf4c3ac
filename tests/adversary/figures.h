// A figure of an attack: printed, and kept in figures.txt beside the test program for docs/attacks.md.
#pragma once

#include <cstdarg>
#include <cstdio>

namespace prose::adversary {

[[gnu::format(printf, 2, 3)]] inline void figure(const char* row, const char* format, ...) {
  char text[512];
  va_list a;
  va_start(a, format);
  std::vsnprintf(text, sizeof text, format, a);
  va_end(a);
  std::printf("FIGURE row %s: %s\n", row, text);
  std::fflush(stdout);
}

}  // namespace prose::adversary
