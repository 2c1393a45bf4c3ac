#include "apps/verdict/sdu_stream.h"

#include <algorithm>

#include "apps/verdict/reuse_checks.h"
#include "security/link_engine.h"

namespace prose::apps {

sdu_stream::entity& sdu_stream::entity_of(const flow& f, sdu_sink& sink) {
  if (const auto at = entities_.find(f); at != entities_.end()) {
    by_use_.splice(by_use_.end(), by_use_, at->second.place);
    return at->second;
  }
  if (entities_.size() >= max_entities_) {
    const auto oldest = entities_.find(by_use_.front());
    give_up(oldest->second, sink, true);
    entities_.erase(oldest);
    by_use_.pop_front();
  }
  by_use_.push_back(f);
  entity& e = entities_[f];
  e.place = std::prev(by_use_.end());
  return e;
}

void sdu_stream::give_up(entity& e, sdu_sink& sink, bool by_loss) {
  if (e.open) {
    e.partial_of.octets = e.partial;
    sink.cut(e.partial_of, true, by_loss);
  }
  e.open = false;
  e.partial.clear();
}

void sdu_stream::receive(entity& e, const captured_sdu& pdu, sdu_sink& sink) {
  mac::umd_pdu p;
  if (!mac::parse(pdu.octets, p)) {
    sink.malformed(pdu);
    return;
  }
  const std::uint64_t digest = hash_of(pdu.octets, 5);
  if (e.next_sn && digest == e.last_pdu) {  // sent again: copies come out as copies, and nothing else changes
    std::size_t rest = pdu.octets.size();
    for (std::size_t i = 0; i < p.n_elements; ++i) {
      if ((i == 0 && p.starts_inside_sdu) || (i + 1 == p.n_elements && p.ends_inside_sdu)) continue;
      rest -= p.elements[i].size();
      captured_sdu copy = pdu;
      copy.octets = p.elements[i];
      sink.whole(copy);
    }
    sink.overhead(pdu.src, rest);
    return;
  }
  e.last_pdu = digest;
  const bool in_sequence = e.next_sn && *e.next_sn == p.sn;
  if (e.next_sn && !in_sequence) ++gaps_;
  // The capture may begin anywhere, and what a lost block held is not known.
  const bool by_loss = !in_sequence;
  e.next_sn = static_cast<std::uint8_t>((p.sn + 1) % mac::rlc_sn_modulus);
  if (!in_sequence || !p.starts_inside_sdu) give_up(e, sink, by_loss);
  std::size_t data = 0;
  for (std::size_t i = 0; i < p.n_elements; ++i) data += p.elements[i].size();
  sink.overhead(pdu.src, pdu.octets.size() - data);
  const std::size_t n_li = p.n_elements - 1;
  if (n_li % 2 == 1)
    if (const std::uint8_t bits = pdu.octets[1 + n_li * 12 / 8] & 0x0f; bits != 0) sink.rlc_padding(pdu, bits);
  for (std::size_t i = 0; i < p.n_elements; ++i) {
    const bool continues = i == 0 && p.starts_inside_sdu, unfinished = i + 1 == p.n_elements && p.ends_inside_sdu;
    captured_sdu part = pdu;
    part.octets = p.elements[i];
    if (!continues && !unfinished) {
      sink.whole(part);
    } else if (continues && !e.open) {
      // Its beginning was lost, or there never was one.
      sink.cut(part, false, by_loss || e.ended_inside);
    } else if (e.partial.size() + part.octets.size() > mac::rlc_max_sdu_octets) {
      e.open = false;
      part.octets = e.partial;
      sink.malformed(part);
      part.octets = p.elements[i];
      sink.malformed(part);
      e.partial.clear();
    } else {
      e.partial.insert(e.partial.end(), part.octets.begin(), part.octets.end());
      e.partial_of = pdu;
      e.open = unfinished;
      if (!unfinished) {
        part.octets = e.partial;
        sink.whole(part);
        e.partial.clear();
      }
    }
  }
  e.ended_inside = p.ends_inside_sdu;
}

void sdu_stream::add(const captured_frame& f, const mac::sl_sch_pdu& pdu, sdu_sink& sink) {
  for (const auto& sdu : pdu.all())
    receive(entity_of({pdu.header.src, pdu.header.dst, sdu.lcid}, sink), {f.number, f.time_s, pdu.header.src, pdu.header.dst, sdu.lcid, sdu.data}, sink);
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
