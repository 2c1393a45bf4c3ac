#include "apps/ue/host_data.h"

#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "apps/lib/common/log.h"

namespace prose::apps {
namespace {
constexpr int max_packets_per_subframe = 64;  // a host that floods must not cost the subframe its time

std::string peer_label(const std::string& name) { return "peer=\"" + name + "\""; }
}  // namespace

bool host_data::is_linked(security::peer_id peer) const {
  return peer != 0 && identity_.port().link_with(peer).has_value();
}

bool host_data::has_linked_peer() const {
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (is_linked(slots_.peer(i))) return true;
  return false;
}

// --- opening --------------------------------------------------------------------------------------------------------

data_peer host_data::configured(const std::string& name) const {
  data_peer d;
  for (const auto& c : config_.data_peers)
    if (c.name == name) d = c;
  d.name = name;
  return d;
}

result<data_peer> host_data::make_entry(std::size_t slot) {
  auto d = configured(slots_.name(slot));
  if (const auto server = slots_.server(slot)) {
    d.udp_listen = config_.pc3.servers[*server].udp_listen;
    d.udp_forward = config_.pc3.servers[*server].udp_forward;
  } else if (const auto peer = slots_.peer(slot); peer != 0) {
    auto given = addresses_.addresses_for(*identity_.security().peers().find(peer), d);
    if (!given) return tl::unexpected(given.error());
    d.addresses = *given;
  }
  return d;
}

result<std::vector<data_peer>> host_data::make_entries() {
  if (auto ok = addresses_.open(identity_.random()); !ok) return tl::unexpected(ok.error());
  std::vector<data_peer> list;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    auto d = make_entry(i);
    if (!d) return tl::unexpected(d.error());
    addresses_.set(i, d->addresses);
    list.push_back(std::move(*d));
  }
  return list;
}

/// A UDP port without an endpoint would carry nothing and say nothing.
result<void> host_data::check_endpoints() const {
  if (config_.data != "udp") return {};
  const auto carries = [](const auto& x) { return !x.udp_listen.empty() || !x.udp_forward.empty(); };
  if (std::any_of(config_.data_peers.begin(), config_.data_peers.end(), carries) ||
      std::any_of(config_.pc3.servers.begin(), config_.pc3.servers.end(), carries))
    return {};
  return fail(
      "--data udp: no peer has an endpoint; accepted: in the configuration data.peers: [{name: NAME, udp_listen: "
      "ADDRESS:PORT, udp_forward: ADDRESS:PORT}]");
}

result<void> host_data::open() {
  if (auto ok = check_endpoints(); !ok) return ok;
  auto list = make_entries();
  return list ? open_port(std::move(*list)) : tl::unexpected(list.error());
}

result<void> host_data::check() {
  if (auto ok = check_endpoints(); !ok) return ok;
  if (auto list = make_entries(); !list) return tl::unexpected(list.error());
  return config_.data == "tun" ? addresses_.write_hosts_file() : result<void>();
}

result<void> host_data::open_port(std::vector<data_peer> list) {
  result<std::unique_ptr<data_port>> opened = open_none();
  if (config_.data == "tun") {
    for (const auto slot : slots_.server_slots())
      log_warning(
          "{} has no address on {}: no packet goes to it and none of its packets comes out; accepted for that: --data "
          "udp or stdin",
          slots_.name(slot), config_.tun.interface);
    opened = open_tun(config_.tun, std::move(list));
    if (opened)
      if (auto ok = addresses_.write_hosts_file(); !ok) return ok;
  } else if (config_.data == "udp") {
    opened = open_udp(std::move(list));
  } else if (config_.data == "stdin") {
    opened = open_lines(std::move(list), STDIN_FILENO, STDOUT_FILENO);
  }
  if (!opened) return tl::unexpected(opened.error());
  port_ = std::move(*opened);
  return {};
}

void host_data::report_addresses() {
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_.peer(i) != 0) addresses_.report(i);
}

// --- peers that come and go -----------------------------------------------------------------------------------------

/// The peer may have been permitted before, with another key and so with other addresses.
result<void> host_data::assign(std::size_t slot, security::peer_id peer) {
  auto d = configured(slots_.name(slot));
  addresses_.set(slot, {});
  auto given = addresses_.addresses_for(*identity_.security().peers().find(peer), d);
  if (!given) return tl::unexpected(given.error());
  d.addresses = *given;
  if (auto ok = port_->assign(slot, std::move(d)); !ok) return ok;
  addresses_.set(slot, *given);
  return {};
}

