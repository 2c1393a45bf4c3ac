// What an eavesdropper tells from sizes and times alone, which no protocol here hides. Measured, with intervals and
// chance; never decides the outcome.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/verdict/link_history.h"
#include "apps/lib/verdict/verdict.h"

namespace prose::apps {

/// Who answers whom: after each block, the next one of another sender is guessed to be the answer on the same link.
/// Chance is the share that this direction has of all blocks of other senders so far.
class answer_residual {
public:
  void add(const captured_frame& f, std::uint32_t src, std::uint32_t dst);
  void judge(verdict& v) const;

private:
  static constexpr double answer_within_s = 2.0;
  static constexpr std::size_t max_directions = 4096;
  using direction = std::pair<std::uint32_t, std::uint32_t>;
  std::map<direction, std::uint64_t> blocks_;
  std::map<std::uint32_t, std::uint64_t> of_sender_;
  std::uint64_t n_ = 0;
  direction last_{};
  double last_s_ = -1;
  std::uint64_t trials_ = 0, right_ = 0;
  double chance_ = 0;  // sum
};

/// Links followed over changes of their layer-2 IDs by sizes of blocks, times between blocks, or how long they last:
/// the new link is guessed to continue the one before that is most alike. Right is the only link that fell silent then,
/// as in judge_followed().
void judge_traffic(const link_history& history, verdict& v);

}  // namespace prose::apps
