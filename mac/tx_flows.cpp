#include "mac/tx_flows.h"

#include <algorithm>

#include "security/record.h"

namespace prose::mac {

namespace {
/// Above this limit a peer's messages go out at once; a flood needs no further spreading.
constexpr std::ptrdiff_t max_held_per_peer = 8;
}  // namespace

std::size_t tx_flow::queued_octets() const {
  std::size_t n = 0;
  for (const auto& [lcid, rlc] : channels) n += rlc.wanted_octets();
  return n;
}

bool tx_flow::has_signalling() const {
  for (const auto& [lcid, rlc] : channels)
    if (!carries_data(lcid) && !rlc.empty()) return true;
  return false;
}

tx_flow* tx_flows::find(l2_id src, l2_id dst) {
  for (auto& f : flows_)
    if (f.src == src && f.dst == dst) return &f;
  return nullptr;
}

tx_flow& tx_flows::flow_for(peer_id peer, l2_id src, l2_id dst, time_ms now) {
  tx_flow* f = find(src, dst);
  if (f == nullptr) {
    flows_.emplace_back();
    f = &flows_.back();
    f->peer = peer;
    f->src = src;
    f->dst = dst;
    f->last_used = now;
  }
  return *f;
}

void tx_flows::enqueue_signalling(const security::send_message& m, time_ms now, time_ms hold) {
  const tx_flow* f = find(m.src, m.dst);
  const bool repeated = f != nullptr && f->channels.contains(m.lcid);
  const auto held =
      std::count_if(held_.begin(), held_.end(), [&](const held_message& h) { return h.message.peer == m.peer; });
  if (!repeated || hold <= 0 || held >= max_held_per_peer) return queue_signalling(m, now);
  for (const auto& h : held_)  // at most one repetition waits, as in queue_signalling
    if (is_set_up_channel(m.lcid) && h.message.lcid == m.lcid && h.message.src == m.src && h.message.dst == m.dst)
      return;
  held_.push_back({now + hold, m});
}

void tx_flows::release_held(time_ms now) {
  for (auto h = held_.begin(); h != held_.end();) {
    if (h->due > now) {
      ++h;
      continue;
    }
    queue_signalling(h->message, now);
    h = held_.erase(h);
  }
}

time_ms tx_flows::next_held() const {
  time_ms next = INT64_MAX;
  for (const auto& h : held_) next = std::min(next, h.due);
  return next;
}

bool tx_flows::holds(l2_id src, l2_id dst) const {
  return std::any_of(held_.begin(), held_.end(),
                     [&](const held_message& h) { return h.message.src == src && h.message.dst == dst; });
}

void tx_flows::queue_signalling(const security::send_message& m, time_ms now) {
  std::vector<std::uint8_t> octets;
  const bool whole_pdu =
      !is_set_up_channel(m.lcid) || (m.lcid == lcid_pc5s_security_mode && security_.protects_security_mode());
  if (!whole_pdu) octets.assign(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end());
  octets.insert(octets.end(), m.octets.begin(), m.octets.end());
  tx_flow& f = flow_for(m.peer, m.src, m.dst, now);
  auto& rlc = f.channels.try_emplace(m.lcid, 8 * 1024).first->second;
  if (!f.has_signalling()) f.signalling_since = now;
  f.last_used = now;
  // A retransmission that finds its predecessor still waiting adds nothing.
  if (is_set_up_channel(m.lcid) && !rlc.empty()) return;
  if (!rlc.enqueue(std::move(octets))) ++counters_.sdus_refused;
}

bool tx_flows::has_room(peer_id peer, std::size_t octets) const {
  const auto q = queues_.find(peer);
  return q == queues_.end() ? octets <= limits_.max_queued_octets_per_link
                            : q->second.sdus.size() < limits_.max_queued_sdus_per_link &&
                                  q->second.octets + octets <= limits_.max_queued_octets_per_link;
}

bool tx_flows::enqueue_data(peer_id peer, std::uint8_t lcid, security::sdu_type type,
                            std::span<const std::uint8_t> data, time_ms now) {
  if (!carries_data(lcid) || data.empty() || data.size() > security::max_sdu_octets || !has_room(peer, data.size())) {
    ++counters_.sdus_refused;
    return false;
  }
  link_queue& q = queues_[peer];
  q.octets += data.size();
  q.sdus.push_back({lcid, type, {data.begin(), data.end()}, now});
  ++counters_.sdus_accepted;
  return true;
}

bool tx_flows::seal_one(peer_id peer, link_queue& q, time_ms now) {
  const auto link = security_.link_with(peer);
  if (!link) return false;
  sdu& s = q.sdus.front();
  std::vector<std::uint8_t> pdu(s.data.size() + security::record_overhead_octets);
  const auto sealed = security_.seal(*link, s.lcid, s.type, s.data, now, pdu);
  if (!sealed) {
    ++counters_.seal_refused;
    return false;  // stays queued: the link may be rekeying
  }
  pdu.resize(sealed->octets);
  tx_flow& f = flow_for(peer, sealed->src, sealed->dst, now);
  f.last_used = now;
  if (f.channels.try_emplace(s.lcid).first->second.enqueue(std::move(pdu)))
    ++counters_.sdus_sealed;
  else
    ++counters_.sdus_dropped;
  q.octets -= s.data.size();
  q.sdus.pop_front();
  return true;
}

void tx_flows::prepare(std::size_t octets, time_ms now) {
  for (auto& [peer, q] : queues_) {
    std::size_t ready = 0;
    for (const auto& f : flows_)
      if (f.peer == peer) ready += f.queued_octets();
    while (!q.sdus.empty() && ready < octets) {
      const std::size_t n = q.sdus.front().data.size();
      if (!seal_one(peer, q, now)) break;
      ready += n + security::record_overhead_octets;
    }
  }
}

std::vector<tx_flow*> tx_flows::waiting() {
  std::vector<tx_flow*> out;
  for (auto& f : flows_)
    if (f.queued_octets() != 0) out.push_back(&f);
  std::stable_sort(out.begin(), out.end(), [](const tx_flow* a, const tx_flow* b) {
    const bool sa = a->has_signalling(), sb = b->has_signalling();
    if (sa != sb) return sa;
    return a->last_used < b->last_used;
  });
  return out;
}

bool tx_flows::any_waiting() const {
  for (const auto& f : flows_)
    for (const auto& [lcid, rlc] : f.channels)
      if (!rlc.empty()) return true;
  for (const auto& [peer, q] : queues_)
    if (!q.sdus.empty() && security_.link_with(peer)) return true;
  return false;
}

std::size_t tx_flows::backlog(const tx_flow& f) const {
  std::size_t n = f.queued_octets();
  if (const auto q = queues_.find(f.peer); q != queues_.end())
    n += q->second.octets + q->second.sdus.size() * security::record_overhead_octets;
  return n;
}

bool tx_flows::build(tx_flow& f, sl_sch_version version, std::span<std::uint8_t> tb, time_ms now) {
  // Data that arrived after the grant was chosen goes along if it still belongs to this (SRC, DST).
  if (const auto q = queues_.find(f.peer); q != queues_.end())
    while (!q->second.sdus.empty() && f.queued_octets() < tb.size())
      if (!seal_one(f.peer, q->second, now)) break;
  if (f.queued_octets() == 0) return false;
  sl_sch_builder b({version, f.src, f.dst}, tb);
  std::size_t used = 0;
  // Signalling first: LCIDs from the top down.
  for (auto c = f.channels.rbegin(); c != f.channels.rend(); ++c) {
    auto& [lcid, rlc] = *c;
    if (rlc.empty()) continue;
    const std::size_t room = std::min(b.room(), rlc.wanted_octets());
    if (room < 2) continue;
    const std::size_t n = rlc.build(b.add(lcid, room));
    b.shrink_last(n);
    used += n;
  }
  if (used == 0) return false;
  b.finish();
  f.last_used = now;
  ++counters_.transport_blocks;
  counters_.octets_offered += tb.size();
  counters_.octets_used += used;
  return true;
}

void tx_flows::drop_peer(peer_id peer) {
  queues_.erase(peer);
  std::erase_if(flows_,
                [&](const tx_flow& f) { return f.peer == peer && !f.has_signalling() && !holds(f.src, f.dst); });
  for (auto& f : flows_)
    if (f.peer == peer)
      for (auto& [lcid, rlc] : f.channels)
        if (carries_data(lcid)) rlc.clear();
}

void tx_flows::expire(time_ms now) {
  // What a covered flow still holds so long after its last cell belongs to identifiers that have changed since.
  for (auto& f : flows_)
    if ((f.has_signalling() || f.peer >= first_cover_peer) &&
        now - f.signalling_since > limits_.signalling_lifetime_ms && now - f.last_used > limits_.signalling_lifetime_ms)
      for (auto& [lcid, rlc] : f.channels) rlc.clear();
  std::erase_if(flows_, [&](const tx_flow& f) {
    return f.queued_octets() == 0 && now - f.last_used > limits_.flow_idle_ms && !holds(f.src, f.dst);
  });
  // Data that waits for a link is not delivered long after it was queued.
  for (auto& [peer, q] : queues_)
    while (!q.sdus.empty() && now - q.sdus.front().since > limits_.unlinked_lifetime_ms && !security_.link_with(peer)) {
      q.octets -= q.sdus.front().data.size();
      q.sdus.pop_front();
      ++counters_.sdus_expired;
    }
  std::erase_if(queues_, [](const auto& q) { return q.second.sdus.empty(); });
}

std::size_t tx_flows::queued_plaintext_octets() const {
  std::size_t n = 0;
  for (const auto& [peer, q] : queues_) n += q.octets;
  return n;
}

}  // namespace prose::mac
