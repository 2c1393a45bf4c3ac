#include "tests/noninterference/addresses.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "apps/ue/host_addresses.h"
#include "apps/ue/tun.h"
#include "common/hex.h"
#include "security/export.h"
#include "security/ue_security.h"
#include "tests/apps/ue/ip_packets.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/noninterference/exact_random.h"

namespace prose::noninterference {
namespace {

using namespace apps;
using namespace apps::test;
using security::public_key;

/// Addresses and routes of John's interface.
class routes_kept final : public host_routes {
public:
  explicit routes_kept(std::multiset<ip_address>& own) : own_(own) {}
  result<void> add_address(const ip_address& a) override {
    own_.insert(a);
    return {};
  }
  result<void> remove_address(const ip_address& a) override {
    if (const auto at = own_.find(a); at != own_.end()) own_.erase(at);
    return {};
  }
  result<void> add_route(const ip_address& to, const ip_address&) override {
    if (!routes_.insert(to).second) return fail("File exists");
    return {};
  }
  result<void> remove_route(const ip_address& to) override {
    routes_.erase(to);
    return {};
  }

private:
  std::multiset<ip_address>& own_;
  std::set<ip_address> routes_;
};

/// The people, the same in every world.
struct people {
  security::test::toy_dh dh;
  exact_random johns{1}, marys{2}, peters{3};
  security::ue_security john{{}, security::key_pair::generate({johns, dh}), {johns, dh}};
  security::ue_security mary{{}, security::key_pair::generate({marys, dh}), {marys, dh}};
  security::ue_security peter{{}, security::key_pair::generate({peters, dh}), {peters, dh}};
  people() {
    (void)mary.add_peer("john", john.peers().own_public());
    (void)peter.add_peer("john", john.peers().own_public());
  }
  /// A key that Mary publishes under a second name: like Peter's as far as whoever makes keys can make it.
  public_key made_by_mary() const {
    public_key k = peter.peers().own_public();
    k.octets[31] ^= 1;
    return k;
  }
};

/// All that can be on a packet of Mary's. She is given every address that the two have, though she cannot compute them.
struct knowledge {
  std::vector<ip_address> v6, v4;
};

struct worlds_of_addresses {
  bool with_mary, with_peter, peter_first;
};

class world {
public:
  explicit world(const worlds_of_addresses& which) : which_(which) {
    char name[] = "/tmp/prose-noninterference-XXXXXX";
    directory_ = ::mkdtemp(name);
    std::vector<std::pair<const char*, public_key>> wanted;
    const std::pair<const char*, public_key> peters{"peter", who_.peter.peers().own_public()};
    if (which.with_peter && which.peter_first) wanted.push_back(peters);
    if (which.with_mary)
      wanted.insert(wanted.end(), {{"mary", who_.mary.peers().own_public()}, {"mary2", who_.made_by_mary()}});
    if (which.with_peter && !which.peter_first) wanted.push_back(peters);
    auto table = ipv4_table::open(directory_ + "/ipv4", table_random_, {});
    if (!table) return;
    std::vector<data_peer> peers;
    for (const auto& [peer_name, key] : wanted) {
      const auto id = who_.john.add_peer(peer_name, key);
      const auto drawn = table->of(peer_name, key);
      if (!id || !drawn) return;
      data_peer p;
      p.name = peer_name;
      p.addresses = addresses_of(*who_.john.peers().find(*id), {}, {}, *drawn);
      peers.push_back(p);
      links_[peer_name] = p.addresses;
      slots_.push_back(peer_name);
    }
    int ends[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) != 0) return;
    host_ = file_descriptor(ends[1]);
    auto port =
        make_tun_port(file_descriptor(ends[0]), std::make_unique<routes_kept>(own_), "prose0", std::move(peers));
    if (!port)
      note_all("John's interface does not start");
    else
      port_ = std::move(*port);
  }
  ~world() {
    ::unlink((directory_ + "/ipv4").c_str());
    ::rmdir(directory_.c_str());
  }
  world(const world&) = delete;
  world& operator=(const world&) = delete;

