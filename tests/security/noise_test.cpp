// Third-party Noise vectors, byte for byte, and what the handshake refuses.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "common/hex.h"
#include "prose_test_paths.h"
#include "security/crypto/aead.h"
#include "security/crypto/x25519.h"
#include "security/noise.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

using noise::token;
using bytes = std::vector<std::uint8_t>;

constexpr std::array kk1{token::e, token::es, token::ss}, kk2{token::e, token::ee, token::se};
constexpr std::array kk2_psk{token::e, token::ee, token::se, token::psk};
constexpr std::array ik1{token::e, token::es, token::s, token::ss};
constexpr std::array<std::span<const token>, 2> kk{kk1, kk2}, kkpsk2{kk1, kk2_psk}, ik{ik1, kk2}, ikpsk2{ik1, kk2_psk};
const noise::pattern patterns[] = {
    {"KK", true, true, kk}, {"KKpsk2", true, true, kkpsk2}, {"IK", false, true, ik}, {"IKpsk2", false, true, ikpsk2}};

/// Gives the octets of a vector's ephemeral instead of randomness; blinding takes what it likes.
class scripted_random final : public random_port {
public:
  explicit scripted_random(bytes b) : octets_(std::move(b)) {}
  void fill(bytes_span out) override {
    if (out.size() == octets_.size()) std::copy(octets_.begin(), octets_.end(), out.begin());
  }

private:
  bytes octets_;
};

bytes hex(const nlohmann::json& v, const char* key) {
  return v.contains(key) ? *from_hex(v[key].get<std::string>()) : bytes{};
}
template <class Key>
std::optional<Key> key_of(const bytes& b) {
  if (b.size() != 32) return std::nullopt;
  return Key(std::span<const std::uint8_t, 32>(b.data(), 32));
}
std::optional<public_key> public_of(const bytes& b) {
  if (b.size() != 32) return std::nullopt;
  public_key p;
  std::copy(b.begin(), b.end(), p.octets.begin());
  return p;
}

struct side {
  side(const nlohmann::json& v, const noise::protocol& protocol, role r)
      : random(hex(v, r == role::initiator ? "init_ephemeral" : "resp_ephemeral")),
        prologue(hex(v, r == role::initiator ? "init_prologue" : "resp_prologue")),
        own(*key_of<static_private_key>(hex(v, r == role::initiator ? "init_static" : "resp_static"))) {
    const char* psks = r == role::initiator ? "init_psks" : "resp_psks";
    if (v.contains(psks)) psk = key_of<pre_shared_key>(*from_hex(v[psks][0].get<std::string>()));
    noise::handshake::parameters p;
    p.protocol_used = protocol;
    p.own_role = r;
    p.prologue = prologue;
    p.own_static = &own;
    p.own_public = dh.public_of(own);
    p.remote_static = public_of(hex(v, r == role::initiator ? "init_remote_static" : "resp_remote_static"));
    p.psk = psk ? &*psk : nullptr;
    p.dh = &dh;
    p.random = &random;
    handshake.emplace(p);
  }
  scripted_random random;
  seeded_random blinding{7};
  crypto::mbedtls_x25519 dh{blinding};
  bytes prologue;
  static_private_key own;
  std::optional<pre_shared_key> psk;
  std::optional<noise::handshake> handshake;
};

bytes transport(const side& s, const noise::protocol& protocol, bool first_key, std::uint64_t n, const bytes& payload) {
  const auto keys = s.handshake->split();
  const record_key key(first_key ? keys.expose().first<32>() : keys.expose().last<32>());
  std::array<std::uint8_t, 12> nonce{};
  for (int i = 0; i < 8; ++i)
    nonce[protocol.cipher == suite::chacha20_poly1305 ? 4 + i : 11 - i] = static_cast<std::uint8_t>(n >> (8 * i));
  bytes out(payload.size() + 16);
  crypto::aead(protocol.cipher, key).seal(nonce, {}, payload, out);
  return out;
}

/// Runs one vector from both sides; the number of octet strings compared.
int run_vector(const nlohmann::json& v) {
  std::istringstream name(v["protocol_name"].get<std::string>());
  std::string noise_word, pattern_name, curve, cipher, hash;
  std::getline(name, noise_word, '_');
  std::getline(name, pattern_name, '_');
  std::getline(name, curve, '_');
  std::getline(name, cipher, '_');
  std::getline(name, hash, '_');
  noise::protocol protocol{&noise::kkpsk0(), cipher == "AESGCM" ? suite::aes_256_gcm : suite::chacha20_poly1305,
                           hash == "SHA256" ? crypto::hash::sha256 : crypto::hash::sha512};
  for (const auto& p : patterns)
    if (p.name == pattern_name) protocol.pattern_used = &p;
  EXPECT_EQ(protocol.pattern_used->name, pattern_name);
  EXPECT_EQ(curve, "25519");
  side initiator(v, protocol, role::initiator), responder(v, protocol, role::responder);
  int compared = 0;
  const auto& messages = v["messages"];
  for (std::size_t i = 0; i < messages.size(); ++i) {
    const bytes payload = *from_hex(messages[i]["payload"].get<std::string>());
    const std::string expected = messages[i]["ciphertext"].get<std::string>();
    side& from = i % 2 == 0 ? initiator : responder;
    side& to = i % 2 == 0 ? responder : initiator;
    if (i < 2) {
      bytes out(512), got(512);
      const auto n = from.handshake->write(payload, out);
      EXPECT_TRUE(n);
      EXPECT_EQ(to_hex(bytes_view(out).first(n.value_or(0))), expected);
      const auto m = to.handshake->read(bytes_view(out).first(n.value_or(0)), got);
      EXPECT_TRUE(m);
      EXPECT_EQ(to_hex(bytes_view(got).first(m.value_or(0))), to_hex(payload));
    } else {
      EXPECT_EQ(to_hex(transport(from, protocol, i % 2 == 0, i / 2 - 1, payload)), expected);
    }
    ++compared;
  }
  for (const auto* s : {&initiator, &responder}) {
    EXPECT_TRUE(s->handshake->finished());
    EXPECT_EQ(to_hex(s->handshake->handshake_hash()), v["handshake_hash"].get<std::string>());
    ++compared;
  }
  return compared;
}

