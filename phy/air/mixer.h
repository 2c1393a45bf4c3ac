// What one receiver hears: all transmissions, each through its path, and noise, as its converter gives them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "phy/air/fading.h"
#include "phy/air/interpolator.h"
#include "phy/air/kernels.h"
#include "phy/air/noise.h"
#include "phy/air/shm_layout.h"

namespace prose::phy::air {

struct rx_tuning {
  double freq_hz = 0.0;
  double gain_db = 0.0;
};

/// The path between two named nodes after all rules.
path_params resolve_path(const air_settings& s, std::string_view from, std::string_view to);
node_rule resolve_node(const air_settings& s, std::string_view name);

class receiver_mixer {
public:
  receiver_mixer(air_memory& memory, int slot);
  ~receiver_mixer();

  /// Before a stream: its sample grid. Forgets where it was.
  void start(std::int64_t ticks_per_sample);
  /// Samples up to tick t are final once air time is past t plus this (filters that look ahead).
  std::int64_t lookahead_ticks(const rx_tuning& tuning);
  /// Samples first .. first + n of the receiver's grid. The same values however a stream is cut into calls.
  void mix(std::int64_t first, std::size_t n, const rx_tuning& tuning, cf32* out);

private:
  struct path;
  struct source;
  void refresh(const rx_tuning& tuning);
  bool add_path(path& p, std::int64_t block_first, std::int64_t from, std::int64_t to);
  void add_segment(path& p, const segment& s, std::int64_t block_first, std::int64_t from, std::int64_t to);
  void add_taps(path& p, const segment& s, const source& src, std::int64_t src_first, std::int64_t src_end,
                std::int64_t block_first, std::int64_t from, std::int64_t to);
  void add_run(const path& p, const source& src, std::int64_t src_first, std::int64_t block_first, std::int64_t from,
               std::int64_t to, cf32 base);

  air_memory& memory_;
  int slot_;
  noise_source noise_;
  double noise_dbfs_;
  quantiser adc_;
  std::int64_t ticks_per_sample_ = 1;
  rx_tuning tuning_;
  float rx_gain_ = 1.0F;
  std::uint32_t seen_membership_ = ~0U;
  std::vector<std::unique_ptr<path>>
      paths_;  ///< sorted by the transmitter's name: the order of additions must not vary
  std::vector<cf32> window_;
  std::vector<cf32> resampled_;
  alignas(64) std::array<float, 2 * block> acc_;
};

}  // namespace prose::phy::air
