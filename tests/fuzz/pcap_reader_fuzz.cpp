// A capture file of any content: frames within their ranges, numbered from 0, and at last an end or an error.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "apps/lib/capture/pcap_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;  // fmemopen
  std::vector<std::uint8_t> copy(data, data + size);
  auto reader = prose::apps::pcap_reader::read(fmemopen(copy.data(), size, "rb"), "capture");
  if (!reader) return 0;
  for (std::uint64_t n = 0;; ++n) {
    const auto frame = reader->next();
    if (!frame || !*frame) return 0;
    const auto& f = **frame;
    // A record has a header of 8 octets at least.
    if (f.number != n || n > size / 8 || f.octets.size() > size || f.n_bits != static_cast<int>(8 * f.octets.size()) ||
        f.absolute_subframe < -1 || f.absolute_subframe > 10239)
      std::abort();
  }
}
