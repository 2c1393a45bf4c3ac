// Whether a peer's transmissions come at the right time: how late they are, how fast that changes, and when the
// receiver will lose them. Two UEs whose clocks run apart (gnss without a common clock) leave each other's prefix in
// minutes, and nothing else tells why their link dies.
#pragma once

#include <deque>
#include <optional>
#include <string>

#include "phy/types/delay_range.h"

namespace prose::apps {

/// Times in seconds of the device, delays in microseconds; positive: late.
class peer_timing {
public:
  struct trend {
    double late_us;                           ///< now
    std::optional<double> us_per_minute;      ///< nothing: too few readings, or no more than their scatter explains
    std::optional<double> lost_in_minutes{};  ///< until the delay leaves the receiver's range, within soon_minutes
  };

  explicit peer_timing(phy::cyclic_prefix cp);
  /// A reading of a frame that the link's keys verified.
  void add(double t_s, double late_us);
  /// Nothing before the first reading.
  std::optional<trend> now() const;
  /// What the user should be told, once: when the delay passes half of the prefix, each further quarter of it that it
  /// moves then, and when the trend will soon lose the peer.
  std::optional<trend> news();

private:
  struct reading {
    double t_s, late_us;
  };
  std::optional<double> slope_us_per_s() const;
  double half_prefix_us_, earliest_us_, latest_us_;
  std::deque<reading> readings_;
  std::optional<double> told_us_;
  bool told_soon_ = false;
};

/// "comes 2.3 us late, 0.52 us a minute later: lost in 24 min".
std::string words_of(const peer_timing::trend& t);

}  // namespace prose::apps
