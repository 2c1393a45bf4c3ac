#include "apps/ue/program.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <exception>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "apps/lib/common/log.h"
#include "apps/lib/common/metrics.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/keys/key_file.h"
#include "apps/ue/control_socket.h"
#include "apps/ue/device_clock.h"
#include "apps/ue/host_data.h"
#include "apps/ue/link_events.h"
#include "apps/ue/mark_keeper.h"
#include "apps/ue/peer_slots.h"
#include "apps/ue/program_metrics.h"
#include "apps/ue/server_side.h"
#include "apps/ue/subframe_radio.h"
#include "apps/ue/timing_watch.h"
#include "apps/ue/ue_events.h"
#include "apps/ue/ue_identity.h"
#include "apps/ue/ue_status.h"
#include "apps/ue/utc_source.h"

namespace prose::apps {

namespace {
// Releases and the answers to them take more than one SC period.
constexpr std::int64_t goodbye_subframes = 300;
// While a link still closes near the end of the goodbye, it is prolonged in steps, up to a limit: a release is repeated
// for about two seconds.
constexpr std::int64_t nearly_over_subframes = 20, prolonged_subframes = 50, longest_goodbye_subframes = 2500;
constexpr std::int64_t subframes_per_second = 1000;
// UTC is checked once a second, and must stay within its 32 bits until the next time.
constexpr double utc_margin_s = 2;
}  // namespace

/// The loop over subframes: radio -> MAC -> radio, and everybody who takes part in it in turn.
class ue_program::loop {
public:
  explicit loop(const program_config& config) : config_(config) {}
  /// In this order; the first error, one line, ends the program.
  result<void> open();
  result<void> check();
  result<void> run();
  /// open() failed, perhaps with the events open already.
  void report_no_start(const error& why) { events_.write(event("stopped", 0).add("error", why.message)); }

private:
  result<void> check_options() const;
  result<void> open_files();
  result<void> open_outputs();
  result<void> make_mac();
  result<void> open_metrics();
  result<void> set_epoch();
  result<void> follow_radio();
  result<void> follow_radio_to_the_end();
  result<void> one_subframe();
  void step();
  result<void> follow_time_jump();
  result<void> check_utc() const;
  void leave();
  void prolong_goodbye();
  result<void> each_second();
  void report_second();
  void report_radio(const phy::radio_counters& c);
  void query_peers();
  void follow_timing();
  void report_cover();
  peer_status status_of(const security::peer& p) const;
  ue_status status() const;
  void publish_status();
  void report_end(const result<void>& ended);

  program_config config_;
  device_clock clock_;
  peer_slots slots_;
  ue_events events_{clock_, slots_};
  ue_identity identity_;
  std::unique_ptr<mac::ue> mac_;
  subframe_radio radio_{config_, clock_};
  host_data data_{config_, identity_, slots_, events_};
  link_events links_{identity_, slots_, clock_, events_, data_};
  mark_keeper mark_{config_.mark, identity_, clock_, events_};
  timing_watch timing_{events_};
  server_side servers_{config_, identity_, clock_, events_, data_, links_};
  std::unique_ptr<metrics_server> metrics_;
  std::unique_ptr<control_socket> control_;

