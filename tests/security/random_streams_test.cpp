// The generators behind what others can observe: ChaCha20 by its published vector, erasure, independence of the
// streams.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>
#include <vector>

#include "security/random_streams.h"
#include "tests/security/security_world.h"

using namespace prose::security;
using namespace prose::security::test;

namespace {

using block = std::array<std::uint8_t, 32>;

block octets(std::string_view hex) {
  block out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(std::stoi(std::string(hex.substr(2 * i, 2)), nullptr, 16));
  return out;
}
std::vector<std::uint8_t> draw(random_port& r, std::size_t n) {
  std::vector<std::uint8_t> out(n, 0xa5);
  r.fill(out);
  return out;
}
public_key key(std::uint8_t first) {
  public_key k;
  k.octets[0] = first;
  return k;
}

/// Seeds by label, as the tests of two worlds do.
class by_label final : public random_port {
public:
  void fill(bytes_span out) override { std::fill(out.begin(), out.end(), std::uint8_t{0}); }
  std::unique_ptr<random_port> stream(const stream_label& l) override {
    labels.push_back({l.purpose, l.peer != nullptr ? l.peer->octets[0] : 0});
    return std::make_unique<random_stream>(
        stream_key(block{static_cast<std::uint8_t>(l.purpose), static_cast<std::uint8_t>(labels.back().second)}));
  }
  std::vector<std::pair<stream_purpose, int>> labels;
};

}  // namespace

// RFC 8439, A.1, test vector 1 (key, nonce and counter zero): the first half of the block is the next key, the second
// half the draw.
TEST(random_stream, is_the_chacha20_of_rfc_8439) {
  random_stream r{stream_key(block{})};
  const auto first = draw(r, 32);
  const auto expected = octets("da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
  EXPECT_TRUE(std::equal(first.begin(), first.end(), expected.begin()));
  const auto next_key = octets("76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7");
  EXPECT_TRUE(std::equal(next_key.begin(), next_key.end(), r.key().expose().begin()));
  // A.1, test vector 2 (counter 1): what a longer draw goes on with.
  random_stream longer{stream_key(block{})};
  const auto sixty_four = draw(longer, 64);
  const auto second_block = octets("9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed");
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), sixty_four.begin()));
  EXPECT_TRUE(std::equal(second_block.begin(), second_block.end(), sixty_four.begin() + 32));
}

TEST(random_stream, replaces_its_key_with_every_draw) {
  random_stream r{stream_key(octets("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"))};
  std::set<std::vector<std::uint8_t>> keys;
  for (const std::size_t n : {0U, 1U, 4U, 8U, 31U, 32U, 33U, 64U, 100U, 1000U}) {
    const auto before = r.key().expose();
    const std::vector<std::uint8_t> key_before(before.begin(), before.end());
    const auto got = draw(r, n);
    EXPECT_TRUE(keys.insert(key_before).second);
    // The object holds 32 octets: neither the key before nor anything of the draw is among them.
    static_assert(sizeof(stream_key) == 32 && sizeof(random_stream) == sizeof(void*) + 32);
    std::array<std::uint8_t, sizeof(random_stream)> state{};
    std::memcpy(state.data(), static_cast<const void*>(&r), sizeof r);
    EXPECT_EQ(std::search(state.begin(), state.end(), key_before.begin(), key_before.begin() + 8), state.end());
    for (std::size_t i = 0; i + 4 <= got.size(); i += 4)
      EXPECT_EQ(std::search(state.begin(), state.end(), got.begin() + i, got.begin() + (i + 4)), state.end());
  }
  EXPECT_EQ(keys.size(), 10U);
}

