// A link's own addresses: their derivation, what a link lets through, translation, and the host's side of them.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "apps/ue/host_addresses.h"
#include "apps/ue/tun.h"
#include "common/hex.h"
#include "security/crypto/hash.h"
#include "security/crypto/x25519.h"
#include "security/export.h"
#include "security/ue_security.h"
#include "tests/apps/ue/ip_packets.h"
#include "tests/fuzz/fixed_random.h"

namespace prose::apps {
namespace {
using namespace test;
using security::public_key;

ip_address address(const char* text) { return parse_ip_address(text).value(); }
template <std::size_t N>
std::array<std::uint8_t, N> hex(const char* text) {
  std::array<std::uint8_t, N> out{};
  const auto b = from_hex(text).value();
  std::copy_n(b.begin(), N, out.begin());
  return out;
}

// --- derivation
// -----------------------------------------------------------------------------------------------------------------

// RFC 7748 6.1: both public keys and the shared secret. The addresses were computed from them with Python's hmac,
// 2026-11-28.
TEST(derivation, is_hkdf_of_secret_direction_and_both_keys) {
  const public_key alice{hex<32>("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")};
  const public_key bob{hex<32>("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")};
  const security::dh_output shared(hex<32>("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"));
  const security::pre_shared_key none(std::array<std::uint8_t, 32>{});
  std::array<std::uint8_t, 32> seven{};
  seven.fill(7);
  EXPECT_EQ(to_hex(security::derive_address(none, shared, alice, bob)), "9034eb352d34724c8fca");
  EXPECT_EQ(to_hex(security::derive_address(none, shared, bob, alice)), "60b0c5438fb913acca9d");
  EXPECT_EQ(to_hex(security::derive_address(security::pre_shared_key(seven), shared, alice, bob)),
            "52be7d63237e93a1363f");
  EXPECT_EQ(to_string(link_ipv6_address(security::derive_address(none, shared, alice, bob))),
            "fd50:726f:5365:9034:eb35:2d34:724c:8fca");
}

struct three_ues : testing::Test {
  fuzz::fixed_random random;
  security::crypto::mbedtls_x25519 dh{random};
  security::ports ports{random, dh};
  security::ue_security mary{{}, security::key_pair::generate(ports), ports},
      john{{}, security::key_pair::generate(ports), ports}, peter{{}, security::key_pair::generate(ports), ports};
  three_ues() {
    for (const auto& [a, name_b, b, name_a] :
         {std::tuple{&mary, "john", &john, "mary"}, std::tuple{&john, "peter", &peter, "john"}}) {
      EXPECT_TRUE(a->add_peer(name_b, b->peers().own_public()));
      EXPECT_TRUE(b->add_peer(name_a, a->peers().own_public()));
    }
  }
  static const security::peer& at(const security::ue_security& u, std::string_view name) {
    return *u.peers().find(name);
  }
  static link_addresses link(const security::ue_security& u, std::string_view name) {
    return addresses_of(at(u, name), {}, {}, {});
  }
};

TEST_F(three_ues, both_ends_agree_and_every_end_has_its_own_address) {
  EXPECT_EQ(at(mary, "john").own_address, at(john, "mary").peer_address);
  EXPECT_EQ(at(mary, "john").peer_address, at(john, "mary").own_address);
  EXPECT_EQ(at(peter, "john").own_address, at(john, "peter").peer_address);
  EXPECT_EQ(at(peter, "john").peer_address, at(john, "peter").own_address);
  const std::set<security::address_bits> all{at(john, "mary").own_address, at(john, "mary").peer_address,
                                             at(john, "peter").own_address, at(john, "peter").peer_address};
  EXPECT_EQ(all.size(), 4U);
}

TEST_F(three_ues, marys_state_gives_no_address_of_john_and_peter) {
  std::vector<std::array<std::uint8_t, 32>> secrets{{}};
  for (const auto& s : security::stolen_state(mary.peers(), mary.links(), security::export_permit::user_was_warned()))
    if (s.octets.size() == 32) std::copy_n(s.octets.begin(), 32, secrets.emplace_back().begin());
  const std::vector<public_key> people{mary.peers().own_public(), john.peers().own_public(),
                                       peter.peers().own_public()};
  std::set<security::address_bits> hers;
  for (const auto& psk : secrets)
    for (const auto& shared : secrets)
      for (const auto& a : people)
        for (const auto& b : people)
          hers.insert(security::derive_address(security::pre_shared_key(psk), security::dh_output(shared), a, b));
  EXPECT_TRUE(hers.count(at(mary, "john").own_address) && hers.count(at(mary, "john").peer_address))
      << "her own she finds so";
  EXPECT_FALSE(hers.count(at(peter, "john").own_address));
  EXPECT_FALSE(hers.count(at(peter, "john").peer_address));
}

/// The addresses of version 0.1: 22 bits of the public key's hash, which whoever makes keys can choose.
std::array<std::uint8_t, 3> old_ipv4(const public_key& k) {
  security::crypto::digest256 d{};
  security::crypto::digest(security::crypto::hash::sha256, {k.octets}, d);
  return {static_cast<std::uint8_t>(d[0] & 63), d[1], static_cast<std::uint8_t>(1 + d[2] % 254)};
}

TEST_F(three_ues, keys_ground_for_an_equal_address_get_different_ones) {
  std::map<std::array<std::uint8_t, 3>, public_key> seen;
  public_key ground[2];
  for (;;) {
    public_key k;
    random.fill(k.octets);
    k.octets[31] &= 0x3f;
    const auto [at_hash, fresh] = seen.try_emplace(old_ipv4(k), k);
    if (fresh) continue;
    ground[0] = at_hash->second;
    ground[1] = k;
    break;
  }
  ASSERT_EQ(old_ipv4(ground[0]), old_ipv4(ground[1]));
  ASSERT_TRUE(john.add_peer("m1", ground[0]));
  ASSERT_TRUE(john.add_peer("p1", ground[1]));
  const auto a = link(john, "m1"), b = link(john, "p1");
  EXPECT_NE(a.link_ipv6.peer, b.link_ipv6.peer);
  EXPECT_NE(a.link_ipv6.own, b.link_ipv6.own);
}

/// Stands in for X25519, for its speed alone: the hash of the public key.
class hash_dh final : public security::dh_port {
public:
  std::optional<security::dh_output> agree(const security::static_private_key&, const public_key& other) override {
    security::crypto::digest256 d{};
    security::crypto::digest(security::crypto::hash::sha256, {other.octets}, d);
    return security::dh_output(d);
  }
  std::optional<security::dh_output> agree(const security::ephemeral_private_key&, const public_key&) override {
    return std::nullopt;
  }
  public_key public_of(const security::static_private_key&) override { return {{1}}; }
  public_key public_of(const security::ephemeral_private_key&) override { return {{1}}; }
};

TEST(derivation, no_two_of_many_peers_share_an_address) {
  fuzz::fixed_random random;
  hash_dh dh;
  security::peer_table john(security::key_pair::generate({random, dh}), {random, dh});
  std::set<security::address_bits> all;
  std::set<std::array<std::uint8_t, 3>> old;
  constexpr std::size_t n = 8000;  // by chance 7.6 pairs of them are equal in 22 bits
  for (std::size_t i = 0; i < n; ++i) {
    public_key k;
    random.fill(k.octets);
    k.octets[31] &= 0x3f;
    old.insert(old_ipv4(k));
    // The table is asked without the names and keys of the others: that search is quadratic.
    const auto shared = dh.agree(john.own_private(), k).value();
    const security::pre_shared_key none(std::array<std::uint8_t, 32>{});
    all.insert(security::derive_address(none, shared, john.own_public(), k));
    all.insert(security::derive_address(none, shared, k, john.own_public()));
  }
  EXPECT_EQ(all.size(), 2 * n);
  EXPECT_LT(old.size(), n) << "the control: addresses of 0.1 do meet";
}

// --- what passes
// ----------------------------------------------------------------------------------------------------------------

const link_addresses plain{{address("fd50:726f:5365::a"), address("fd50:726f:5365::b")},
                           {address("fd50:726f:5365::a"), address("fd50:726f:5365::b")},
                           {address("10.64.0.1"), address("10.64.0.2")}};
/// The other end of it, where the host's addresses are configured ones.
const link_addresses other_end{{address("fd50:726f:5365::b"), address("fd50:726f:5365::a")},
                               {address("fd00:1::7"), address("fd00:2::9")},
                               {address("172.16.5.1"), address("172.16.9.9")}};

packet_check out(packet& p, const link_addresses& l = plain) { return host_to_link(l, p); }
packet_check in(packet& p, const link_addresses& l = plain) { return link_to_host(l, p); }

TEST(filter, only_the_links_own_pair_passes_each_way) {
  const ip_address mine[] = {plain.host_ipv6.own, plain.host_ipv4.own},
                   theirs[] = {plain.host_ipv6.peer, plain.host_ipv4.peer};
  for (int v = 0; v < 2; ++v) {
    auto p = udp(mine[v], theirs[v], "hello");
    EXPECT_EQ(out(p), packet_check::passes);
    p = udp(theirs[v], mine[v], "hello");
    EXPECT_EQ(out(p), packet_check::foreign_source);
    p = udp(mine[v], mine[v], "hello");
    EXPECT_EQ(out(p), packet_check::foreign_destination);
  }
  auto p = udp(plain.link_ipv6.peer, plain.link_ipv6.own, "hello");
  EXPECT_EQ(in(p), packet_check::passes);
  p = udp(link_ipv4_source(), link_ipv4_destination(), "hello");
  EXPECT_EQ(in(p), packet_check::passes);
  EXPECT_EQ(source_of(p), plain.host_ipv4.peer);
  EXPECT_EQ(destination_of(p), plain.host_ipv4.own);
  for (const char* foreign : {"fd50:726f:5365::c", "fe80::1", "ff02::1", "::1", "::", "fd00:2::9"}) {
    p = udp(address(foreign), plain.link_ipv6.own, "I am Peter");
    EXPECT_EQ(in(p), packet_check::foreign_source) << foreign;
    p = udp(plain.link_ipv6.peer, address(foreign), "for another");
    EXPECT_EQ(in(p), packet_check::foreign_destination) << foreign;
  }
  for (const char* foreign :
       {"10.64.0.2", "10.64.0.1", "127.0.0.1", "224.0.0.1", "255.255.255.255", "169.254.1.1", "192.0.0.3"}) {
    p = udp(address(foreign), link_ipv4_destination(), "I am Peter");
    EXPECT_EQ(in(p), packet_check::foreign_source) << foreign;
    p = udp(link_ipv4_source(), address(foreign), "for another");
    EXPECT_EQ(in(p), packet_check::foreign_destination) << foreign;
  }
}

// Every single bit of the addresses matters, and what does not pass stays as it was.
TEST(filter, one_bit_of_an_address_wrong_and_nothing_passes) {
  for (const auto& good :
       {udp(plain.link_ipv6.peer, plain.link_ipv6.own, "x"), udp(link_ipv4_source(), link_ipv4_destination(), "x")}) {
    const bool v4 = good[0] >> 4 == 4;
    for (std::size_t bit = 8 * (v4 ? 12 : 8); bit < 8 * (v4 ? 20U : 40U); ++bit) {
      auto p = good;
      p[bit / 8] ^= static_cast<std::uint8_t>(0x80 >> bit % 8);
      const auto before = p;
      EXPECT_NE(in(p), packet_check::passes) << bit;
      EXPECT_EQ(p, before);
    }
  }
}

TEST(filter, a_link_without_addresses_lets_nothing_pass) {
  auto p = udp(plain.link_ipv6.peer, plain.link_ipv6.own, "x");
  EXPECT_NE(in(p, {}), packet_check::passes);
  EXPECT_NE(out(p, {}), packet_check::passes);
  auto without = plain;
  without.host_ipv4 = {};
  p = udp(link_ipv4_source(), link_ipv4_destination(), "x");
  EXPECT_EQ(in(p, without), packet_check::no_ipv4);
  p = udp(plain.host_ipv4.own, plain.host_ipv4.peer, "x");
  EXPECT_EQ(out(p, without), packet_check::no_ipv4);
}

TEST(filter, router_and_neighbour_messages_and_header_options_do_not_pass) {
  for (int type = 0; type < 256; ++type) {
    auto v6 = icmp(plain.link_ipv6.peer, plain.link_ipv6.own, static_cast<std::uint8_t>(type), packet(60));
    const bool error6 = type >= 1 && type <= 4;
    EXPECT_EQ(in(v6), error6                       ? packet_check::foreign_error
                      : type == 128 || type == 129 ? packet_check::passes
                                                   : packet_check::control)
        << type;
    auto v4 = icmp(link_ipv4_source(), link_ipv4_destination(), static_cast<std::uint8_t>(type), packet(60));
    const bool error4 = type == 3 || type == 11 || type == 12;
    EXPECT_EQ(in(v4), error4                   ? packet_check::foreign_error
                      : type == 0 || type == 8 ? packet_check::passes
                                               : packet_check::control)
        << type;
    // The same in a fragment header.
    packet t{58, 0, 0, 1, 0, 0, 0, 9, static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0};
    t.resize(80);
    auto fragment = make_packet(plain.link_ipv6.peer, plain.link_ipv6.own, 44, t);
    EXPECT_EQ(in(fragment), error6                       ? packet_check::foreign_error
                            : type == 128 || type == 129 ? packet_check::passes
                                                         : packet_check::control)
        << type;
  }
  for (int next : {0, 43, 60, 135, 139, 140, 253, 254}) {
    auto p = make_packet(plain.link_ipv6.peer, plain.link_ipv6.own, static_cast<std::uint8_t>(next), packet(24));
    EXPECT_EQ(in(p), packet_check::options) << next;
    packet t(24);
    t[0] = static_cast<std::uint8_t>(next);
    p = make_packet(plain.link_ipv6.peer, plain.link_ipv6.own, 44, t);
    EXPECT_EQ(in(p), packet_check::options) << next;
  }
  auto twice = make_packet(plain.link_ipv6.peer, plain.link_ipv6.own, 44,
                           packet{44, 0, 0, 1, 0, 0, 0, 1, 17, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 0, 8, 0, 0});
  EXPECT_EQ(in(twice), packet_check::options);
  auto route = udp(link_ipv4_source(), link_ipv4_destination(), "record route");
  route[0] = 0x46;
  EXPECT_EQ(in(route), packet_check::options);
  auto group = make_packet(link_ipv4_source(), link_ipv4_destination(), 2, packet(8));
  EXPECT_EQ(in(group), packet_check::control);
  // The other family's control protocol.
  auto stray = make_packet(link_ipv4_source(), link_ipv4_destination(), 58, packet(8));
  EXPECT_EQ(in(stray), packet_check::control);
  stray = make_packet(plain.link_ipv6.peer, plain.link_ipv6.own, 1, packet(8));
  EXPECT_EQ(in(stray), packet_check::control);
}

TEST(filter, lengths_that_do_not_fit_are_malformed) {
  for (const auto& good : {udp(plain.link_ipv6.peer, plain.link_ipv6.own, "text"),
                           udp(link_ipv4_source(), link_ipv4_destination(), "text")}) {
    for (std::size_t n = 0; n < good.size(); ++n) {
      packet p(good.begin(), good.begin() + n);
      EXPECT_NE(in(p), packet_check::passes) << n;
    }
    auto p = good;
    p.push_back(0);
    EXPECT_EQ(in(p), packet_check::malformed);
    p = good;
    p[0] = 0x55;
    EXPECT_EQ(in(p), packet_check::malformed);
  }
  auto p = udp(link_ipv4_source(), link_ipv4_destination(), "text");
  p[0] = 0x44;
  EXPECT_EQ(in(p), packet_check::malformed);
  // First fragments that end before the transport's checksum: nobody could correct it.
  auto tiny = make_packet(link_ipv4_source(), link_ipv4_destination(), 0xfe, packet(16));
  tiny[9] = 6;
  EXPECT_EQ(in(tiny), packet_check::malformed);
}

// --- translation
// ----------------------------------------------------------------------------------------------------------------

/// All octets but those at [from, to).
packet without(packet p, std::initializer_list<std::pair<std::size_t, std::size_t>> ranges) {
  for (const auto& [from, to] : ranges) std::fill(p.begin() + from, p.begin() + to, std::uint8_t{0});
  return p;
}

TEST(translation, every_ipv4_packet_on_a_link_bears_the_same_two_addresses) {
  for (const auto* l : {&plain, &other_end}) {
    auto p = udp(l->host_ipv4.own, l->host_ipv4.peer, "hello");
    ASSERT_EQ(host_to_link(*l, p), packet_check::passes);
    EXPECT_EQ(to_string(source_of(p).value()), "192.0.0.1");
    EXPECT_EQ(to_string(destination_of(p).value()), "192.0.0.2");
    EXPECT_TRUE(checksums_hold(p));
  }
}

TEST(translation, checksums_hold_at_both_ends_and_nothing_else_changes) {
  std::mt19937 rng(17);
  for (int i = 0; i < 3000; ++i) {
    const bool v4 = i % 2 == 0;
    const auto& from = v4 ? other_end.host_ipv4 : other_end.host_ipv6;
    const auto& to = v4 ? plain.host_ipv4 : plain.host_ipv6;
    std::string text(rng() % 60, ' ');
    for (auto& c : text) c = static_cast<char>(rng());
    packet p;
    switch (rng() % 5) {
      case 0:
        p = udp(from.own, from.peer, text);
        break;
      case 1:
        p = tcp(from.own, from.peer, text);
        break;
      case 2:
        p = icmp(from.own, from.peer, v4 ? 8 : 128, packet(text.begin(), text.end()));
        break;
      case 3:
        p = make_packet(from.own, from.peer, rng() % 2 == 0 ? 33 : 136, packet(12 + text.size(), 7));
        break;
      default:
        p = make_packet(from.own, from.peer, 99, packet(text.begin(), text.end()));
        break;
    }
    const auto sent = p;
    ASSERT_EQ(host_to_link(other_end, p), packet_check::passes);
    ASSERT_TRUE(checksums_hold(p)) << i;
    EXPECT_EQ(source_of(p), v4 ? link_ipv4_source() : plain.link_ipv6.peer);
    ASSERT_EQ(link_to_host(plain, p), packet_check::passes);
    ASSERT_TRUE(checksums_hold(p)) << i;
    EXPECT_EQ(source_of(p), to.peer);
    EXPECT_EQ(destination_of(p), to.own);
    const auto o = checksum_offset(protocol_of(p));
    const std::size_t sum = header_of(p) + o, sum_end = o == 0 ? sum : sum + 2;
    const auto same = [&](const packet& x) {
      return v4 ? without(x, {{10, 20}, {sum, sum_end}}) : without(x, {{8, 40}, {sum, sum_end}});
    };
    EXPECT_EQ(same(p), same(sent));
  }
}

TEST(translation, a_checksum_that_was_wrong_stays_wrong_and_none_stays_none) {
  auto p = udp(plain.host_ipv4.own, plain.host_ipv4.peer, "hello");
  p[26] ^= 1;
  ASSERT_EQ(out(p), packet_check::passes);
  EXPECT_FALSE(checksums_hold(p));
  p = udp(plain.host_ipv4.own, plain.host_ipv4.peer, "hello");
  put(p, 26, 0);
  ASSERT_EQ(out(p), packet_check::passes);
  EXPECT_EQ(p[26] | p[27], 0);
  // A text whose checksum comes out as 0 on the link: sent as ffff, or it would mean "none".
  for (std::uint32_t v = 0; v < 0x10000; ++v) {
    p = udp(plain.host_ipv4.own, plain.host_ipv4.peer, std::string{static_cast<char>(v >> 8), static_cast<char>(v)});
    ASSERT_EQ(out(p), packet_check::passes);
    ASSERT_FALSE(p[26] == 0 && p[27] == 0) << v;
  }
}

TEST(translation, fragments_after_the_first_have_no_checksum_to_correct) {
  packet body(64, 0x5a);
  auto p = make_packet(plain.host_ipv4.own, plain.host_ipv4.peer, 17, body);
  put(p, 6, 100);  // an offset
  put(p, 26, 0x5a5a);
  put(p, 10, 0);
  put(p, 10, static_cast<std::uint16_t>(~folded(word_sum(std::span<const std::uint8_t>(p).first(20)))));
  ASSERT_EQ(out(p), packet_check::passes);
  EXPECT_EQ(packet(p.begin() + 20, p.end()), body);
  EXPECT_EQ(folded(word_sum(std::span<const std::uint8_t>(p).first(20))), 0xffff);
  // IPv6, at the end that translates: the first fragment's checksum is corrected, the next one's octets are not
  // touched.
  packet first{17, 0, 0, 1, 0, 0, 0, 9, 0x13, 0x88, 0x13, 0x89, 0, 16, 0x12, 0x34, 1, 2, 3, 4, 5, 6, 7, 8};
  auto q = make_packet(other_end.host_ipv6.own, other_end.host_ipv6.peer, 44, first);
  const auto sum_before = transport_sum(q);
  ASSERT_EQ(host_to_link(other_end, q), packet_check::passes);
  EXPECT_EQ(transport_sum(q), sum_before);
  EXPECT_NE(packet(q.begin() + 54, q.begin() + 56), packet({0x12, 0x34}));
  first[3] = 8;  // eight octets on
  q = make_packet(other_end.host_ipv6.own, other_end.host_ipv6.peer, 44, first);
  const packet second(q.begin() + 48, q.end());
  ASSERT_EQ(host_to_link(other_end, q), packet_check::passes);
  EXPECT_EQ(packet(q.begin() + 48, q.end()), second);
}

// What a host says of a packet that it got, quoted whole or cut: at the other end it must name the packet as it was
// sent there.
TEST(translation, errors_quote_the_packet_as_its_sender_knows_it) {
  for (const bool v4 : {true, false})
    for (const bool with_tcp : {true, false})
      for (std::size_t quoted_transport : {8, 100}) {
        const auto& a = v4 ? plain.host_ipv4 : plain.host_ipv6;
        const auto& b = v4 ? other_end.host_ipv4 : other_end.host_ipv6;
        const auto sent = with_tcp ? tcp(a.own, a.peer, "some text of it") : udp(a.own, a.peer, "some text of it");
        auto p = sent;
        ASSERT_EQ(host_to_link(plain, p), packet_check::passes);
        ASSERT_EQ(link_to_host(other_end, p), packet_check::passes);
        const auto header = header_of(p);
        p.resize(std::min(p.size(), header + quoted_transport));
        auto error = icmp(b.own, b.peer, v4 ? 3 : 1, p);
        ASSERT_EQ(host_to_link(other_end, error), packet_check::passes);
        ASSERT_TRUE(checksums_hold(error));
        // On the link too: nothing of the host's addresses is in it.
        const packet on_link(error.begin() + header + 8, error.end());
        EXPECT_EQ(source_of(on_link), v4 ? link_ipv4_source() : plain.link_ipv6.own);
        EXPECT_EQ(destination_of(on_link), v4 ? link_ipv4_destination() : plain.link_ipv6.peer);
        ASSERT_EQ(link_to_host(plain, error), packet_check::passes);
        ASSERT_TRUE(checksums_hold(error));
        const packet quote(error.begin() + header + 8, error.end());
        EXPECT_EQ(quote, packet(sent.begin(), sent.begin() + quote.size())) << v4 << with_tcp << quoted_transport;
      }
}

TEST(translation, an_error_about_another_links_packet_does_not_pass) {
  const auto peters = address("fd50:726f:5365::77");
  auto p = icmp(plain.link_ipv6.peer, plain.link_ipv6.own, 2, udp(plain.link_ipv6.own, peters, "to Peter"));
  EXPECT_EQ(in(p), packet_check::foreign_error);
  p = icmp(plain.link_ipv6.peer, plain.link_ipv6.own, 2, udp(peters, plain.link_ipv6.peer, "from Peter"));
  EXPECT_EQ(in(p), packet_check::foreign_error);
  p = icmp(link_ipv4_source(), link_ipv4_destination(), 3, udp(plain.host_ipv4.own, address("10.64.0.3"), "to Peter"));
  EXPECT_EQ(in(p), packet_check::foreign_error);
  p = icmp(plain.link_ipv6.peer, plain.link_ipv6.own, 2,
           udp(link_ipv4_source(), link_ipv4_destination(), "of the other family"));
  EXPECT_EQ(in(p), packet_check::foreign_error);
  p = icmp(plain.host_ipv6.own, plain.host_ipv6.peer, 1, udp(peters, plain.host_ipv6.own, "Peter's"));
  EXPECT_EQ(out(p), packet_check::foreign_error);
}

// --- the host's side
// ------------------------------------------------------------------------------------------------------------

struct host_files : testing::Test {
  std::string dir = [] {
    char name[] = "/tmp/prose-address-XXXXXX";
    return std::string(::mkdtemp(name));
  }();
  fuzz::fixed_random random;
  ~host_files() override {
    for (const char* f : {"/t", "/t.new", "/u", "/hosts", "/hosts.new"}) ::unlink((dir + f).c_str());
    ::rmdir(dir.c_str());
  }
  std::string path(const char* f) const { return dir + f; }
  std::string text(const char* f) const {
    std::ifstream in(path(f));
    std::stringstream s;
    s << in.rdbuf();
    return s.str();
  }
  void write(const char* f, const std::string& t, mode_t mode = 0600) const {
    std::ofstream(path(f)) << t;
    ::chmod(path(f).c_str(), mode);
  }
  int mode(const char* f) const {
    struct stat st {};
    return ::stat(path(f).c_str(), &st) == 0 ? static_cast<int>(st.st_mode & 07777) : -1;
  }
  static public_key key(std::uint8_t n) {
    public_key k;
    k.octets.fill(n);
    return k;
  }
};

TEST_F(host_files, drawn_addresses_are_kept_by_name_and_key) {
  address_pair john, mary;
  {
    auto t = ipv4_table::open(path("/t"), random, {});
    ASSERT_TRUE(t) << t.error().message;
    john = t->of("john", key(1)).value();
    mary = t->of("mary", key(2)).value();
    EXPECT_EQ(t->of("john", key(1)).value(), john);
  }
  const std::set<ip_address> all{john.own, john.peer, mary.own, mary.peer};
  EXPECT_EQ(all.size(), 4U);
  for (const auto& a : all)
    EXPECT_TRUE(a.length == 4 && a.octets[0] == 10 && (a.octets[1] & 0xc0) == 64) << to_string(a);
  EXPECT_EQ(mode("/t"), 0600);
  auto t = ipv4_table::open(path("/t"), random, {});
  ASSERT_TRUE(t);
  EXPECT_EQ(t->of("mary", key(2)).value(), mary);
  const auto other_key = t->of("john", key(3)).value();
  EXPECT_NE(other_key, john);
  EXPECT_EQ(ipv4_table::open(path("/t"), random, {})->of("john", key(3)).value(), other_key);
  // The same names and keys elsewhere: other addresses, since they say nothing of either.
  EXPECT_NE(ipv4_table::open(path("/u"), random, {})->of("mary", key(2)).value(), mary);
}

TEST_F(host_files, what_is_configured_is_never_drawn) {
  const auto drawn = ipv4_table::open(path("/t"), random, {})->of("john", key(1)).value();
  auto t = ipv4_table::open(path("/t"), random, {drawn.peer});
  const auto again = t->of("john", key(1)).value();
  EXPECT_NE(again.peer, drawn.peer);
  EXPECT_NE(again.own, drawn.peer);
}

TEST_F(host_files, a_table_that_others_can_change_or_that_is_none_is_refused) {
  ASSERT_TRUE(ipv4_table::open(path("/t"), random, {})->of("john", key(1)));
  const auto good = text("/t");
  const auto refused = [&](const char* word) {
    const auto t = ipv4_table::open(path("/t"), random, {});
    return !t && t.error().message.find(word) != std::string::npos && t.error().message.find(path("/t")) == 0;
  };
  ::chmod(path("/t").c_str(), 0644);
  EXPECT_TRUE(refused("0600"));
  ::unlink(path("/t").c_str());
  write("/u", good);
  ASSERT_EQ(::symlink(path("/u").c_str(), path("/t").c_str()), 0);
  EXPECT_TRUE(refused("symbolic link"));
  ::unlink(path("/t").c_str());
  const auto head = good.substr(0, good.find('\n') + 1), row = good.substr(good.find("\njohn") + 1);
  const auto words = row.substr(0, row.rfind(' '));  // without the last address
  for (const auto& [content, word] :
       std::initializer_list<std::pair<std::string, const char*>>{{"127.0.0.1 localhost\n", "did not write"},
                                                                  {row, "did not write"},
                                                                  {"# prose ipv4-addresses 2\n" + row, "2"},
                                                                  {head + "john\n", ":2:"},
                                                                  {head + words + "\n", ":2:"},
                                                                  {head + words + " ::1\n", ":2:"},
                                                                  {head + words + " 10.64.0.9 more\n", ":2:"},
                                                                  {head + row + row, ":3:"},
                                                                  {head + row + "mary" + row.substr(4), ":3:"},
                                                                  {head + "j!" + row.substr(4), ":2:"},
                                                                  {head + words + " 224.0.0.1\n", ":2:"}}) {
    write("/t", content);
    EXPECT_TRUE(refused(word)) << content;
  }
  write("/t", good);
  EXPECT_TRUE(ipv4_table::open(path("/t"), random, {}));
}

TEST_F(host_files, a_hosts_file_names_every_peer_and_replaces_nothing) {
  ASSERT_TRUE(
      write_hosts(path("/hosts"), {{"john", plain}, {"peter", {other_end.link_ipv6, other_end.host_ipv6, {}}}}));
  EXPECT_EQ(mode("/hosts"), 0600);
  const auto t = text("/hosts");
  EXPECT_NE(t.find("\nfd50:726f:5365::b john  # from fd50:726f:5365::a\n10.64.0.2 john  # from 10.64.0.1\nfd00:2::9 "
                   "peter  # from fd00:1::7\n"),
            std::string::npos)
      << t;
  ASSERT_TRUE(write_hosts(path("/hosts"), {}));
  EXPECT_EQ(text("/hosts").find("john"), std::string::npos);
  write("/hosts", "127.0.0.1 localhost\n");
  const auto r = write_hosts(path("/hosts"), {{"john", plain}});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("did not write"), std::string::npos);
  EXPECT_EQ(text("/hosts"), "127.0.0.1 localhost\n");
}

TEST_F(three_ues, what_is_configured_is_for_the_host_alone) {
  tun_config own;
  own.ipv4 = address("172.16.0.1");
  own.ipv6 = address("fd00::1");
  data_peer configured;
  configured.ipv6 = address("fd00::2");
  const auto& p = at(john, "mary");
  const auto a = addresses_of(p, own, configured, address_pair{address("10.64.0.1"), address("10.64.0.2")});
  EXPECT_EQ(a.link_ipv6, link(john, "mary").link_ipv6);
  EXPECT_EQ(a.host_ipv6, (address_pair{own.ipv6, configured.ipv6}));
  EXPECT_EQ(a.host_ipv4, (address_pair{own.ipv4, address("10.64.0.2")}));
  EXPECT_EQ(addresses_of(p, own, configured, {}).host_ipv4, address_pair{}) << "half a pair is none";
}

/// Routes that a test looks at; those to `refused` fail.
struct fake_routes final : host_routes {
  struct shared {
    std::multiset<ip_address> addresses;
    std::map<ip_address, ip_address> routes;
    std::optional<ip_address> refused;
  };
  std::shared_ptr<shared> s = std::make_shared<shared>();
  result<void> add_address(const ip_address& a) override {
    s->addresses.insert(a);
    return {};
  }
  result<void> remove_address(const ip_address& a) override {
    s->addresses.erase(a);
    return {};
  }
  result<void> add_route(const ip_address& to, const ip_address& source) override {
    if (to == s->refused || s->routes.count(to) != 0 || s->addresses.count(source) == 0) return fail("File exists");
    s->routes[to] = source;
    return {};
  }
  result<void> remove_route(const ip_address& to) override {
    s->routes.erase(to);
    return {};
  }
};

/// John's interface without a kernel: packets of a socket pair.
struct johns_port : three_ues {
  file_descriptor host;
  std::shared_ptr<fake_routes::shared> routes;
  std::unique_ptr<data_port> port;
  std::vector<std::uint8_t> buffer = std::vector<std::uint8_t>(max_data_packet_bytes);
  static data_peer peer_named(const char* name, const link_addresses& a) {
    data_peer p;
    p.name = name;
    p.addresses = a;
    return p;
  }
  result<std::unique_ptr<data_port>> open(std::vector<data_peer> peers, std::optional<ip_address> refused = {}) {
    int ends[2];
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
    host = file_descriptor(ends[1]);
    auto r = std::make_unique<fake_routes>();
    r->s->refused = refused;
    routes = r->s;
    return make_tun_port(file_descriptor(ends[0]), std::move(r), "prose0", std::move(peers));
  }
  link_addresses with_ipv4(const char* name, const char* own, const char* peer) {
    auto a = link(john, name);
    a.host_ipv4 = {address(own), address(peer)};
    return a;
  }
  link_addresses mary_link = with_ipv4("mary", "10.64.0.1", "10.64.0.2"),
                 peter_link = with_ipv4("peter", "10.64.0.3", "10.64.0.4");
  void SetUp() override {
    auto p = open({peer_named("mary", mary_link), peer_named("server:x", {}), peer_named("peter", peter_link)});
    ASSERT_TRUE(p) << p.error().message;
    port = std::move(*p);
  }
  std::optional<outgoing_packet> from_host(const packet& p) {
    EXPECT_EQ(::write(host.get(), p.data(), p.size()), static_cast<ssize_t>(p.size()));
    return port->poll(buffer);
  }
  packet to_host(std::size_t slot, const packet& p) {
    port->deliver(slot, p);
    packet got(2000);
    const auto n = ::read(host.get(), got.data(), got.size());
    got.resize(n < 0 ? 0 : static_cast<std::size_t>(n));
    return got;
  }
  static std::uint64_t count(const std::array<std::uint64_t, static_cast<std::size_t>(packet_check::count_)>& c,
                             packet_check what) {
    return c[static_cast<std::size_t>(what)];
  }
};

TEST_F(johns_port, gives_each_peer_a_route_from_the_links_own_address) {
  EXPECT_EQ(routes->addresses.size(), 4U);
  EXPECT_EQ(routes->routes.size(), 4U);
  EXPECT_EQ(routes->routes[mary_link.link_ipv6.peer], mary_link.link_ipv6.own);
  EXPECT_EQ(routes->routes[peter_link.link_ipv6.peer], peter_link.link_ipv6.own);
  EXPECT_EQ(routes->routes[peter_link.host_ipv4.peer], peter_link.host_ipv4.own);
}

TEST_F(johns_port, packets_go_to_whom_they_are_addressed_and_to_nobody_else) {
  EXPECT_EQ(from_host(udp(mary_link.link_ipv6.own, mary_link.link_ipv6.peer, "to Mary"))->peer, 0U);
  EXPECT_EQ(from_host(udp(peter_link.link_ipv6.own, peter_link.link_ipv6.peer, "secret for Peter"))->peer, 2U);
  const auto v4 = from_host(udp(peter_link.host_ipv4.own, peter_link.host_ipv4.peer, "secret for Peter"));
  ASSERT_TRUE(v4);
  EXPECT_EQ(v4->peer, 2U);
  EXPECT_EQ(to_string(source_of(std::span(buffer).first(v4->size)).value()), "192.0.0.1");
  // From the address that Peter knows, Mary gets nothing: it would show her that there is another link.
  EXPECT_FALSE(from_host(udp(peter_link.link_ipv6.own, mary_link.link_ipv6.peer, "x")));
  EXPECT_FALSE(from_host(udp(peter_link.host_ipv4.own, mary_link.host_ipv4.peer, "x")));
  EXPECT_EQ(count(port->drops()[0].out, packet_check::foreign_source), 2U);
  for (const char* nobody : {"ff02::2", "fe80::1", "fd50:726f:5365::99"})
    EXPECT_FALSE(from_host(udp(mary_link.link_ipv6.own, address(nobody), "x"))) << nobody;
  EXPECT_EQ(port->counters().no_such_peer, 3U);
}

TEST_F(johns_port, nobody_speaks_for_another_or_to_another_address) {
  EXPECT_FALSE(to_host(2, udp(peter_link.link_ipv6.peer, peter_link.link_ipv6.own, "from Peter")).empty());
  EXPECT_TRUE(to_host(0, udp(peter_link.link_ipv6.peer, mary_link.link_ipv6.own, "I am Peter")).empty());
  EXPECT_TRUE(to_host(0, udp(mary_link.link_ipv6.peer, peter_link.link_ipv6.own, "to what Peter sees")).empty());
  EXPECT_TRUE(to_host(0, udp(peter_link.host_ipv4.peer, peter_link.host_ipv4.own, "I am Peter")).empty());
  EXPECT_TRUE(to_host(1, udp(mary_link.link_ipv6.peer, mary_link.link_ipv6.own, "by a server")).empty());
  EXPECT_EQ(count(port->drops()[0].in, packet_check::foreign_source), 2U);
  EXPECT_EQ(count(port->drops()[0].in, packet_check::foreign_destination), 1U);
  // Mary's IPv4 comes out as Mary's, whoever else there is.
  EXPECT_EQ(source_of(to_host(0, udp(link_ipv4_source(), link_ipv4_destination(), "hello"))), mary_link.host_ipv4.peer);
  EXPECT_TRUE(to_host(0, packet(max_data_packet_bytes + 1, 0x60)).empty());
  EXPECT_EQ(port->counters().oversized, 1U);
}

TEST_F(johns_port, a_withdrawn_peer_loses_addresses_and_routes) {
  port->withdraw(0);
  EXPECT_EQ(routes->routes.size(), 2U);
  EXPECT_EQ(routes->addresses.size(), 2U);
  EXPECT_FALSE(from_host(udp(mary_link.link_ipv6.own, mary_link.link_ipv6.peer, "too late")));
  EXPECT_TRUE(to_host(0, udp(mary_link.link_ipv6.peer, mary_link.link_ipv6.own, "too late")).empty());
  EXPECT_TRUE(to_host(0, udp(link_ipv4_source(), link_ipv4_destination(), "too late")).empty());
  ASSERT_TRUE(port->assign(0, peer_named("mary", other_end)));
  EXPECT_EQ(routes->routes[other_end.host_ipv6.peer], other_end.host_ipv6.own);
  EXPECT_FALSE(to_host(0, udp(other_end.link_ipv6.peer, other_end.link_ipv6.own, "with a new key")).empty());
  EXPECT_TRUE(to_host(0, udp(mary_link.link_ipv6.peer, mary_link.link_ipv6.own, "with the old one")).empty());
}

TEST_F(johns_port, equal_addresses_and_refused_routes_are_errors) {
  auto double_of_peter = mary_link;
  double_of_peter.host_ipv4.peer = peter_link.host_ipv4.peer;
  // While it runs: the others go on, this one has nothing.
  EXPECT_FALSE(port->assign(3, peer_named("late", double_of_peter)));
  EXPECT_EQ(from_host(udp(peter_link.link_ipv6.own, peter_link.link_ipv6.peer, "x"))->peer, 2U);
  EXPECT_TRUE(to_host(3, udp(mary_link.link_ipv6.peer, mary_link.link_ipv6.own, "x")).empty());
  auto r = open({peer_named("mary", double_of_peter), peer_named("peter", peter_link)});
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("peter"), std::string::npos);
  EXPECT_NE(r.error().message.find("mary"), std::string::npos);
  EXPECT_NE(r.error().message.find("10.64.0.4"), std::string::npos);
  auto ours = peter_link;
  ours.host_ipv4.peer = mary_link.host_ipv4.own;
  EXPECT_FALSE(open({peer_named("mary", mary_link), peer_named("peter", ours)}));
  EXPECT_FALSE(open({peer_named("peter", ours), peer_named("mary", mary_link)}));
  r = open({peer_named("peter", peter_link)}, peter_link.host_ipv4.peer);
  ASSERT_FALSE(r);
  EXPECT_NE(r.error().message.find("File exists"), std::string::npos);
  EXPECT_TRUE(routes->routes.empty() && routes->addresses.empty()) << "nothing is left half made";
}

TEST_F(johns_port, one_configured_address_serves_several_links) {
  auto a = mary_link, b = peter_link;
  b.host_ipv4.own = a.host_ipv4.own;
  auto p = open({peer_named("mary", a), peer_named("peter", b)});
  ASSERT_TRUE(p) << p.error().message;
  EXPECT_EQ(routes->addresses.size(), 3U);
  (*p)->withdraw(0);
  EXPECT_EQ(routes->addresses.count(b.host_ipv4.own), 1U);
  (*p)->withdraw(1);
  EXPECT_TRUE(routes->addresses.empty());
}

}  // namespace
}  // namespace prose::apps
