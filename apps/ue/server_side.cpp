#include "apps/ue/server_side.h"

#include <algorithm>
#include <utility>

#include "apps/lib/common/log.h"
#include "apps/lib/keys/consent_list.h"
#include "apps/lib/keys/key_file.h"

namespace prose::apps {
namespace {
constexpr int max_events_per_subframe = 8;  // a server that says much must not cost the subframe its time
}

result<void> server_side::start() {
  if (config_.pc3.servers.empty()) return {};
  const auto& peers = identity_.security().peers();
  permission_book::key_map fixed;
  for (const auto& p : peers.all()) fixed[p->name] = p->key;
  auto sessions = pc3::start(config_.pc3, peers.own_public(), fixed);
  if (!sessions) return tl::unexpected(sessions.error());
  sessions_ = std::move(*sessions);
  report_consent();
  if (const auto& keylog = config_.pc3.keylog; !keylog.empty()) {
    log_warning(
        "KEY LOG: secrets of every session with a server are being written to {}: whoever reads it reads what is said "
        "there",
        keylog);
    events_.write(events_.make("keylog").add("file", keylog).add("warning", "TLS secrets are being written"));
  }
  return {};
}

void server_side::report_consent() {
  const auto list = config_.pc3.consent_path();
  const auto consents = keys::read_consents(list);
  const auto is_granted = [](const auto& e) { return e.second.state != keys::consent_state::withdrawn; };
  const std::int64_t granted =
      !consents ? 0 : std::count_if(consents->entries.begin(), consents->entries.end(), is_granted);
  log_info(
      "consent list {}: {} granted. What a server says counts for {:g} h from the last time it said so (pc3.valid_h, "
      "up to 720); who stays offline for longer uses permission files",
      list, granted, config_.pc3.valid_h);
  if (granted == 0)
    log_warning(
        "{}: nobody is granted, so servers link nobody; prose-keys grant NAME, or once grant --from-cache for the "
        "peers of version 0.1",
        list);
  events_.write(events_.make("consent").add("list", list).add("granted", granted).add("valid_h", config_.pc3.valid_h));
}

/// At most one change of a peer a subframe, since a new peer costs a scalar multiplication, and few packets.
void server_side::follow(security::slot_t slot, mac::ue& u, mac::step_output& out) {
  if (!sessions_) return;
  sessions_->set_slot(slot);
  for (int i = 0; i < max_events_per_subframe; ++i) {
    const auto e = sessions_->poll();
    if (!e || handle(*e, u, out)) return;
  }
}

/// Returns true if a peer changed.
bool server_side::handle(const pc3_event& e, mac::ue& u, mac::step_output& out) {
  if (e.what == pc3_event::kind::withdrawn) return withdraw(e, u, out);
  if (e.what == pc3_event::kind::permitted) {
    permit(e);
    return true;
  }
  if (e.what == pc3_event::kind::data)
    data_.deliver_from_server(e.server, e.octets);
  else
    report(e);
  return false;
}

void server_side::permit(const pc3_event& e) {
  const auto id = identity_.security().add_peer(e.peer, e.key);
  if (id)
    data_.permit(e.peer, *id);
  else
    events_.write(events_.make("rejected").add("peer", e.peer).add("reason", id.error().message));
}

bool server_side::withdraw(const pc3_event& e, mac::ue& u, mac::step_output& out) {
  const auto* p = identity_.security().peers().find(e.peer);
  if (p == nullptr) return false;
  const auto id = p->id;
  security::actions caused;
  u.forget(id);
  (void)identity_.security().remove_peer(id, clock_.milliseconds(), caused);
  u.apply(caused, out);
  data_.withdraw(id);
  links_.forget(id);
  log_info("{} is no longer permitted", e.peer);
  events_.write(events_.of_peer("peer_withdrawn", id));
  return true;
}

void server_side::report(const pc3_event& e) {
  switch (e.what) {
    case pc3_event::kind::session:
      log_info("session with server:{}, session keys {}", server_name(e), e.text);
      events_.write(events_.make("server_session").add("server", server_name(e)).add("key_fingerprint", e.text));
      break;
    case pc3_event::kind::session_lost:
      log_warning("{}", e.text);
      events_.write(events_.make("server_lost").add("server", server_name(e)).add("reason", e.text));
      break;
    case pc3_event::kind::refused:
      log_warning("server:{} says that {} has a key that is refused: {}", server_name(e), e.peer, e.text);
      events_.write(events_.make("rejected").add("reason", e.text).add("peer", e.peer).add("server", server_name(e)));
      break;
    case pc3_event::kind::pending:
      report_pending(e);
      break;
    case pc3_event::kind::expires:
      log_warning("the permission of {} ends in {} s: no server has given it again", e.peer, e.seconds);
      events_.write(events_.make("permission_expires").add("peer", e.peer).add("in_s", e.seconds));
      break;
    case pc3_event::kind::unreadable:
      log_error("{}: nobody is permitted through a server until it is right", e.text);
      events_.write(events_.make("consent_unreadable").add("reason", e.text));
      break;
    case pc3_event::kind::unwritten:
      log_warning("what the servers say is not on disk: {}", e.text);
      events_.write(events_.make("cache_unwritten").add("reason", e.text));
      break;
    case pc3_event::kind::unlogged:
      log_warning("key log: {}", e.text);
      break;
    case pc3_event::kind::permitted:
    case pc3_event::kind::withdrawn:
    case pc3_event::kind::data:
      break;  // handle() takes these
  }
}

void server_side::report_pending(const pc3_event& e) {
  const auto fingerprint = keys::fingerprint_text(identity_.security().peers().own_public(), e.key);
  log_warning(
      "server:{} gives a key of {} that waits for you ({}): compare its fingerprint with {} by voice, then prose-keys "
      "grant {} --fingerprint F; until then nothing goes to {}: {}",
      server_name(e), e.peer, e.text, e.peer, e.peer, e.peer, fingerprint);
  events_.write(events_.make("peer_pending").add("peer", e.peer).add("state", e.text).add("fingerprint", fingerprint));
}

void server_side::each_second() {
  if (!sessions_) return;
  const auto n = sessions_->data_dropped();
  if (n == reported_dropped_) return;
  reported_dropped_ = n;
  events_.write(events_.make("server_data_dropped").add("packets", static_cast<std::int64_t>(n)));
}

}  // namespace prose::apps
