// TM3/4: the one or two transmissions of a transport block that SCIs of format 1 announce (TS 36.213 14.1.1.4C). Two
// are combined (TS 36.321 5.14.2.2).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "phy/modem/recent_blocks.h"
#include "phy/modem/reception/subframe_view.h"
#include "phy/modem/soft_buffers.h"
#include "phy/types/v2x_pool.h"

namespace prose::phy {

class tm4_pairs {
public:
  tm4_pairs();

  /// Receives the SCIs in this subframe of a known pool, and their PSSCHs. Returns how many SCIs there were.
  int examine(const subframe_view& sf, soft_buffers& buffers, const v2x_pool& pool);
  /// Half-received blocks are forgotten: the timing jumped.
  void forget(soft_buffers& buffers);

  // --- for the search without a known pool (v2x_monitor) ---
  /// A PSSCH as an SCI announces it.
  struct announcement {
    sci_format1 sci;
    pssch_config pssch;
    int length = 0;             ///< sub-channels
    int own_subchannel = -1;    ///< first one; -1: not known
    int other_subchannel = -1;  ///< of the block's other transmission; -1: none, or not known
  };
  /// SCIs at these PRBs that are believed. Valid until the next call.
  std::span<const pscch_result> find(const subframe_view& sf, std::span<const int> prbs);
  /// Receives the PSSCH of an SCI in a known pool. Returns true if it was decoded.
  bool receive(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const v2x_pool& pool);
  /// Decodes a PSSCH alone, or together with the first transmission of its block. `pool` is null where it is not known.
  /// Returns true if it was decoded.
  bool decode(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const announcement& a,
              const v2x_pool* pool);
  /// Sets n_ssf to the likeliest of the ten and returns its DMRS metric. Values to which dmrs_screen gives a share
  /// below at_least are skipped.
  float measure(const subframe_view& sf, const pscch_result& sci, pssch_config& c, const v2x_pool* pool,
                float at_least = 0);
  /// Counts the block of an SCI, once for each SCI. A second transmission belongs to the block of the first.
  void count_announced(const subframe_view& sf, const pscch_result& sci, const sci_format1& fields);
  /// Counts it as decoded if that is new, from whichever start of the subframe.
  void count_decoded(const subframe_view& sf, const pscch_result& sci);

private:
  /// First transmission of a block whose second may follow.
  struct pending {
    bool used = false;
    std::int64_t index = 0;
    int pool_index = -1;
    announcement first;
    bool decoded = false;
    soft_buffers::loan loan;
  };
  pending* first_transmission(const subframe_view& sf, const announcement& a, const v2x_pool* pool);
  void keep(const subframe_view& sf, soft_buffers& buffers, const announcement& a, const v2x_pool* pool, bool decoded);
  int expected_n_ssf(const subframe_view& sf, const v2x_pool* pool) const;
  void report(const subframe_view& sf, const announcement& a, const transport_result& r, int transmissions,
              bool pool_known);

  std::array<pending, 64> pending_{};
  std::array<pscch_result, subframe_receiver::max_found> found_;
  std::vector<std::uint8_t> payload_;
  recent_blocks recent_;
  /// A block, by its latest SCI.
  struct announced {
    std::int64_t index = -1;
    int prb = 0;  ///< of PSCCH
    std::uint16_t crc = 0;
    sci_format1 sci;
    bool decoded = false;
    bool waits(std::int64_t now) const;  ///< for its second transmission
  };
  std::array<announced, 64> announced_{};  ///< lately
  std::int64_t n_ssf_index_ = -1;          ///< subframe whose n_ssf was seen last
  int n_ssf_seen_ = 0;
};

}  // namespace prose::phy
