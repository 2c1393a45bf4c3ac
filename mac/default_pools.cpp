#include "mac/default_pools.h"

#include <algorithm>

#include "phy/types/delay_range.h"

namespace prose::mac {

namespace {
/// TM4: sub-channels, and the PRBs at the upper edge that they leave to discovery. Sizes and counts are those of
/// TS 36.331 (sizeSubchannel, numSubchannel).
struct v2x_layout {
  int n_prb, size, count, edge;
};
constexpr v2x_layout layouts[] = {{6, 4, 1, 2},   {15, 4, 3, 3},   {25, 5, 3, 10},
                                  {50, 5, 8, 10}, {75, 6, 10, 10}, {100, 6, 15, 10}};
constexpr int most_pscch_prb_num = 25;  // in TM2; more would cost every receiver time and serve nobody

const v2x_layout& layout_of(int n_prb) {
  for (const auto& l : layouts)
    if (l.n_prb == n_prb) return l;
  return layouts[0];  // phy::carrier_config refuses the bandwidth
}
}  // namespace

ue_config default_ue_config(phy::transmission_mode tm, int n_prb, phy::cyclic_prefix cp) {
  ue_config c;
  c.n_prb = n_prb;
  c.tm = tm;
  const auto& layout = layout_of(n_prb);
  // TM2, SC period of 40 subframes: PSCCH in 0..7, PSSCH in 8..36 (17 and 37 are SLSS), discovery in 38 and 39.
  c.comm.n_prb = n_prb;
  c.comm.tm = phy::transmission_mode::tm2;
  c.comm.sc_period_subframes = 40;
  c.comm.pscch = {std::min((n_prb + 1) / 2, most_pscch_prb_num), 0, n_prb - 1};
  c.comm.subframe_bitmap = "1111111100000000000000000000000000000000";
  c.comm.data = phy::comm_pool_config::data_resources{
      {(n_prb + 1) / 2, 0, n_prb - 1}, 8, "1111111110111111111111111111100011111111"};
  c.sync.period_subframes = 40;
  c.sync.offset_1 = 37;
  c.sync.offset_2 = 17;
  c.sync.same_timing_samples = phy::received_delays(cp).latest * phy::standard_fft_size(n_prb);

  c.v2x.n_prb = n_prb;
  c.v2x.size_subchannel = layout.size;
  c.v2x.n_subchannels = layout.count;
  c.v2x.adjacent = true;
  c.v2x.subframe_bitmap = "11111111111111111111";
  // NOT 3GPP: discovery beside V2X on one carrier, and SLSS every 40 ms as in Rel-12; t_k^SL leaves out both offsets.
  c.v2x.slss_period = 20;
  c.v2x.slss_offset = 17;

  c.discovery.n_prb = n_prb;
  c.discovery.disc_period_subframes = 320;
  c.discovery.num_retx = 0;
  c.discovery.num_repetition = 8;
  c.discovery.subframe_bitmap = "0000000000000000000000000000000000000011";
  c.discovery.prb = phy::is_v2x(tm) ? phy::prb_range{layout.edge, n_prb - layout.edge, n_prb - 1}
                                    : phy::prb_range{std::min(12, n_prb), 0, n_prb - 1};
  if (phy::is_v2x(tm) && layout.edge < 4)  // one message at a time: room for those of several UEs
    c.discovery.subframe_bitmap = "0000000011000000001100000000110000000011";
  c.discovery_tx.per_period = 6;
  c.tm4.max_subchannels = std::min(c.v2x.n_subchannels, 4);
  c.tm2.max_prb = n_prb / 2;
  return c;
}

}  // namespace prose::mac
