#include "mac/discovery_scheduler.h"

namespace prose::mac {

void discovery_scheduler::enqueue(const security::discovery_pdu& pdu) {
  if (queued_.size() >= max_queued) queued_.pop_front();
  queued_.push_back(pdu);
}

void discovery_scheduler::choose(security_port& security, time_ms now) {
  planned_.clear();
  std::vector<security::discovery_pdu> messages(queued_.begin(), queued_.end());
  queued_.clear();
  if (config_.announce) {
    const auto entries = security.announcements(now);
    const std::size_t n = std::min(entries.size(), static_cast<std::size_t>(config_.per_period));
    for (std::size_t i = 0; i < n; ++i) messages.push_back(entries[(turn_ + i) % entries.size()]);
    turn_ += n;
  }
  for (const auto& m : messages) {
    if (!random_.chance(config_.tx_probability)) continue;
    // Uniform among the resources whose subframes no other message of ours has: one burst a subframe.
    for (int draw = 0; draw < 16; ++draw) {
      const int n = random_.below(pool_.n_resources());
      bool free = true;
      for (int j = 0; j < pool_.n_transmissions(); ++j) free = free && !planned_.contains(pool_.resource(n, j).subframe);
      if (!free) continue;
      for (int j = 0; j < pool_.n_transmissions(); ++j)
        planned_[pool_.resource(n, j).subframe] = psdch_transmission{pool_.psdch(n, j), m};
      break;
    }
  }
}

}  // namespace prose::mac
