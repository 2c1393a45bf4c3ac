// Mary, John and Peter with a TUN interface each, in three network namespaces: what kernels and sockets make of a
// link's addresses. The air between them is this program, which looks at every packet.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/ue/data_port.h"
#include "apps/ue/host_addresses.h"
#include "security/crypto/x25519.h"
#include "security/ue_security.h"
#include "tests/apps/ue/ip_packets.h"
#include "tests/fuzz/fixed_random.h"

namespace prose::apps {
namespace {
using namespace test;

ip_address address(const char* text) { return parse_ip_address(text).value(); }

struct socket_address {
  sockaddr_storage storage{};
  socklen_t length = 0;
  socket_address() = default;
  socket_address(const ip_address& a, std::uint16_t port) {
    if (a.length == 4) {
      auto* s = reinterpret_cast<sockaddr_in*>(&storage);
      s->sin_family = AF_INET;
      s->sin_port = htons(port);
      std::memcpy(&s->sin_addr, a.octets.data(), 4);
      length = sizeof *s;
    } else {
      auto* s = reinterpret_cast<sockaddr_in6*>(&storage);
      s->sin6_family = AF_INET6;
      s->sin6_port = htons(port);
      std::memcpy(&s->sin6_addr, a.octets.data(), 16);
      length = sizeof *s;
    }
  }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
  ip_address ip() const {
    ip_address a;
    if (storage.ss_family == AF_INET) {
      a.length = 4;
      std::memcpy(a.octets.data(), &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr, 4);
    } else {
      a.length = 16;
      std::memcpy(a.octets.data(), &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr, 16);
    }
    return a;
  }
};

struct host {
  std::string name;
  fuzz::fixed_random& random;
  security::crypto::mbedtls_x25519 dh{random};
  security::ue_security security{{}, security::key_pair::generate({random, dh}), {random, dh}};
  file_descriptor space;
  std::vector<link_addresses> links;
  std::unique_ptr<data_port> port;
  host(std::string n, fuzz::fixed_random& r) : name(std::move(n)), random(r) {}