  knowledge known() const {
    knowledge k;
    for (const char* a : {"fe80::1", "ff02::1", "::1", "fd00::5"}) k.v6.push_back(*parse_ip_address(a));
    for (const char* a : {"127.0.0.1", "192.168.1.1", "224.0.0.1"}) k.v4.push_back(*parse_ip_address(a));
    for (const auto& a : {link_ipv4_source(), link_ipv4_destination()}) k.v4.push_back(a);
    for (const auto& key : {who_.peter.peers().own_public(), who_.john.peers().own_public()}) {
      security::address_bits of_key{};
      std::copy_n(key.octets.begin(), of_key.size(), of_key.begin());
      k.v6.push_back(link_ipv6_address(of_key));
    }
    for (const auto& [name, l] : links_) {
      for (const auto& a : {l.link_ipv6.own, l.link_ipv6.peer}) k.v6.push_back(a);
      for (const auto& a : {l.host_ipv4.own, l.host_ipv4.peer}) k.v4.push_back(a);
    }
    return k;
  }
  /// What Mary can compute of addresses, with all her secrets and everybody's public keys (no pair has a PSK).
  std::set<ip_address> computed() const {
    std::set<ip_address> out;
    const std::vector<public_key> keys{who_.mary.peers().own_public(), who_.john.peers().own_public(),
                                       who_.peter.peers().own_public(), who_.made_by_mary()};
    std::vector<std::array<std::uint8_t, 32>> secrets{{}};
    for (const auto& s :
         security::stolen_state(who_.mary.peers(), who_.mary.links(), security::export_permit::user_was_warned()))
      if (s.octets.size() == 32) std::copy_n(s.octets.begin(), 32, secrets.emplace_back().begin());
    for (const auto& shared : secrets)
      for (const auto& a : keys)
        for (const auto& b : keys)
          out.insert(link_ipv6_address(
              security::derive_address(security::pre_shared_key(secrets[0]), security::dh_output(shared), a, b)));
    return out;
  }
  std::vector<ip_address> of_peters_link() const {
    const auto& l = links_.at("peter");
    return {l.link_ipv6.own, l.link_ipv6.peer};
  }

  /// John's application speaks to both by name, from every address that his host has; Mary sends all there is; Peter
  /// asks meanwhile.
  void run(const knowledge& k) {
    if (!port_) return;
    for (int round = 0; round < 2; ++round) {
      for (const auto& [name, l] : links_)
        for (const auto& [other, from] : links_) {
          host_sends(udp(from.link_ipv6.own, l.link_ipv6.peer, "hello"));
          host_sends(udp(from.host_ipv4.own, l.host_ipv4.peer, "hello"));
        }
      for (const auto* addresses : {&k.v6, &k.v4})
        for (const auto& source : *addresses)
          for (const auto& destination : *addresses) {
            const bool v4 = source.length == 4;
            marys(udp(source, destination, "who is there"));
            marys(icmp(source, destination, v4 ? 8 : 128, packet(8)));
            marys(icmp(source, destination, v4 ? 3 : 1, udp(destination, source, "who is there")));
          }
      peters();
      withdrawn_and_back(round);
    }
  }

  std::vector<std::string> marys_view, peters_view;
  std::size_t packets = 0, taken = 0;

private:
  void note_all(const char* what) {
    marys_view.push_back(what);
    peters_view.push_back(what);
  }
  void marys(const packet& p) {
    for (const char* name : {"mary", "mary2"}) {
      if (!which_.with_mary) continue;
      ++packets;
      arrives(name, p);
    }
  }
  void peters() {
    if (!which_.with_peter) return;
    const auto& l = links_.at("peter").link_ipv6;
    for (const char* text : {"one", "two"}) arrives("peter", udp(l.peer, l.own, text));
    arrives("peter", udp(link_ipv4_source(), link_ipv4_destination(), "three"));
  }
  std::vector<std::string>& view_of(const std::string& name) { return name == "peter" ? peters_view : marys_view; }
  std::size_t slot(const std::string& name) const {
    return static_cast<std::size_t>(std::find(slots_.begin(), slots_.end(), name) - slots_.begin());
  }

