#include "apps/ue/program.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <set>
#include <utility>

#include "apps/common/stop.h"
#include "apps/keys/key_file.h"
#include "apps/keys/system_random.h"
#include "apps/ue/frame_modem.h"
#include "apps/ue/metrics.h"
#include "common/bits.h"
#include "common/hex.h"
#include "mac/security_adapter.h"
#include "phy/radio/radio.h"
#include "phy/sync/slss_search.h"
#include "security/crypto/hash.h"
#include "security/crypto/x25519.h"
#include "security/export.h"

namespace prose::apps {

namespace {
constexpr std::int64_t goodbye_subframes = 300;  // for releases and answers to them to get out: more than one SC period
constexpr std::int64_t longest_goodbye_subframes = 2500;  // while a release is repeated

std::array<std::uint8_t, 20> address_hash(const security::public_key& k) {
  security::crypto::digest256 d{};
  security::crypto::digest(security::crypto::hash::sha256, {k.octets}, d);
  std::array<std::uint8_t, 20> out{};
  std::copy_n(d.begin(), out.size(), out.begin());
  return out;
}
const char* text_of(security::role r) { return r == security::role::initiator ? "initiator" : "responder"; }
}  // namespace

struct ue_program::state {
  program_config config;
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh{random};
  std::unique_ptr<security::ue_security> sec;
  std::unique_ptr<mac::security_adapter> port;
  std::unique_ptr<mac::ue> u;
  std::unique_ptr<frame_modem> modem;
  std::unique_ptr<phy::radio> radio;
  std::optional<phy::slss_search> search;
  std::unique_ptr<data_port> data;
  static constexpr int max_server_events_per_subframe = 8;
  std::unique_ptr<pc3> servers;
  std::uint64_t server_data_dropped = 0;  // as told last
  std::unique_ptr<metrics_server> metrics;
  event_writer events, tx_log;

  std::vector<security::peer_id> peers;            // by index of the data port; 0: not permitted now, or a server
  std::vector<std::string> slot_names;             // likewise
  std::map<std::size_t, std::size_t> server_slots; // index of the data port -> server
  std::map<security::peer_id, std::string> names;
  std::map<security::peer_id, std::size_t> index;
  std::set<security::peer_id> present;
  std::map<security::peer_id, std::vector<std::int64_t>> replaced;  // local subframes in which a new set-up took a live link's place
  struct traffic {
    std::uint64_t rx_octets = 0, tx_octets = 0, rx_sdus = 0, tx_sdus = 0;
  };
  std::map<security::peer_id, traffic> counts;
  std::set<std::string> logged_keys;
  int keylog_fd = -1;

  int spsf = 0;
  double rate = 0;
  double origin = 0;                               // tick of local subframe 0
  std::vector<std::vector<phy::cf32>> stream;      // per antenna, from stream_start
  std::int64_t stream_start = 0;
  std::int64_t subframe = 0;                       // the next one to look at
  std::vector<phy::cf32> burst;
  std::vector<std::uint8_t> packet = std::vector<std::uint8_t>(max_data_packet_bytes);
  std::optional<outgoing_packet> held;             // read into `packet`, for a peer whose queue was full
  mac::step_output out;
  double epoch_s = 0;
  std::uint64_t lates = 0;
  phy::radio_counters reported{};
  std::array<std::uint64_t, static_cast<std::size_t>(security::drop_reason::count_)> rejected{};
  std::int64_t next_second = 0;
  double pending_shift = 0;

  ~state() {
    if (keylog_fd >= 0) ::close(keylog_fd);
  }

  double device_time() const { return rate <= 0 ? 0.0 : (origin + static_cast<double>(subframe) * spsf) / rate; }
  std::string name_of(security::peer_id p) const {
    const auto n = names.find(p);
    return n == names.end() ? "?" : n->second;
  }
  event make_event(std::string_view what) const { return event(what, device_time()); }
  event peer_event(std::string_view what, security::peer_id p) const {
    auto e = make_event(what);
    e.add("peer", name_of(p));
    return e;
  }
  void add_link(event& e, const security::link_info& i) const {
    char id[8];
    std::snprintf(id, sizeof id, "%04x", i.kd_sess_id);
    e.add("kd_sess_id", id).add("suite", security::name_of(i.suite_used)).add_hex("key_fingerprint", i.key_fingerprint);
    e.add("epoch", i.epoch).add("role", text_of(i.own_role));
    char l2[16];
    std::snprintf(l2, sizeof l2, "%06x", i.own_l2);
    e.add("own_l2_id", l2);
    std::snprintf(l2, sizeof l2, "%06x", i.peer_l2);
    e.add("peer_l2_id", l2);
  }
  void log_keys(security::link_id link) {
    if (keylog_fd < 0) return;
    for (const auto& line : security::key_log_lines(sec->links(), link, security::export_permit::user_was_warned()))
      if (logged_keys.insert(line).second) {
        const std::string text = line + "\n";
        if (::write(keylog_fd, text.data(), text.size()) < 0) spdlog::warn("key log: {}", std::strerror(errno));
      }
  }

