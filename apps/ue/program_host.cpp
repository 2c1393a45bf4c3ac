#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "apps/lib/keys/key_file.h"
#include "apps/lib/listen/pool_keys.h"
#include "apps/ue/program_state.h"
#include "apps/ue/utc_source.h"
#include "common/hex.h"
#include "security/export.h"

namespace prose::apps {

namespace {
const char* text_of(security::role r) { return r == security::role::initiator ? "initiator" : "responder"; }
}  // namespace

void ue_program::state::add_link(event& e, const security::link_info& i) const {
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

void ue_program::state::log_keys(security::link_id link) {
  if (keylog_fd < 0) return;
  for (const auto& line : security::key_log_lines(sec->links(), link, security::export_permit::user_was_warned()))
    if (logged_keys.insert(line).second) {
      const std::string text = line + "\n";
      if (::write(keylog_fd, text.data(), text.size()) < 0) spdlog::warn("key log: {}", std::strerror(errno));
    }
}

result<void> ue_program::state::open_keys() {
  const auto at = [](const std::string& where, const error& e) {
    return fail(where.empty() ? e.message : where + ": " + e.message);
  };
  auto key = keys::read_private_key(config.private_key);
  if (!key) return at(config.where.private_key, key.error());
  auto mark = keys::read_mark(config.mark);
  if (!mark) return at(config.where.mark, mark.error());
  // Without a mark a restarted UE would use slots twice; so no place for one, no start.
  if (const auto ok = keys::check_mark_writable(config.mark); !ok)
    return at(config.where.mark,
              error{ok.error().message + "; accepted: identity.mark in a folder where " + config.name + " may write"});
  auto sc = config.security;
  sc.stored_mark = *mark;
  const security::ports ports{random, dh, &work};
  sec = std::make_unique<security::ue_security>(sc, security::key_pair::from_private(std::move(*key), ports), ports);
  port = std::make_unique<mac::security_adapter>(*sec);
  if (!config.permissions.empty()) {
    auto permitted = keys::read_permissions(config.permissions, dh, random);
    if (!permitted) return at(config.where.permissions, permitted.error());
    for (auto& p : *permitted) {
      std::optional<security::pre_shared_key> psk;
      if (!p.psk_path.empty()) {
        auto k = keys::read_psk(keys::psk_file(config.permissions, p.psk_path));
        if (!k) return fail(config.permissions + ": " + p.name + ": psk=" + p.psk_path + ": " + k.error().message);
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
    return fail(where + ": '" + name + "' is not among the permitted peers; accepted: " +
                (known.empty() ? "none, since nobody is permitted" : known));
  };
  for (const auto& d : config.data_peers)
    if (sec->peers().find(d.name) == nullptr) return unknown(d.where, d.name);
  for (const auto& q : config.query)
    if (sec->peers().find(q) == nullptr) return unknown(config.where.query, q);
  return {};
}

result<std::string> ue_program::show(const program_config& config, double host_utc_s) {
  state s;
  s.config = config;
  if (auto ok = s.open_keys(); !ok) return tl::unexpected(ok.error());
  std::string text =
      "name " + config.name + "\nkey " + keys::to_base64(s.sec->peers().own_public().octets) + "\nmark " + config.mark;
  if (const auto mark = s.sec->discovery().clock().boot_mark()) {
    const auto host = static_cast<security::slot_t>(std::clamp(host_utc_s, 0.0, 4294967295.0));
    text += " until " + utc_text(static_cast<double>(*mark) + 1);
    if (host <= *mark) text += "; by the host's clock " + silence_text(*mark, host, config.mark);
  } else {
    text += " not there yet";
  }
  text += '\n';
  for (const auto& p : s.sec->peers().all()) text += "peer " + p->name + ' ' + keys::to_base64(p->key.octets) + '\n';
  // Those that --data tun uses; IPv4 where it is configured or was drawn before.
  std::optional<ipv4_table> table;
  if (!config.tun.ipv4_table.empty())
    if (auto t = ipv4_table::open(config.tun.ipv4_table, s.random, {}); t) table.emplace(std::move(*t));
  for (const auto& p : s.sec->peers().all()) {
    data_peer configured;
    for (const auto& c : config.data_peers)
      if (c.name == p->name) configured = c;
    const auto a = addresses_of(*p, config.tun, configured, table ? table->find(p->name, p->key) : std::nullopt);
    for (const auto& pair : {a.host_ipv6, a.host_ipv4})
      if (pair.peer.length != 0)
        text += "address " + p->name + ' ' + to_string(pair.peer) + " from " + to_string(pair.own) + '\n';
  }
  return text;
}

std::string ue_program::show_pools(const program_config& config) {
  const auto& ue = config.ue;
  const bool v2x = phy::is_v2x(ue.tm);
  std::string text = "carrier: {prb: " + std::to_string(ue.n_prb) + ", tm: " + (v2x ? "4" : "2") + ", cp: normal}\n";
  text += std::string("sync: ") + (ue.sync.mode == mac::time_mode::gnss ? "gnss" : "slss") + "\npools:\n";
  text += "  - " + (v2x ? to_yaml(ue.v2x) : to_yaml(ue.comm)) + '\n';
  text += "  - " + to_yaml(ue.discovery) + '\n';
  return text;
}

/// Of the link with p, for the data port's entry `d`.
result<void> ue_program::state::give_addresses(data_peer& d, const security::peer& p) {
  std::optional<address_pair> drawn;
  if (drawn_ipv4 && (d.ipv4.length == 0 || config.tun.ipv4.length == 0)) {
    auto pair = drawn_ipv4->of(p.name, p.key);
    if (!pair) return tl::unexpected(pair.error());
    drawn = *pair;
  }
  d.addresses = addresses_of(p, config.tun, d, drawn);
  return {};
}

/// What applications find a peer by. Without a TUN interface nothing uses them; those that the link would have are told
/// all the same.
void ue_program::state::tell_addresses(std::size_t slot) {
  const auto& a = addresses[slot];
  auto e = make_event("peer_address").add("peer", slot_names[slot]);
  if (config.data == "tun") e.add("interface", config.tun.interface);
  e.add("own_ipv6", to_string(a.host_ipv6.own)).add("peer_ipv6", to_string(a.host_ipv6.peer));
  if (config.data == "tun" && a.host_ipv4.peer.length != 0)
    e.add("own_ipv4", to_string(a.host_ipv4.own)).add("peer_ipv4", to_string(a.host_ipv4.peer));
  if (a.link_ipv6 != a.host_ipv6)
    e.add("own_ipv6_on_link", to_string(a.link_ipv6.own)).add("peer_ipv6_on_link", to_string(a.link_ipv6.peer));
  events.write(e);
}

result<void> ue_program::state::write_hosts_file() {
  if (config.data != "tun" || config.tun.hosts.empty()) return {};
  std::vector<std::pair<std::string, link_addresses>> list;
  for (std::size_t i = 0; i < peers.size(); ++i)
    if (peers[i] != 0) list.emplace_back(slot_names[i], addresses[i]);
  return write_hosts(config.tun.hosts, list);
}

void ue_program::state::replace_hosts_file() {
  if (auto ok = write_hosts_file(); !ok) spdlog::warn("{}; who came or went since is not there", ok.error().message);
}

result<void> ue_program::state::open_data() {
  std::vector<data_peer> list;
  if (config.data == "tun" && !config.tun.ipv4_table.empty()) {
    std::vector<ip_address> configured{config.tun.ipv4};
    for (const auto& c : config.data_peers) configured.push_back(c.ipv4);
    auto table = ipv4_table::open(config.tun.ipv4_table, random, std::move(configured));
    if (!table) return tl::unexpected(table.error());
    drawn_ipv4.emplace(std::move(*table));
  }
  for (std::size_t i = 0; i < peers.size(); ++i) {
    data_peer d;
    d.name = slot_names[i];
    for (const auto& c : config.data_peers)
      if (c.name == d.name) d = c;
    if (const auto s = server_slots.find(i); s != server_slots.end()) {
      d.udp_listen = config.pc3.servers[s->second].udp_listen;
      d.udp_forward = config.pc3.servers[s->second].udp_forward;
    } else if (peers[i] != 0) {
      if (auto ok = give_addresses(d, *sec->peers().find(peers[i])); !ok) return ok;
    }
    addresses.push_back(d.addresses);
    list.push_back(std::move(d));
  }
  result<std::unique_ptr<data_port>> opened = open_none();
  if (config.data == "tun") {
    for (const auto& s : server_slots)
      spdlog::warn(
          "{} has no address on {}: no packet goes to it and none of its packets comes out; accepted for that: --data "
          "udp or stdin",
          slot_names[s.first], config.tun.interface);
    opened = open_tun(config.tun, std::move(list));
    if (opened)
      if (auto ok = write_hosts_file(); !ok) return ok;
  } else if (config.data == "udp") {
    opened = open_udp(std::move(list));
  } else if (config.data == "stdin") {
    opened = open_lines(std::move(list), STDIN_FILENO, STDOUT_FILENO);
  }
  if (!opened) return tl::unexpected(opened.error());
  data = std::move(*opened);
  return {};
}

/// Two devices with one key take each other's link away again and again. So does one that restarts as often: a person
/// must look.
void ue_program::state::watch_identity(security::peer_id peer) {
  constexpr std::int64_t within_subframes = 120'000;
  constexpr std::size_t suspicious = 3;
  auto& times = replaced[peer];
  times.push_back(subframe);
  std::erase_if(times, [&](std::int64_t t) { return t < subframe - within_subframes; });
  if (times.size() < suspicious) return;
  spdlog::warn("{}: {} set-ups in {} s took a live link's place; is its key in use on two devices?", name_of(peer),
               times.size(), within_subframes / 1000);
  events.write(peer_event("identity_conflict", peer)
                   .add("replaced", static_cast<std::int64_t>(times.size()))
                   .add("within_s", within_subframes / 1000));
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
    ev.add("frames", l->frames)
        .add("airtime_ms", l->frames)
        .add("octets", l->octets)
        .add("octets_on_air", l->air_octets)
        .add("duration_ms", static_cast<std::int64_t>(l->duration_ms));
    events.write(ev);
    spdlog::info("link with {}: {}, fingerprint {}", name_of(l->peer), security::name_of(l->info.suite_used),
                 to_hex(l->info.key_fingerprint));
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
    spdlog::warn(
        "the UTC slot {} is refused: the clock went back or leapt; discovery is silent until it is right again. If it "
        "is right "
        "now and was wrong before, restart",
        k->slot);
    events.write(make_event("rejected").add("reason", "clock").add("discovery", "silent until the clock is right"));
  }
}

void ue_program::state::keep_mark() {
  auto& clock = sec->discovery().clock();
  const auto mark = clock.mark_to_store();
  if (!mark || subframe < mark_again_at) return;
  // Nothing of a slot is announced before the mark beyond it is on disk.
  const auto ok = keys::write_mark(config.mark, *mark);
  if (ok) {
    clock.mark_stored(*mark);
    mark_unwritten = false;
    return;
  }
  mark_again_at = subframe + 1000;
  if (std::exchange(mark_unwritten, true)) return;
  spdlog::warn("{}; discovery is silent until it can be", ok.error().message);
  events.write(make_event("mark_unwritten").add("file", config.mark).add("reason", ok.error().message));
}

/// Nothing is announced after this: the slots that were used are the mark, and a restart in the next one need not be
/// silent.
void ue_program::state::keep_last_mark() {
  const auto& clock = sec->discovery().clock();
  if (!clock.now()) return;
  const auto last = std::max(*clock.now(), clock.boot_mark().value_or(0));
  if (const auto ok = keys::write_mark(config.mark, last); !ok)
    spdlog::warn("{}; the next start will be silent for up to 30 s", ok.error().message);
}

void ue_program::state::tell_silence() {
  const auto& clock = sec->discovery().clock();
  const auto now = clock.now();
  if (!now) return;
  if (clock.after_boot_mark(*now)) {
    if (!std::exchange(silent, false)) return;
    spdlog::info("the clock has passed the mark: no longer silent");
    events.write(make_event("silence_ended").add("file", config.mark));
    return;
  }
  if (std::exchange(silent, true)) return;
  const auto mark = *clock.boot_mark();
  const auto text = silence_text(mark, *now, config.mark);
  // Up to 30 s are the life of a restarted UE. More is a clock that is or was wrong, and may be years.
  const bool ordinary = mark - *now <= 2 * security::slot_clock::mark_ahead_slots;
  spdlog::log(ordinary ? spdlog::level::info : spdlog::level::warn, "{}{}", text,
              ordinary ? ""
                       : ". If the clock is right, wait, or make a new key pair and give the peers its public key; "
                         "without the file codes would repeat");
  events.write(make_event("silent")
                   .add("until", utc_text(static_cast<double>(mark) + 1))
                   .add("file", config.mark)
                   .add("clock", utc_text(*now))
                   .add("seconds", std::int64_t{mark} + 1 - *now));
}

/// A packet of the host that goes nowhere: counted for each peer, told once.
void ue_program::state::drop(std::size_t slot, const char* why) {
  if (host_dropped[slot]++ == 0)
    spdlog::warn("packets for {} are dropped: {}; the metrics count them, nothing more is said", slot_names[slot], why);
}

void ue_program::state::poll_data() {
  const auto is_linked = [&](security::peer_id p) { return p != 0 && sec->links().link_with(p).has_value(); };
  const bool piped = config.data == "stdin";
  // A file piped in waits for the first link.
  if (piped && server_slots.empty() && std::none_of(peers.begin(), peers.end(), is_linked)) return;
  for (int i = 0; i < max_host_packets_per_subframe; ++i) {
    const auto got = held ? std::exchange(held, std::nullopt) : data->poll(packet);
    if (!got) return;
    if (const auto server = server_slots.find(got->peer); server != server_slots.end()) {
      if (servers->send(server->second, std::span(packet).first(got->size)))
        events.write(make_event("data_tx")
                         .add("peer", slot_names[got->peer])
                         .add("bytes", static_cast<std::int64_t>(got->size)));
      else
        drop(got->peer, "they come faster than its session takes them, or there is none");
      continue;
    }
    const auto peer = peers[got->peer];
    if (peer == 0) {
      drop(got->peer, "it is not permitted now");
      continue;
    }
    const bool linked = is_linked(peer);
    // A file piped in loses nothing on its way to a live link: what has no room waits, and all behind it. Where there
    // is no link nothing empties the queue, and whoever is absent must not hold up the others. An interface or a socket
    // drops at the tail, as those of the host do: its peers have nothing to do with each other, and the delay of a
    // queue stays bounded.
    if (piped && linked && !u->has_room(peer, got->size)) {
      held = got;
      return;
    }
    const auto type = config.data == "tun" ? security::sdu_type::ip : security::sdu_type::non_ip;
    if (!u->send(peer, type, std::span(packet).first(got->size))) {
      drop(got->peer, linked ? "its queue is full" : "its queue is full and there is no link");
      continue;
    }
    auto& t = counts[peer];
    t.tx_octets += got->size;
    ++t.tx_sdus;
    events.write(peer_event("data_tx", peer).add("bytes", static_cast<std::int64_t>(got->size)));
  }
}

/// What the servers say: at most one change of a peer a subframe, since a new peer costs a scalar multiplication, and
/// few packets.
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
        const auto slot =
            static_cast<std::size_t>(std::find(slot_names.begin(), slot_names.end(), e->peer) - slot_names.begin());
        data_peer d;
        for (const auto& c : config.data_peers)
          if (c.name == e->peer) d = c;
        d.name = e->peer;
        if (slot == slot_names.size()) {
          slot_names.push_back(e->peer);
          peers.push_back(0);
          addresses.emplace_back();
        }
        // Perhaps permitted before, with another key and so with other addresses.
        result<void> given = give_addresses(d, *sec->peers().find(*id));
        addresses[slot] = d.addresses;
        if (given) given = data->assign(slot, std::move(d));
        peers[slot] = *id;
        index[*id] = slot;
        spdlog::info("{} is permitted", e->peer);
        events.write(peer_event("peer_permitted", *id));
        if (!given) {
          addresses[slot] = {};
          spdlog::error("no packet passes to or from {}: {}", e->peer, given.error().message);
          events.write(make_event("address_failed").add("peer", e->peer).add("reason", given.error().message));
        } else {
          tell_addresses(slot);
        }
        replace_hosts_file();
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
        if (const auto slot = std::find(peers.begin(), peers.end(), id); slot != peers.end()) {
          data->withdraw(static_cast<std::size_t>(slot - peers.begin()));
          *slot = 0;
          replace_hosts_file();
        }
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
        events.write(
            make_event("rejected").add("reason", e->text).add("peer", e->peer).add("server", server.substr(7)));
        break;
      case pc3_event::kind::pending:
        spdlog::warn(
            "{} gives a key of {} that waits for you ({}): compare its fingerprint with {} by voice, then prose-keys "
            "grant {} --fingerprint F; until "
            "then nothing goes to {}: {}",
            server, e->peer, e->text, e->peer, e->peer, e->peer,
            keys::fingerprint_text(sec->peers().own_public(), e->key));
        events.write(make_event("peer_pending")
                         .add("peer", e->peer)
                         .add("state", e->text)
                         .add("fingerprint", keys::fingerprint_text(sec->peers().own_public(), e->key)));
        break;
      case pc3_event::kind::expires:
        spdlog::warn("the permission of {} ends in {} s: no server has given it again", e->peer, e->seconds);
        events.write(make_event("permission_expires").add("peer", e->peer).add("in_s", e->seconds));
        break;
      case pc3_event::kind::unreadable:
        spdlog::error("{}: nobody is permitted through a server until it is right", e->text);
        events.write(make_event("consent_unreadable").add("reason", e->text));
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
        events.write(
            make_event("data_rx").add("peer", server).add("bytes", static_cast<std::int64_t>(e->octets.size())));
        break;
    }
  }
}

