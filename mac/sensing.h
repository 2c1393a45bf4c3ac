// Sensing and resource exclusion of TM4 (TS 36.213 14.1.1.6). Subframes are counted in the pool: y is the index k of
// t_k^SL, continued without wrapping.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace prose::mac {

inline constexpr int max_subchannels = 20;
inline constexpr int sensing_p_step = 100;                  ///< P_step for FDD (table 14.1.1-1)
inline constexpr int sensing_window = 10 * sensing_p_step;  ///< subframes of the pool that are remembered

/// What one SCI format 1 said.
struct sensed_sci {
  std::int64_t y = 0;        ///< pool subframe in which the SCI was received
  int first_subchannel = 0;  ///< of the transmission in that subframe
  int n_subchannels = 1;
  int priority = 1;          ///< PPPP 1..8
  int period_subframes = 0;  ///< P'_rsvp_RX: 20, 50, 100, 200 .. 1000; 0: no reservation
  double rsrp_dbm = 0;
};

struct sensing_config {
  int n_subchannels = 3;
  /// thresPSSCH-RSRP-List, entry (a-1)*8 + (b-1): own priority a, received priority b. dBm.
  std::array<double, 64> threshold_dbm = [] {
    std::array<double, 64> a{};
    a.fill(-110.0);
    return a;
  }();
  double remaining_fraction = 0.2;  ///< steps 7 and 9: 0.2 M_total
};

struct candidate_resource {
  std::int64_t y = 0;
  int first_subchannel = 0;
  bool operator==(const candidate_resource&) const = default;
};

struct selection_request {
  std::int64_t n = 0;        ///< pool subframe of the trigger (the first one not before subframe n)
  int n_subchannels = 1;     ///< L_subCH
  int priority = 1;          ///< prio_TX, PPPP 1..8
  int period_subframes = 0;  ///< P'_rsvp_TX; 0: no reservation
  int c_resel = 1;           ///< 10 * counter with a reservation, else 1
  int t1 = 4;                ///< <= 4: processing time, in subframes of the pool
  int t2 = 100;              ///< 20..100
  /// One entry for each of n + t1 .. n + t2, zero where the bitmap leaves the subframe out of the pool. Empty: all are
  /// in it.
  std::span<const std::uint8_t> usable{};
};

struct selection_outcome {
  int n_total = 0;  ///< M_total
  int n_after_exclusion = 0;
  int threshold_raises = 0;  ///< times 3 dB
};

class sensing_history {
public:
  explicit sensing_history(const sensing_config& config);

  /// One subframe of the pool is over. rssi_dbm[m] per sub-channel; empty where the receiver does not measure it. With
  /// monitored = false (own transmission, or no reception) what others sent there is unknown.
  void subframe(std::int64_t y, bool monitored, std::span<const double> rssi_dbm);
  void heard(const sensed_sci& sci);
  void clear();

  /// S_B: what the MAC may draw from, unordered.
  selection_outcome candidates(const selection_request& request, std::vector<candidate_resource>& out) const;

private:
  struct record {
    std::int64_t y = -1;
    bool monitored = false;
    bool measured = false;
    std::array<float, max_subchannels> rssi_mw{};
  };
  const record* at(std::int64_t y) const;
  double mean_rssi(const candidate_resource& r, const selection_request& q) const;
  void exclude_unmonitored(const selection_request& q, std::vector<char>& excluded) const;
  bool mark_reserved(const selection_request& q, int threshold_raises, int columns, std::vector<char>& reserved) const;
  void keep_quietest(const selection_request& q, std::size_t keep, std::vector<candidate_resource>& out) const;

  sensing_config config_;
  std::vector<record> ring_;
  std::deque<sensed_sci> sci_;
  std::vector<std::int64_t> unmonitored_;
};

}  // namespace prose::mac
