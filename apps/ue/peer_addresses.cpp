#include "apps/ue/peer_addresses.h"

#include <string>
#include <utility>

#include "apps/lib/common/log.h"

namespace prose::apps {

result<void> peer_addresses::open(security::random_port& random) {
  if (!has_interface() || config_.tun.ipv4_table.empty()) return {};
  std::vector<ip_address> configured{config_.tun.ipv4};
  for (const auto& c : config_.data_peers) configured.push_back(c.ipv4);
  auto table = ipv4_table::open(config_.tun.ipv4_table, random, std::move(configured));
  if (!table) return tl::unexpected(table.error());
  drawn_ipv4_.emplace(std::move(*table));
  return {};
}

result<link_addresses> peer_addresses::addresses_for(const security::peer& peer, const data_peer& configured) {
  std::optional<address_pair> drawn;
  if (drawn_ipv4_ && (configured.ipv4.length == 0 || config_.tun.ipv4.length == 0)) {
    auto pair = drawn_ipv4_->of(peer.name, peer.key);
    if (!pair) return tl::unexpected(pair.error());
    drawn = *pair;
  }
  return addresses_of(peer, config_.tun, configured, drawn);
}

void peer_addresses::set(std::size_t slot, const link_addresses& addresses) {
  if (slot >= addresses_.size()) addresses_.resize(slot + 1);
  addresses_[slot] = addresses;
}

void peer_addresses::report(std::size_t slot) {
  const auto& a = addresses_[slot];
  auto e = events_.make("peer_address").add("peer", slots_.name(slot));
  if (has_interface()) e.add("interface", config_.tun.interface);
  e.add("own_ipv6", to_string(a.host_ipv6.own)).add("peer_ipv6", to_string(a.host_ipv6.peer));
  if (has_interface() && a.host_ipv4.peer.length != 0)
    e.add("own_ipv4", to_string(a.host_ipv4.own)).add("peer_ipv4", to_string(a.host_ipv4.peer));
  if (a.link_ipv6 != a.host_ipv6)
    e.add("own_ipv6_on_link", to_string(a.link_ipv6.own)).add("peer_ipv6_on_link", to_string(a.link_ipv6.peer));
  events_.write(e);
  if (!has_interface()) return;
  log_info("{} is {}{} on {}; there this UE is {}{}", slots_.name(slot), to_string(a.host_ipv6.peer),
           a.host_ipv4.peer.length != 0 ? " and " + to_string(a.host_ipv4.peer) : "", config_.tun.interface,
           to_string(a.host_ipv6.own), a.host_ipv4.own.length != 0 ? " and " + to_string(a.host_ipv4.own) : "");
}

result<void> peer_addresses::write_hosts_file() const {
  if (!has_interface() || config_.tun.hosts.empty()) return {};
  std::vector<std::pair<std::string, link_addresses>> list;
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (slots_.peer(i) != 0) list.emplace_back(slots_.name(i), addresses_[i]);
  return write_hosts(config_.tun.hosts, list);
}

void peer_addresses::replace_hosts_file() const {
  if (auto ok = write_hosts_file(); !ok) log_warning("{}; who came or went since is not there", ok.error().message);
}

}  // namespace prose::apps