/// Packets that a link's filter held back: an event a second, peer and reason; the first of each is a warning.
void ue_program::state::tell_drops() {
  const auto now = data->drops();
  told_drops.resize(now.size());
  for (std::size_t slot = 0; slot < now.size(); ++slot)
    for (const bool in : {true, false})
      for (std::size_t i = 0; i < now[slot].in.size(); ++i) {
        const auto n = in ? now[slot].in[i] : now[slot].out[i];
        auto& told = in ? told_drops[slot].in[i] : told_drops[slot].out[i];
        if (n == told) continue;
        const auto* why = apps::name_of(static_cast<packet_check>(i));
        const auto* way = in ? "in" : "out";
        if (told == 0)
          spdlog::warn("packets {} {} are dropped: {}; events and metrics count them", in ? "from" : "to",
                       slot_names[slot], why);
        events.write(make_event("packets_dropped")
                         .add("peer", slot_names[slot])
                         .add("direction", way)
                         .add("reason", why)
                         .add("count", n - told));
        told = n;
      }
}

void ue_program::state::look_at_data_port() {
  auto now = data->look();
  if (now == data_trouble) return;
  if (now.text.empty())
    spdlog::info("the interface for data is as it should be again");
  else if (!now.for_good)
    spdlog::warn("{}", now.text);
  events.write(make_event("data_port").add("ok", now.text.empty()).add("reason", now.text));
  data_trouble = std::move(now);
}