  result<void> open_keys();
  result<void> open_data();
  void watch_identity(security::peer_id peer);
  void tell(const mac::ue_event& e);
  void poll_data();
  void follow_servers();
  void each_second();
  void process(std::int64_t n);
  std::vector<mac::received_frame> search_slss(std::int64_t n);
  std::vector<std::span<const phy::cf32>> window(std::int64_t first, std::size_t length, std::vector<std::vector<phy::cf32>>& copy) const;
  result<void> transmit();
  void log_sent(const mac::subframe_transmission& t);
};

result<void> ue_program::state::open_keys() {
  const auto at = [](const std::string& where, const error& e) { return fail(where.empty() ? e.message : where + ": " + e.message); };
  auto key = keys::read_private_key(config.private_key);
  if (!key) return at(config.where.private_key, key.error());
  std::optional<security::slot_t> mark;
  if (!config.mark.empty()) {
    auto m = keys::read_mark(config.mark);
    if (!m) return at(config.where.mark, m.error());
    mark = *m;
  }
  auto sc = config.security;
  sc.stored_mark = mark;
  const security::ports ports{random, dh};
  sec = std::make_unique<security::ue_security>(sc, security::key_pair::from_private(std::move(*key), ports), ports);
  port = std::make_unique<mac::security_adapter>(*sec);
  port->store_marks_at_once = config.mark.empty();
  if (!config.permissions.empty()) {
    auto permitted = keys::read_permissions(config.permissions, dh, random);
    if (!permitted) return at(config.where.permissions, permitted.error());
    for (auto& p : *permitted) {
      std::optional<security::pre_shared_key> psk;
      if (!p.psk_path.empty()) {
        auto k = keys::read_psk(p.psk_path);
        if (!k) return tl::unexpected(k.error());
        psk = std::move(*k);
      }
      auto id = sec->add_peer(p.name, p.key, std::move(psk));
      if (!id) return fail(config.permissions + ": " + p.name + ": " + id.error().message);
      index[*id] = peers.size();
      peers.push_back(*id);
      slot_names.push_back(p.name);
      names[*id] = p.name;
    }
  }
  if (!config.pc3.servers.empty()) {
    // Peers whose permission may come later have their place already.
    for (const auto& d : config.data_peers)
      if (sec->peers().find(d.name) == nullptr) {
        peers.push_back(0);
        slot_names.push_back(d.name);
      }
    for (std::size_t i = 0; i < config.pc3.servers.size(); ++i) {
      server_slots[peers.size()] = i;
      peers.push_back(0);
      slot_names.push_back("server:" + config.pc3.servers[i].client.server_name);
    }
    return {};
  }
  std::string known;
  for (const auto& p : sec->peers().all()) known += (known.empty() ? "" : ", ") + p->name;
  const auto unknown = [&](const std::string& where, const std::string& name) {
    return fail(where + ": '" + name + "' is not among the permitted peers; accepted: " + (known.empty() ? "none, since nobody is permitted" : known));
  };
  for (const auto& d : config.data_peers)
    if (sec->peers().find(d.name) == nullptr) return unknown(d.where, d.name);
  for (const auto& q : config.query)
    if (sec->peers().find(q) == nullptr) return unknown(config.where.query, q);
  return {};
}

result<void> ue_program::state::open_data() {
  std::vector<data_peer> list;
  for (std::size_t i = 0; i < peers.size(); ++i) {
    data_peer d;
    d.name = slot_names[i];
    for (const auto& c : config.data_peers)
      if (c.name == d.name) d = c;
    if (const auto s = server_slots.find(i); s != server_slots.end()) {
      d.udp_listen = config.pc3.servers[s->second].udp_listen;
      d.udp_forward = config.pc3.servers[s->second].udp_forward;
    } else if (peers[i] != 0) {
      const auto hash = address_hash(sec->peers().find(peers[i])->key);
      if (d.ipv4.length == 0) d.ipv4 = default_ipv4(hash);
      if (d.ipv6.length == 0) d.ipv6 = default_ipv6(hash);
    }
    list.push_back(std::move(d));
  }
  result<std::unique_ptr<data_port>> opened = open_none();
  if (config.data == "tun") {
    const auto hash = address_hash(sec->peers().own_public());
    if (config.tun.ipv4.length == 0) config.tun.ipv4 = default_ipv4(hash);
    if (config.tun.ipv6.length == 0) config.tun.ipv6 = default_ipv6(hash);
    opened = open_tun(config.tun, std::move(list));
    if (opened) spdlog::info("{}: {} and {}", config.tun.interface, to_string(config.tun.ipv4), to_string(config.tun.ipv6));
  } else if (config.data == "udp") {
    opened = open_udp(std::move(list));
  } else if (config.data == "stdin") {
    opened = open_lines(std::move(list), STDIN_FILENO, STDOUT_FILENO);
  }
  if (!opened) return tl::unexpected(opened.error());
  data = std::move(*opened);
  return {};
}

ue_program::ue_program(std::unique_ptr<state> s) : s_(std::move(s)) {}
ue_program::~ue_program() = default;

result<std::unique_ptr<ue_program>> ue_program::make(const program_config& given) {
  auto s = std::make_unique<state>();
  s->config = given;
  auto& c = s->config;
  if (!c.keylog.empty() && !c.allow_keylog)
    return fail("--keylog: the configuration does not permit it; accepted: allow_keylog: true in the file");
  if (c.data == "stdin" && c.events == "-") return fail("--events -: standard output carries the data of --data stdin; accepted: a file");
  if (auto ok = s->open_keys(); !ok) return tl::unexpected(ok.error());
  auto events = event_writer::open(c.events);
  if (!events) return tl::unexpected(events.error());
  s->events = std::move(*events);
  if (!c.tx_log.empty()) {
    auto log = event_writer::open(c.tx_log);
    if (!log) return fail("--tx-log " + c.tx_log + ": cannot be created");
    s->tx_log = std::move(*log);
  }

  c.ue.limits.max_queued_octets_per_link = c.max_queued_octets;
  std::array<std::uint8_t, 8> seed{};
  s->random.fill(seed);
  for (const auto b : seed) c.ue.seed = c.ue.seed << 8 | b;
  auto u = mac::ue::make(c.ue, *s->port);
  if (!u) return tl::unexpected(u.error());
  s->u = std::move(*u);
  auto modem = frame_modem::make({c.ue, c.radio.sample_rate_hz, c.radio.n_rx_antennas, c.tx_power_db, c.rsrp_offset_db});
  if (!modem) return fail("carrier: " + modem.error().message);
  s->modem = std::move(*modem);
  if (c.ue.sync.mode == mac::time_mode::slss) {
    auto search = phy::slss_search::make({.carrier = s->modem->carrier(), .n_antennas = c.radio.n_rx_antennas});
    if (!search) return tl::unexpected(search.error());
    s->search.emplace(std::move(*search));
  }
  if (auto ok = s->open_data(); !ok) return tl::unexpected(ok.error());
  if (!c.keylog.empty()) {
    auto fd = keys::open_key_log(c.keylog);
    if (!fd) return tl::unexpected(fd.error());
    s->keylog_fd = *fd;
    spdlog::warn("KEY LOG: record keys of every link are being written to {}: whoever reads it reads the traffic", c.keylog);
    s->events.write(s->make_event("keylog").add("file", c.keylog).add("warning", "record keys are being written"));
  }
  if (c.metrics_port >= 0) {
    auto m = metrics_server::open(c.metrics_port);
    if (!m) return tl::unexpected(m.error());
    s->metrics = std::move(*m);
    spdlog::info("metrics on http://127.0.0.1:{}/metrics", s->metrics->port());
  }
  auto radio = phy::radio::open(c.radio);
  if (!radio) return tl::unexpected(radio.error());
  s->radio = std::move(*radio);
  if (!c.pc3.servers.empty()) {
    permission_book::key_map fixed;
    for (const auto& p : s->sec->peers().all()) fixed[p->name] = p->key;
    auto servers = pc3::start(c.pc3, s->sec->peers().own_public(), fixed);
    if (!servers) return tl::unexpected(servers.error());
    s->servers = std::move(*servers);
    if (!c.pc3.keylog.empty()) {
      spdlog::warn("KEY LOG: secrets of every session with a server are being written to {}: whoever reads it reads what is said there", c.pc3.keylog);
      s->events.write(s->make_event("keylog").add("file", c.pc3.keylog).add("warning", "TLS secrets are being written"));
    }
  }
  spdlog::info("{}", s->radio->description());
  for (const auto& n : s->radio->notes()) spdlog::info("{}", n);
  return std::unique_ptr<ue_program>(new ue_program(std::move(s)));
}

/// Two devices with one key take each other's link away again and again. So does one that restarts as often: a person must look.
void ue_program::state::watch_identity(security::peer_id peer) {
  constexpr std::int64_t within_subframes = 120'000;
  constexpr std::size_t suspicious = 3;
  auto& times = replaced[peer];
  times.push_back(subframe);
  std::erase_if(times, [&](std::int64_t t) { return t < subframe - within_subframes; });
  if (times.size() < suspicious) return;
  spdlog::warn("{}: {} set-ups in {} s took a live link's place; is its key in use on two devices?", name_of(peer), times.size(), within_subframes / 1000);
  events.write(peer_event("identity_conflict", peer).add("replaced", static_cast<std::int64_t>(times.size())).add("within_s", within_subframes / 1000));
  times.clear();
}

void ue_program::state::tell(const mac::ue_event& e) {
  if (const auto* d = std::get_if<mac::ev_data>(&e)) {
    auto& t = counts[d->peer];
    t.rx_octets += d->data.size();
    ++t.rx_sdus;
    data->deliver(index[d->peer], d->data);
    events.write(peer_event("data_rx", d->peer).add("bytes", static_cast<std::int64_t>(d->data.size())));
  } else if (const auto* p = std::get_if<mac::ev_peer_discovered>(&e)) {
    if (!present.insert(p->peer).second) return;
    spdlog::info("{} discovered", name_of(p->peer));
    events.write(peer_event("peer_discovered", p->peer).add("slot", p->slot).add("model", p->by_response ? "b" : "a"));
  } else if (const auto* l = std::get_if<mac::ev_link_established>(&e)) {
    auto ev = peer_event("link_established", l->peer);
    add_link(ev, l->info);
    ev.add("frames", l->frames).add("airtime_ms", l->frames).add("octets", l->octets).add("octets_on_air", l->air_octets).add("duration_ms", static_cast<std::int64_t>(l->duration_ms));
    events.write(ev);
    spdlog::info("link with {}: {}, fingerprint {}", name_of(l->peer), security::name_of(l->info.suite_used), to_hex(l->info.key_fingerprint));
    log_keys(l->info.link);
  } else if (const auto* r = std::get_if<mac::ev_rekeyed>(&e)) {
    auto ev = peer_event("rekeyed", r->peer);
    add_link(ev, r->info);
    events.write(ev);
    log_keys(r->info.link);
  } else if (const auto* ep = std::get_if<mac::ev_epoch>(&e)) {
    auto ev = peer_event("epoch", ep->peer);
    if (const auto info = sec->links().info(ep->link, 0)) add_link(ev, *info);
    events.write(ev);
    log_keys(ep->link);
  } else if (const auto* x = std::get_if<mac::ev_link_lost>(&e)) {
    if (x->reason != security::lost_reason::replaced) present.erase(x->peer);
    spdlog::info("link with {} lost: {}", name_of(x->peer), security::name_of(x->reason));
    events.write(peer_event("link_lost", x->peer).add("reason", security::name_of(x->reason)));
    if (x->reason == security::lost_reason::replaced) watch_identity(x->peer);
  } else if (const auto* f = std::get_if<mac::ev_attempt_failed>(&e)) {
    present.erase(f->peer);
    events.write(peer_event("rejected", f->peer).add("reason", "request not answered"));
  } else if (const auto* y = std::get_if<mac::ev_sync>(&e)) {
    spdlog::info("synchronisation: {}, SLSSID {}", mac::name_of(y->role), y->n_sl_id);
    events.write(make_event("sync").add("role", mac::name_of(y->role)).add("n_sl_id", y->n_sl_id));
    if (y->timing_changed) modem->reset();
  } else if (const auto* k = std::get_if<mac::ev_clock_refused>(&e)) {
    spdlog::warn("the UTC slot {} is refused: the clock went back or leapt; discovery is silent until it is right again. If it is right "
                 "now, restart", k->slot);
    events.write(make_event("rejected").add("reason", "clock").add("discovery", "silent until the clock is right"));
  }
}

void ue_program::state::poll_data() {
  const auto is_linked = [&](security::peer_id p) { return p != 0 && sec->links().link_with(p).has_value(); };
  // A file piped in waits for the first link.
  if (config.data == "stdin" && server_slots.empty() && std::none_of(peers.begin(), peers.end(), is_linked)) return;
  while (true) {
    const auto got = held ? std::exchange(held, std::nullopt) : data->poll(packet);
    if (!got) return;
    if (const auto server = server_slots.find(got->peer); server != server_slots.end()) {
      if (servers->send(server->second, std::span(packet).first(got->size)))
        events.write(make_event("data_tx").add("peer", slot_names[got->peer]).add("bytes", static_cast<std::int64_t>(got->size)));
      continue;
    }
    const auto peer = peers[got->peer];
    if (peer == 0) continue;  // not permitted now
    // Back-pressure: what the full queue of a live link would drop stays with the host. Where there is no link nothing empties the queue, and
    // whoever is absent must not hold up the others: send() drops it and counts.
    if (!u->has_room(peer, got->size) && is_linked(peer)) {
      held = got;
      return;
    }
    const auto type = config.data == "tun" ? security::sdu_type::ip : security::sdu_type::non_ip;
    if (!u->send(peer, type, std::span(packet).first(got->size))) continue;
    auto& t = counts[peer];
    t.tx_octets += got->size;
    ++t.tx_sdus;
    events.write(peer_event("data_tx", peer).add("bytes", static_cast<std::int64_t>(got->size)));
  }
}

/// What the servers say: at most one change of a peer a subframe, since a new peer costs a scalar multiplication, and few packets.
void ue_program::state::follow_servers() {
  for (int i = 0; i < max_server_events_per_subframe; ++i) {
    const auto e = servers->poll();
    if (!e) return;
    const std::string server = "server:" + config.pc3.servers[e->server].client.server_name;
    switch (e->what) {
      case pc3_event::kind::permitted: {
        const auto id = sec->add_peer(e->peer, e->key);
        if (!id) {
          events.write(make_event("rejected").add("peer", e->peer).add("reason", id.error().message));
          return;
        }
        names[*id] = e->peer;
        const auto slot = static_cast<std::size_t>(std::find(slot_names.begin(), slot_names.end(), e->peer) - slot_names.begin());
        if (slot == slot_names.size()) {
          data_peer d;
          d.name = e->peer;
          const auto hash = address_hash(e->key);
          d.ipv4 = default_ipv4(hash);
          d.ipv6 = default_ipv6(hash);
          (void)data->add(std::move(d));
          slot_names.push_back(e->peer);
          peers.push_back(0);
        }
        peers[slot] = *id;
        index[*id] = slot;
        spdlog::info("{} is permitted", e->peer);
        events.write(peer_event("peer_permitted", *id));
        return;
      }
      case pc3_event::kind::withdrawn: {
        const auto* p = sec->peers().find(e->peer);
        if (p == nullptr) break;
        const auto id = p->id;
        security::actions caused;
        u->forget(id);
        (void)sec->remove_peer(id, static_cast<security::time_ms>(std::llround(device_time() * 1000)), caused);
        u->apply(caused, out);
        std::replace(peers.begin(), peers.end(), id, security::peer_id{0});
        present.erase(id);
        spdlog::info("{} is no longer permitted", e->peer);
        events.write(peer_event("peer_withdrawn", id));
        return;
      }
      case pc3_event::kind::session:
        spdlog::info("session with {}, fingerprint {}", server, e->text);
        events.write(make_event("server_session").add("server", server.substr(7)).add("key_fingerprint", e->text));
        break;
      case pc3_event::kind::session_lost:
        spdlog::warn("{}", e->text);
        events.write(make_event("server_lost").add("server", server.substr(7)).add("reason", e->text));
        break;
      case pc3_event::kind::refused:
        spdlog::warn("{} says that {} has a key that is refused: {}", server, e->peer, e->text);
        events.write(make_event("rejected").add("reason", e->text).add("peer", e->peer).add("server", server.substr(7)));
        break;
      case pc3_event::kind::unwritten:
        spdlog::warn("what the servers say is not on disk: {}", e->text);
        events.write(make_event("cache_unwritten").add("reason", e->text));
        break;
      case pc3_event::kind::unlogged:
        spdlog::warn("key log: {}", e->text);
        break;
      case pc3_event::kind::data:
        for (const auto& [slot, n] : server_slots)
          if (n == e->server) data->deliver(slot, e->octets);
        events.write(make_event("data_rx").add("peer", server).add("bytes", static_cast<std::int64_t>(e->octets.size())));
        break;
    }
  }
}

void ue_program::state::each_second() {
  if (servers) {
    if (const auto n = servers->data_dropped(); n != server_data_dropped) {
      server_data_dropped = n;
      events.write(make_event("server_data_dropped").add("packets", static_cast<std::int64_t>(n)));
    }
  }
  const auto r = radio->counters();
  if (r.overflows != reported.overflows || r.underflows != reported.underflows || r.lates != reported.lates) {
    events.write(make_event("radio").add("overflows", r.overflows).add("underflows", r.underflows).add("lates", r.lates));
    reported = r;
  }
  for (std::size_t i = 0; i < rejected.size(); ++i) {
    const auto why = static_cast<security::drop_reason>(i);
    const auto n = sec->links().dropped(why);
    // "Nothing new" and "not addressed" are the ordinary life of a broadcast medium.
    if (n != rejected[i] && why != security::drop_reason::nothing_new && why != security::drop_reason::not_addressed)
      events.write(make_event("rejected").add("reason", security::name_of(why)).add("count", n - rejected[i]));
    rejected[i] = n;
  }
  if (!config.query.empty()) {
    std::vector<security::peer_id> wanted;
    for (const auto& q : config.query)
      if (const auto* p = sec->peers().find(q); p != nullptr && !sec->links().link_with(p->id)) wanted.push_back(p->id);
    if (!wanted.empty()) u->query(wanted);
  }
  if (!metrics) return;
  metrics_page page;
  const auto c = u->counters();
  const auto m = modem->counters();
  page.gauge("prose_device_time_seconds", "Device time", device_time());
  page.gauge("prose_links", "Live links", static_cast<double>(sec->links().links(0).size()));
  page.counter("prose_subframes_sent_total", "Subframes with an own transmission", c.subframes_sent);
  page.counter("prose_discovery_sent_total", "PSDCH messages sent", c.discovery_sent);
  page.counter("prose_discovery_heard_total", "PSDCH messages received", c.discovery_heard);
  page.counter("prose_blocks_received_total", "PSSCH blocks with a right CRC", m.blocks_ok);
  page.counter("prose_blocks_failed_total", "PSSCH decodings with a wrong CRC", m.blocks_failed);
  page.counter("prose_blocks_sent_total", "Transport blocks sent", c.scheduler.blocks);
  page.counter("prose_dropped_total", "What was dropped", c.rx.malformed_sl_sch, "reason=\"malformed_sl_sch\"");
  page.counter("prose_dropped_total", "What was dropped", c.rx.rlc.malformed, "reason=\"malformed_rlc\"");
  page.counter("prose_dropped_total", "What was dropped", c.rx.malformed_pdcp, "reason=\"malformed_pdcp\"");
  page.counter("prose_dropped_total", "What was dropped", c.rx.security_dropped, "reason=\"security\"");
  page.counter("prose_dropped_total", "What was dropped", c.rx.other_destination, "reason=\"other_destination\"");
  page.counter("prose_dropped_total", "What was dropped", c.tx.sdus_refused, "reason=\"queue_full\"");
  page.counter("prose_dropped_total", "What was dropped", c.tx.sdus_expired, "reason=\"no_link\"");
  page.counter("prose_radio_overflows_total", "Overflows", r.overflows);
  page.counter("prose_radio_underflows_total", "Underflows", r.underflows);
  page.counter("prose_radio_lates_total", "Late bursts", r.lates);
  for (const auto& [p, t] : counts) {
    const auto label = "peer=\"" + name_of(p) + "\"";
    page.counter("prose_data_rx_octets_total", "Octets from peers", t.rx_octets, label);
  }
  for (const auto& [p, t] : counts) {
    const auto label = "peer=\"" + name_of(p) + "\"";
    page.counter("prose_data_tx_octets_total", "Octets to peers", t.tx_octets, label);
  }
  metrics->publish(page.text());
}

/// Views of [first, first + length) in ticks; copies when part of it is missing.
std::vector<std::span<const phy::cf32>> ue_program::state::window(std::int64_t first, std::size_t length,
                                                                  std::vector<std::vector<phy::cf32>>& copy) const {
  std::vector<std::span<const phy::cf32>> out_spans;
  copy.clear();
  for (const auto& a : stream) {
    const std::int64_t from = first - stream_start;
    if (from >= 0 && from + static_cast<std::int64_t>(length) <= static_cast<std::int64_t>(a.size())) {
      out_spans.emplace_back(a.data() + from, length);
      continue;
    }
    copy.emplace_back(length);
    for (std::size_t i = 0; i < length; ++i) {
      const std::int64_t k = from + static_cast<std::int64_t>(i);
      if (k >= 0 && k < static_cast<std::int64_t>(a.size())) copy.back()[i] = a[static_cast<std::size_t>(k)];
    }
    out_spans.emplace_back(copy.back());
  }
  return out_spans;
}

/// SLSS of any timing whose subframe starts in subframe n - 1.
std::vector<mac::received_frame> ue_program::state::search_slss(std::int64_t n) {
  std::vector<mac::received_frame> found;
  const std::int64_t first = std::llround(origin + static_cast<double>(n - 1) * spsf);
  std::vector<std::vector<phy::cf32>> copy, copy2;
  const auto spans = window(first, search->window_samples(), copy);
  const auto candidates = search->search(spans);
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const auto& c = candidates[i];
    // An echo of an identity that was found better placed.
    if (std::any_of(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(i),
                    [&](const auto& better) { return better.n_sl_id == c.n_sl_id; }))
      continue;
    const auto start = static_cast<std::int64_t>(std::llround(c.start_samples));
    const auto at = window(first + start, static_cast<std::size_t>(spsf), copy2);
    for (auto f : modem->receive({n - 1, -1, true, false}, at, [](std::uint8_t) { return false; })) {
      auto* s = std::get_if<mac::rx_slss>(&f.content);
      if (s == nullptr) continue;
      double offset = s->heard.timing_offset_samples + static_cast<double>(start);
      if (offset > spsf / 2.0) {
        offset -= spsf;
        ++f.subframe;
        ++s->heard.local_subframe;
      }
      s->heard.timing_offset_samples = offset;
      found.push_back(f);
    }
  }
  return found;
}

