// One town, from its seed to its figures: UEs with the real MAC and security sublayer in simulated time on an abstract
// air, and a listener in the middle that judges what it overhears.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "apps/lib/verdict/verdict.h"
#include "apps/town/air.h"

namespace prose::apps::town {

struct town_config {
  int ues = 100;
  int tm = 2;  ///< 2 or 4
  double seconds = 20;
  int peers = 2;           ///< permitted, of each UE, at most
  double link_snr_db = 5;  ///< only those permit each other who hear each other so well, alone on the air
  double every_s = 5;      ///< mean time between two messages of a link in one direction; 0: none
  bool listener = true;    ///< the verdict is made
  std::uint64_t seed = 1;
  ground_config ground;
};

/// What it cost on this machine: not reproducible.
struct town_cost {
  double cpu_s = 0, verdict_cpu_s = 0;  ///< of this thread
  std::uint64_t steps = 0, verdict_frames = 0;
  std::int64_t memory_octets = 0;  ///< that came with the UEs, of the whole process; sensible with one thread
};

/// Of all UEs. Times in milliseconds; NaN where there is none.
struct town_figures {
  std::uint64_t pairs = 0;                   ///< that permit each other
  std::uint64_t directions = 0;              ///< twice as many
  std::uint64_t discovered = 0;              ///< of the directions, at the end
  std::uint64_t slots = 0, slots_heard = 0;  ///< seconds of both on, of all directions; and those with the peer heard
  double discovery_median_ms = 0, discovery_p95_ms = 0;  ///< who was never heard counts as later than all
  std::uint64_t linked = 0;                              ///< pairs with a link at both ends at the end
  std::uint64_t established = 0, failed = 0, lost = 0;   ///< events at all UEs
  double set_up_median_ms = 0;
  std::uint64_t sent = 0, delivered = 0;
  double delivery_mean_ms = 0;
  std::uint64_t messages_sent = 0, messages_heard = 0;  ///< of discovery, as the UEs count them
  double hearers = 0;                                   ///< mean number of UEs within reach of one
  air::totals counted;
  std::optional<verdict> judged;
};

struct town_result {
  town_figures figures;
  town_cost cost;
};

/// Empty if stop() said so. Throws std::runtime_error where no UE can be made. progress: 0..1.
std::optional<town_result> run_town(const town_config& config, const std::function<bool()>& stop,
                                    const std::function<void(double)>& progress);

/// One line: what the figures depend on.
std::string name_of(const town_config& config);

}  // namespace prose::apps::town
