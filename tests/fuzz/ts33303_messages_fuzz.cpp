// Octets as a PC5-S message of TS 24.334. What is taken is written again, takes as much room (less what was ignored),
// and then means the same.
#include <cstdlib>

#include "security/ts33303/messages.h"

using namespace prose::security;
using namespace prose::security::ts33303;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bytes_view octets(data, size);
  const auto read = parse(octets);
  if (!read) return 0;
  static std::array<std::uint8_t, max_sdu_octets> out;
  const auto n = write(read->message, out);
  if (!n) {
    if (size <= max_sdu_octets) std::abort();
    return 0;
  }
  if (read->ignored_ies == 0 ? *n != size : *n >= size) std::abort();
  const auto again = parse(bytes_view(out).first(*n));
  if (!again || again->ignored_ies != 0 || again->message != read->message) std::abort();
  return 0;
}
