// PSCCH and PSSCH of TM3/TM4 in the subframes of a stream: in a known pool (reception/tm4_pairs), or with the
// sub-channel layout found from the signal.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "phy/modem/reception/subframe_view.h"
#include "phy/modem/reception/tm4_pairs.h"
#include "phy/modem/soft_buffers.h"
#include "phy/types/v2x_pool.h"

namespace prose::phy {

class v2x_monitor {
public:
  /// Without a pool every PRB pair is searched and every layout is tried.
  v2x_monitor(const carrier_config& carrier, std::optional<v2x_pool> pool);

  /// Returns how many SCIs the subframe held.
  int examine(const subframe_view& sf, soft_buffers& buffers);
  /// The same for PSCCH that begins at these PRBs (ascending) only: those that no known pool explains.
  int examine_unexplained(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs);

private:
  int search_pscch(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs);
  /// A sub-channel layout as far as PSSCH of one SCI depends on it.
  struct layout {
    int n_subchannels = 0;
    int size = 0;
    bool adjacent = true;
    int start_prb = -1;        ///< non-adjacent only: of sub-channel 0
    int start_prb_pscch = -1;  ///< non-adjacent only
    bool operator==(const layout&) const = default;
  };
  struct hypothesis {
    layout from;
    sci_format1 sci;
    pssch_config pssch;
    int length = 0;  ///< sub-channels
    float metric = 0;
  };
  /// An SCI of an unknown pool. Returns true if its block was decoded.
  bool receive_unknown(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci);
  bool search_layout(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, int& n_subchannels);
  void add_adjacent(const pscch_result& sci);
  void add_apart(const pscch_result& sci, int edges);
  void add_apart(const pscch_result& sci, int edges, hypothesis h);
  int power_edges(int first, int n_prb) const;
  void measure_power(const subframe_view& sf, float cfo_hz);
  void measure_all(const subframe_view& sf, const pscch_result& sci);
  float rank();
  bool decode_first(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, int& n_subchannels);
  void add(const hypothesis& h);
  /// Skipped where dmrs_screen gives a share below at_least.
  void measure(const subframe_view& sf, const pscch_result& sci, hypothesis& h, float at_least = 0);
  void confirm(const layout& l);
  int weight(const layout& l) const;

  carrier_config carrier_;
  std::optional<v2x_pool> pool_;
  std::vector<int> all_prbs_;
  tm4_pairs pairs_;
  std::vector<hypothesis> hypotheses_;
  struct confirmed {
    layout l;
    int count = 0;
  };
  std::array<confirmed, 16> confirmed_{};
  std::array<bool, subframe_receiver::max_found> decoded_{};
  std::array<double, bandwidths_prb.back()> power_{};
  double power_floor_ = 0;
  std::vector<int> unexplained_;  ///< first PRBs of pairs
};

}  // namespace prose::phy
