// EEA, EIA and KDF against the published vectors, and what the vectors do not cover.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "common/hex.h"
#include "prose_test_paths.h"
#include "security/crypto/hash.h"
#include "security/ts33303/context.h"
#include "security/ts33303/octets.h"
#include "security/ts33303/snow3g.h"
#include "security/ts33303/zuc.h"

namespace prose::security::ts33303 {
namespace {

using bytes = std::vector<std::uint8_t>;
using json = nlohmann::json;
using key_view = std::span<const std::uint8_t, 16>;

const std::filesystem::path vectors = std::filesystem::path(PROSE_SHARED_IQ).parent_path() / "spec/ts33303/vectors";

json read(const std::string& file) {
  std::ifstream in(vectors / file);
  return json::parse(in);
}
bytes hex(const json& v, const char* name) { return *from_hex(v.at(name).get<std::string>()); }
std::uint32_t number(const json& v, const char* name) { return load32(hex(v, name)); }
stream_inputs inputs_of(const json& v) {
  return {number(v, "count"), v.at("bearer").get<std::uint8_t>(), v.at("direction").get<int>() == 1};
}
template <class Key>
Key key_of(const json& v) {
  const bytes key = hex(v, "key");
  return Key(std::span<const std::uint8_t, Key::octets>(key));
}

class published : public ::testing::Test {
protected:
  void SetUp() override {
    if (!std::filesystem::is_directory(vectors)) GTEST_SKIP() << "the shared vectors are not here";
  }
  /// Both directions; and in place.
  void cipher(const std::string& file, eea algorithm, std::size_t least) {
    const json all = read(file).at("vectors");
    ASSERT_GE(all.size(), least);
    for (const auto& v : all) {
      SCOPED_TRACE(v.at("id").get<std::string>());
      const ciphering c(algorithm, key_of<encryption_key>(v));
      const bytes plain = hex(v, "plaintext"), sealed = hex(v, "ciphertext");
      const std::size_t bits = v.at("bits");
      bytes out(plain.size());
      c.apply(inputs_of(v), plain, bits, out);
      EXPECT_EQ(to_hex(out), to_hex(sealed));
      c.apply(inputs_of(v), out, bits, out);
      EXPECT_EQ(to_hex(out), to_hex(plain));
    }
  }
  void authenticate(const std::string& file, eia algorithm, std::size_t least) {
    const json all = read(file).at("vectors");
    ASSERT_GE(all.size(), least);
    for (const auto& v : all) {
      SCOPED_TRACE(v.at("id").get<std::string>());
      const integrity i(algorithm, key_of<integrity_key>(v));
      const bytes message = hex(v, "message"), mac = hex(v, "mac");
      const std::size_t bits = v.at("bits");
      EXPECT_EQ(to_hex(i.mac(inputs_of(v), message, bits)), to_hex(mac));
      EXPECT_TRUE(i.verify(inputs_of(v), message, bits, std::span<const std::uint8_t, mac_octets>(mac)));
    }
  }
};

TEST_F(published, eea1) { cipher("eea1.json", eea::snow3g, 7); }
TEST_F(published, eea2) { cipher("eea2.json", eea::aes, 4); }
TEST_F(published, eea3) { cipher("eea3.json", eea::zuc, 3); }
TEST_F(published, eia1) { authenticate("eia1.json", eia::snow3g, 5); }
TEST_F(published, eia2) { authenticate("eia2.json", eia::aes, 6); }
TEST_F(published, eia3) { authenticate("eia3.json", eia::zuc, 4); }

TEST_F(published, keystreams) {
  const json all = read("keystream.json");
  const auto check = [](const json& v, auto& generator) {
    std::array<std::uint8_t, 8> out{};
    store32(generator.next(), std::span(out).subspan(0, 4));
    store32(generator.next(), std::span(out).subspan(4, 4));
    EXPECT_EQ(to_hex(out), v.at("first_octets").get<std::string>()) << v.at("id");
  };
  ASSERT_GE(all.at("snow3g").size(), 3U);
  for (const auto& v : all.at("snow3g")) {  // these sets name word 0 first
    const bytes key = hex(v, "key"), iv = hex(v, "iv");
    bytes reversed(16);
    std::array<std::uint32_t, 4> words{};
    for (std::size_t i = 0; i < 4; ++i) {
      std::copy_n(key.begin() + static_cast<std::ptrdiff_t>(4 * i), 4,
                  reversed.end() - static_cast<std::ptrdiff_t>(4 * i + 4));
      words[3 - i] = load32(bytes_view(iv).subspan(4 * i, 4));
    }
    snow3g generator(key_view(reversed), words);
    check(v, generator);
  }
  ASSERT_GE(all.at("zuc").size(), 3U);
  for (const auto& v : all.at("zuc")) {
    const bytes key = hex(v, "key"), iv = hex(v, "iv");
    zuc generator{key_view(key), key_view(iv)};
    check(v, generator);
  }
}

TEST_F(published, kdf) {
  for (const std::string file : {"kdf_33220.json", "selfmade_33303.json"}) {
    const json all = read(file).at("vectors");
    ASSERT_GE(all.size(), 5U);
    for (const auto& v : all) {
      std::vector<bytes> p;
      for (const auto& text : v.at("p")) p.push_back(*from_hex(text.get<std::string>()));
      const bytes key = hex(v, "key");
      std::array<std::uint8_t, 32> out{};
      const std::uint8_t fc = hex(v, "fc").at(0);
      if (p.size() == 1) ts33303::kdf(key, fc, {p[0]}, out);
      if (p.size() == 2) ts33303::kdf(key, fc, {p[0], p[1]}, out);
      if (p.size() == 3) ts33303::kdf(key, fc, {p[0], p[1], p[2]}, out);
      EXPECT_EQ(to_hex(out), v.at("out").get<std::string>()) << v.at("id");
    }
  }
}

/// Computed with the constants of unverified.h: agrees with another program, says nothing about the standard.
TEST_F(published, selfmade_chain_of_keys) {
  const json all = read("selfmade_33303.json").at("vectors");
  const auto of = [&](const std::string& begin) {
    for (const auto& v : all)
      if (v.at("id").get<std::string>().starts_with(begin)) return v;
    return json{};
  };
  const json sess = of("KD-sess"), pek = of("PEK"), pik = of("PIK");
  nonce first{}, second{};
  std::ranges::copy(*from_hex(sess.at("p").at(0).get<std::string>()), first.begin());
  std::ranges::copy(*from_hex(sess.at("p").at(1).get<std::string>()), second.begin());
  const auto kd_sess = derive_kd_sess(key_of<kd_key>(sess), first, second);
  EXPECT_EQ(to_hex(kd_sess.expose()), sess.at("out").get<std::string>());
  EXPECT_EQ(to_hex(derive_pek(kd_sess, eea::aes).expose()), pek.at("out_low128").get<std::string>());
  EXPECT_EQ(to_hex(derive_pik(kd_sess, eia::aes).expose()), pik.at("out_low128").get<std::string>());
}

// ---- without the vectors ----

constexpr std::uint32_t seed = 33303;
bytes random_octets(std::mt19937& random, std::size_t n) {
  bytes out(n);
  for (auto& o : out) o = static_cast<std::uint8_t>(random());
  return out;
}
const bytes some_key = *from_hex("00112233445566778899aabbccddeeff");
encryption_key pek() { return encryption_key(key_view(some_key)); }
integrity_key pik() { return integrity_key(key_view(some_key)); }
kd_sess_key sess() {
  return kd_sess_key::make([](auto out) { std::fill(out.begin(), out.end(), std::uint8_t{7}); });
}
constexpr std::array<eea, 3> all_eea{eea::snow3g, eea::aes, eea::zuc};
constexpr std::array<eia, 3> all_eia{eia::snow3g, eia::aes, eia::zuc};

/// mbedTLS's own CMAC takes whole octets.
TEST(ts33303_algorithms, cmac_equals_that_of_mbedtls_on_whole_octets) {
  std::mt19937 random(seed);
  for (std::size_t n = 0; n < 70; ++n) {
    const bytes message = random_octets(random, n), key = random_octets(random, 16);
    bytes whole = *from_hex("0123456790000000");  // COUNT, BEARER 18, DIRECTION 0
    whole.insert(whole.end(), message.begin(), message.end());
    std::array<std::uint8_t, 4> expected{};
    crypto::aes_cmac(key, whole, expected);
    EXPECT_EQ(to_hex(integrity(eia::aes, integrity_key(key_view(key))).mac({0x01234567, 18, false}, message, 8 * n)),
              to_hex(expected))
        << n;
  }
}

TEST(ts33303_algorithms, eea0_changes_nothing) {
  const bytes plain{1, 2, 0xff};
  bytes out(3);
  ciphering(eea::none, pek()).apply({7, 1, false}, plain, 24, out);
  EXPECT_EQ(out, plain);
  ciphering(eea::none, pek()).apply({7, 1, false}, plain, 19, out);
  EXPECT_EQ(out, (bytes{1, 2, 0xe0}));
}

/// An identity that was cast without being looked at would give a MAC of zeros, or text as it was.
TEST(ts33303_algorithms, eia0_and_unknown_ones_end_the_program) {
  for (unsigned v = 0; v < 256; ++v) {
    const auto identity = static_cast<std::uint8_t>(v);
    EXPECT_EQ(algorithm_from<eia>(identity).has_value(), v >= 1 && v <= 3) << v;
    EXPECT_EQ(algorithm_from<eea>(identity).has_value(), v <= 3) << v;
  }
  for (const std::uint8_t identity : {0, 4, 255}) {
    const auto a = static_cast<eia>(identity);
    EXPECT_DEATH((void)derive_pik(sess(), a), "") << unsigned{identity};
    EXPECT_DEATH(integrity(a, pik()), "") << unsigned{identity};
    EXPECT_DEATH((void)security_context::make({1, side::requesting, eea::aes, a}, sess()), "") << unsigned{identity};
  }
  for (const std::uint8_t identity : {4, 255}) {
    const auto a = static_cast<eea>(identity);
    EXPECT_DEATH((void)derive_pek(sess(), a), "") << unsigned{identity};
    EXPECT_DEATH(ciphering(a, pek()), "") << unsigned{identity};
    EXPECT_DEATH((void)security_context::make({1, side::requesting, a, eia::aes}, sess()), "") << unsigned{identity};
  }
}

/// Each key of an algorithm is the last half of HMAC-SHA-256(KD-sess, FC || P0 || 1 || identity || 1), laid out here by
/// hand; no two of them are equal, and nonces in another order are another KD-sess.
TEST(ts33303_keys, each_purpose_and_algorithm_has_a_key_of_its_own) {
  std::set<std::string> all;
  const auto check = [&](std::uint8_t p0, std::uint8_t identity, bytes_view key) {
    const bytes s{unverified::fc_pek_pik, p0, 0, 1, identity, 0, 1};
    std::array<std::uint8_t, 32> whole{};
    crypto::hmac(crypto::hash::sha256, sess().expose(), {s}, whole);
    EXPECT_EQ(to_hex(key), to_hex(bytes_view(whole).last(16))) << unsigned{p0} << " " << unsigned{identity};
    EXPECT_TRUE(all.insert(to_hex(key)).second) << unsigned{p0} << " " << unsigned{identity};
  };
  for (const auto a : {eea::none, eea::snow3g, eea::aes, eea::zuc})
    check(unverified::p0_pek, static_cast<std::uint8_t>(a), derive_pek(sess(), a).expose());
  for (const auto a : all_eia) check(unverified::p0_pik, static_cast<std::uint8_t>(a), derive_pik(sess(), a).expose());

  const auto kd = kd_key::make([](auto out) { std::fill(out.begin(), out.end(), std::uint8_t{7}); });
  const nonce first{1}, second{2};
  for (const auto& [n1, n2] : {std::pair{first, second}, {second, first}, {first, first}, {second, second}})
    EXPECT_TRUE(all.insert(to_hex(derive_kd_sess(kd, n1, n2).expose())).second);
}

/// Each input counts: another COUNT, BEARER, DIRECTION or key gives another keystream and another MAC.
TEST(ts33303_algorithms, every_input_counts) {
  const bytes message = *from_hex("000102030405060708090a0b0c0d0e0f101112");
  bytes other_key = some_key;
  other_key[15] ^= 1;
  const stream_inputs base{0x01020304, 5, false};
  const std::array<stream_inputs, 3> others{
      stream_inputs{0x01020305, 5, false}, {0x01020304, 4, false}, {0x01020304, 5, true}};
  for (const auto a : all_eea) {
    const auto run = [&](const bytes& key, const stream_inputs& in) {
      bytes out(message.size());
      ciphering(a, encryption_key(key_view(key))).apply(in, message, 8 * message.size(), out);
      return out;
    };
    for (const auto& o : others) EXPECT_NE(run(some_key, base), run(some_key, o));
    EXPECT_NE(run(some_key, base), run(other_key, base));
  }
  for (const auto a : all_eia) {
    const auto run = [&](const bytes& key, const stream_inputs& in) {
      return integrity(a, integrity_key(key_view(key))).mac(in, message, 8 * message.size());
    };
    for (const auto& o : others) EXPECT_NE(run(some_key, base), run(some_key, o));
    EXPECT_NE(run(some_key, base), run(other_key, base));
  }
}

/// A message of n bits: bits behind it do not count, the n bits and n do.
TEST(ts33303_algorithms, only_the_bits_of_the_message_count) {
  std::mt19937 random(seed);
  const stream_inputs in{1, 2, true};
  for (const auto a : all_eia) {
    const integrity i(a, pik());
    for (std::size_t bits = 1; bits < 200; ++bits) {
      bytes message = random_octets(random, (bits + 7) / 8);
      const mac_i mac = i.mac(in, message, bits);
      if (bits % 8 != 0) {
        message.back() ^= 1;
        EXPECT_EQ(i.mac(in, message, bits), mac) << bits;
        message.back() ^= static_cast<std::uint8_t>(0x80U >> (bits - 1) % 8);
        EXPECT_NE(i.mac(in, message, bits), mac) << bits;
        message.back() ^= static_cast<std::uint8_t>(0x80U >> (bits - 1) % 8);
      }
      const auto shorter = bytes_view(message).first((bits - 1 + 7) / 8);
      EXPECT_NE(i.mac(in, shorter, bits - 1), mac) << bits;
    }
  }
  for (const auto a : all_eea) {
    const ciphering c(a, pek());
    bytes whole(25, 0);
    c.apply(in, whole, 200, whole);
    for (std::size_t bits = 1; bits <= 200; ++bits) {
      bytes out((bits + 7) / 8, 0);
      c.apply(in, out, bits, out);
      bytes expected(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(out.size()));
      if (bits % 8 != 0) expected.back() &= static_cast<std::uint8_t>(0xff00U >> bits % 8);
      EXPECT_EQ(out, expected) << bits;
    }
  }
}

TEST(ts33303_algorithms, any_flipped_bit_of_a_mac_is_refused) {
  const bytes message{1, 2, 3};
  for (const auto a : all_eia) {
    const integrity i(a, pik());
    mac_i mac = i.mac({1, 1, false}, message, 24);
    EXPECT_TRUE(i.verify({1, 1, false}, message, 24, mac));
    for (std::size_t bit = 0; bit < 32; ++bit) {
      mac[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
      EXPECT_FALSE(i.verify({1, 1, false}, message, 24, mac));
      mac[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
  }
}

TEST(ts33303_algorithms, wrong_sizes_end_the_program) {
  const bytes message(3);
  bytes out(3), short_out(2);
  const ciphering c(eea::zuc, pek());
  const integrity i(eia::zuc, pik());
  EXPECT_DEATH(c.apply({}, message, 25, out), "");
  EXPECT_DEATH(c.apply({}, message, 24, short_out), "");
  EXPECT_DEATH(c.apply({0, 32, false}, message, 24, out), "");
  EXPECT_DEATH((void)i.mac({}, message, 16), "");
  EXPECT_DEATH((void)i.mac({0, 32, false}, message, 24), "");
  const bytes long_parameter(126);
  std::array<std::uint8_t, 32> key{};
  EXPECT_DEATH(kdf(some_key, 1, {long_parameter}, key), "");
}

}  // namespace
}  // namespace prose::security::ts33303
