// HAProxy's header, version 2: examples by its description, and what is refused.
#include "apps/lib/function/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace prose::function {
namespace {

using octets = std::vector<std::uint8_t>;

octets header(std::uint8_t command, std::uint8_t family, const octets& body) {
  octets out = {0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, command, family};
  out.push_back(static_cast<std::uint8_t>(body.size() >> 8));
  out.push_back(static_cast<std::uint8_t>(body.size()));
  out.insert(out.end(), body.begin(), body.end());
  return out;
}

const octets ipv4 = {192, 0, 2, 1, 192, 0, 2, 2, 0x04, 0xd2, 0x1f, 0x3f};

octets with(octets body, const octets& more) {
  body.insert(body.end(), more.begin(), more.end());
  return body;
}

TEST(proxy_header, names_the_source) {
  const auto from = parse_proxy_header(header(0x21, 0x11, ipv4));
  ASSERT_TRUE(from && *from);
  EXPECT_EQ((*from)->text(), "192.0.2.1");
  EXPECT_EQ((*from)->port(), 1234);
  octets ipv6(36, 0);
  ipv6[0] = 0x20;
  ipv6[1] = 0x01;
  ipv6[15] = 0x07;
  const auto other = parse_proxy_header(header(0x21, 0x21, ipv6));
  ASSERT_TRUE(other && *other);
  EXPECT_EQ((*other)->text(), "2001::7");
}

TEST(proxy_header, a_connection_of_the_balancer_itself_has_no_source) {
  for (const auto& body : {octets(), ipv4, octets{9, 9, 9}}) {
    const auto from = parse_proxy_header(header(0x20, 0x00, body));
    ASSERT_TRUE(from);
    EXPECT_FALSE(*from);
  }
}

TEST(proxy_header, fields_behind_the_addresses_fill_it) {
  EXPECT_TRUE(parse_proxy_header(header(0x21, 0x11, with(ipv4, {0x04, 0, 0, 0x05, 0, 2, 'i', 'd'}))));
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x11, with(ipv4, {0x04, 0}))));
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x11, with(ipv4, {0x04, 0, 3, 1, 1}))));
}

// CRC32c of "123456789" is e3069283: the check value of RFC 3720's polynomial, by which the one below was made
// elsewhere (tests/fuzz/corpus/proxy_header/checksum).
TEST(proxy_header, a_checksum_must_be_right) {
  octets right = header(0x21, 0x11, with(ipv4, {0x03, 0, 4, 0x22, 0x27, 0x0b, 0x80}));
  EXPECT_TRUE(parse_proxy_header(right));
  right[16] ^= 1;
  EXPECT_FALSE(parse_proxy_header(right));
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x11, with(ipv4, {0x03, 0, 2, 0, 0}))));
}

TEST(proxy_header, anything_else_is_refused) {
  const std::string first = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 7999\r\n";
  EXPECT_FALSE(parse_proxy_header(octets(first.begin(), first.end())));
  EXPECT_FALSE(parse_proxy_header({}));
  EXPECT_FALSE(parse_proxy_header(header(0x11, 0x11, ipv4)));  // version 1 in binary
  EXPECT_FALSE(parse_proxy_header(header(0x22, 0x11, ipv4)));  // a command that there is not
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x12, ipv4)));  // UDP
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x00, ipv4)));
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x31, octets(216))));  // Unix sockets
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x21, ipv4)));         // too short for IPv6
  EXPECT_FALSE(parse_proxy_header(header(0x21, 0x11, octets(max_proxy_body + 1))));
  EXPECT_FALSE(parse_proxy_header(with(header(0x21, 0x11, ipv4), {0})));
}

TEST(proxy_header, a_reader_takes_the_header_and_nothing_behind_it) {
  const auto whole = header(0x21, 0x11, ipv4);
  const auto stream = with(whole, {0x16, 0x03, 0x01});
  proxy_header_reader r;
  std::size_t at = 0;
  while (r.wanted() > 0) {
    r.add(std::span(stream).subspan(at, 1));
    ++at;
  }
  EXPECT_EQ(at, whole.size());
  EXPECT_TRUE(parse_proxy_header(r.octets()));
  proxy_header_reader tls;
  tls.add(octets{0x16});
  EXPECT_EQ(tls.wanted(), 0U);  // known at the first octet
  proxy_header_reader longest;
  auto begin = header(0x21, 0x11, {});
  begin[14] = 0xff;
  longest.add(begin);
  EXPECT_EQ(longest.wanted(), 0U);
}

}  // namespace
}  // namespace prose::function
