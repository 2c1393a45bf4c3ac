#include "mac/rx_path.h"

#include <algorithm>
#include <utility>

namespace prose::mac {

namespace {
constexpr time_ms repetition_ms = 400;  // longer than any SC period or TM4 retransmission gap in use
constexpr time_ms destinations_valid_ms = 100;
constexpr time_ms entity_idle_ms = 10'000;
constexpr std::size_t n_recent = 64;
constexpr std::size_t max_block_octets = 25'456 / 8;  // of 50 PRB (TS 36.213 table 7.1.7.2.1-1, 16QAM)
constexpr std::size_t max_setup_sdu_octets = 256;     // no PC5-S message of a set-up is half as long

rlc_um_candidate_limits setup_limits() { return {1024, 64, max_setup_sdu_octets, 4}; }

sdu_verdict verdict_of(security::drop_reason r) {
  switch (r) {
    case security::drop_reason::bad_record:
    case security::drop_reason::bad_token:
    case security::drop_reason::bad_handshake:
    // The genuine sender under these layer-2 IDs uses the KD-sess ID and the channels that belong to them.
    case security::drop_reason::unknown_link:
    case security::drop_reason::wrong_channel:
    case security::drop_reason::malformed:
      return sdu_verdict::forged;
    default:
      return sdu_verdict::refused;
  }
}
}  // namespace

rx_path::pool rx_path::make_pool(std::size_t n, const rlc_um_candidate_limits& limits) {
  pool p;
  p.reserve(n);
  const rlc_um_candidates::storage all(limits, n);
  for (std::size_t i = 0; i < n; ++i) p.emplace_back(all, i);
  return p;
}

rx_path::rx_path(security_port& security)
    : security_(security),
      buffer_(rlc_max_sdu_octets),
      work_(rlc_um_candidate_limits{}),
      links_(make_pool(max_link_entities, {})),
      setups_(make_pool(max_setup_entities, setup_limits())),
      requests_(make_pool(max_request_entities, setup_limits())),
      recent_(n_recent) {
  for (auto& r : recent_) r.octets.reserve(max_block_octets);
}

void rx_path::refresh(time_ms now) {
  if (destinations_known_ && now >= destinations_at_ && now - destinations_at_ < destinations_valid_ms) return;
  destinations_.clear();
  security_.append_own_l2_ids(now, destinations_);
  pairs_.clear();
  security_.append_own_l2_pairs(now, pairs_);
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

bool rx_path::accept(std::span<const std::uint8_t> tb, std::optional<std::uint8_t> dst_lsb, time_ms now,
                     sl_sch_pdu& pdu) {
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
  const auto header = pdu.header;
  const auto expected = [&](const sl_sch_sdu& x) {
    return x.lcid == lcid_pc5s_unprotected || known(header.src, header.dst, x.lcid != lcid_pc5s_security_mode);
  };
  if (pdu.n_sdus != 0 && std::none_of(pdu.all().begin(), pdu.all().end(), expected)) {
    ++counters_.unknown_source;
    return false;
  }
  if (repeated(tb, now)) {
    ++counters_.repeated;
    return false;
  }
  return true;
}

bool rx_path::repeated(std::span<const std::uint8_t> tb, time_ms now) {
  for (const auto& r : recent_)
    if (now - r.at < repetition_ms && std::equal(r.octets.begin(), r.octets.end(), tb.begin(), tb.end())) return true;
  if (tb.size() > max_block_octets) return false;
  recent_[next_recent_].octets.assign(tb.begin(), tb.end());
  recent_[next_recent_].at = now;
  next_recent_ = (next_recent_ + 1) % recent_.size();
  return false;
}

bool rx_path::known(l2_id src, l2_id dst, bool records) const {
  return std::find(pairs_.begin(), pairs_.end(), security::l2_pair{dst, src, records}) != pairs_.end();
}

rx_path::entity* rx_path::entity_for(l2_id src, l2_id dst, std::uint8_t lcid, time_ms now) {
  refresh(now);  // an earlier SDU of the same block may have changed the pairs
  if (lcid == lcid_pc5s_unprotected) return &take_from(requests_, src, dst, now);
  const bool records = lcid != lcid_pc5s_security_mode;
  return known(src, dst, records) ? &take_from(records ? links_ : setups_, src, dst, now) : nullptr;
}

rx_path::entity& rx_path::take_from(pool& p, l2_id src, l2_id dst, time_ms now) {
  entity* free = nullptr;
  for (auto& e : p) {
    if (e.used && e.src == src && e.dst == dst) {
      e.last_used = now;
      return e;
    }
    const auto order = [](const entity& x) {
      return x.used ? std::pair(x.last_verified, x.last_used) : std::pair(time_ms{-1}, time_ms{-1});
    };
    if (free == nullptr || order(e) < order(*free)) free = &e;
  }
  counters_.entities_evicted += free->used;
  free->used = true;
  free->src = src;
  free->dst = dst;
  free->last_used = now;
  free->last_verified = 0;
  free->subframe = 0;
  free->rlc.clear();
  return *free;
}

std::size_t& rx_path::budget_of(entity& e, std::uint8_t lcid) {
  const bool request = lcid == lcid_pc5s_unprotected;
  auto& subframe = request ? requests_subframe_ : e.subframe;
  auto& left = request ? request_budget_left_ : e.budget;
  if (subframe != subframe_) {
    subframe = subframe_;
    left = request ? request_budget : link_budget;
  }
  return left;
}

sdu_verdict rx_path::deliver(std::uint8_t lcid, const sl_sch_header& h, std::span<const std::uint8_t> sdu, time_ms now,
                             security::actions& out, std::optional<data_received>& data) {
  const bool unprotected =
      lcid == lcid_pc5s_unprotected || (lcid == lcid_pc5s_security_mode && !security_.protects_security_mode());
  // TS 36.323 5.6.2: without protection the identifier and the SN are zero. The security sublayer reads the header of a
  // record.
  if (unprotected && security::read_pdcp_header(sdu) != security::pdcp_header{}) {
    ++counters_.malformed_pdcp;
    return sdu_verdict::forged;
  }
  const auto octets = unprotected ? sdu.subspan(security::pdcp_header_octets) : sdu;
  const std::size_t n_actions = out.size();
  const auto r = security_.receive(lcid, h.src, h.dst, octets, now, buffer_, out);
  if (out.size() != n_actions) invalidate_destinations();
  if (!r) {
    ++(!unprotected && r.error() == security::drop_reason::malformed ? counters_.malformed_pdcp
                                                                     : counters_.security_dropped);
    return verdict_of(r.error());
  }
  if (!unprotected) verified_peer_ = r->peer;
  if (!r->is_data) {
    ++counters_.signalling_sdus;
    invalidate_destinations();
    return sdu_verdict::verified;
  }
  ++counters_.data_sdus;
  counters_.data_octets += r->data.size();
  data = data_received{r->peer, r->type, r->data};
  return sdu_verdict::verified;
}

std::size_t rx_path::n_entities() const {
  const auto used = [](const pool& p) {
    return std::count_if(p.begin(), p.end(), [](const entity& e) { return e.used; });
  };
  return used(links_) + used(setups_) + used(requests_);
}

void rx_path::expire(time_ms now) {
  for (auto* p : {&links_, &setups_, &requests_})
    for (auto& e : *p)
      if (e.used && now - e.last_used > entity_idle_ms) e.used = false;
}

}  // namespace prose::mac
