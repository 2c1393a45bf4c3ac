#include "apps/ue/ue_events.h"

#include <utility>

namespace prose::apps {

result<void> ue_events::open(const std::string& path) {
  auto writer = event_writer::open(path);
  if (!writer) return tl::unexpected(writer.error());
  writer_ = std::move(*writer);
  return {};
}

event ue_events::of_peer(std::string_view what, security::peer_id peer) const {
  auto e = make(what);
  e.add("peer", slots_.name_of(peer));
  return e;
}

}  // namespace prose::apps