  double epoch_s_ = 0;  // UTC at device time 0
  security::time_ms started_ms_ = 0;
  mac::step_output out_;
  phy::radio_counters reported_{};
  std::int64_t next_second_ = 0;  // subframe
  std::int64_t end_ = 0;          // subframe
  std::int64_t longest_ = 0;      // of the goodbye: subframe
  bool leaving_ = false;
  std::vector<security::peer_id> cover_told_;  // a place each
};

// --- opening --------------------------------------------------------------------------------------------------------

result<void> ue_program::loop::open_files() {
  if (auto ok = check_options(); !ok) return ok;
  if (auto ok = identity_.open(config_, slots_); !ok) return ok;
  if (auto ok = events_.open(config_.events); !ok) return ok;
  if (auto ok = radio_.open_log(config_.tx_log); !ok) return ok;
  if (auto ok = make_mac(); !ok) return ok;
  if (auto ok = radio_.make_modem(); !ok) return ok;
  const auto& carrier = radio_.modem().carrier();
  timing_.set_carrier(carrier.sample_rate_hz(), carrier.cp, config_.ue.sync.mode);
  return {};
}

result<void> ue_program::loop::check() {
  if (auto ok = open_files(); !ok) return ok;
  if (auto ok = data_.check(); !ok) return ok;
  if (!config_.keylog.empty())
    if (auto ok = links_.open_key_log(config_.keylog); !ok) return ok;
  if (!config_.control.empty())
    if (auto ok = control_socket::check(config_.control); !ok) return ok;
  if (auto ok = phy::radio::check(config_.radio); !ok) return ok;
  return config_.pc3.servers.empty() ? result<void>() : pc3::check(config_.pc3);
}

result<void> ue_program::loop::open() {
  if (auto ok = open_files(); !ok) return ok;
  if (auto ok = data_.open(); !ok) return ok;
  if (auto ok = open_outputs(); !ok) return ok;
  install_hurry_handler();
  if (auto ok = radio_.open_device(); !ok) return ok;
  if (auto ok = servers_.start(); !ok) return ok;
  if (auto ok = set_epoch(); !ok) return ok;
  log_info("{}", radio_.device().description());
  for (const auto& n : radio_.device().notes()) log_info("{}", n);
  return {};
}

result<void> ue_program::loop::check_options() const {
  if (!config_.keylog.empty() && !config_.allow_keylog)
    return fail("--keylog: the configuration does not permit it; accepted: allow_keylog: true in the file");
  if (!config_.keylog.empty() && config_.ts33303)
    return fail("--keylog: is not built for profile ts33303; accepted: security.profile: ltesl");
  return {};
}

result<void> ue_program::loop::make_mac() {
  config_.ue.limits.max_queued_octets_per_link = config_.max_queued_octets;
  auto u = mac::ue::make(config_.ue, identity_.port());
  if (!u) return tl::unexpected(u.error());
  mac_ = std::move(*u);
  return {};
}

result<void> ue_program::loop::open_outputs() {
  if (!config_.keylog.empty())
    if (auto ok = links_.open_key_log(config_.keylog); !ok) return ok;
  if (config_.dumpable) {
    log_warning(
        "DUMPABLE: this program's memory, with all its keys, may be read by the user's other programs and left in a "
        "core");
    events_.write(events_.make("dumpable").add("warning", "the memory with all keys may be read and dumped"));
  }
  if (!config_.control.empty()) {
    auto c = control_socket::open(config_.control);
    if (!c) return tl::unexpected(c.error());
    control_ = std::move(*c);
  }
  return open_metrics();
}

result<void> ue_program::loop::open_metrics() {
  auto m = metrics_server::open(config_.metrics_port);
  if (!m) return tl::unexpected(m.error());
  metrics_ = std::move(*m);
  return {};
}

result<void> ue_program::loop::set_epoch() {
  const auto device = radio_.device().now_tick();
  if (!device) return tl::unexpected(device.error());
  const double host = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const bool emulated = is_emulated(config_.radio.device_args);
  const auto epoch = utc_at_zero({config_.epoch_s, config_.epoch_from_system, config_.trust_device, emulated},
                                 static_cast<double>(*device) / config_.radio.sample_rate_hz, host, config_.duration_s);
  if (!epoch) return fail((config_.where.time.empty() ? "time" : config_.where.time) + ": " + epoch.error().message);
  epoch_s_ = *epoch;
  return {};
}

// --- running --------------------------------------------------------------------------------------------------------

result<void> ue_program::loop::run() {
  const auto ended = follow_radio_to_the_end();
  mark_.keep_last();
  report_second();
  report_end(ended);
  radio_.stop();
  if (ended && !events_.ok()) return tl::unexpected(events_.trouble());
  return ended;
}

/// Whatever ends it, the last events are written.
result<void> ue_program::loop::follow_radio_to_the_end() {
  try {
    return follow_radio();
  } catch (const std::bad_alloc&) {
    return fail("out of memory");
  } catch (const std::exception& e) {
    return fail(e.what());
  }
}

result<void> ue_program::loop::follow_radio() {
  if (auto ok = radio_.start(); !ok) return ok;
  end_ = config_.duration_s > 0
             ? clock_.subframe() + static_cast<std::int64_t>(config_.duration_s * subframes_per_second)
             : std::numeric_limits<std::int64_t>::max();
  longest_ = end_;
  started_ms_ = clock_.milliseconds();
  events_.write(events_.make("started")
                    .add("name", config_.name)
                    .add("device", config_.radio.device_args)
                    .add("profile", config_.ts33303 ? "ts33303" : "ltesl"));
  data_.report_addresses();

  while (clock_.subframe() < end_) {
    if (hurry_requested()) return fail("stopped without a goodbye: the peers find out by the silence");
    if (!leaving_ && (stop_requested() || clock_.subframe() >= end_ - goodbye_subframes)) leave();
    if (leaving_) prolong_goodbye();
    const auto more = radio_.read();
    if (!more) return tl::unexpected(more.error());
    if (!*more) break;
    if (radio_.time_jump() != 0)
      if (auto ok = follow_time_jump(); !ok) return ok;
    while (clock_.subframe() < end_ && radio_.has(clock_.subframe()))
      if (auto ok = one_subframe(); !ok) return ok;
    radio_.forget_old();
    radio_.log_device_events();
  }
  return {};
}

/// The device's time was set while it ran.
result<void> ue_program::loop::follow_time_jump() {
  const double seconds = static_cast<double>(radio_.time_jump()) / config_.radio.sample_rate_hz;
  log_warning("the device's time leapt by {} s", seconds);
  events_.write(events_.make("time_jump").add("seconds", seconds));
  mac_->renumber(radio_.renumbered());
  radio_.reset_modem();
  timing_.forget_all();
  return check_utc();
}

void ue_program::loop::leave() {
  leaving_ = true;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_.peer(i) != 0) mac_->release(slots_.peer(i));
  end_ = std::min(end_, clock_.subframe() + goodbye_subframes);
  longest_ = clock_.subframe() + longest_goodbye_subframes + identity_.cover().longest_goodbye_ms();
}