void ue_program::state::process(std::int64_t n) {
  const auto& sync = u->sync();
  const bool timed = sync.has_timing();
  std::vector<mac::received_frame> frames;
  std::vector<std::vector<phy::cf32>> copy;
  std::vector<mac::received_frame> searched;
  const bool scan = search && sync.searches(n);
  if (scan) searched = search_slss(n);
  if (timed) {
    const bool slss = search && sync.is_slss_subframe(n) && !scan;
    const auto spans = window(std::llround(origin + static_cast<double>(n) * spsf), static_cast<std::size_t>(spsf), copy);
    const auto heard = modem->receive({n, sync.dfn_subframe(n), slss, u->transmits_in(n)}, spans,
                                      [&](std::uint8_t lsb) { return u->addressed(lsb); });
    frames.assign(heard.begin(), heard.end());
  }
  frames.insert(frames.end(), searched.begin(), searched.end());

  const double utc = epoch_s + device_time();
  const mac::step_input in{n, static_cast<security::time_ms>(std::llround(device_time() * 1000)),
                           static_cast<security::slot_t>(utc), frames, modem->subchannel_rssi_dbm()};
  u->step(in, out);
  if (!config.mark.empty())
    if (const auto mark = sec->discovery().clock().mark_to_store()) {
      // Nothing of a slot is announced before the mark beyond it is on disk.
      if (const auto ok = keys::write_mark(config.mark, *mark); ok) sec->discovery().clock().mark_stored(*mark);
      else spdlog::warn("{}: {}; discovery stays silent", config.mark, ok.error().message);
    }
  if (servers) follow_servers();
  for (const auto& e : out.events) tell(e);
  pending_shift += out.shift_samples;
}

