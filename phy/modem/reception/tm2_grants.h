// TM1/2: what SCIs of format 0 grant in their SC period (TS 36.213 14.1). The four transmissions of a transport block
// are combined (TS 36.321 5.14.2.2).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/modem/recent_blocks.h"
#include "phy/modem/reception/subframe_view.h"
#include "phy/modem/soft_buffers.h"
#include "phy/types/comm_pool.h"

namespace prose::phy {

class tm2_grants {
public:
  tm2_grants(const carrier_config& carrier, comm_pool pool);

  /// Receives the PSSCHs that are granted in this subframe, then the SCIs in it; the pool's place in time must be
  /// known. Returns how many there were.
  int examine(const subframe_view& sf, soft_buffers& buffers);
  /// Whether there is anything to examine in a subframe: a place for SCIs, or an open grant.
  bool is_due(int absolute) const;
  /// Half-received blocks are forgotten: the timing jumped.
  void forget(soft_buffers& buffers);

  // --- for the search without a known pool (comm_monitor) ---
  struct grant {
    bool used = false;
    sci_format0 sci;
    std::int64_t first_index = 0;   ///< subframe of the SCI seen first
    std::int64_t last_index = 0;    ///< subframe of the latest transmission
    int period_start = -1;          ///< absolute, where the pool's timing is known
    int count = 0;                  ///< transmissions seen, where their numbers are not known
    int block = -1;                 ///< transport block of the period that the buffer holds
    int combined = 0;               ///< transmissions in the buffer
    std::int64_t taken_index = -1;  ///< subframe that was combined or counted last
    bool decoded = false;
    soft_buffers::loan loan;
    signal_estimate signal;
    bool counted = false;  ///< the SCI was reported here, so its blocks enter the statistics
    bool present = false;  ///< something was sent where the block's transmissions are
  };
  const comm_pool& pool() const { return pool_; }
  std::span<grant> grants() { return grants_; }
  bool timing_known(const subframe_view& sf) const { return pool_.config().known && sf.absolute >= 0; }
  /// Whether this grant may have a transmission here; one whose period is over is closed.
  bool is_open(const subframe_view& sf, soft_buffers& buffers, grant& g);
  /// By the time resource pattern. Returns true if a block was decoded.
  bool receive(const subframe_view& sf, soft_buffers& buffers, grant& g);
  /// Receives the SCIs at these PRBs; returns how many there were.
  int search(const subframe_view& sf, std::span<const int> prbs);
  /// Counts the current block: announced, or an occasion that was not used.
  static void close_block(monitor_statistics& statistics, grant& g);
  transport_result combine(const subframe_view& sf, soft_buffers& buffers, grant& g, const pssch_config& c, bool fresh);
  transport_result alone(const subframe_view& sf, soft_buffers& buffers, const pssch_config& c,
                         const signal_hints& hints);
  void report(const subframe_view& sf, int mcs, const pssch_config& c, const transport_result& r, int transmissions);
  /// Of the block that was reported last.
  const pssch_config& last_decoded() const { return last_decoded_; }

private:
  void note(const subframe_view& sf, const sci_format0& sci, const signal_estimate& signal, bool told);
  bool shows_power(const subframe_view& sf, const grant& g, const pssch_config& c) const;

  carrier_config carrier_;
  comm_pool pool_;
  std::int64_t period_subframes_;  ///< an SCI announces nothing beyond it
  std::array<grant, 32> grants_{};
  std::array<pscch_result, subframe_receiver::max_found> found_;
  std::vector<std::uint8_t> payload_;
  std::array<pssch_config, 64> failed_{};  ///< what did not decode by itself in the subframe at failed_sample_
  std::size_t n_failed_ = 0;
  std::int64_t failed_sample_ = -1;
  recent_blocks recent_;
  pssch_config last_decoded_;
};

}  // namespace prose::phy
