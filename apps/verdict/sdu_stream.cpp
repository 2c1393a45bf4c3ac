#include "apps/verdict/sdu_stream.h"

#include <algorithm>

#include "security/link_engine.h"

namespace prose::apps {

sdu_stream::entity& sdu_stream::entity_of(const flow& f) {
  if (const auto at = entities_.find(f); at != entities_.end()) {
    by_use_.splice(by_use_.end(), by_use_, at->second.place);
    return at->second;
  }
  if (entities_.size() >= max_entities_) {
    entities_.erase(by_use_.front());
    by_use_.pop_front();
  }
  by_use_.push_back(f);
  return entities_.emplace(f, entity{{}, std::prev(by_use_.end())}).first->second;
}

bool sdu_stream::add(const captured_frame& f, const std::function<void(const captured_sdu&)>& deliver) {
  const auto pdu = sl_sch_of(f);
  if (!pdu) return false;
  for (const auto& sdu : pdu->all()) {
    auto& e = entity_of({pdu->header.src, pdu->header.dst, sdu.lcid});
    e.rx.receive(sdu.data, counters_, [&](std::span<const std::uint8_t> octets) {
      deliver({f.number, f.time_s, pdu->header.src, pdu->header.dst, sdu.lcid, octets});
    });
  }
  return true;
}

std::optional<record_view> record_of(const captured_sdu& s) {
  if (!security::channel_index(s.lcid)) return std::nullopt;
  const auto h = security::read_pdcp_header(s.octets);
  if (!h || s.octets.size() <= security::pdcp_header_octets) return std::nullopt;
  return record_view{s.src, s.dst, s.lcid, *h, s.octets};
}

std::optional<setup_view> setup_of(const captured_sdu& s) {
  if (s.lcid != mac::lcid_pc5s_unprotected && s.lcid != mac::lcid_pc5s_security_mode) return std::nullopt;
  if (s.octets.size() <= security::pdcp_header_octets) return std::nullopt;
  const auto message = s.octets.subspan(security::pdcp_header_octets);
  const auto h = security::read_message_header(message, false);
  if (!h) return std::nullopt;
  return setup_view{s.src, s.dst, s.lcid, *h, message};
}

}  // namespace prose::apps
