#include "apps/lib/capture/frame_words.h"

#include <cstdio>

namespace prose::apps {

const char* channel_of(frame_kind k) {
  switch (k) {
    case frame_kind::mib_sl:
      return "PSBCH";
    case frame_kind::sci:
      return "PSCCH";
    case frame_kind::sl_sch:
      return "PSSCH";
    case frame_kind::discovery:
      return "PSDCH";
  }
  return "?";
}

std::string hex24(std::uint32_t v) {
  char t[12];
  std::snprintf(t, sizeof t, "%06x", v);
  return t;
}

std::string who(const captured_frame& f) {
  if (f.kind == frame_kind::mib_sl) return "SLSS " + std::to_string(f.n_sl_id);
  if (const auto pdu = sl_sch_of(f)) return hex24(pdu->header.src) + " > " + hex24(pdu->header.dst);
  return f.kind == frame_kind::sl_sch && f.crc_ok ? "malformed" : "";
}

}  // namespace prose::apps
