// PSCCH and PSSCH of TM1/TM2 in the subframes of a stream: an SCI format 0 announces the PSSCH of later subframes, four
// transmissions a transport block.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "phy/modem/event_sink.h"
#include "phy/modem/recent_blocks.h"
#include "phy/modem/soft_buffers.h"
#include "phy/modem/unannounced.h"
#include "phy/types/comm_pool.h"

namespace prose::phy {

class comm_monitor {
 public:
  /// unannounced: also looks for PSSCH whose SCI was not received, where the pool and its timing are known.
  comm_monitor(const carrier_config& carrier, comm_pool pool, bool unannounced = false);

  /// Returns how many SCIs and PSSCHs the subframe held; `strongest` is the signal of the strongest of them.
  int examine(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest);
  /// PSCCH at these PRBs only, and PSSCH that nothing else explains; for a monitor of an unknown pool beside those of known ones.
  int examine_beside(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs, signal_estimate& strongest);

 private:
  struct grant {
    bool used = false;
    sci_format0 sci;
    std::int64_t first_index = 0;   ///< subframe of the SCI seen first
    std::int64_t last_index = 0;    ///< last sign of life
    int period_start = -1;          ///< absolute, where the pool's timing is known
    int count = 0;                  ///< transmissions seen, where their numbers are not known
    int block = -1;                 ///< transport block of the period that the buffer holds
    int combined = 0;               ///< transmissions in the buffer
    bool decoded = false;
    soft_buffers::loan loan;
    signal_estimate signal;
    bool counted = false;           ///< the SCI is told of here: its blocks enter the statistics
    bool present = false;           ///< of the block: something was sent at its places
  };
  /// The block in hand is over: was it announced, or an occasion that was left unused?
  static void close_block(monitor_statistics& statistics, grant& g);
  /// Power in the places of a grant that no other grant has.
  bool shows_power(const subframe_view& sf, const grant& g, const pssch_config& c) const;
  int follow_grants(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest, bool beside);
  int search_pscch(const subframe_view& sf, std::span<const int> prbs, signal_estimate& strongest, int n_received);

  bool timing_known(const subframe_view& sf) const { return pool_.config().known && sf.absolute >= 0; }
  void note(const subframe_view& sf, const sci_format0& sci, const signal_estimate& signal, bool told);
  bool receive_scheduled(const subframe_view& sf, soft_buffers& buffers, grant& g, signal_estimate& signal);
  bool receive_searched(const subframe_view& sf, soft_buffers& buffers, grant& g, signal_estimate& signal);
  transport_result combine(const subframe_view& sf, soft_buffers& buffers, grant& g, const pssch_config& c, bool fresh);
  transport_result alone(const subframe_view& sf, soft_buffers& buffers, const pssch_config& c, const signal_hints& hints);
  bool receive_unannounced(const subframe_view& sf, soft_buffers& buffers, signal_estimate& signal);
  void report(const subframe_view& sf, int mcs, const pssch_config& c, const transport_result& r, int transmissions);

  carrier_config carrier_;
  comm_pool pool_;
  std::int64_t period_subframes_;  ///< an SCI announces nothing beyond it
  std::vector<int> all_prbs_;
  std::array<grant, 32> grants_{};
  std::array<pscch_result, subframe_receiver::max_found> found_;
  std::vector<std::uint8_t> payload_;
  std::array<pssch_config, 64> failed_{};  ///< what did not decode by itself in the subframe at failed_sample_
  std::size_t n_failed_ = 0;
  std::int64_t failed_sample_ = -1;
  recent_blocks recent_;
  std::optional<unannounced_search> unannounced_;
};

}  // namespace prose::phy
