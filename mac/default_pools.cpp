#include "mac/default_pools.h"

#include "phy/types/delay_range.h"

namespace prose::mac {

ue_config default_ue_config(phy::transmission_mode tm, int n_prb) {
  ue_config c;
  c.n_prb = n_prb;
  c.tm = tm;
  const int edge = 10;  // PRBs at the upper edge that TM4 leaves to discovery
  // TM2, SC period of 40 subframes: PSCCH in 0..7, PSSCH in 8..36 (17 and 37 are SLSS), discovery in 38 and 39.
  c.comm.n_prb = n_prb;
  c.comm.tm = phy::transmission_mode::tm2;
  c.comm.sc_period_subframes = 40;
  c.comm.pscch = {(n_prb + 1) / 2, 0, n_prb - 1};
  c.comm.subframe_bitmap = "1111111100000000000000000000000000000000";
  c.comm.data = phy::comm_pool_config::data_resources{
      {(n_prb + 1) / 2, 0, n_prb - 1}, 8, "1111111110111111111111111111100011111111"};
  c.sync.period_subframes = 40;
  c.sync.offset_1 = 37;
  c.sync.offset_2 = 17;
  c.sync.same_timing_samples = phy::received_delays(phy::cyclic_prefix::normal).latest * phy::standard_fft_size(n_prb);

  c.v2x.n_prb = n_prb;
  c.v2x.size_subchannel = 5;
  c.v2x.n_subchannels = n_prb == 25 ? 3 : 8;
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
  c.discovery.prb = phy::is_v2x(tm) ? phy::prb_range{edge, n_prb - edge, n_prb - 1} : phy::prb_range{12, 0, n_prb - 1};
  c.discovery_tx.per_period = 6;
  c.tm4.max_subchannels = c.v2x.n_subchannels == 3 ? 3 : 4;
  c.tm2.max_prb = n_prb == 25 ? 12 : 25;
  return c;
}

}  // namespace prose::mac