  /// From a link to the host, which takes what is for one of its addresses, tells by the source who sent it, and
  /// answers all but errors.
  void arrives(const std::string& name, const packet& on_link) {
    port_->deliver(slot(name), on_link);
    packet p(2000);
    const auto n = ::read(host_.get(), p.data(), p.size());
    if (n <= 0) return;
    p.resize(n);
    const auto source = *source_of(p), destination = *destination_of(p);
    if (own_.count(destination) == 0) return;
    std::string from = "nobody";
    for (const auto& [other, l] : links_)
      if (source == l.host_ipv6.peer || source == l.host_ipv4.peer) from = other;
    view_of(name).push_back("taken as of " + from + ": " + to_hex(on_link));
    taken += name != "peter";
    host_sends(udp(destination, source, "yes"));
  }
  void host_sends(const packet& p) {
    if (::write(host_.get(), p.data(), p.size()) != static_cast<ssize_t>(p.size())) return;
    std::array<std::uint8_t, max_data_packet_bytes> buffer{};
    const auto out = port_->poll(buffer);
    if (out)
      view_of(slots_[out->peer])
          .push_back("on link " + slots_[out->peer] + ": " + to_hex(std::span(buffer).first(out->size)));
  }
  /// Each loses permission and gets it back; what Mary sends to a withdrawn Peter's addresses in between is nothing
  /// either.
  void withdrawn_and_back(int round) {
    const std::string name = round == 0 ? "peter" : "mary";
    if (links_.count(name) == 0) return;
    port_->withdraw(slot(name));
    data_peer p;
    p.name = name;
    p.addresses = links_[name];
    if (!port_->assign(slot(name), p)) view_of(name).push_back("not again");
  }

  worlds_of_addresses which_;
  people who_;
  exact_random table_random_{4};
  std::string directory_;
  std::multiset<ip_address> own_;
  std::map<std::string, link_addresses> links_;
  std::vector<std::string> slots_;
  file_descriptor host_;
  std::unique_ptr<data_port> port_;
};

std::string difference(const std::vector<std::string>& with, const std::vector<std::string>& without, const char* of) {
  if (with == without) return {};
  const auto end = std::min(with.size(), without.size());
  std::size_t i = 0;
  while (i < end && with[i] == without[i]) ++i;
  return std::string(of) + ", event " + std::to_string(i) + ": " + (i < with.size() ? with[i] : "end") +
         "; without the other: " + (i < without.size() ? without[i] : "end");
}

}  // namespace

addresses_comparison compare_addresses(bool peter_first) {
  world all({true, true, peter_first}), without_peter({true, false, peter_first}),
      without_mary({false, true, peter_first});
  const auto known = all.known();
  for (auto* w : {&all, &without_peter, &without_mary}) w->run(known);
  addresses_comparison c;
  c.packets = all.packets;
  c.taken = all.taken;
  c.on_her_link = all.marys_view.size();
  c.on_peters_link = all.peters_view.size();
  c.difference = difference(all.marys_view, without_peter.marys_view, "Mary sees");
  if (c.difference.empty()) c.difference = difference(all.peters_view, without_mary.peters_view, "Peter sees");
  const auto computed = all.computed();
  for (const auto& a : all.of_peters_link())
    if (c.difference.empty() && computed.count(a) != 0)
      c.difference = "Mary computes " + to_string(a) + " of Peter's link";
  return c;
}

}  // namespace prose::noninterference