void host_data::permit(const std::string& name, security::peer_id peer) {
  const auto slot = slots_.permit(name, peer);
  const auto assigned = assign(slot, peer);
  log_info("{} is permitted", name);
  events_.write(events_.of_peer("peer_permitted", peer));
  if (assigned) {
    addresses_.report(slot);
  } else {
    log_error("no packet passes to or from {}: {}", name, assigned.error().message);
    events_.write(events_.make("address_failed").add("peer", name).add("reason", assigned.error().message));
  }
  addresses_.replace_hosts_file();
}

void host_data::withdraw(security::peer_id peer) {
  const auto slot = slots_.withdraw(peer);
  if (!slot) return;
  port_->withdraw(*slot);
  addresses_.replace_hosts_file();
}

// --- packets --------------------------------------------------------------------------------------------------------

/// A packet of the host that goes nowhere: counted for each peer, logged once.
void host_data::count_dropped(std::size_t slot, const char* why) {
  if (dropped_[slot]++ == 0)
    log_warning("packets for {} are dropped: {}; the metrics count them, nothing more is said", slots_.name(slot), why);
}

/// A file piped in waits for the first link.
bool host_data::waits_for_link() const {
  return config_.data == "stdin" && slots_.server_slots().empty() && !has_linked_peer();
}

void host_data::poll(mac::ue& u, pc3* servers) {
  if (waits_for_link()) return;
  for (int i = 0; i < max_packets_per_subframe; ++i) {
    const auto got = held_ ? std::exchange(held_, std::nullopt) : port_->poll(packet_);
    if (!got || !pass_on(*got, u, servers)) return;
  }
}

/// Returns false if the packet has to wait, and with it all that come after it.
bool host_data::pass_on(const outgoing_packet& got, mac::ue& u, pc3* servers) {
  const auto packet = std::span<const std::uint8_t>(packet_).first(got.size);
  if (const auto server = slots_.server(got.peer)) {
    send_to_server(got.peer, *server, packet, *servers);
    return true;
  }
  const auto peer = slots_.peer(got.peer);
  if (peer == 0) {
    count_dropped(got.peer, "it is not permitted now");
    return true;
  }
  const bool linked = is_linked(peer);
  // A file piped in loses nothing on its way to a live link: what has no room waits, and all behind it. Where there is
  // no link nothing empties the queue, and an absent peer must not hold up the others. An interface or a socket drops
  // at the tail, as those of the host do: its peers have nothing to do with each other, and the delay of a queue stays
  // bounded.
  if (config_.data == "stdin" && linked && !u.has_room(peer, got.size)) {
    held_ = got;
    return false;
  }
  if (linked)
    without_link_.erase(peer);
  else if (without_link_.insert(peer).second)
    log_warning("there is no link with {}: what is for it waits up to {} s for one and is then dropped",
                slots_.name(got.peer), config_.ue.limits.unlinked_lifetime_ms / 1000);
  const auto type = config_.data == "tun" ? security::sdu_type::ip : security::sdu_type::non_ip;
  if (!u.send(peer, type, packet)) {
    count_dropped(got.peer, linked ? "its queue is full" : "its queue is full and there is no link");
    return true;
  }
  traffic_[peer].tx_octets += got.size;
  events_.write(events_.of_peer("data_tx", peer).add("bytes", std::ssize(packet)));
  return true;
}

void host_data::send_to_server(std::size_t slot, std::size_t server, std::span<const std::uint8_t> packet,
                               pc3& servers) {
  if (servers.send(server, packet))
    events_.write(events_.make("data_tx").add("peer", slots_.name(slot)).add("bytes", std::ssize(packet)));
  else
    count_dropped(slot, "they come faster than its session takes them, or there is none");
}

void host_data::deliver(security::peer_id peer, std::span<const std::uint8_t> data) {
  traffic_[peer].rx_octets += data.size();
  port_->deliver(slots_.slot_of(peer), data);
  events_.write(events_.of_peer("data_rx", peer).add("bytes", std::ssize(data)));
}

void host_data::deliver_from_server(std::size_t server, std::span<const std::uint8_t> data) {
  const auto slot = slots_.slot_of_server(server);
  port_->deliver(slot, data);
  events_.write(events_.make("data_rx").add("peer", slots_.name(slot)).add("bytes", std::ssize(data)));
}

// --- what is reported and counted -----------------------------------------------------------------------------------

void host_data::each_second(std::uint64_t expired) {
  for (const auto& remark : port_->remarks()) {
    log_warning("{}", remark);
    events_.write(events_.make("line_refused").add("reason", remark));
  }
  report_waiting();
  report_expired(expired);
  report_filtered();
  report_trouble();
}

void host_data::report_waiting() {
  const bool waits = waits_for_link();
  if (waits && !std::exchange(waiting_told_, true))
    log_info("no peer is linked yet: lines of standard input wait for the first link");
  if (!waits && std::exchange(waiting_told_, false)) log_info("a peer is linked: lines of standard input go out");
}

