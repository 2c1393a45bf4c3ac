// The equalised symbols of what is decoded from a recording, for its picture.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/lib/listen/capture.h"
#include "common/result.h"
#include "phy/types/cf32.h"

namespace prose::apps {

/// A decoded frame on the air.
struct burst {
  double start_s = 0, end_s = 0;   ///< of the stored samples
  double low_hz = 0, high_hz = 0;  ///< from the carrier's centre
  std::size_t channel = 0;         ///< of constellation::channels
  std::string label;               ///< channel, and who sent it where that was decoded
};

struct constellation {
  struct channel {
    const char* name;
    const char* colour;
    std::vector<phy::cf32> points;
    double error = 0;     ///< squared distances to the nearest ideal points, whose mean power is 1
    std::uint64_t n = 0;  ///< symbols
    /// Error vector magnitude, 1 for an error as strong as the signal.
    double evm() const { return n > 0 ? std::sqrt(error / static_cast<double>(n)) : 0; }
  };
  std::array<channel, 4> channels{
      {{"PSBCH", "#9c5fb5", {}}, {"PSCCH", "#c87814", {}}, {"PSSCH", "#1f4f9c", {}}, {"PSDCH", "#2f8f4e", {}}}};
  std::vector<burst> bursts;  ///< the first of them
  std::uint64_t n_frames = 0;
  std::string hint;  ///< what to try where nothing is decoded
};

/// recording: open, wherever it is read. Decodes it from its beginning, a few symbols of each frame that begins in
/// [from_s, to_s) of its stored samples. sync: nothing if all were tried and none decodes. An error is a usage error.
result<constellation> constellation_of(std::shared_ptr<phy::sigmf_reader> recording, const scene& known,
                                       std::optional<listen_sync> sync, double from_s, double to_s);

}  // namespace prose::apps
