// Telling radios apart by their carrier frequency offset, power and timing: what no protocol hides.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/verdict/link_history.h"
#include "apps/lib/verdict/verdict.h"

namespace prose::apps {

/// Groups of carrier frequency offsets: sorted values, cut where neighbours are further apart than `gap_hz`.
class radio_clusters {
public:
  explicit radio_clusters(std::vector<float> cfo_hz, float gap_hz = 60);
  std::size_t count() const { return ends_.size(); }
  std::size_t of(float cfo_hz) const;

private:
  std::vector<float> ends_;  // upper end of each group, ascending
};

/// How well physical features tell which layer-2 ID a frame belongs to: the first half of each ID's frames teaches its
/// mean, the second half is guessed by the nearest mean. IDs of one radio look alike to it, so that its success
/// understates how well radios are told apart. Never decides the outcome.
class radio_residual {
public:
  void add(const captured_frame& f, std::uint32_t src);
  void judge(verdict& v) const;

private:
  static constexpr std::size_t max_ids = 256, max_frames = 64;
  struct sample {
    float power_db, timing, cfo_hz;
  };
  std::map<std::uint32_t, std::vector<sample>> by_src_;
};

/// Links followed over changes of their layer-2 IDs by one feature alone: the new link is guessed to continue the one
/// of before whose two ends are nearest to its own. Right is the only link that fell silent then; where several did,
/// nothing is counted. Never decides the outcome.
void judge_followed(const link_history& history, verdict& v);

}  // namespace prose::apps
