#include "tests/security/ts33303/messages_fixture.h"

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>

#include "common/hex.h"
#include "prose_test_paths.h"

namespace prose::security::ts33303::test {
namespace {

template <std::size_t N>
octets<N> counting(std::uint8_t first) {
  octets<N> out{};
  std::iota(out.begin(), out.end(), first);
  return out;
}
variable_octets of(const bytes& kept) { return {kept}; }

const bytes alice{'a', 'l', 'i', 'c', 'e'}, digits{1, 2, 3}, one_two_three{'1', '2', '3'}, jo{'j', 'o'};
const bytes payload = [] {
  bytes b(256);
  std::iota(b.begin(), b.end(), std::uint8_t{0});
  return b;
}();
const nonce nonce_1 = counting<16>(0xa0), nonce_2 = counting<16>(0xb0);
const auto signature = counting<129>(1);
const ipv6_octets link_local{0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e};

std::map<std::string, pc5s_message> meanings() {
  using ip = ip_configuration;
  using who = user_info_type;
  return {
      {"request",
       {258, direct_communication_request{{who::upper_layers, of(alice)},
                                          ip::ipv6_router,
                                          60,
                                          nonce_1,
                                          {0xe0, 0x60},
                                          0x5a,
                                          0x11223344U,
                                          {},
                                          {},
                                          {}}}},
      {"request_with_every_ie",
       {65535, direct_communication_request{{who::imsi, of(digits)},
                                            ip::dhcpv4_server,
                                            0,
                                            nonce_1,
                                            {0xff, 0xff},
                                            0,
                                            1U,
                                            octets<3>{10, 11, 12},
                                            signature,
                                            link_local}}},
      {"request_without_kd",
       {0,
        direct_communication_request{
            {who::pruk_id, {}}, ip::none, 65535, nonce_1, {0xc0, 0x40}, 0xff, {}, {}, {}, {}}}},
      {"accept", {1, direct_communication_accept{ip::both, {}}}},
      {"accept_with_every_ie", {1, direct_communication_accept{ip::none, link_local}}},
      {"reject", {2, direct_communication_reject{pc5s_cause::lack_of_resources}}},
      {"keepalive", {3, keepalive{9, {}}}},
      {"keepalive_with_every_ie", {3, keepalive{0x01020304, 300U}}},
      {"keepalive_ack", {4, keepalive_ack{9}}},
      {"release", {5, release{release_reason::no_longer_allowed}}},
      {"release_accept", {6, release_accept{}}},
      {"command", {7, security_mode_command{{0xe0, 0x60}, nonce_2, {2, 1}, 0xa5, {}, {}, {}, {}, {}, {}}}},
      {"command_with_every_ie",
       {7, security_mode_command{{0xff, 0xff},
                                 nonce_2,
                                 {0, 3},
                                 1,
                                 std::uint16_t{0x1234},
                                 nonce_1,
                                 of(one_two_three),
                                 user_info{who::upper_layers, of(jo)},
                                 signature,
                                 of(payload)}}},
      {"complete", {8, security_mode_complete{}}},
      {"complete_with_every_ie", {8, security_mode_complete{std::uint16_t{0x5678}}}},
      {"security_mode_reject", {9, security_mode_reject{pc5s_cause::capabilities_mismatch, {}, {}}}},
      {"security_mode_reject_with_every_ie",
       {9, security_mode_reject{pc5s_cause::synchronisation_error, nonce_1, counting<14>(1)}}},
      {"rekeying_request", {10, rekeying_request{{0xe0, 0x60}, nonce_1, 0x5b, {}, {}}}},
      {"rekeying_request_with_every_ie",
       {10,
        rekeying_request{
            {0xe0, 0x60}, nonce_1, 0x5b, std::uint8_t{1}, octets<8>{0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88}}}},
      {"rekeying_response", {11, rekeying_response{}}},
  };
}

std::vector<example> read_examples() {
  std::ifstream in(PROSE_SOURCE_DIR "/tests/security/ts33303/messages.json");
  const auto of_name = meanings();
  std::vector<example> out;
  const auto file = nlohmann::json::parse(in);
  for (const auto& m : file.at("messages")) {
    std::string text = m.at("octets");
    std::erase_if(text, [](char c) { return c == ' ' || c == '|'; });
    out.push_back({m.at("name"), *from_hex(text), of_name.at(m.at("name"))});
  }
  if (out.size() != of_name.size()) throw std::runtime_error("messages.json and messages_fixture.cpp differ");
  return out;
}

}  // namespace

const std::vector<example>& examples() {
  static const auto all = read_examples();
  return all;
}

bytes octets_of(const std::string& name) {
  for (const auto& e : examples())
    if (e.name == name) return e.octets;
  throw std::runtime_error("no message " + name);
}

}  // namespace prose::security::ts33303::test
