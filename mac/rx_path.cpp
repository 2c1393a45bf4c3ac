#include "mac/rx_path.h"

#include <algorithm>

#include "mac/pdcp.h"

namespace prose::mac {

namespace {
constexpr time_ms repetition_ms = 400;         // longer than any SC period or TM4 retransmission gap in use
constexpr time_ms destinations_valid_ms = 100;
constexpr time_ms entity_idle_ms = 10'000;

std::uint64_t digest_of(std::span<const std::uint8_t> b) {  // FNV-1a; an accident would cost one block
  std::uint64_t h = 14695981039346656037ULL;
  for (const auto x : b) h = (h ^ x) * 1099511628211ULL;
  return h;
}
}  // namespace

void rx_path::refresh(time_ms now) {
  if (destinations_known_ && now >= destinations_at_ && now - destinations_at_ < destinations_valid_ms) return;
  destinations_.clear();
  security_.append_own_l2_ids(now, destinations_);
  destinations_known_ = true;
  destinations_at_ = now;
}

bool rx_path::addressed(l2_id dst, time_ms now) {
  refresh(now);
  return std::find(destinations_.begin(), destinations_.end(), dst) != destinations_.end();
}

bool rx_path::addressed_lsb(std::uint8_t lsb, time_ms now) {
  refresh(now);
  return std::any_of(destinations_.begin(), destinations_.end(), [&](l2_id d) { return (d & 0xFF) == lsb; });
}

bool rx_path::accept(std::span<const std::uint8_t> tb, std::optional<std::uint8_t> dst_lsb, time_ms now, sl_sch_pdu& pdu) {
  ++counters_.transport_blocks;
  if (parse(tb, pdu) != sl_sch_status::ok) {
    ++counters_.malformed_sl_sch;
    return false;
  }
  // One-to-one only: V = 2 completed by SCI format 0, or V = 3 with all 24 bits (TS 36.321 5.14.2.3).
  const bool v2x = pdu.header.version == sl_sch_version::v2x;
  if (pdu.header.version == sl_sch_version::group || v2x == dst_lsb.has_value()) {
    ++counters_.other_destination;
    return false;
  }
  if (!v2x) pdu.header.dst |= *dst_lsb;
  if (!addressed(pdu.header.dst, now)) {
    ++counters_.other_destination;
    return false;
  }
  const auto digest = digest_of(tb);
  for (const auto& r : recent_)
    if (r.digest == digest && now - r.at < repetition_ms) {
      ++counters_.repeated;
      return false;
    }
  recent_[next_recent_] = {digest, now};
  next_recent_ = (next_recent_ + 1) % recent_.size();
  return true;
}

rx_path::entity& rx_path::entity_for(l2_id src, l2_id dst, std::uint8_t lcid, time_ms now) {
  for (auto e = entities_.begin(); e != entities_.end(); ++e)
    if (e->src == src && e->dst == dst && e->lcid == lcid) {
      e->last_used = now;
      entities_.splice(entities_.begin(), entities_, e);
      return entities_.front();
    }
  if (entities_.size() >= max_entities) {
    entities_.pop_back();
    ++counters_.entities_evicted;
  }
  entities_.push_front({src, dst, lcid, now, {}});
  return entities_.front();
}

std::optional<data_received> rx_path::deliver(std::uint8_t lcid, const sl_sch_header& h, std::span<const std::uint8_t> sdu,
                                              time_ms now, security::actions& out) {
  const auto header = parse_pdcp(sdu);
  if (!header) {
    ++counters_.malformed_pdcp;
    return std::nullopt;
  }
  auto octets = sdu;
  if (lcid == lcid_pc5s_unprotected || lcid == lcid_pc5s_security_mode) {
    // TS 36.323 5.6.2: without protection the identifier and the SN are zero.
    if (header->type != sdu_type::pc5s || header->kd_sess_id != 0 || header->sn != 0) {
      ++counters_.malformed_pdcp;
      return std::nullopt;
    }
    octets = sdu.subspan(pdcp_header_octets);
  }
  const std::size_t n_actions = out.size();
  const auto r = security_.receive(lcid, h.src, h.dst, octets, now, buffer_, out);
  if (out.size() != n_actions) invalidate_destinations();
  if (!r) {
    ++counters_.security_dropped;
    return std::nullopt;
  }
  if (!r->is_data) {
    ++counters_.signalling_sdus;
    invalidate_destinations();
    return std::nullopt;
  }
  ++counters_.data_sdus;
  counters_.data_octets += r->data.size();
  return data_received{r->peer, r->type, r->data};
}

void rx_path::expire(time_ms now) {
  while (!entities_.empty() && now - entities_.back().last_used > entity_idle_ms) entities_.pop_back();
}

}  // namespace prose::mac
