// PSCCH and PSSCH of TM3/TM4 in the subframes of a stream: from SCI format 1 to transport blocks, with the two transmissions of a
// block combined, and with the sub-channel layout found from the signal where nobody gave it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "phy/modem/event_sink.h"
#include "phy/modem/recent_blocks.h"
#include "phy/modem/soft_buffers.h"
#include "phy/types/v2x_pool.h"

namespace prose::phy {

class v2x_monitor {
 public:
  /// Without a pool every PRB pair is searched and the layout is hypothesised.
  v2x_monitor(const carrier_config& carrier, std::optional<v2x_pool> pool);

  /// Returns how many SCIs the subframe held; `strongest` is the signal of the strongest of them.
  int examine(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest);
  /// PSCCH that begins at these PRBs (ascending) only; for a monitor of an unknown pool beside those of known ones.
  int examine_beside(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs, signal_estimate& strongest);

 private:
  int search_pscch(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs, signal_estimate& strongest);
  /// One SCI that is told of: its block was announced, and received or not. A second transmission belongs to the block of the first.
  void count(const subframe_view& sf, const sci_format1& sci, bool decoded);
  /// A sub-channel layout as far as PSSCH of one SCI depends on it.
  struct layout {
    int n_subchannels = 0;
    int size = 0;
    bool adjacent = true;
    int start_prb = -1;          ///< non-adjacent only: of sub-channel 0
    int start_prb_pscch = -1;    ///< non-adjacent only
    bool operator==(const layout&) const = default;
  };
  struct hypothesis {
    layout from;
    sci_format1 sci;
    pssch_config pssch;
    int length = 0;              ///< sub-channels
    float metric = 0;
  };
  /// First transmission of a block whose second may follow.
  struct pending {
    bool used = false;
    std::int64_t index = 0;
    int pool_index = -1;
    sci_format1 sci;
    int length = 0;
    int n_prb = 0;
    int other_subchannel = -1;   ///< announced for the second transmission
    int tbs = 0;
    bool decoded = false;
    soft_buffers::loan loan;
  };

  bool receive(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci);
  bool decode(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const hypothesis& h, int own_subchannel,
              int other_subchannel);
  /// PSSCH by a known layout, n_ssf where known. True when decoded.
  bool receive_known(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const v2x_pool& pool);
  bool search_layout(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, int& n_subchannels);
  void add_adjacent(const pscch_result& sci);
  void add_apart(const pscch_result& sci, int edges);
  void measure_power(const subframe_view& sf, float cfo_hz);
  void add(const hypothesis& h);
  /// What the screen of DMRS gives less than at_least is not measured.
  void measure(const subframe_view& sf, const pscch_result& sci, hypothesis& h, float at_least = 0);
  void confirm(const layout& l);
  int weight(const layout& l) const;
  pending* first_transmission(const subframe_view& sf, const sci_format1& sci, int length, int n_prb, int own_subchannel);
  int expected_n_ssf(const subframe_view& sf) const;

  carrier_config carrier_;
  std::optional<v2x_pool> pool_;
  std::vector<int> all_prbs_;
  std::array<pending, 64> pending_{};
  std::vector<hypothesis> hypotheses_;
  struct confirmed {
    layout l;
    int count = 0;
  };
  std::array<confirmed, 16> confirmed_{};
  std::array<pscch_result, subframe_receiver::max_found> found_;
  std::array<bool, subframe_receiver::max_found> decoded_{};
  std::array<double, 100> power_{};
  double power_floor_ = 0;
  std::vector<std::uint8_t> payload_;
  recent_blocks recent_;
  std::vector<int> beside_;
  struct announced {
    std::int64_t index = -1;
    sci_format1 sci;
    bool decoded = false;
  };
  std::array<announced, 64> announced_{};  ///< first transmissions, lately
  std::size_t next_announced_ = 0;
  std::int64_t n_ssf_index_ = -1;  ///< subframe whose n_ssf was seen last
  int n_ssf_seen_ = 0;
};

}  // namespace prose::phy
