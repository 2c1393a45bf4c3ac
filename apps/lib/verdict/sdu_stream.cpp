#include "apps/lib/verdict/sdu_stream.h"

#include <algorithm>

#include "apps/lib/verdict/reuse_checks.h"
#include "security/link_engine.h"

namespace prose::apps {

namespace {
constexpr std::uint32_t mixed_within =
    16;  // PDUs: an SN that is heard again so soon with other octets is another sender's
constexpr unsigned max_steps = 16'384;
std::uint8_t before(std::uint8_t sn) {
  return static_cast<std::uint8_t>((sn + mac::rlc_sn_modulus - 1) % mac::rlc_sn_modulus);
}
}  // namespace

sdu_stream::entity& sdu_stream::entity_of(const flow& f, sdu_sink& sink) {
  if (const auto at = entities_.find(f); at != entities_.end()) {
    by_use_.splice(by_use_.end(), by_use_, at->second.place);
    return at->second;
  }
  if (entities_.size() >= max_entities_) {
    const auto oldest = entities_.find(by_use_.front());
    give_up(oldest->second, sink, true);
    while (!oldest->second.pieces.empty()) drop(oldest->second, 0, sink);
    entities_.erase(oldest);
    by_use_.pop_front();
  }
  by_use_.push_back(f);
  entity& e = entities_[f];
  e.place = std::prev(by_use_.end());
  return e;
}

/// What was held open does not go on with the next PDU.
void sdu_stream::give_up(entity& e, sdu_sink& sink, bool by_loss) {
  for (auto& p : e.pieces) {
    if (p.state != piece::open) continue;
    p.state = by_loss ? piece::lost : piece::broken_off;
    p.touched = e.arrivals;
    sink.doubted(told(p), p.begins);
  }
}

void sdu_stream::drop(entity& e, std::size_t i, sdu_sink& sink) {
  const piece& p = e.pieces[i];
  if (p.state != piece::used) sink.cut(told(p), p.begins, p.state == piece::lost, p.follows);
  e.octets -= p.octets.size();
  octets_ -= p.octets.size();
  e.pieces.erase(e.pieces.begin() + i);
}

void sdu_stream::make_room(entity& e, std::size_t octets, sdu_sink& sink) {
  const auto drop_oldest_of = [&](entity& x) {
    std::size_t oldest = 0;
    for (std::size_t i = 1; i < x.pieces.size(); ++i)
      if (x.arrivals - x.pieces[i].touched > x.arrivals - x.pieces[oldest].touched) oldest = i;
    untried_ += x.pieces[oldest].state != piece::used ? 1 : 0;
    drop(x, oldest, sink);
  };
  while (!e.pieces.empty() && (e.pieces.size() >= max_pieces || e.octets + octets > max_flow_octets)) drop_oldest_of(e);
  for (auto f = by_use_.begin(); f != by_use_.end() && octets_ + octets > max_octets; ++f)
    for (entity& x = entities_.find(*f)->second; !x.pieces.empty() && octets_ + octets > max_octets;) drop_oldest_of(x);
}

void sdu_stream::store(entity& e, const captured_sdu& part, std::uint8_t sn, bool begins, sdu_sink& sink) {
  make_room(e, part.octets.size(), sink);
  piece p{part, {part.octets.begin(), part.octets.end()}, e.arrivals, e.arrivals, sn, begins, !begins};
  p.of.octets = {};
  e.octets += p.octets.size();
  octets_ += p.octets.size();
  e.pieces.push_back(std::move(p));
}

/// Whether something is held that a part of this SN may continue; it then stays, and what it continues, back to the
/// beginning.
bool sdu_stream::follows_something(entity& e, std::uint8_t sn) {
  for (unsigned n = 0; n < mac::rlc_sn_modulus; ++n) {
    bool any = false;
    sn = before(sn);
    for (auto& p : e.pieces)
      if (p.sn == sn) p.touched = e.arrivals, any = true;
    if (!any) return n > 0;
  }
  return true;
}

/// Assemblies of parts up to a last one: those with the fewest PDUs between the parts first.
struct sdu_stream::search {
  captured_sdu tail;
  std::uint32_t bound = 0, next = UINT32_MAX;
  unsigned steps = max_steps, found = 0;
  std::vector<std::size_t> path{};  // the part right before the last one first
  std::vector<std::vector<std::size_t>> assemblies{};
};

/// Depth first; false: a limit was met.
bool sdu_stream::find(const entity& e, search& s, std::uint8_t sn, std::uint32_t arrival, std::size_t octets,
                      std::uint32_t cost, sdu_sink& sink) {
  for (std::size_t i = e.pieces.size(); i-- > 0;) {
    const piece& p = e.pieces[i];
    if (p.sn != before(sn) || p.arrival >= arrival || octets + p.octets.size() > mac::rlc_max_sdu_octets) continue;
    if (s.steps-- == 0) return false;
    const std::uint32_t now = cost + (arrival - p.arrival - 1);
    if (now > s.bound) {
      s.next = std::min(s.next, now);
      break;  // what came earlier costs more
    }
    s.path.push_back(i);
    if (p.begins && now == s.bound) {
      if (s.assemblies.size() >= max_assemblies) return false;
      s.assemblies.push_back(s.path);
    } else if (!p.begins && !find(e, s, p.sn, p.arrival, octets + p.octets.size(), now, sink)) {
      return false;
    }
    s.path.pop_back();
  }
  return true;
}

void sdu_stream::finish(entity& e, const captured_sdu& tail, std::uint8_t sn, bool by_loss, sdu_sink& sink) {
  search s{tail};
  for (;;) {
    s.path.clear();
    s.next = UINT32_MAX;
    if (!find(e, s, sn, e.arrivals, tail.octets.size(), 0, sink)) {
      ++untried_;
      break;
    }
    if (s.next > e.kept()) break;
    s.bound = s.next;
  }
  if (s.assemblies.empty()) sink.cut(tail, false, by_loss, false);
  bool told_of_tail = false;
  std::vector<std::uint8_t> octets;
  for (const auto& path : s.assemblies) {
    octets.clear();
    bool used = told_of_tail;
    for (auto i = path.rbegin(); i != path.rend(); ++i) {
      const piece& p = e.pieces[*i];
      octets.insert(octets.end(), p.octets.begin(), p.octets.end());
      used = used || p.state == piece::used;
    }
    octets.insert(octets.end(), tail.octets.begin(), tail.octets.end());
    captured_sdu sdu = tail;
    sdu.octets = octets;
    if (used) {
      for (const auto i : path)
        if (const piece& p = e.pieces[i]; p.state != piece::used) sink.part(told(p), p.begins);
      if (!told_of_tail) sink.part(tail, false);
      sink.alternative(sdu);
    } else {
      sink.whole(sdu);
    }
    told_of_tail = true;
    for (const auto i : path) {
      e.pieces[i].state = piece::used;
      e.pieces[i].touched = e.arrivals;
    }
  }
  give_up(e, sink, by_loss);  // what the last part follows and no assembly took has no beginning that was heard
}

void sdu_stream::receive(entity& e, const captured_sdu& pdu, sdu_sink& sink) {
  mac::umd_pdu p;
  if (!mac::parse(pdu.octets, p)) {
    sink.malformed(pdu);
    return;
  }
  const std::uint64_t digest = hash_of(pdu.octets, 5);
  entity::heard& same = e.by_sn[p.sn];
  const bool lately = same.arrival != 0 && e.arrivals - same.arrival < mixed_within;
  if (lately && digest == same.digest) {  // sent again: copies come out as copies, and nothing else changes
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
  ++e.arrivals;
  if (lately) e.mixed = e.arrivals;
  same = {digest, e.arrivals};
  const bool in_sequence = e.next_sn && *e.next_sn == p.sn;
  if (e.next_sn && !in_sequence) ++gaps_;
  // The capture may begin anywhere, and what a lost block held is not known.
  const bool by_loss = !in_sequence;
  e.next_sn = static_cast<std::uint8_t>((p.sn + 1) % mac::rlc_sn_modulus);
  if (!in_sequence || !p.starts_inside_sdu) give_up(e, sink, by_loss);
  for (std::size_t i = 0; i < e.pieces.size();)
    if (e.pieces[i].state != piece::open && e.arrivals - e.pieces[i].touched > e.kept())
      drop(e, i, sink);
    else
      ++i;
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
    // Its beginning may have been lost, or there never was one.
    if (!continues && !unfinished)
      sink.whole(part);
    else if (!continues)
      store(e, part, p.sn, true, sink);
    else if (!unfinished)
      finish(e, part, p.sn, by_loss || e.ended_inside, sink);
    else if (follows_something(e, p.sn))
      store(e, part, p.sn, false, sink);
    else
      sink.cut(part, false, by_loss || e.ended_inside, false);
  }
  e.ended_inside = p.ends_inside_sdu;
}

void sdu_stream::add(const captured_frame& f, const mac::sl_sch_pdu& pdu, sdu_sink& sink) {
  for (const auto& sdu : pdu.all())
    receive(entity_of({pdu.header.src, pdu.header.dst, sdu.lcid}, sink),
            {f.number, f.time_s, pdu.header.src, pdu.header.dst, sdu.lcid, sdu.data}, sink);
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
