// The choice of algorithms, and what somebody between the UEs can do about it. Simulated: octets of messages, no radio.
#include "security/ts33303/negotiation.h"

#include <gtest/gtest.h>

#include "security/ts33303/context.h"

namespace prose::security::ts33303 {
namespace {

using bytes = std::vector<std::uint8_t>;
constexpr std::uint16_t id = 0x5aa5;
const nonce nonce_1{1, 2, 3}, nonce_2{4, 5, 6};
const algorithm_policy strong, any{{eea::aes, eea::snow3g, eea::zuc, eea::none}, {eia::aes, eia::snow3g, eia::zuc}};

kd_sess_key kd_sess() {
  const auto kd = kd_key::make([](auto out) { std::fill(out.begin(), out.end(), std::uint8_t{7}); });
  return derive_kd_sess(kd, nonce_1, nonce_2);
}
bytes octets_of(const pc5s_body& body) {
  bytes out(max_sdu_octets);
  out.resize(write({1, body}, out).value_or(0));
  return out;
}
template <class M>
M message_in(const bytes& octets) {
  return std::get<M>(parse(octets).value().message.body);
}

/// What the commanding UE answers to the octets of a Request: its Command as a PDU on LCID 29; empty if it refuses.
bytes command_for(const bytes& request, const algorithm_policy& own) {
  const auto offered = message_in<direct_communication_request>(request).capabilities;
  const auto choice = choose(own, offered);
  if (!choice) return {};
  security_mode_command command;
  command.capabilities = offered;
  command.nonce_2 = nonce_2;
  command.chosen = {static_cast<std::uint8_t>(choice->ciphering), static_cast<std::uint8_t>(choice->integrity)};
  command.kd_sess_id_lsb = id & 0xff;
  auto context = *security_context::make({id, side::commanding, choice->ciphering, choice->integrity}, kd_sess());
  const bytes sdu = octets_of(command);
  bytes pdu(sdu.size() + pdcp_header_octets + mac_octets);
  EXPECT_TRUE(context.protect(lcid_pc5s_security_mode, sdu_type::pc5s, sdu, pdu).has_value());
  return pdu;
}

enum class outcome { agreed, refused_by_check, refused_by_mac };
struct seen {
  outcome how;
  std::optional<algorithms> what;
};
/// What the requesting UE, which sent `own`, makes of that PDU.
seen received(const bytes& pdu, const algorithm_policy& own) {
  const bytes sdu(pdu.begin() + pdcp_header_octets, pdu.end() - mac_octets);
  const auto choice = check_command(own, capabilities_of(own), message_in<security_mode_command>(sdu));
  if (!choice) {
    EXPECT_EQ(choice.error(), pc5s_cause::capabilities_mismatch);
    return {outcome::refused_by_check, {}};
  }
  auto context = *security_context::make({id, side::requesting, choice->ciphering, choice->integrity}, kd_sess());
  bytes out(pdu.size());
  if (!context.open(lcid_pc5s_security_mode, pdu, out)) return {outcome::refused_by_mac, *choice};
  return {outcome::agreed, *choice};
}
bytes request_of(const algorithm_policy& own) {
  direct_communication_request request;
  request.nonce_1 = nonce_1;
  request.capabilities = capabilities_of(own);
  request.kd_sess_id_msb = id >> 8;
  return octets_of(request);
}
// User Info of 2 octets with its length, IP, inactivity, nonce: 3 + 2 + 1 + 4 + 16.
constexpr std::size_t capabilities_at = 26, command_capabilities_at = pdcp_header_octets + 3;

TEST(ts33303_negotiation, the_first_of_the_commanding_ue_that_was_offered_is_chosen) {
  EXPECT_EQ(capabilities_of(strong), (security_capabilities{0x70, 0x70}));
  EXPECT_EQ(capabilities_of(any), (security_capabilities{0xf0, 0x70}));
  EXPECT_EQ(choose(strong, {0xff, 0xff}), (algorithms{eea::aes, eia::aes}));
  EXPECT_EQ(choose({{eea::zuc, eea::aes}, {eia::snow3g}}, {0x30, 0x40}), (algorithms{eea::zuc, eia::snow3g}));
  EXPECT_EQ(choose(strong, {0x50, 0x10}), (algorithms{eea::snow3g, eia::zuc}));
  EXPECT_EQ(choose(any, {0x80, 0x20}), (algorithms{eea::none, eia::aes}));
}

TEST(ts33303_negotiation, nothing_in_common_eea0_unnamed_and_eia0_give_no_choice) {
  EXPECT_EQ(choose(strong, {0, 0x70}), std::nullopt);
  EXPECT_EQ(choose(strong, {0x70, 0}), std::nullopt);
  EXPECT_EQ(choose(strong, {0x80, 0x70}), std::nullopt);  // EEA0
  EXPECT_EQ(choose(any, {0xf0, 0x80}), std::nullopt);     // EIA0
  EXPECT_EQ(choose(any, {0x0f, 0x0f}), std::nullopt);     // algorithms that nobody knows
  EXPECT_EQ(choose({{eea::aes}, {eia::aes}}, {0x40, 0x40}), std::nullopt);
}

TEST(ts33303_negotiation, without_an_attacker_both_use_what_was_chosen) {
  const auto r = received(command_for(request_of(strong), strong), strong);
  EXPECT_EQ(r.how, outcome::agreed);
  EXPECT_EQ(r.what, (algorithms{eea::aes, eia::aes}));
}

/// Every way to strike algorithms out of the Request. What is left is chosen by the other end, the Command tells it,
/// and its receiver refuses; an attacker that puts the capabilities back in the Command fails at its MAC-I.
TEST(ts33303_negotiation, who_strikes_algorithms_out_of_the_request_is_noticed) {
  const bytes request = request_of(any);
  ASSERT_EQ(request.at(capabilities_at), 0xf0);
  ASSERT_EQ(request.at(capabilities_at + 1), 0x70);
  std::size_t tried = 0, no_choice = 0;
  for (unsigned eea_bits = 0; eea_bits < 256; eea_bits += 16)
    for (unsigned eia_bits = 0; eia_bits < 128; eia_bits += 16) {
      if (eea_bits == 0xf0 && eia_bits == 0x70) continue;
      bytes struck = request;
      struck[capabilities_at] = static_cast<std::uint8_t>(eea_bits);
      struck[capabilities_at + 1] = static_cast<std::uint8_t>(eia_bits);
      bytes command = command_for(struck, any);
      if (command.empty()) {
        ++no_choice;
        continue;
      }
      ++tried;
      EXPECT_EQ(received(command, any).how, outcome::refused_by_check) << eea_bits << " " << eia_bits;
      command[command_capabilities_at] = 0xf0;
      command[command_capabilities_at + 1] = 0x70;
      EXPECT_EQ(received(command, any).how, outcome::refused_by_mac) << eea_bits << " " << eia_bits;
    }
  EXPECT_EQ(no_choice, 15U + 8);  // no EIA, or no EEA
  EXPECT_EQ(tried, 15U * 7 - 1);
}

/// The attacker leaves the Request as it is and changes the choice, or the unknown bits of the repetition.
TEST(ts33303_negotiation, who_alters_the_command_is_noticed) {
  const bytes command = command_for(request_of(any), any);
  constexpr std::size_t chosen_at = command_capabilities_at + 2 + 16;
  ASSERT_EQ(command.at(chosen_at), 0x22);
  for (const std::uint8_t chosen : {0x02, 0x12, 0x21, 0x23, 0x32}) {
    bytes altered = command;
    altered[chosen_at] = chosen;
    EXPECT_EQ(received(altered, any).how, outcome::refused_by_mac) << unsigned{chosen};
  }
  bytes altered = command;
  altered[chosen_at] = 0x20;  // EIA0
  EXPECT_EQ(received(altered, any).how, outcome::refused_by_check);
  altered[chosen_at] = 0x02;  // EEA0, which was not offered
  altered[command_capabilities_at] = 0x70;
  EXPECT_EQ(received(altered, strong).how, outcome::refused_by_check);
  for (unsigned bit = 0; bit < 16; ++bit) {
    altered = command;
    altered[command_capabilities_at + bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_EQ(received(altered, any).how, outcome::refused_by_check) << bit;
  }
}

/// A commanding UE that holds the key and chooses what was not offered, or what its peer offered for another.
TEST(ts33303_negotiation, a_choice_that_was_not_offered_is_refused) {
  security_mode_command command;
  const algorithm_policy own{{eea::aes}, {eia::aes}};
  command.capabilities = capabilities_of(own);
  for (std::uint8_t e = 0; e < 8; ++e)
    for (std::uint8_t i = 0; i < 8; ++i) {
      command.chosen = {e, i};
      EXPECT_EQ(check_command(own, command.capabilities, command).has_value(), e == 2 && i == 2) << +e << " " << +i;
    }
}

}  // namespace
}  // namespace prose::security::ts33303
