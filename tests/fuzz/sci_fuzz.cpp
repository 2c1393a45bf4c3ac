// SCI of both formats and what the pools make of them: any bits give a grant that fits its carrier and pool, or none.
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "phy/types/pool.h"

namespace {
using namespace prose::phy;

void require(bool ok) {
  if (!ok) std::abort();
}

void check(const pssch_config& g, int n_prb) {
  require(g.prb_start >= 0 && g.n_prb >= 1 && g.prb_start + g.n_prb <= n_prb);
  require(largest_235(g.n_prb) == g.n_prb);
  require(g.tbs >= 16 && g.tbs % 8 == 0);
  require(g.modulation_order == 2 || g.modulation_order == 4 ||
          (g.modulation_order == 6 && g.last_symbol_rate_matched));
}

const std::vector<comm_pool>& comm_pools() {
  static const auto pools = [] {
    std::vector<comm_pool> p;
    for (const int n_prb : bandwidths_prb) {
      comm_pool_config c{.n_prb = n_prb, .known = false};
      p.push_back(comm_pool::make(c).value());
      c = {.n_prb = n_prb, .pscch = {n_prb / 2, 0, n_prb - 1}, .subframe_bitmap = "0111100000"};
      c.hopping = {11, 2, 2};
      p.push_back(comm_pool::make(c).value());
      c.data = comm_pool_config::data_resources{{n_prb / 3, 1, n_prb - 1}, 8, "1101"};
      c.hopping = {504, 4, 1};
      p.push_back(comm_pool::make(c).value());
    }
    return p;
  }();
  return pools;
}

const std::vector<v2x_pool>& v2x_pools() {
  static const auto pools = [] {
    std::vector<v2x_pool> p;
    for (int n = 1; n <= 20; ++n)
      for (const bool adjacent : {true, false})
        p.push_back(v2x_pool::make({.n_prb = 100,
                                    .size_subchannel = 100 / n < 20 ? 100 / n : 20,
                                    .n_subchannels = n,
                                    .adjacent = adjacent})
                        .value());
    return p;
  }();
  return pools;
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 10) return 0;
  const std::size_t choice = data[0];
  const int subframe = (data[1] * 256 + data[2]) % 12000 - 100;
  std::vector<std::uint8_t> bits(sci_format1_bits > 45 ? sci_format1_bits : 45);
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = (data[3 + i / 8] >> (7 - i % 8)) & 1U;

  const auto& comm = comm_pools()[choice % comm_pools().size()];
  const int n_prb = comm.config().n_prb;
  const auto sci0 = unpack_sci_format0(std::span(bits).first(sci_format0_bits(n_prb)), n_prb);
  for (int n_ssf = 0; n_ssf < 10; ++n_ssf)
    if (const auto g = comm.pssch(sci0, n_ssf)) check(*g, n_prb);
  if (const auto o = comm.pssch_at(sci0, subframe)) {
    check(o->config, n_prb);
    require(o->transmission >= 0 && o->transmission < 4);
  }
  comm.identify_pscch(subframe, data[1]);

  const auto& v2x = v2x_pools()[choice % v2x_pools().size()];
  const auto sci1 = unpack_sci_format1(std::span(bits).first(sci_format1_bits), v2x.config().n_subchannels);
  if (const auto g = v2x.pssch(sci1, data[2] % 110, 7, 3)) check(*g, 100);
  // A truncated input must read as zeros, not past the end.
  unpack_sci_format0(std::span(bits).first(size % 40), 100);
  unpack_sci_format1(std::span(bits).first(size % 32), 20);
  return 0;
}
