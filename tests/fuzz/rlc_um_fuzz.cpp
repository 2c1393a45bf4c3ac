// A sequence of UMD PDUs (each preceded by its length octet) into one receiving entity and one store of candidates:
// bounded memory, bounded SDUs, bounded trials.
#include <cstdlib>

#include "mac/rlc_um.h"

using namespace prose::mac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rlc_um_rx rx;
  rlc_um_counters c;
  // Small, so that the rings turn over.
  const rlc_um_candidate_limits limits{700, 24, 600, 16};
  rlc_um_candidates candidates(limits);
  rlc_um_workspace work(limits);
  unsigned long n_tried = 0;
  std::size_t pos = 0;
  while (pos < size) {
    const std::size_t n = std::min<std::size_t>(data[pos], size - pos - 1);
    rx.receive({data + pos + 1, n}, c, [](std::span<const std::uint8_t> s) {
      if (s.empty() || s.size() > rlc_max_sdu_octets) std::abort();
    });
    if (rx.held_octets() > rlc_max_sdu_octets) std::abort();
    std::size_t budget = 2000;
    const auto before = n_tried;
    candidates.receive(static_cast<std::uint8_t>(1 + n % 2), {data + pos + 1, n}, budget, work, c,
                       [&](std::span<const std::uint8_t> s) {
                         if (s.empty() || s.size() > limits.max_sdu_octets) std::abort();
                         ++n_tried;
                         return s.size() % 5 == 0   ? sdu_verdict::verified
                                : s.size() % 5 == 1 ? sdu_verdict::refused
                                                    : sdu_verdict::forged;
                       });
    if (budget > 2000 || n_tried - before > 128 + 16 || candidates.held_segments() > limits.segments) std::abort();
    pos += n + 1;
  }
  return 0;
}