void ue_program::loop::prolong_goodbye() {
  const auto now = clock_.subframe();
  if (now + nearly_over_subframes >= end_ && end_ < longest_ && identity_.closing() != 0)
    end_ = now + prolonged_subframes;
}

result<void> ue_program::loop::one_subframe() {
  data_.poll(*mac_, servers_.sessions());
  step();
  if (auto ok = radio_.transmit(out_.transmissions); !ok) return ok;
  clock_.shift(out_.shift_samples);
  if (clock_.subframe() >= next_second_) {
    next_second_ = clock_.subframe() + subframes_per_second;
    if (auto ok = each_second(); !ok) return ok;
  }
  clock_.next_subframe();
  return {};
}

void ue_program::loop::step() {
  const auto n = clock_.subframe();
  const auto frames = radio_.receive(n, *mac_);
  // Within 32 bits: check_utc().
  const auto slot = static_cast<security::slot_t>(epoch_s_ + clock_.seconds());
  mac_->step({n, clock_.milliseconds(), slot, frames, radio_.modem().subchannel_rssi_dbm()}, out_);
  mark_.keep();
  mark_.report_silence();
  servers_.follow(slot, *mac_, out_);
  for (const auto& e : out_.events) {
    links_.report(e);
    if (const auto* sync = std::get_if<mac::ev_sync>(&e); sync != nullptr && sync->timing_changed) {
      radio_.reset_modem();
      timing_.forget_all();
    }
  }
}

// --- once a second --------------------------------------------------------------------------------------------------

result<void> ue_program::loop::check_utc() const {
  const double utc_s = epoch_s_ + clock_.seconds();
  if (!(utc_s >= 0 && utc_s + utc_margin_s <= std::numeric_limits<security::slot_t>::max()))
    return fail("UTC is beyond 32 bits of seconds");
  return {};
}

result<void> ue_program::loop::each_second() {
  if (auto ok = check_utc(); !ok) return ok;
  report_second();
  if (data_.trouble().for_good) return fail(data_.trouble().text);
  if (!events_.ok()) return tl::unexpected(events_.trouble());
  return {};
}

void ue_program::loop::report_second() {
  data_.each_second(mac_->counters().tx.sdus_expired);
  servers_.each_second();
  const auto r = radio_.device().counters();
  if (r.overflows != reported_.overflows || r.underflows != reported_.underflows || r.lates != reported_.lates ||
      r.restarts != reported_.restarts || r.sequence_errors != reported_.sequence_errors ||
      r.samples_lost != reported_.samples_lost || r.withheld != reported_.withheld) {
    report_radio(r);
    reported_ = r;
  }
  links_.report_rejected(mac_->counters().rx.rlc.misfits);
  query_peers();
  follow_timing();
  report_cover();
  if (metrics_ || control_) publish_status();
}

void ue_program::loop::report_radio(const phy::radio_counters& c) {
  events_.write(events_.make("radio")
                    .add("overflows", c.overflows)
                    .add("underflows", c.underflows)
                    .add("lates", c.lates)
                    .add("restarts", c.restarts)
                    .add("sequence_errors", c.sequence_errors)
                    .add("samples_lost", c.samples_lost)
                    .add("withheld", c.withheld));
}

void ue_program::loop::query_peers() {
  if (config_.query.empty()) return;
  std::vector<security::peer_id> wanted;
  for (const auto& q : config_.query) {
    const auto* p = identity_.security().peers().find(q);
    wanted.push_back(p != nullptr ? p->id : 0);
  }
  mac_->query(wanted);  // alike whoever is linked or permitted: how many queries go out tells nothing
}

void ue_program::loop::follow_timing() {
  for (const auto& p : identity_.security().peers().all()) {
    const auto heard = mac_->hearing(p->id);
    if (heard && identity_.security().links().link_with(p->id))
      timing_.follow(p->id, *heard, clock_.seconds());
    else
      timing_.forget(p->id);
  }
}

