#include "apps/ue/timing_watch.h"

#include "apps/lib/common/log.h"

namespace prose::apps {

void timing_watch::set_carrier(double sample_rate_hz, phy::cyclic_prefix cp, mac::time_mode mode) {
  us_per_sample_ = 1e6 / sample_rate_hz;
  cp_ = cp;
  mode_ = mode;
}

void timing_watch::follow(security::peer_id peer, const mac::ue::peer_hearing& heard, double t_s) {
  auto& w = peers_.try_emplace(peer, watched{peer_timing(cp_), heard.at - 1}).first->second;
  if (heard.at == w.read_at) return;
  w.read_at = heard.at;
  w.timing.add(t_s, heard.signal.timing_offset_samples * us_per_sample_);
  const auto news = w.timing.news();
  if (!news) return;
  auto e = events_.of_peer("peer_timing", peer);
  e.add("late_us", news->late_us);
  if (news->us_per_minute) e.add("us_per_minute", *news->us_per_minute);
  if (news->lost_in_minutes) e.add("lost_in_minutes", *news->lost_in_minutes);
  events_.write(e);
  log_warning("{} {}; {}", events_.name_of(peer), words_of(*news),
              mode_ == mac::time_mode::gnss ? "gnss needs a common clock (docs/usrp.md, Timing)"
                                            : "it is far away, or follows another reference");
}

std::optional<peer_timing::trend> timing_watch::of(security::peer_id peer) const {
  const auto i = peers_.find(peer);
  return i == peers_.end() ? std::nullopt : i->second.timing.now();
}

}  // namespace prose::apps