  /// What is opened next is opened there.
  void enter() const { ASSERT_EQ(::setns(space.get(), CLONE_NEWNET), 0); }
  file_descriptor socket_of(int type, const ip_address& family) const {
    enter();
    return file_descriptor(::socket(family.length == 4 ? AF_INET : AF_INET6, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  }
  file_descriptor bound(int type, const ip_address& at, std::uint16_t port_number) const {
    auto s = socket_of(type, at);
    const int on = 1;
    if (at.length == 16) {
      EXPECT_EQ(::setsockopt(s.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    }
    ip_address any;
    any.length = at.length;
    socket_address a(any, port_number);
    EXPECT_EQ(::bind(s.get(), a.get(), a.length), 0) << std::strerror(errno);
    return s;
  }
};

struct world {
  fuzz::fixed_random random;
  host mary{"mary", random}, john{"john", random}, peter{"peter", random};
  std::vector<std::pair<std::string, packet>> on_link;  // who sent it

  bool open() {
    // John's place 0 is Mary, 1 is Peter.
    EXPECT_TRUE(mary.security.add_peer("john", john.security.peers().own_public()));
    EXPECT_TRUE(peter.security.add_peer("john", john.security.peers().own_public()));
    EXPECT_TRUE(john.security.add_peer("mary", mary.security.peers().own_public()));
    EXPECT_TRUE(john.security.add_peer("peter", peter.security.peers().own_public()));
    for (host* h : {&mary, &john, &peter}) {
      if (::unshare(CLONE_NEWNET) != 0) return false;
      h->space = file_descriptor(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
      char name[] = "/tmp/prose-address-tun-XXXXXX";
      const std::string dir = ::mkdtemp(name);
      auto table = ipv4_table::open(dir + "/ipv4", random, {});
      EXPECT_TRUE(table);
      std::vector<data_peer> peers;
      for (const auto& p : h->security.peers().all()) {
        data_peer d;
        d.name = p->name;
        d.addresses = addresses_of(*p, {}, {}, table->of(p->name, p->key).value());
        h->links.push_back(d.addresses);
        peers.push_back(d);
      }
      ::unlink((dir + "/ipv4").c_str());
      ::rmdir(dir.c_str());
      tun_config c;
      c.interface = "prosetest";
      auto port = open_tun(c, std::move(peers));
      if (!port && port.error().message.find("/dev/net/tun") != std::string::npos) return false;
      EXPECT_TRUE(port) << port.error().message;
      if (!port) return false;
      h->port = std::move(*port);
    }
    return true;
  }

  /// Carries what the hosts send, until `done`; or, since something is broken then, for half a minute.
  template <class Done>
  void carry(Done done) {
    std::vector<std::uint8_t> b(max_data_packet_bytes);
    for (int i = 0; i < 30'000 && !done(); ++i) {
      for (host* h : {&mary, &john, &peter})
        while (const auto o = h->port->poll(b)) {
          const packet p(b.begin(), b.begin() + o->size);
          on_link.emplace_back(h->name, p);
          if (h == &john)
            (o->peer == 0 ? mary : peter).port->deliver(0, p);
          else
            john.port->deliver(h == &mary ? 0 : 1, p);
        }
      ::usleep(1000);
    }
  }
};

std::string receive(int s, ip_address* from = nullptr) {
  char b[2000];
  socket_address a;
  a.length = sizeof a.storage;
  const auto n = ::recvfrom(s, b, sizeof b, 0, a.get(), &a.length);
  if (n < 0) return "";
  if (from != nullptr) *from = a.ip();
  return std::string(b, static_cast<std::size_t>(n));
}

void datagrams_carry_names_that_each_host_knows(world& w) {
  for (const bool v4 : {true, false})
    for (const std::size_t place : {0U, 1U}) {
      host& other = place == 0 ? w.mary : w.peter;
      const auto& here = v4 ? w.john.links[place].host_ipv4 : w.john.links[place].host_ipv6;
      const auto& there = v4 ? other.links[0].host_ipv4 : other.links[0].host_ipv6;
      auto s = w.john.bound(SOCK_DGRAM, here.own, 4000), r = other.bound(SOCK_DGRAM, there.own, 4001);
      socket_address to(here.peer, 4001);
      ASSERT_EQ(::sendto(s.get(), "hello", 5, 0, to.get(), to.length), 5) << std::strerror(errno);
      std::string got;
      ip_address from;
      w.carry([&] { return !(got = receive(r.get(), &from)).empty(); });
      EXPECT_EQ(got, "hello") << other.name << v4;
      EXPECT_EQ(from, there.peer) << "the route chose the link's own address";
      socket_address back(from, 4000);
      ASSERT_EQ(::sendto(r.get(), "answer", 6, 0, back.get(), back.length), 6);
      w.carry([&] { return !(got = receive(s.get(), &from)).empty(); });
      EXPECT_EQ(got, "answer");
      EXPECT_EQ(from, here.peer);
    }
}

void a_connection_carries_its_octets(world& w) {
  for (const bool v4 : {true, false}) {
    const auto& here = v4 ? w.john.links[1].host_ipv4 : w.john.links[1].host_ipv6;
    const auto& there = v4 ? w.peter.links[0].host_ipv4 : w.peter.links[0].host_ipv6;
    const std::uint16_t port = v4 ? 5000 : 5002;
    auto server = w.peter.bound(SOCK_STREAM, there.own, port);
    ASSERT_EQ(::listen(server.get(), 1), 0);
    auto client = w.john.socket_of(SOCK_STREAM, here.own);
    socket_address to(here.peer, port);
    ASSERT_TRUE(::connect(client.get(), to.get(), to.length) == 0 || errno == EINPROGRESS) << std::strerror(errno);
    file_descriptor accepted;
    w.carry([&] {
      return static_cast<bool>(accepted = file_descriptor(::accept4(server.get(), nullptr, nullptr, SOCK_NONBLOCK)));
    });
    ASSERT_TRUE(accepted);
    const std::string text(20'000, 'x');
    std::string got;
    std::size_t sent = 0;
    w.carry([&] {
      if (sent < text.size())
        if (const auto n = ::send(client.get(), text.data() + sent, text.size() - sent, MSG_NOSIGNAL); n > 0)
          sent += static_cast<std::size_t>(n);
      got += receive(accepted.get());
      return got.size() == text.size();
    });
    EXPECT_EQ(got, text) << v4;
  }
}

void an_error_reaches_the_socket_that_it_is_about(world& w) {
  for (const bool v4 : {true, false}) {
    const auto& here = v4 ? w.john.links[0].host_ipv4 : w.john.links[0].host_ipv6;
    auto s = w.john.socket_of(SOCK_DGRAM, here.own);
    socket_address to(here.peer, 4999);  // nobody listens
    ASSERT_EQ(::connect(s.get(), to.get(), to.length), 0);
    ASSERT_EQ(::send(s.get(), "anybody?", 8, 0), 8);
    int error = 0;
    w.carry([&] {
      socklen_t length = sizeof error;
      return ::getsockopt(s.get(), SOL_SOCKET, SO_ERROR, &error, &length) == 0 && error != 0;
    });
    EXPECT_EQ(error, ECONNREFUSED) << v4;
  }
}

void nothing_of_one_link_shows_on_another(world& w) {
  std::set<ip_address> to_mary, to_peter;
  int v4 = 0;
  for (const auto& [who, p] : w.on_link) {
    const auto source = source_of(p).value(), destination = destination_of(p).value();
    if (source.length == 4) {
      ++v4;
      EXPECT_EQ(to_string(source) + ' ' + to_string(destination), "192.0.0.1 192.0.0.2");
    } else if (who == "john") {
      (destination == w.john.links[0].link_ipv6.peer ? to_mary : to_peter).insert(source);
    }
    EXPECT_TRUE(checksums_hold(p));
  }
  EXPECT_GT(v4, 10);
  EXPECT_EQ(to_mary, std::set<ip_address>{w.john.links[0].link_ipv6.own});
  EXPECT_EQ(to_peter, std::set<ip_address>{w.john.links[1].link_ipv6.own});
  EXPECT_NE(to_mary, to_peter);
  EXPECT_EQ(w.mary.links[0].link_ipv6.peer, *to_mary.begin());
}

/// Mary sends John's kernel whatever she likes over her link, and listens to all that he sends her.
void mary_reaches_nothing_but_her_own_link(world& w) {
  w.on_link.clear();
  const auto& hers = w.john.links[0];
  const auto& peters = w.john.links[1];
  auto everybody = w.john.bound(SOCK_DGRAM, hers.host_ipv6.own, 5001);
  auto everybody4 = w.john.bound(SOCK_DGRAM, hers.host_ipv4.own, 5001);
  const auto from_mary = [&](const packet& p) { w.john.port->deliver(0, p); };
  from_mary(udp(peters.link_ipv6.peer, hers.link_ipv6.own, "I am Peter"));
  from_mary(udp(hers.link_ipv6.peer, peters.link_ipv6.own, "to what Peter sees"));
  from_mary(udp(peters.host_ipv4.peer, hers.host_ipv4.own, "I am Peter"));
  from_mary(udp(hers.host_ipv4.peer, peters.host_ipv4.own, "to what Peter sees"));
  for (const char* to : {"ff02::1", "::1", "fe80::1"}) {
    from_mary(udp(hers.link_ipv6.peer, address(to), "all nodes"));
    from_mary(icmp(hers.link_ipv6.peer, address(to), 128, packet(8)));
  }
  from_mary(icmp(hers.link_ipv6.peer, hers.link_ipv6.own, 135, packet(20)));  // a neighbour solicitation
  from_mary(icmp(hers.link_ipv6.peer, hers.link_ipv6.own, 133, packet(8)));   // a router solicitation
  from_mary(icmp(address("fe80::1"), address("ff02::1"), 134, packet(32)));   // a router advertisement
  // What comes after all that, over her own link, is the first that is heard.
  ip_address from;
  from_mary(udp(hers.link_ipv6.peer, hers.link_ipv6.own, "hello"));
  from_mary(udp(link_ipv4_source(), link_ipv4_destination(), "hello"));
  std::string got, got4;
  w.carry([&] { return !(got = receive(everybody.get(), &from)).empty(); });
  w.carry([&] { return !(got4 = receive(everybody4.get())).empty(); });
  EXPECT_EQ(got, "hello");
  EXPECT_EQ(got4, "hello");
  EXPECT_EQ(from, hers.host_ipv6.peer);
  std::uint64_t dropped = 0;
  for (const auto n : w.john.port->drops()[0].in) dropped += n;
  EXPECT_EQ(dropped, 13U);
  for (const auto& [who, p] : w.on_link) EXPECT_NE(who, "john") << "no answer, of whatever kind, came out";
}

void a_socket_with_another_links_address_sends_nothing(world& w) {
  for (const bool v4 : {true, false}) {
    const auto& hers = v4 ? w.john.links[0].host_ipv4 : w.john.links[0].host_ipv6;
    const auto& peters = v4 ? w.john.links[1].host_ipv4 : w.john.links[1].host_ipv6;
    auto s = w.john.socket_of(SOCK_DGRAM, hers.own);
    socket_address own(peters.own, 0), to(hers.peer, 4000);
    ASSERT_EQ(::bind(s.get(), own.get(), own.length), 0);
    w.on_link.clear();
    (void)::sendto(s.get(), "by mistake", 10, 0, to.get(), to.length);
    auto right = w.john.socket_of(SOCK_DGRAM, hers.own);
    ASSERT_EQ(::sendto(right.get(), "rightly", 7, 0, to.get(), to.length), 7);
    std::vector<packet> johns;  // Mary's kernel says that nobody listens there
    w.carry([&] {
      for (const auto& [who, p] : w.on_link)
        if (who == "john") johns.push_back(p);
      return !johns.empty();
    });
    ASSERT_EQ(johns.size(), 1U);
    EXPECT_EQ(std::string(johns[0].end() - 7, johns[0].end()), "rightly");
  }
}

void routes_that_fail_are_errors_and_a_withdrawn_peer_has_none(world& w) {
  data_peer again;
  again.name = "again";
  again.addresses = w.john.links[1];
  w.john.enter();
  tun_config c;
  c.interface = "prosetest2";
  const auto second = open_tun(c, {again});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("File exists"), std::string::npos) << second.error().message;
  EXPECT_NE(second.error().message.find("again"), std::string::npos);

  w.john.port->withdraw(1);
  for (const bool v4 : {true, false}) {
    const auto& peters = v4 ? w.john.links[1].host_ipv4 : w.john.links[1].host_ipv6;
    auto s = w.john.socket_of(SOCK_DGRAM, peters.own);
    socket_address to(peters.peer, 4000);
    EXPECT_LT(::sendto(s.get(), "x", 1, 0, to.get(), to.length), 0);
    EXPECT_EQ(errno, ENETUNREACH);
  }
  w.john.enter();
  EXPECT_TRUE(w.john.port->assign(1, again));
  datagrams_carry_names_that_each_host_knows(w);
}

/// What an administrator of John's host does to the interface.
void ip_link(world& w, const std::string& what) {
  w.john.enter();
  ASSERT_EQ(std::system(("ip link " + what).c_str()), 0) << what;
}

void a_changed_interface_is_noticed_and_set_up_again(world& w) {
  EXPECT_EQ(w.john.port->look(), port_trouble{});
  ip_link(w, "set prosetest mtu 9000");
  EXPECT_NE(w.john.port->look().text.find("MTU was set to 9000"), std::string::npos);
  const auto& hers = w.john.links[0].host_ipv6;
  auto s = w.john.socket_of(SOCK_DGRAM, hers.own);
  socket_address to(hers.peer, 4000);
  const auto before = w.john.port->counters().oversized;
  const auto sends = [&](std::size_t octets) {
    const std::string text(octets, 'x');
    ASSERT_EQ(::sendto(s.get(), text.data(), text.size(), 0, to.get(), to.length), static_cast<ssize_t>(text.size()))
        << std::strerror(errno);
  };
  w.on_link.clear();
  for (const std::size_t octets : {1453U, 3000U, 1452U}) sends(octets);  // 48 octets of headers
  w.carry([&] { return !w.on_link.empty(); });
  EXPECT_EQ(w.on_link[0].second.size(), 1500U) << "what is too long is not cut";
  EXPECT_EQ(w.john.port->counters().oversized, before + 2);
  ip_link(w, "set prosetest mtu 1500");
  EXPECT_EQ(w.john.port->look(), port_trouble{});

  ip_link(w, "set prosetest down");
  EXPECT_NE(w.john.port->look().text.find("prosetest: it is down"), std::string::npos);
  EXPECT_FALSE(w.john.port->look().for_good);
  const auto unwritten = w.john.port->counters().write_failed;
  w.john.port->deliver(0, udp(w.john.links[0].link_ipv6.peer, w.john.links[0].link_ipv6.own, "nobody takes it"));
  EXPECT_EQ(w.john.port->counters().write_failed, unwritten + 1);
  ip_link(w, "set prosetest up");
  w.john.enter();
  EXPECT_EQ(w.john.port->look(), port_trouble{});
  datagrams_carry_names_that_each_host_knows(w);

  // Down and up between two looks: the routes are gone all the same.
  ip_link(w, "set prosetest down");
  ip_link(w, "set prosetest up");
  w.john.enter();
  EXPECT_EQ(w.john.port->look(), port_trouble{});
  datagrams_carry_names_that_each_host_knows(w);

  ip_link(w, "set prosetest name prosetest9");  // goes on
  EXPECT_EQ(w.john.port->look(), port_trouble{});
  ip_link(w, "delete prosetest9");
  EXPECT_NE(w.john.port->look().text.find("it is gone"), std::string::npos);
  EXPECT_TRUE(w.john.port->look().for_good);
  std::vector<std::uint8_t> b(max_data_packet_bytes);
  EXPECT_FALSE(w.john.port->poll(b));
}

TEST(address_tun, three_hosts_two_links) {
  // In a thread, which stays in the last namespace and ends there.
  std::thread([] {
    world w;
    if (!w.open()) GTEST_SKIP() << "no right to make a network namespace or a TUN interface";
    datagrams_carry_names_that_each_host_knows(w);
    a_connection_carries_its_octets(w);
    an_error_reaches_the_socket_that_it_is_about(w);
    nothing_of_one_link_shows_on_another(w);
    mary_reaches_nothing_but_her_own_link(w);
    a_socket_with_another_links_address_sends_nothing(w);
    routes_that_fail_are_errors_and_a_withdrawn_peer_has_none(w);
    a_changed_interface_is_noticed_and_set_up_again(w);
  }).join();
}

}  // namespace
}  // namespace prose::apps
