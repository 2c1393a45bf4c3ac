// The equalised symbols of what is decoded from a recording, for its picture.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/lib/listen/capture.h"
#include "common/result.h"
#include "phy/types/cf32.h"

namespace prose::apps {

struct constellation {
  struct channel {
    const char* name;
    const char* colour;
    std::vector<phy::cf32> points;
  };
  std::array<channel, 4> channels{
      {{"PSBCH", "#9c5fb5", {}}, {"PSCCH", "#c87814", {}}, {"PSSCH", "#1f4f9c", {}}, {"PSDCH", "#2f8f4e", {}}}};
  std::uint64_t n_frames = 0;
  std::string hint;  ///< what to try where nothing is decoded
};

/// rate_hz: of a recording that does not say it. Decodes the recording, a few symbols of each frame that begins in
/// [from_s, to_s) of its stored samples. sync: nothing if all were tried and none decodes. An error is a usage error.
result<constellation> constellation_of(const std::string& recording, double rate_hz, const scene& known,
                                       std::optional<listen_sync> sync, double from_s, double to_s);

}  // namespace prose::apps
