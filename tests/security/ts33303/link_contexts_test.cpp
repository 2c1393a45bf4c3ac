// Rekeying: the old and the new context side by side, and that no COUNT comes twice under one key.
#include "security/ts33303/link_contexts.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace prose::security::ts33303 {
namespace {

using bytes = std::vector<std::uint8_t>;
const bytes text{1, 2, 3, 4, 5};

security_context context(std::uint16_t id, side own, bool mac_on_data = true) {
  const auto kd_sess = kd_sess_key::make([&](auto out) { out[0] = out[1] = static_cast<std::uint8_t>(id); });
  return *security_context::make({id, own, eea::aes, eia::aes, mac_on_data}, kd_sess);
}
bytes sealed(link_contexts& by, std::uint8_t lcid, const bytes& sdu = text) {
  bytes out(sdu.size() + pdcp_header_octets + mac_octets);
  const auto n = by.protect(lcid, carries_data(lcid) ? sdu_type::ip : sdu_type::pc5s, sdu, out);
  out.resize(n.value_or(0));
  return out;
}
unsigned id_of(const bytes& pdu) { return static_cast<unsigned>(pdu.at(1) << 8 | pdu.at(2)); }
/// Empty if it was taken.
std::optional<drop_reason> refusal(link_contexts& by, std::uint8_t lcid, const bytes& pdu) {
  bytes out(pdu.size());
  const auto r = by.open(lcid, pdu, out);
  return r ? std::nullopt : std::optional(r.error());
}

/// The requesting UE and the commanding UE, set up with KD-sess ID 1.
struct pair_of_ues {
  link_contexts requesting, commanding;
  explicit pair_of_ues(bool mac_on_data = true)
      : requesting(context(1, side::requesting, mac_on_data)), commanding(context(1, side::commanding, mac_on_data)) {}
  void begin(std::uint16_t id, bool mac_on_data = true) {
    EXPECT_TRUE(commanding.begin(context(id, side::commanding, mac_on_data)));
    EXPECT_TRUE(requesting.begin(context(id, side::requesting, mac_on_data)));
  }
};
constexpr std::optional<drop_reason> taken;

TEST(ts33303_link_contexts, both_are_valid_until_the_first_pdu_under_the_new_one) {
  pair_of_ues p;
  p.begin(2);
  const bytes old_data = sealed(p.requesting, 1), late = sealed(p.requesting, 2);
  EXPECT_EQ(id_of(old_data), 1U);
  const bytes command = sealed(p.commanding, 29);
  EXPECT_EQ(id_of(command), 2U);
  EXPECT_EQ(id_of(sealed(p.commanding, 1)), 1U);  // until it has the Complete
  EXPECT_EQ(refusal(p.requesting, 29, command), taken);
  EXPECT_TRUE(p.requesting.rekeying());
  EXPECT_EQ(refusal(p.requesting, 1, sealed(p.commanding, 1)), taken);  // old, after the Command

  const bytes complete = sealed(p.requesting, 29), new_data = sealed(p.requesting, 1);
  EXPECT_EQ(id_of(complete), 2U);
  EXPECT_EQ(id_of(new_data), 2U);
  EXPECT_EQ(refusal(p.commanding, 1, old_data), taken);
  const bytes last_old = sealed(p.commanding, 1);
  EXPECT_EQ(refusal(p.commanding, 29, complete), taken);
  EXPECT_FALSE(p.commanding.rekeying());
  EXPECT_EQ(refusal(p.commanding, 2, late), drop_reason::unknown_link);
  EXPECT_EQ(refusal(p.commanding, 1, new_data), taken);

  const bytes response = sealed(p.commanding, 30);
  EXPECT_EQ(id_of(response), 2U);
  EXPECT_EQ(refusal(p.requesting, 30, response), taken);
  EXPECT_FALSE(p.requesting.rekeying());
  EXPECT_EQ(refusal(p.requesting, 1, last_old), drop_reason::unknown_link);
}

/// Forged, altered and replayed PDUs under the new KD-sess ID end nothing.
TEST(ts33303_link_contexts, what_does_not_verify_ends_no_context) {
  pair_of_ues p;
  p.begin(2);
  const bytes command = sealed(p.commanding, 29);
  for (std::size_t bit = 0; bit < 8 * command.size(); ++bit) {
    bytes bad = command;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    EXPECT_NE(refusal(p.requesting, 29, bad), taken);
  }
  EXPECT_EQ(refusal(p.commanding, 29, command), drop_reason::bad_record);  // its own, reflected
  EXPECT_EQ(id_of(sealed(p.requesting, 1)), 1U);
  EXPECT_EQ(refusal(p.requesting, 1, sealed(p.commanding, 1)), taken);
  EXPECT_EQ(refusal(p.requesting, 29, command), taken);
  EXPECT_EQ(refusal(p.requesting, 29, command), drop_reason::replayed);
  EXPECT_TRUE(p.requesting.rekeying());
  EXPECT_EQ(refusal(p.requesting, 1, sealed(p.commanding, 1)), taken);
}

TEST(ts33303_link_contexts, one_rekeying_at_a_time_and_never_with_the_id_in_use) {
  pair_of_ues p;
  EXPECT_FALSE(p.commanding.begin(context(1, side::commanding)));
  EXPECT_FALSE(p.commanding.rekeying());
  p.begin(2);
  EXPECT_FALSE(p.commanding.begin(context(3, side::commanding)));
  EXPECT_EQ(id_of(sealed(p.commanding, 29)), 2U);
}

/// The old context goes on with its own numbers.
TEST(ts33303_link_contexts, an_abandoned_rekeying_leaves_the_old_context) {
  pair_of_ues p;
  const bytes before = sealed(p.commanding, 1);
  p.begin(2);
  const bytes command = sealed(p.commanding, 29);
  EXPECT_EQ(refusal(p.requesting, 29, command), taken);
  p.commanding.abandon();
  p.requesting.abandon();
  EXPECT_EQ(refusal(p.requesting, 29, command), drop_reason::unknown_link);
  const bytes after = sealed(p.commanding, 1);
  EXPECT_EQ(id_of(after), 1U);
  EXPECT_EQ(bytes(after.begin(), after.begin() + 5), (bytes{0, 0, 1, 0, 2}));
  EXPECT_EQ(refusal(p.requesting, 1, before), taken);
  EXPECT_EQ(refusal(p.requesting, 1, after), taken);
}

/// Such data prove nothing: the new context needs a MAC-I first, and they end no old one.
TEST(ts33303_link_contexts, data_without_a_mac_confirm_no_context) {
  pair_of_ues p(false);
  p.begin(2, false);
  bytes pdu = sealed(p.requesting, 1);
  pdu[2] = 2;
  EXPECT_EQ(refusal(p.commanding, 1, pdu), drop_reason::not_established);
  EXPECT_EQ(refusal(p.requesting, 29, sealed(p.commanding, 29)), taken);
  const bytes complete = sealed(p.requesting, 29), data = sealed(p.requesting, 1);
  EXPECT_EQ(refusal(p.commanding, 1, data), drop_reason::not_established);
  EXPECT_TRUE(p.commanding.rekeying());
  EXPECT_EQ(refusal(p.commanding, 29, complete), taken);
  EXPECT_EQ(refusal(p.commanding, 1, data), taken);
}

/// Any order of sending, loss, delay, rekeyings from either side and rekeyings given up: each KD-sess ID (and with it
/// each key here) with each SN and sender once, and whatever both still hold the keys of arrives once.
TEST(ts33303_link_contexts, no_count_comes_twice_whatever_happens) {
  std::mt19937 random(33303);
  std::size_t rekeyed = 0, given_up = 0, arrived = 0;
  for (int run = 0; run < 40; ++run) {
    std::array<link_contexts, 2> ues{link_contexts(context(1, side::requesting)),
                                     link_contexts(context(1, side::commanding))};
    std::set<std::tuple<std::size_t, unsigned, unsigned>> counts;
    struct pdu_on_the_way {
      std::size_t to;
      std::uint8_t lcid;
      bytes octets;
    };
    std::vector<pdu_on_the_way> way;
    std::set<bytes> read;
    std::uint16_t id = 1;
    const auto send = [&](std::size_t from, std::uint8_t lcid) {
      const bytes pdu = sealed(ues.at(from), lcid);
      ASSERT_TRUE(counts.emplace(from, id_of(pdu), pdu[3] << 8 | pdu[4]).second);
      way.push_back({1 - from, lcid, pdu});
    };
    for (int step = 0; step < 300; ++step) {
      const std::size_t who = random() % 2;
      switch (random() % 8) {
        case 0:
          if (!ues[0].rekeying() && !ues[1].rekeying()) {
            ++id;
            EXPECT_TRUE(ues.at(who).begin(context(id, side::commanding)));
            EXPECT_TRUE(ues.at(1 - who).begin(context(id, side::requesting)));
          }
          break;
        case 1:
          if (random() % 8 == 0 && ues[0].rekeying() && ues[1].rekeying()) {
            ues[0].abandon();
            ues[1].abandon();
            ++given_up;
          }
          break;
        case 2:
          if (ues.at(who).rekeying()) send(who, 29);
          break;
        case 3:
        case 4:
          send(who, random() % 2 == 0 ? 1 : 30);
          break;
        default:
          if (way.empty()) break;
          const std::size_t at = random() % way.size();
          const auto p = way[at];
          if (random() % 4 != 0) way.erase(way.begin() + static_cast<std::ptrdiff_t>(at));  // else it comes again
          const bool was = ues.at(p.to).rekeying();
          if (refusal(ues.at(p.to), p.lcid, p.octets) == taken) {
            EXPECT_TRUE(read.insert(p.octets).second);
            ++arrived;
          }
          if (was && !ues.at(p.to).rekeying()) ++rekeyed;
      }
    }
  }
  EXPECT_GT(rekeyed, 100U);
  EXPECT_GT(given_up, 10U);
  EXPECT_GT(arrived, 1000U);
}

}  // namespace
}  // namespace prose::security::ts33303
