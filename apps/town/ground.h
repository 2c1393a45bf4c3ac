// Where the UEs of a town are, and how strongly they hear each other.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace prose::apps::town {

struct ground_config {
  double side_m =
      500;  ///< of the square; what leaves it on one side comes in on the other, so that no UE is at an edge
  /// SNR of a resource element at 100 m, with a UE's whole power spread over all PRBs of the carrier. It falls by
  /// `exponent` times 10 dB a decade and is not above `highest_snr_db`. An analytical law without shadowing or fading;
  /// it is no published model.
  double snr_100m_db = 20, exponent = 4, highest_snr_db = 40;
  bool equal = false;  ///< instead, all hear each other with highest_snr_db
  /// Who is heard more weakly than this is not heard and does not disturb.
  double lowest_snr_db = -12;
};

/// One that hears, and how strongly: a ratio, not dB.
struct hearer {
  std::uint32_t who;
  float snr;
};

class ground {
public:
  /// n UEs at places drawn from the seed, and one listener (index n) in the middle.
  ground(const ground_config& config, int n, std::uint64_t seed);
  /// Who hears this UE; the listener too.
  std::span<const hearer> hearers_of(int ue) const { return {all_.data() + first_[ue], all_.data() + first_[ue + 1]}; }
  int n_ues() const { return static_cast<int>(first_.size()) - 2; }
  int listener() const { return n_ues(); }

private:
  std::vector<hearer> all_;         ///< of UE 0, then of UE 1, ...; each list ascending
  std::vector<std::size_t> first_;  ///< n + 2 places in it
};

}  // namespace prose::apps::town