TEST(random_stream, draws_are_even) {
  random_stream r{stream_key(block{1})};
  std::array<int, 6> seen{};
  for (int i = 0; i < 60'000; ++i) ++seen[r.below(6)];
  for (const int n : seen) EXPECT_NEAR(n, 10'000, 450);  // 4.9 standard deviations
}

TEST(random_streams, one_for_each_purpose_and_peer_whatever_else_is_drawn) {
  by_label source, other_source;
  random_streams streams(source), other(other_source);
  const auto mary = draw(streams.of(stream_purpose::grants, 1, key(7)), 64);
  // Elsewhere Mary is the fourth peer, and others draw before and in between.
  (void)draw(other.of(stream_purpose::grants, 1, key(9)), 1000);
  (void)draw(other.common(stream_purpose::grants), 16);
  std::vector<std::uint8_t> again;
  for (int i = 0; i < 8; ++i) {
    (void)draw(other.of(stream_purpose::grants, 2, key(10)), 3);
    (void)draw(other.of(stream_purpose::epoch_lengths, 4, key(7)), 3);
    const auto part = draw(other.of(stream_purpose::grants, 4, key(7)), 8);
    again.insert(again.end(), part.begin(), part.end());
  }
  random_streams third(other_source);
  std::vector<std::uint8_t> alone;
  for (int i = 0; i < 8; ++i) {
    const auto part = draw(third.of(stream_purpose::grants, 1, key(7)), 8);
    alone.insert(alone.end(), part.begin(), part.end());
  }
  EXPECT_EQ(again, alone);
  EXPECT_TRUE(std::equal(mary.begin(), mary.begin() + 8, again.begin()));
  EXPECT_NE(draw(streams.common(stream_purpose::query_order), 8),
            draw(streams.common(stream_purpose::announcement_order), 8));
  const std::set<std::pair<stream_purpose, int>> distinct(other_source.labels.begin(), other_source.labels.end());
  EXPECT_EQ(distinct.size(), 5U);
}

TEST(random_streams, of_a_peer_that_left_stay_and_are_bounded) {
  seeded_random source(3);
  random_streams streams(source);
  for (peer_id p = 1; p <= 1000; ++p) {
    auto& r = streams.of(stream_purpose::grants, p, key(1));
    streams.forget(p);
    EXPECT_EQ(&streams.of_former(stream_purpose::grants, p), &r);
  }
  EXPECT_EQ(streams.size(), random_streams::former_peers_kept);
}

TEST(random_streams, each_starts_from_the_systems_generator) {
  class source_of_fills final : public random_port {
  public:
    void fill(bytes_span out) override {
      std::fill(out.begin(), out.end(), static_cast<std::uint8_t>(draws.size()));
      draws.emplace_back(out.begin(), out.end());
    }
    std::vector<std::vector<std::uint8_t>> draws;
  } source;
  random_streams streams(source);
  (void)draw(streams.common(stream_purpose::synchronisation), 4);
  (void)draw(streams.of(stream_purpose::grants, 1, key(1)), 4);
  (void)draw(streams.of(stream_purpose::grants, 2, key(2)), 4);
  (void)draw(streams.of(stream_purpose::grants, 2, key(2)), 4);
  ASSERT_EQ(source.draws.size(), 3U);
  for (const auto& d : source.draws) EXPECT_EQ(d.size(), 32U);
  random_stream second{stream_key(octets("0101010101010101010101010101010101010101010101010101010101010101"))};
  (void)draw(second, 4);
  EXPECT_EQ(draw(streams.of(stream_purpose::grants, 1, key(1)), 40), draw(second, 40));
}

TEST(random_streams, a_peer_table_names_them_by_public_key) {
  by_label source;
  seeded_random r(5);
  counting_dh dh(r);
  peer_table table(key_pair::generate({r, dh}), {source, dh});
  const auto mary = key_pair::generate({r, dh});
  const auto id = *table.add("mary", mary.public_part);
  (void)table.stream(stream_purpose::grants, id);
  EXPECT_EQ(source.labels.back(), std::pair(stream_purpose::grants, int{mary.public_part.octets[0]}));
  auto& before = table.stream(stream_purpose::grants, id);
  ASSERT_TRUE(table.remove(id));
  EXPECT_EQ(&table.stream(stream_purpose::grants, id), &before) << "its release may still be under way";
}