/// Nothing but what anybody hears: no keys, no peers' names.
void ue_program::state::log_sent(const mac::subframe_transmission& t) {
  const auto line = [&](const char* channel, int prb, int n_prb, std::span<const std::uint8_t> octets) {
    event e("sent", (origin + static_cast<double>(t.subframe) * spsf) / rate);
    e.add("channel", channel).add("subframe", t.subframe).add("absolute_subframe", t.absolute_subframe).add("prb", prb).add("n_prb", n_prb);
    if (!octets.empty()) e.add_hex("hex", octets);
    if (t.slss && channel[2] == 'B') e.add("n_sl_id", t.slss->n_sl_id);
    tx_log.write(e);
  };
  if (t.slss) {
    std::array<std::uint8_t, 48> bits{};
    std::array<std::uint8_t, 6> octets{};
    const auto n = static_cast<std::size_t>(phy::mib_sl_bits(config.ue.tm));
    phy::pack(t.slss->mib, std::span(bits).first(n));
    pack_bits(std::span(bits).first(n), std::span(octets).first(n / 8));
    // The middle 72 subcarriers; with an odd number of PRBs they touch seven.
    line("PSBCH", config.ue.n_prb / 2 - 3, 6 + config.ue.n_prb % 2, std::span(octets).first(n / 8));
  }
  if (t.pscch) line("PSCCH", t.pscch->config.prb, phy::is_v2x(config.ue.tm) ? 2 : 1, {});
  if (t.pssch) line("PSSCH", t.pssch->config.prb_start, t.pssch->config.n_prb, *t.pssch->block);
  if (t.psdch) line("PSDCH", t.psdch->config.prb, 2, t.psdch->message);
}

