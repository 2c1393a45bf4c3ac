// Does any frame answer a replayed or a forged request? An answer to one tells a prober that somebody is there.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/sdu_stream.h"
#include "common/octet_order.h"

namespace prose::apps {

class presence_checks {
public:
  void add(const setup_view& m, std::uint64_t frame, double time_s);
  void judge(check_report& out) const;

private:
  /// A request is sent again, octet for octet, for at most 8 s (T4100 times its repetitions); later, or after the
  /// Complete, it is a replay.
  static constexpr double request_life_s = 10.0;
  static constexpr double after_complete_s = 1.0;
  static constexpr double answer_within_s = 5.0;
  static constexpr std::size_t max_requests = 10'000;
  struct request {
    double first_s = 0;
    std::uint64_t frame = 0;
    double replayed_s = -1;  // last time it was seen as a replay
    std::uint64_t replay_frame = 0;
    double completed_s = -1;
    std::vector<std::uint8_t> octets;
    bool other_octets = false;  // another request under the same IDs: one of them is not the initiator's
    octet_set commands;
  };
  std::map<std::pair<std::uint32_t, std::uint32_t>, request> requests_;  // (SRC, DST)
  std::uint64_t replays_ = 0, replays_answered_ = 0, forged_ = 0, forged_answered_ = 0;
  frame_list replay_frames_, answer_frames_, forged_frames_, forged_answer_frames_;
};

}  // namespace prose::apps
