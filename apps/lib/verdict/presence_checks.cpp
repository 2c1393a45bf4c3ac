#include "apps/lib/verdict/presence_checks.h"

#include <algorithm>

namespace prose::apps {
using security::message_type;

void presence_checks::add(const setup_view& m, std::uint64_t frame, double time_s) {
  if (m.header.type == message_type::direct_communication_request) {
    if (requests_.size() >= max_requests && !requests_.contains({m.src, m.dst})) requests_.clear();
    auto [at, fresh] = requests_.try_emplace({m.src, m.dst});
    auto& q = at->second;
    if (fresh) {
      q.first_s = time_s;
      q.frame = frame;
      q.octets.assign(m.octets.begin(), m.octets.end());
      return;
    }
    if (!std::equal(q.octets.begin(), q.octets.end(), m.octets.begin(), m.octets.end())) {
      q.other_octets = true;
      ++forged_;
      forged_frames_.add(frame);
      return;
    }
    const bool late = time_s - q.first_s > request_life_s;
    const bool over = q.completed_s >= 0 && time_s - q.completed_s > after_complete_s;
    if (!late && !over) return;
    q.replayed_s = time_s;
    q.replay_frame = frame;
    ++replays_;
    replay_frames_.add(frame);
    return;
  }
  if (m.header.type == message_type::security_mode_complete) {
    if (const auto at = requests_.find({m.src, m.dst}); at != requests_.end() && at->second.completed_s < 0)
      at->second.completed_s = time_s;
    return;
  }
  if (m.header.type != message_type::security_mode_command) return;
  const auto at = requests_.find({m.dst, m.src});
  if (at == requests_.end()) return;
  auto& q = at->second;
  if (q.replayed_s >= 0 && time_s - q.replayed_s <= answer_within_s) {
    ++replays_answered_;
    answer_frames_.add(q.replay_frame);
    answer_frames_.add(frame);
    q.replayed_s = -1;
  }
  if (q.commands.size() < 8) q.commands.insert({m.octets.begin(), m.octets.end()});
  if (q.other_octets && q.commands.size() > 1) {
    ++forged_answered_;
    forged_answer_frames_.add(frame);
  }
}

void presence_checks::judge(check_report& out) const {
  if (replays_ > 0)
    out.remark("presence", "replayed_request", std::to_string(replays_) + " requests were sent again after their time",
               replay_frames_);
  if (forged_ > 0)
    out.remark("presence", "altered_request",
               std::to_string(forged_) + " requests differ from another one of the same layer-2 IDs", forged_frames_);
  if (replays_answered_ > 0)
    out.found("presence", "replayed_request_answered",
              std::to_string(replays_answered_) +
                  " replayed requests were answered: whoever replays one learns that the responder is there",
              answer_frames_);
  if (forged_answered_ > 0)
    out.found("presence", "forged_request_answered",
              "a second, different command answers requests of the same layer-2 IDs", forged_answer_frames_);
}

}  // namespace prose::apps
