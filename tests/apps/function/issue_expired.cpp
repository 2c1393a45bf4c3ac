// A UE's certificate that was good until yesterday, which prose-keys does not make. usage: issue_expired FOLDER NAME
#include <cstdio>
#include <ctime>

#include "apps/lib/function/tls.h"

int main(int argc, char** argv) {
  if (argc != 3) return std::fprintf(stderr, "usage: issue_expired FOLDER NAME\n"), 2;
  constexpr std::int64_t day = 86400;
  const auto done = prose::function::issue_certificate(argv[1], "ca", argv[2], prose::function::certificate_use::ue, 9,
                                                       std::time(nullptr) - 10 * day);
  if (!done) return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
  return 0;
}