/// Which peer they were for was told when the first of them came (pass_on()).
void host_data::report_expired(std::uint64_t expired) {
  if (expired == expired_) return;
  const auto seconds = config_.ue.limits.unlinked_lifetime_ms / 1000;
  if (expired_ == 0)
    log_warning("{} packets have waited {} s for a link and are dropped; events and metrics count more of them",
                expired, seconds);
  events_.write(events_.make("data_expired").add("packets", expired - expired_).add("after_s", seconds));
  expired_ = expired;
}

/// Packets that a link's filter held back: an event a second, peer and reason; the first of each is a warning.
void host_data::report_filtered() {
  const auto now = port_->drops();
  reported_filtered_.resize(now.size());
  for (std::size_t slot = 0; slot < now.size(); ++slot)
    for (const bool in : {true, false}) {
      const auto& counts = in ? now[slot].in : now[slot].out;
      auto& reported = in ? reported_filtered_[slot].in : reported_filtered_[slot].out;
      for (std::size_t i = 0; i < counts.size(); ++i)
        report_filtered(slot, in, static_cast<packet_check>(i), counts[i], reported[i]);
    }
}

void host_data::report_filtered(std::size_t slot, bool in, packet_check why, std::uint64_t count,
                                std::uint64_t& reported) {
  if (count == reported) return;
  if (reported == 0)
    log_warning("packets {} {} are dropped: {}; events and metrics count them", in ? "from" : "to", slots_.name(slot),
                name_of(why));
  events_.write(events_.make("packets_dropped")
                    .add("peer", slots_.name(slot))
                    .add("direction", in ? "in" : "out")
                    .add("reason", name_of(why))
                    .add("count", count - reported));
  reported = count;
}

void host_data::report_trouble() {
  auto now = port_->look();
  if (now == trouble_) return;
  if (now.text.empty())
    log_info("the interface for data is as it should be again");
  else if (!now.for_good)
    log_warning("{}", now.text);
  events_.write(events_.make("data_port").add("ok", now.text.empty()).add("reason", now.text));
  trouble_ = std::move(now);
}

void host_data::add_metrics(metrics_page& page) const {
  for (const auto& [p, t] : traffic_)
    page.counter("prose_data_rx_octets_total", "Octets from peers", t.rx_octets, peer_label(slots_.name_of(p)));
  for (const auto& [p, t] : traffic_)
    page.counter("prose_data_tx_octets_total", "Octets to peers", t.tx_octets, peer_label(slots_.name_of(p)));
  for (const auto& [slot, n] : dropped_)
    page.counter("prose_host_packets_dropped_total", "Packets of the host that were not taken", n,
                 peer_label(slots_.name(slot)));
  const auto& c = port_->counters();
  const auto dropped = [&](std::uint64_t n, const char* reason) {
    page.counter("prose_data_port_dropped_total", "Packets of no peer's, too long, or not taken by the host", n,
                 reason);
  };
  dropped(c.no_such_peer, "reason=\"no_such_peer\"");
  dropped(c.oversized, "reason=\"oversized\"");
  dropped(c.write_failed, "reason=\"write_failed\"");
  page.gauge("prose_data_port_ok", "0: packets, or long ones, do not pass between the host and the UE",
             trouble_.text.empty() ? 1 : 0);
  add_filtered(page);
}

void host_data::add_status(security::peer_id peer, peer_status& s) const {
  const auto slot = slots_.slot_of(peer);
  const auto& a = addresses_.of(slot);
  s.ipv6 = a.host_ipv6;
  if (config_.data == "tun") s.ipv4 = a.host_ipv4;
  if (const auto t = traffic_.find(peer); t != traffic_.end()) {
    s.rx_octets = t->second.rx_octets;
    s.tx_octets = t->second.tx_octets;
  }
  if (const auto n = dropped_.find(slot); n != dropped_.end()) s.packets_dropped = n->second;
  if (slot >= reported_filtered_.size()) return;
  const auto& filtered = reported_filtered_[slot];
  for (const auto& counts : {filtered.in, filtered.out})
    s.packets_filtered += std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

void host_data::add_filtered(metrics_page& page) const {
  for (std::size_t slot = 0; slot < reported_filtered_.size(); ++slot)
    for (const bool in : {true, false}) {
      const auto& counts = in ? reported_filtered_[slot].in : reported_filtered_[slot].out;
      for (std::size_t i = 0; i < counts.size(); ++i)
        if (counts[i] != 0)
          page.counter("prose_packets_filtered_total", "Packets that the filter of a link held back", counts[i],
                       peer_label(slots_.name(slot)) + ",direction=\"" + (in ? "in" : "out") + "\",reason=\"" +
                           name_of(static_cast<packet_check>(i)) + "\"");
    }
}

}  // namespace prose::apps
