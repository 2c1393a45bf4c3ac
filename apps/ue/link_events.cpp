#include "apps/ue/link_events.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <variant>

#include "apps/lib/common/log.h"
#include "apps/lib/keys/key_file.h"
#include "apps/ue/ue_status.h"
#include "common/hex.h"
#include "security/export.h"

namespace prose::apps {
namespace {

const char* text_of(security::role r) { return r == security::role::initiator ? "initiator" : "responder"; }

void add_link(event& e, const security::link_info& i) {
  char id[8];
  std::snprintf(id, sizeof id, "%04x", i.kd_sess_id);
  e.add("kd_sess_id", id).add("suite", algorithms_of(i)).add_hex("key_fingerprint", i.key_fingerprint);
  e.add("epoch", i.epoch).add("role", text_of(i.own_role));
  char l2[16];
  std::snprintf(l2, sizeof l2, "%06x", i.own_l2);
  e.add("own_l2_id", l2);
  std::snprintf(l2, sizeof l2, "%06x", i.peer_l2);
  e.add("peer_l2_id", l2);
}

}  // namespace

result<void> link_events::open_key_log(const std::string& path) {
  auto fd = keys::open_key_log(path);
  if (!fd) return tl::unexpected(fd.error());
  key_log_ = file_descriptor(*fd);
  log_warning("KEY LOG: record keys of every link are being written to {}: whoever reads it reads the traffic", path);
  events_.write(events_.make("keylog").add("file", path).add("warning", "record keys are being written"));
  return {};
}

void link_events::log_keys(security::link_id link) {
  if (!key_log_) return;
  const auto& links = identity_.security().links();
  for (const auto& line : security::key_log_lines(links, link, security::export_permit::user_was_warned()))
    if (logged_keys_.insert(line).second) {
      const std::string text = line + "\n";
      if (::write(key_log_.get(), text.data(), text.size()) < 0) log_warning("key log: {}", std::strerror(errno));
    }
}

void link_events::report(const mac::ue_event& e) {
  std::visit([this](const auto& x) { on(x); }, e);
}

void link_events::on(const mac::ev_data& e) { data_.deliver(e.peer, e.data); }

void link_events::on(const mac::ev_peer_discovered& e) {
  auto& heard = times_[e.peer].heard_ms;
  if (heard) return;
  heard = clock_.milliseconds();
  log_info("{} discovered", slots_.name_of(e.peer));
  events_.write(events_.of_peer("peer_discovered", e.peer).add("slot", e.slot).add("model", e.by_response ? "b" : "a"));
}

void link_events::on(const mac::ev_link_established& e) {
  auto ev = events_.of_peer("link_established", e.peer);
  add_link(ev, e.info);
  ev.add("frames", e.frames)
      .add("airtime_ms", e.frames)
      .add("octets", e.octets)
      .add("octets_on_air", e.air_octets)
      .add("duration_ms", static_cast<std::int64_t>(e.duration_ms));
  events_.write(ev);
  log_info("link with {}: {}, session keys {}", slots_.name_of(e.peer), algorithms_of(e.info),
           to_hex(e.info.key_fingerprint));
  log_keys(e.info.link);
  times_[e.peer].established_ms = times_[e.peer].epoch_ms = clock_.milliseconds();
}

void link_events::on(const mac::ev_rekeyed& e) {
  auto ev = events_.of_peer("rekeyed", e.peer);
  add_link(ev, e.info);
  events_.write(ev);
  log_keys(e.info.link);
  times_[e.peer].epoch_ms = clock_.milliseconds();
}

link_events::peer_times link_events::times_of(security::peer_id peer) const {
  const auto at = times_.find(peer);
  return at == times_.end() ? peer_times{} : at->second;
}

void link_events::on(const mac::ev_epoch& e) {
  auto ev = events_.of_peer("epoch", e.peer);
  if (const auto info = identity_.port().info(e.link, 0)) add_link(ev, *info);
  events_.write(ev);
  log_keys(e.link);
  times_[e.peer].epoch_ms = clock_.milliseconds();
}

void link_events::on(const mac::ev_link_lost& e) {
  if (e.reason != security::lost_reason::replaced) times_.erase(e.peer);
  log_info("link with {} lost: {}", slots_.name_of(e.peer), security::name_of(e.reason));
  events_.write(events_.of_peer("link_lost", e.peer).add("reason", security::name_of(e.reason)));
  if (e.reason == security::lost_reason::replaced && !identity_.cover().changes_in_rounds(e.peer))
    watch_identity(e.peer);
}

void link_events::on(const mac::ev_attempt_failed& e) {
  times_[e.peer].heard_ms.reset();
  events_.write(events_.of_peer("rejected", e.peer).add("reason", "request not answered"));
}

void link_events::on(const mac::ev_sync& e) {
  log_info("synchronisation: {}, SLSSID {}", mac::name_of(e.role), e.n_sl_id);
  events_.write(events_.make("sync").add("role", mac::name_of(e.role)).add("n_sl_id", e.n_sl_id));
}

void link_events::on(const mac::ev_clock_refused& e) {
  log_warning(
      "the UTC slot {} is refused: the clock went back or leapt; discovery is silent until it is right again. "
      "If it is right now and was wrong before, restart",
      e.slot);
  events_.write(events_.make("rejected").add("reason", "clock").add("discovery", "silent until the clock is right"));
}

/// Two devices with one key replace each other's link again and again. So does one device that restarts as often: a
/// person must look.
void link_events::watch_identity(security::peer_id peer) {
  constexpr std::int64_t within_subframes = 120'000;
  constexpr std::size_t suspicious = 3;
  auto& times = replaced_[peer];
  times.push_back(clock_.subframe());
  std::erase_if(times, [&](std::int64_t t) { return t < clock_.subframe() - within_subframes; });
  if (times.size() < suspicious) return;
  log_warning("{}: {} set-ups in {} s took a live link's place; is its key in use on two devices?",
              slots_.name_of(peer), times.size(), within_subframes / 1000);
  events_.write(events_.of_peer("identity_conflict", peer)
                    .add("replaced", std::ssize(times))
                    .add("within_s", within_subframes / 1000));
  times.clear();
}

void link_events::report_rejected(std::uint64_t misfits) {
  for (std::size_t i = 0; i < rejected_.size(); ++i) {
    const auto why = static_cast<security::drop_reason>(i);
    const auto n = identity_.dropped(why);
    // "Nothing new" and "not addressed" are usual on a broadcast medium.
    if (n != rejected_[i] && why != security::drop_reason::nothing_new && why != security::drop_reason::not_addressed) {
      auto e = events_.make("rejected").add("reason", security::name_of(why)).add("count", n - rejected_[i]);
      // Where a piece of a record was lost, an older one that fits its place is tried.
      if (why == security::drop_reason::bad_record && misfits != misfits_) {
        e.add("misfits", misfits - misfits_);
        misfits_ = misfits;
      }
      events_.write(e);
    }
    rejected_[i] = n;
  }
}

}  // namespace prose::apps
