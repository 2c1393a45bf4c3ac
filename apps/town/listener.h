// Who overhears a town, and what the verdict says of it.
#pragma once

#include "apps/lib/verdict/verdict.h"
#include "apps/town/air.h"
#include "apps/town/town.h"

namespace prose::apps::town {

class listener {
public:
  explicit listener(const mac::ue_config& ue);
  /// What it took out of this subframe. cfo_hz: of each UE.
  void hear(std::int64_t now, const reception& r, const std::function<float(int)>& cfo_hz);
  /// The verdict, from all that was heard until `now`.
  verdict judge(std::int64_t now, const air::totals& counted);
  double cpu_s() const { return cpu_s_; }
  std::uint64_t frames() const { return n_frames_; }

private:
  captured_frame frame(std::int64_t now, const reception::item& item, const std::function<float(int)>& cfo_hz);
  void add(captured_frame&& f);
  mac::ue_config ue_;
  analysis analysis_;
  std::int64_t first_ = -1;
  std::uint64_t n_frames_ = 0;
  double cpu_s_ = 0;
};

/// Of the calling thread, seconds.
double cpu_now_s();

}  // namespace prose::apps::town
