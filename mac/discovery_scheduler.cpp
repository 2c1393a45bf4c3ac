#include "mac/discovery_scheduler.h"

#include "mac/random.h"

namespace prose::mac {

using security::stream_purpose;

void discovery_scheduler::enqueue_response(const security::discovery_pdu& pdu, peer_id to) {
  if (responses_.size() >= max_queued) responses_.pop_front();
  responses_.push_back({pdu, to});
}

/// Messages to everybody take their places first, drawn from a stream of their own; responses follow, each from the
/// stream of its peer. So the places of the rest depend neither on how many peers ask nor on which.
void discovery_scheduler::choose(time_ms now) {
  planned_.clear();
  auto& common = security_.random(stream_purpose::discovery_places);
  if (config_.announce) {
    const auto entries = security_.announcements(now);
    const std::size_t n = std::min<std::size_t>(entries.size(), config_.per_period);
    for (std::size_t i = 0; i < n; ++i) place(entries[(turn_ + i) % entries.size()], common);
    turn_ += n;
  }
  for (const auto& q : queries_) place(q, common);
  queries_.clear();
  for (const auto& r : responses_) {
    auto random = for_one_decision(security_.random(stream_purpose::response_places, r.to));
    place(r.pdu, random);
  }
  responses_.clear();
}

void discovery_scheduler::place(const security::discovery_pdu& message, security::random_port& random) {
  if (!chance(random, config_.tx_probability)) return;
  // Uniform among the resources whose subframes hold no other message of ours: a UE sends one burst a subframe.
  for (int draw = 0; draw < 16; ++draw) {
    const int n = below(random, pool_.n_resources());
    bool free = true;
    for (int j = 0; j < pool_.n_transmissions(); ++j) free = free && !planned_.contains(pool_.resource(n, j).subframe);
    if (!free) continue;
    for (int j = 0; j < pool_.n_transmissions(); ++j)
      planned_[pool_.resource(n, j).subframe] = psdch_transmission{pool_.psdch(n, j), message};
    return;
  }
}

}  // namespace prose::mac
