// What a recording will take of the disk, in words, before it begins.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace prose::apps {

struct room_needed {
  double bytes_per_second = 0;
  double duration_s = 0;        ///< 0: until it is stopped
  std::uint64_t max_bytes = 0;  ///< 0: no limit
};
struct room_told {
  std::string text;    ///< "61.4 MB a second; 20.1 GB are free, enough for 327 s"
  bool enough = true;  ///< false: what is asked for does not fit
};
room_told room_text(const room_needed& needed, std::uint64_t free_bytes);
/// Logs it, as a warning where there is not enough room. Nothing where the file system does not tell what is free.
void tell_room(const std::string& path, const room_needed& needed);

}  // namespace prose::apps