void ue_program::state::each_second() {
  tell_drops();
  look_at_data_port();
  if (servers) {
    if (const auto n = servers->data_dropped(); n != server_data_dropped) {
      server_data_dropped = n;
      events.write(make_event("server_data_dropped").add("packets", static_cast<std::int64_t>(n)));
    }
  }
  const auto r = radio->counters();
  if (r.overflows != reported.overflows || r.underflows != reported.underflows || r.lates != reported.lates) {
    events.write(
        make_event("radio").add("overflows", r.overflows).add("underflows", r.underflows).add("lates", r.lates));
    reported = r;
  }
  for (std::size_t i = 0; i < rejected.size(); ++i) {
    const auto why = static_cast<security::drop_reason>(i);
    const auto n = sec->links().dropped(why);
    // "Nothing new" and "not addressed" are the ordinary life of a broadcast medium.
    if (n != rejected[i] && why != security::drop_reason::nothing_new && why != security::drop_reason::not_addressed) {
      auto e = make_event("rejected").add("reason", security::name_of(why)).add("count", n - rejected[i]);
      // Where a piece of a record was lost, an older one that fits its place is tried.
      if (const auto m = u->counters().rx.rlc.misfits; why == security::drop_reason::bad_record && m != misfits) {
        e.add("misfits", m - misfits);
        misfits = m;
      }
      events.write(e);
    }
    rejected[i] = n;
  }
  if (!config.query.empty()) {
    std::vector<security::peer_id> wanted;
    for (const auto& q : config.query) {
      const auto* p = sec->peers().find(q);
      wanted.push_back(p != nullptr ? p->id : 0);
    }
    u->query(wanted);  // alike whoever is linked or permitted: how many queries go out tells nothing
  }
  if (!metrics) return;
  metrics_page page;
  const auto c = u->counters();
  const auto m = modem->counters();
  page.gauge("prose_device_time_seconds", "Device time", device_time());
  page.gauge(
      "prose_silent_seconds", "Seconds for which the mark keeps discovery silent",
      silent ? static_cast<double>(*sec->discovery().clock().boot_mark()) + 1 - *sec->discovery().clock().now() : 0.0);
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
  page.counter("prose_dropped_total", "What was dropped", c.rx.unknown_source, "reason=\"unknown_source\"");
  page.counter("prose_dropped_total", "What was dropped", c.rx.rlc.trials_refused, "reason=\"trial_budget\"");
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
  for (const auto& [slot, n] : host_dropped)
    page.counter("prose_host_packets_dropped_total", "Packets of the host that were not taken", n,
                 "peer=\"" + slot_names[slot] + "\"");
  page.counter("prose_data_port_dropped_total", "Packets of no peer's, too long, or not taken by the host",
               data->counters().no_such_peer, "reason=\"no_such_peer\"");
  page.counter("prose_data_port_dropped_total", "Packets of no peer's, too long, or not taken by the host",
               data->counters().oversized, "reason=\"oversized\"");
  page.counter("prose_data_port_dropped_total", "Packets of no peer's, too long, or not taken by the host",
               data->counters().write_failed, "reason=\"write_failed\"");
  page.gauge("prose_data_port_ok", "0: packets, or long ones, do not pass between the host and the UE",
             data_trouble.text.empty() ? 1 : 0);
  for (std::size_t slot = 0; slot < told_drops.size(); ++slot)
    for (const bool in : {true, false})
      for (std::size_t i = 0; i < told_drops[slot].in.size(); ++i)
        if (const auto n = in ? told_drops[slot].in[i] : told_drops[slot].out[i]; n != 0)
          page.counter("prose_packets_filtered_total", "Packets that the filter of a link held back", n,
                       "peer=\"" + slot_names[slot] + "\",direction=\"" + (in ? "in" : "out") + "\",reason=\"" +
                           apps::name_of(static_cast<packet_check>(i)) + "\"");
  metrics->publish(page.text());
}

}  // namespace prose::apps
