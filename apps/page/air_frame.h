// A frame as the page shows it, from the sniffer's event.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/page/bounded_json.h"

namespace prose::page {

struct air_frame {
  std::uint64_t id = 0;
  double t_s = 0;
  std::string kind;      ///< record, set-up, discovery, sci, mib, failed
  std::string src, dst;  ///< empty where it names nobody
  std::size_t octets = 0;
  json shown;  ///< of the event `frames`
};

inline constexpr std::size_t most_shown_octets = 256;

/// Nothing where the event is of no frame. n_prb: of the carrier, 0 where it is not known.
std::optional<air_frame> frame_of(const json& event, std::uint64_t id, int n_prb);

}  // namespace prose::page
