// A sequence of UMD PDUs (each preceded by its length octet) into one receiving entity: bounded memory, bounded SDUs.
#include <cstdlib>

#include "mac/rlc_um.h"

using namespace prose::mac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  rlc_um_rx rx;
  rlc_um_counters c;
  std::size_t pos = 0;
  while (pos < size) {
    const std::size_t n = std::min<std::size_t>(data[pos], size - pos - 1);
    rx.receive({data + pos + 1, n}, c, [](std::span<const std::uint8_t> s) {
      if (s.empty() || s.size() > rlc_max_sdu_octets) std::abort();
    });
    if (rx.held_octets() > rlc_max_sdu_octets) std::abort();
    pos += n + 1;
  }
  return 0;
}
