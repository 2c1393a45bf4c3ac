// Preloaded into a program, it makes the program's host a host whose clock is wrong: PROSE_CLOCK_SHIFT_S seconds are
// added to UTC. Other clocks stay.
#include <dlfcn.h>
#include <sys/time.h>
#include <time.h>

#include <cmath>
#include <cstdlib>

namespace {

constexpr long ns_per_s = 1'000'000'000;

long shift_ns() {
  static const char* const text = std::getenv("PROSE_CLOCK_SHIFT_S");
  static const long ns = text == nullptr ? 0 : std::lround(std::atof(text) * ns_per_s);
  return ns;
}

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* t) noexcept {
  static const auto real = reinterpret_cast<int (*)(clockid_t, timespec*)>(dlsym(RTLD_NEXT, "clock_gettime"));
  const int code = real(clock, t);
  if (code != 0 || clock != CLOCK_REALTIME) return code;
  const long ns = t->tv_nsec + shift_ns() % ns_per_s;
  t->tv_sec += shift_ns() / ns_per_s + (ns < 0 ? -1 : ns / ns_per_s);
  t->tv_nsec = (ns + ns_per_s) % ns_per_s;
  return 0;
}

extern "C" time_t time(time_t* out) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (out != nullptr) *out = now.tv_sec;
  return now.tv_sec;
}

extern "C" int gettimeofday(timeval* t, void*) noexcept {
  timespec now{};
  const int code = clock_gettime(CLOCK_REALTIME, &now);
  t->tv_sec = now.tv_sec;
  t->tv_usec = now.tv_nsec / 1000;
  return code;
}