/// Which places carry links: in this UE's own events, and nowhere else.
void ue_program::loop::report_cover() {
  std::vector<security::peer_id> peers;
  for (const auto& p : identity_.cover().status())
    if (p.shown) peers.push_back(p.peer);
  std::sort(peers.begin(), peers.end());  // places change in every round
  if (peers == cover_told_) return;
  cover_told_ = peers;
  const auto dummies = std::count(peers.begin(), peers.end(), security::peer_id{0});
  std::string names;
  for (const auto p : peers)
    if (p != 0) names += (names.empty() ? "" : " ") + slots_.name_of(p);
  events_.write(events_.make("cover")
                    .add("flows", std::ssize(peers))
                    .add("links", std::ssize(peers) - dummies)
                    .add("dummies", dummies)
                    .add("peers", names));
}

peer_status ue_program::loop::status_of(const security::peer& p) const {
  const auto now = clock_.milliseconds();
  const auto since_s = [now](security::time_ms then) { return static_cast<double>(now - then) / 1000; };
  peer_status s{p.name, keys::to_base64(p.key.octets),
                keys::fingerprint_text(identity_.security().peers().own_public(), p.key)};
  const auto times = links_.times_of(p.id);
  const auto& port = identity_.port();
  if (const auto link = port.link_with(p.id)) s.link = port.info(*link, now);
  if (times.heard_ms) s.heard_age_s = since_s(*times.heard_ms);
  s.up_s = since_s(times.established_ms);
  s.epoch_age_s = since_s(times.epoch_ms);
  s.signal = mac_->hearing(p.id);
  if (s.signal) s.signal_age_s = since_s(s.signal->at);
  s.timing = timing_.of(p.id);
  data_.add_status(p.id, s);
  return s;
}

ue_status ue_program::loop::status() const {
  const auto& security = identity_.security();
  ue_status s{config_.name, keys::to_base64(security.peers().own_public().octets), mark_.silent_seconds()};
  const double utc_s = epoch_s_ + clock_.seconds();
  if (s.silent_s > 0) s.silent_until = utc_text(std::floor(utc_s) + s.silent_s);
  for (const auto& p : security.peers().all()) s.peers.push_back(status_of(*p));
  const auto& modem = radio_.modem().counters();
  s.running =
      running_status{clock_.seconds(),
                     static_cast<double>(clock_.milliseconds() - started_ms_) / 1000,
                     utc_s,
                     std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(),
                     config_.radio.device_args,
                     config_.data,
                     config_.ue.sync.mode == mac::time_mode::gnss ? "device time" : mac::name_of(mac_->sync().role()),
                     mac_->sync().n_sl_id(),
                     config_.radio.sample_rate_hz,
                     reported_,
                     mac_->counters(),
                     modem.blocks_ok,
                     modem.blocks_failed};
  s.running->cover_flows = identity_.cover().config().flows;
  for (const auto& p : identity_.cover().status())
    s.running->cover_shown += p.shown, s.running->cover_links += p.peer != 0;
  return s;
}

void ue_program::loop::publish_status() {
  const auto s = status();
  if (control_) control_->publish(to_json(s));
  if (!metrics_) return;
  metrics_page page;
  page.gauge("prose_device_time_seconds", "Device time", clock_.seconds());
  page.gauge("prose_silent_seconds", "Seconds for which the mark keeps discovery silent", mark_.silent_seconds());
  add_link_metrics(page, s);
  add_radio_metrics(page, mac_->counters(), radio_.modem().counters(), reported_);
  data_.add_metrics(page);
  metrics_->publish(page.text());
}

void ue_program::loop::report_end(const result<void>& ended) {
  report_radio(radio_.device().counters());
  const auto c = mac_->counters();
  auto e = events_.make("stopped");
  e.add("subframes_sent", c.subframes_sent)
      .add("blocks_received", radio_.modem().counters().blocks_ok)
      .add("discovery_sent", c.discovery_sent)
      .add("discovery_heard", c.discovery_heard);
  if (!ended) e.add("error", ended.error().message);
  events_.write(e);
}

// --- the program ----------------------------------------------------------------------------------------------------

ue_program::ue_program(std::unique_ptr<loop> l) : loop_(std::move(l)) {}
ue_program::~ue_program() = default;

result<std::unique_ptr<ue_program>> ue_program::make(const program_config& config) {
  auto l = std::make_unique<loop>(config);
  if (auto ok = l->open(); !ok) {
    l->report_no_start(ok.error());
    return tl::unexpected(ok.error());
  }
  return std::unique_ptr<ue_program>(new ue_program(std::move(l)));
}

result<void> ue_program::check(const program_config& config) { return loop(config).check(); }

result<void> ue_program::run() { return loop_->run(); }

}  // namespace prose::apps
