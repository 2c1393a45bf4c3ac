// MIB-SL: any bits give fields in range that pack to the same bits again, or nothing.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "phy/types/mib_sl.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::uint8_t> bits(std::min<std::size_t>(size * 8, 60));
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = (data[i / 8] >> (7 - i % 8)) & 1U;
  for (const std::size_t n : {bits.size(), std::size_t{40}, std::size_t{48}}) {
    if (n > bits.size()) continue;
    const auto in = std::span(bits).first(n);
    const auto mib = prose::phy::unpack_mib_sl(in);
    if (!mib) continue;
    if (mib->direct_frame_number > 1023 || mib->direct_subframe_number > 9 ||
        prose::phy::standard_fft_size(mib->n_prb) == 0)
      std::abort();
    std::vector<std::uint8_t> again(n);
    pack(*mib, again);
    if (!std::equal(again.begin(), again.end(), in.begin())) std::abort();
  }
  return 0;
}