result<void> ue_program::state::transmit() {
  for (const auto& t : out.transmissions) {
    burst.resize(static_cast<std::size_t>(spsf));
    if (auto ok = modem->transmit(t, burst); !ok) return fail("transmission: " + ok.error().message);
    const auto sent = radio->transmit(std::llround(origin + static_cast<double>(t.subframe) * spsf), burst);
    if (!sent) return tl::unexpected(sent.error());
    if (*sent == phy::transmit_status::late) ++lates;
    else if (tx_log) log_sent(t);
  }
  return {};
}

result<void> ue_program::run() {
  auto& s = *s_;
  s.spsf = s.modem->carrier().samples_per_subframe();
  s.rate = s.modem->carrier().sample_rate_hz();
  const auto now = s.radio->now_tick();
  if (!now) return tl::unexpected(now.error());
  const std::int64_t begin = (*now / s.spsf + 30) * s.spsf;
  const auto started = s.radio->start(begin);
  if (!started) return tl::unexpected(started.error());
  s.subframe = (*started + s.spsf - 1) / s.spsf;
  s.epoch_s = s.config.epoch_s;
  if (s.config.epoch_from_system) {
    const double host = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
    const auto device = s.radio->now_tick();
    if (!device) return tl::unexpected(device.error());
    s.epoch_s = host - static_cast<double>(*device) / s.rate;
  }
  const int n_antennas = s.radio->n_antennas();
  s.stream.assign(static_cast<std::size_t>(n_antennas), {});
  s.stream_start = *started;
  std::vector<std::vector<phy::cf32>> block(static_cast<std::size_t>(n_antennas), std::vector<phy::cf32>(static_cast<std::size_t>(s.spsf)));
  std::vector<std::span<phy::cf32>> block_spans(block.begin(), block.end());
  const std::int64_t first = s.subframe;
  std::int64_t end = s.config.duration_s > 0 ? first + static_cast<std::int64_t>(s.config.duration_s * 1000) : INT64_MAX;
  std::int64_t longest = end;  // of the goodbye
  bool leaving = false;
  s.events.write(s.make_event("started").add("name", s.config.name).add("device", s.config.radio.device_args));

  while (s.subframe < end) {
    if (!leaving && (stop_requested() || s.subframe >= end - goodbye_subframes)) {
      leaving = true;
      for (const auto p : s.peers)
        if (p != 0) s.u->release(p);
      end = std::min(end, s.subframe + goodbye_subframes);
      longest = s.subframe + longest_goodbye_subframes;
    }
    if (leaving && s.subframe + 20 >= end && end < longest && s.sec->links().closing() != 0) end = s.subframe + 50;
    const auto status = s.radio->read(block_spans);
    if (!status) return tl::unexpected(status.error());
    if (status->end) break;
    if (status->first_tick != s.stream_start + static_cast<std::int64_t>(s.stream[0].size())) {
      for (auto& a : s.stream) a.clear();
      s.stream_start = status->first_tick;
    }
    for (std::size_t a = 0; a < s.stream.size(); ++a)
      s.stream[a].insert(s.stream[a].end(), block[a].begin(), block[a].begin() + static_cast<std::ptrdiff_t>(status->n_samples));
    const std::int64_t stream_end = s.stream_start + static_cast<std::int64_t>(s.stream[0].size());
    while (std::llround(s.origin + static_cast<double>(s.subframe + 1) * s.spsf) <= stream_end && s.subframe < end) {
      s.poll_data();
      s.process(s.subframe);
      if (auto ok = s.transmit(); !ok) return ok;
      if (s.pending_shift != 0) {
        s.origin += s.pending_shift;
        s.pending_shift = 0;
      }
      if (s.subframe >= s.next_second) {
        s.next_second = s.subframe + 1000;
        s.each_second();
        if (!s.events.ok()) return fail(s.config.events + ": cannot be written");
      }
      ++s.subframe;
    }
    // Keep the last two subframes for the search.
    const std::int64_t keep_from = std::llround(s.origin + static_cast<double>(s.subframe - 2) * s.spsf);
    if (keep_from > s.stream_start + 4 * s.spsf) {
      const auto n = std::min<std::int64_t>(keep_from - s.stream_start, static_cast<std::int64_t>(s.stream[0].size()));
      for (auto& a : s.stream) a.erase(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(n));
      s.stream_start += n;
    }
    while (const auto e = s.radio->poll_event()) {
      if (e->kind == phy::radio_event_kind::overflow) spdlog::debug("overflow");
      if (e->kind == phy::radio_event_kind::late) spdlog::debug("late burst");
    }
  }
  s.each_second();
  const auto r = s.radio->counters();
  s.events.write(s.make_event("radio").add("overflows", r.overflows).add("underflows", r.underflows).add("lates", r.lates));
  const auto c = s.u->counters();
  s.events.write(s.make_event("stopped")
                     .add("subframes_sent", c.subframes_sent)
                     .add("blocks_received", s.modem->counters().blocks_ok)
                     .add("discovery_heard", c.discovery_heard));
  s.radio->stop();
  return {};
}

}  // namespace prose::apps