class noise_vectors : public ::testing::TestWithParam<const char*> {};

TEST_P(noise_vectors, match_byte_for_byte_on_both_sides) {
  std::ifstream file(std::string(PROSE_SOURCE_DIR) + "/tests/security/vectors/noise_" + GetParam() + "_25519.json");
  ASSERT_TRUE(file);
  const auto all = nlohmann::json::parse(file);
  int vectors = 0;
  for (const auto& v : all["vectors"]) {
    SCOPED_TRACE(v["protocol_name"].get<std::string>());
    EXPECT_EQ(run_vector(v), 8);
    ++vectors;
  }
  EXPECT_EQ(vectors, 4) << "AESGCM and ChaChaPoly, SHA256 and SHA512";
}
INSTANTIATE_TEST_SUITE_P(cacophony, noise_vectors, ::testing::Values("KKpsk0", "KK", "KKpsk2", "IK", "IKpsk2"));

struct pair_of_handshakes {
  seeded_random random{11};
  crypto::mbedtls_x25519 dh{random};
  key_pair a = key_pair::generate({random, dh}), b = key_pair::generate({random, dh});
  pre_shared_key psk{std::array<std::uint8_t, 32>{1, 2, 3}};
  bytes prologue{9, 9};
  noise::handshake make(role r, bytes_view pro, const pre_shared_key& k) {
    const key_pair& own = r == role::initiator ? a : b;
    noise::handshake::parameters p;
    p.protocol_used = {&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256};
    p.own_role = r;
    p.prologue = pro;
    p.own_static = &own.private_key;
    p.own_public = own.public_part;
    p.remote_static = (r == role::initiator ? b : a).public_part;
    p.psk = &k;
    p.dh = &dh;
    p.random = &random;
    return noise::handshake(p);
  }
};

TEST(noise, altered_messages_are_refused_and_the_true_one_works) {
  pair_of_handshakes x;
  auto i = x.make(role::initiator, x.prologue, x.psk), r = x.make(role::responder, x.prologue, x.psk);
  const bytes payload{1, 2, 3, 4, 5};
  bytes m(512), got(64);
  m.resize(*i.write(payload, m));
  for (std::size_t bit = 0; bit < m.size() * 8; ++bit) {
    bytes bad = m;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    // RFC 7748 masks the top bit of a public key; the transcript hash does not.
    EXPECT_FALSE(r.read(bad, got)) << bit;
  }
  for (std::size_t n = 0; n < m.size(); ++n) EXPECT_FALSE(r.read(bytes_view(m).first(n), got)) << n;
  bytes longer = m;
  longer.push_back(0);
  EXPECT_FALSE(r.read(longer, got));
  ASSERT_EQ(r.read(m, got), 5U);
  bytes answer(512);
  answer.resize(*r.write(payload, answer));
  for (std::size_t bit = 0; bit < answer.size() * 8; bit += 3) {
    bytes bad = answer;
    bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    EXPECT_FALSE(i.read(bad, got)) << bit;
  }
  ASSERT_EQ(i.read(answer, got), 5U);
  EXPECT_EQ(to_hex(i.split().expose()), to_hex(r.split().expose()));
}

TEST(noise, other_contexts_and_low_order_points_are_refused) {
  pair_of_handshakes x;
  bytes m(512), got(64);
  auto i = x.make(role::initiator, x.prologue, x.psk);
  m.resize(*i.write(bytes{}, m));
  const bytes other_prologue{9, 8};
  EXPECT_FALSE(x.make(role::responder, other_prologue, x.psk).read(m, got));
  const pre_shared_key other{std::array<std::uint8_t, 32>{1, 2, 4}};
  EXPECT_FALSE(x.make(role::responder, x.prologue, other).read(m, got));
  bytes scratch(512);
  EXPECT_FALSE(i.write(bytes{}, scratch)) << "not its turn";
  auto r = x.make(role::responder, x.prologue, x.psk);
  EXPECT_FALSE(r.write(bytes{}, scratch)) << "not its turn";
  for (const std::uint8_t first : {0, 1}) {  // u = 0 and u = 1 are of low order
    bytes low = m;
    std::fill(low.begin(), low.begin() + 32, std::uint8_t{0});
    low[0] = first;
    EXPECT_FALSE(r.read(low, got));
  }
  EXPECT_TRUE(r.read(m, got));
}

}  // namespace
}  // namespace prose::security::test
