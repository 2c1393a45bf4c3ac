// Published vectors through our adapters, and what the adapters refuse.
#include <gtest/gtest.h>

#include <set>

#include "common/hex.h"
#include "security/crypto/aead.h"
#include "security/crypto/hash.h"
#include "security/crypto/x25519.h"
#include "security/record.h"
#include "security/replay_window.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

using bytes = std::vector<std::uint8_t>;
bytes h(const char* text) { return *from_hex(text); }
std::span<const std::uint8_t, 32> key32(const bytes& b) { return std::span<const std::uint8_t, 32>(b.data(), 32); }

public_key point(const bytes& b) {
  public_key p;
  std::copy(b.begin(), b.end(), p.octets.begin());
  return p;
}

TEST(x25519, rfc_7748_section_5_2_vectors) {
  seeded_random r(1);
  crypto::mbedtls_x25519 dh(r);
  const auto multiply = [&](const char* scalar, const char* u) {
    const auto out = dh.agree(static_private_key(key32(h(scalar))), point(h(u)));
    return out ? to_hex(out->expose()) : std::string("refused");
  };
  EXPECT_EQ(multiply("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4",
                     "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"),
            "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552");
  EXPECT_EQ(multiply("4b66e9d4d1b4673c5ad22691957d6af5c11b6421e0ea01d42ca4169e7918ba0d",
                     "e5210f12786811d3f4b7959d0538ae2c31dbe7106fc03c3efc4cd549c715a493"),
            "95cbde9476e8907d7aade45cb4b873f88b595a68799fa152e6f8f7647aac7957");
}

TEST(x25519, rfc_7748_section_5_2_iterated_1000_times) {
  seeded_random r(2);
  crypto::mbedtls_x25519 dh(r);
  bytes k(32), u(32);
  k[0] = u[0] = 9;
  for (int i = 0; i < 1000; ++i) {
    const auto out = dh.agree(ephemeral_private_key(key32(k)), point(u));
    ASSERT_TRUE(out);
    u = k;
    k.assign(out->expose().begin(), out->expose().end());
    if (i == 0) {
      EXPECT_EQ(to_hex(k), "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079");
    }
  }
  EXPECT_EQ(to_hex(k), "684cf59ba83309552800ef566f2f4d3c1c3887c49360e3875f2eb94d99532c51");
}

TEST(x25519, rfc_7748_section_6_1_diffie_hellman) {
  seeded_random r(3);
  crypto::mbedtls_x25519 dh(r);
  const bytes alice_octets = h("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const bytes bob_octets = h("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");
  const static_private_key alice(key32(alice_octets));
  const ephemeral_private_key bob(key32(bob_octets));
  EXPECT_EQ(to_hex(dh.public_of(alice).octets), "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(to_hex(dh.public_of(bob).octets), "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  const std::string shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742";
  EXPECT_EQ(to_hex(dh.agree(alice, dh.public_of(bob))->expose()), shared);
  EXPECT_EQ(to_hex(dh.agree(bob, dh.public_of(alice))->expose()), shared);
}

TEST(x25519, low_order_points_are_refused) {
  seeded_random r(4);
  crypto::mbedtls_x25519 dh(r);
  const bytes scalar = h("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
  const static_private_key k(key32(scalar));
  // Every u whose multiple by the cofactor is the neutral element, with the non-canonical and the top-bit forms.
  for (const char* u : {"0000000000000000000000000000000000000000000000000000000000000000",
                        "0100000000000000000000000000000000000000000000000000000000000000",
                        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
                        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
                        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
                        "0000000000000000000000000000000000000000000000000000000000000080",
                        "0100000000000000000000000000000000000000000000000000000000000080",
                        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"})
    EXPECT_FALSE(dh.agree(k, point(h(u)))) << u;
}

TEST(hkdf, rfc_5869_appendix_a_1_to_3) {
  const auto run = [](const bytes& salt, const bytes& ikm, const bytes& info, std::size_t n) {
    std::array<std::uint8_t, 32> prk{};
    crypto::hkdf_extract(salt, ikm, prk);
    bytes okm(n);
    crypto::hkdf_expand(prk, info, okm);
    return to_hex(okm);
  };
  const auto range = [](int from, int to) {
    bytes b;
    for (int i = from; i < to; ++i) b.push_back(static_cast<std::uint8_t>(i));
    return b;
  };
  EXPECT_EQ(run(range(0, 13), bytes(22, 0x0b), range(0xf0, 0xfa), 42),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(
      run(range(0x60, 0xb0), range(0, 0x50), range(0xb0, 0x100), 82),
      "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09da3275600c2f09b8"
      "367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(run({}, bytes(22, 0x0b), {}, 42),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(cmac, rfc_4493_section_4_vectors_and_their_leading_octets) {
  const bytes key = h("2b7e151628aed2a6abf7158809cf4f3c");
  const bytes m =
      h("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445"
        "df4f9b17ad2b417be66c3710");
  const std::pair<std::size_t, const char*> cases[] = {{0, "bb1d6929e95937287fa37d129b756746"},
                                                       {16, "070a16b46b4d4144f79bdd9dd04a287c"},
                                                       {40, "dfa66747de9ae63030ca32611497c827"},
                                                       {64, "51f0bebf7e3b9d92fc49741779363cfe"}};
  for (const auto& [n, tag] : cases) {
    std::array<std::uint8_t, 16> full{};
    crypto::aes_cmac(key, bytes_view(m).first(n), full);
    EXPECT_EQ(to_hex(full), tag);
    std::array<std::uint8_t, 4> short_tag{};
    crypto::aes_cmac(key, bytes_view(m).first(n), short_tag);
    EXPECT_EQ(to_hex(short_tag), std::string(tag).substr(0, 8));
  }
}

struct aead_case {
  suite which;
  const char *key, *nonce, *ad, *plain, *sealed;
};
const aead_case aead_cases[] = {
    // McGrew and Viega, The Galois/Counter Mode of Operation, test cases 13 to 16.
    {suite::aes_256_gcm, "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "", "530f8afbc74536b9a963b4f1c4cb738b"},
    {suite::aes_256_gcm, "0000000000000000000000000000000000000000000000000000000000000000", "000000000000000000000000",
     "", "00000000000000000000000000000000", "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"},
    {suite::aes_256_gcm, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657b"
     "a637b391a"
     "afd255",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0ab"
     "cc9f66289"
     "8015adb094dac5d93471bdec1a502270e3cc6c"},
    {suite::aes_256_gcm, "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", "cafebabefacedbaddecaf888",
     "feedfacedeadbeeffeedfacedeadbeefabaddad2",
     "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657b"
     "a637b39",
     "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0ab"
     "cc9f66276"
     "fc6ece0f4e1768cddf8853bb2d551b"},
    // RFC 8439 2.8.2.
    {suite::chacha20_poly1305, "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
     "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
     "4c616469657320616e642047656e746c656d656e206f662074686520636c617373206f66202739393a204966204920636f756c64206f66666"
     "57220796f"
     "75206f6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73637265656e20776f756c642062652069742e",
     "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69da92728b1a71de0a9e060b290"
     "5d6a5b67e"
     "cd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b5"
     "94f09e26a"
     "7e902ecbd0600691"}};

TEST(aead, published_vectors_seal_and_open) {
  for (const auto& c : aead_cases) {
    const bytes key = h(c.key), nonce = h(c.nonce), ad = h(c.ad), plain = h(c.plain);
    const crypto::aead box(c.which, record_key(key32(key)));
    const crypto::nonce_view n(nonce.data(), 12);
    bytes sealed(plain.size() + 16);
    box.seal(n, ad, plain, sealed);
    EXPECT_EQ(to_hex(sealed), c.sealed);
    bytes opened(plain.size());
    ASSERT_TRUE(box.open(n, ad, sealed, opened));
    EXPECT_EQ(opened, plain);
  }
}

TEST(aead, every_alteration_is_refused_and_leaves_zeros) {
  for (const auto& c : aead_cases) {
    const bytes key = h(c.key), nonce = h(c.nonce), ad = h(c.ad), sealed = h(c.sealed);
    const crypto::aead box(c.which, record_key(key32(key)));
    const crypto::nonce_view n(nonce.data(), 12);
    bytes out(sealed.size() - 16, 0xaa);
    for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
      bytes bad = sealed;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      std::fill(out.begin(), out.end(), std::uint8_t{0xaa});
      ASSERT_FALSE(box.open(n, ad, bad, out));
      ASSERT_EQ(out, bytes(out.size()));
    }
    for (std::size_t cut = 1; cut <= sealed.size(); ++cut) {
      const auto shorter = bytes_view(sealed).first(sealed.size() - cut);
      bytes small(shorter.size() < 16 ? 0 : shorter.size() - 16);
      ASSERT_FALSE(box.open(n, ad, shorter, small)) << "a shorter tag is no tag";
    }
    bytes other_ad = ad;
    other_ad.push_back(0);
    EXPECT_FALSE(box.open(n, other_ad, sealed, out));
    bytes other_nonce = nonce;
    other_nonce[11] ^= 1;
    EXPECT_FALSE(box.open(crypto::nonce_view(other_nonce.data(), 12), ad, sealed, out));
  }
}

/// A nonce that comes twice gives away the XOR of two texts, and with GCM the key that authenticates.
TEST(records, no_nonce_comes_twice_in_an_epoch) {
  const std::array<std::uint8_t, 32> k{1};
  const std::array<std::uint8_t, 12> iv{2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13};
  const record_protection p(suite::aes_256_gcm, record_key(k), record_iv(iv), 0x1234);
  std::set<std::array<std::uint8_t, 12>> seen;
  std::size_t n = 0;
  for (int lcid = 0; lcid < 32; ++lcid) {
    if (!channel_index(static_cast<std::uint8_t>(lcid))) continue;
    for (std::uint32_t count = 0; count <= max_count; count += lcid == lcid_data_first ? 1 : 85, ++n)
      seen.insert(p.nonce(static_cast<std::uint8_t>(lcid), count));
  }
  EXPECT_EQ(n, 65536U + 10 * 772);
  EXPECT_EQ(seen.size(), n);
  // And what is sealed uses it: the same text comes out differently each time.
  record_sealer tx(record_protection(suite::aes_256_gcm, record_key(k), record_iv(iv), 0x1234));
  std::set<bytes> texts;
  const bytes data(16);
  for (int i = 0; i < 600; ++i) {
    bytes pdu(data.size() + record_overhead_octets);
    ASSERT_TRUE(tx.seal(lcid_data_first, sdu_type::ip, data, pdu));
    texts.emplace(pdu.begin() + pdcp_header_octets, pdu.begin() + pdcp_header_octets + 16);
  }
  EXPECT_EQ(texts.size(), 600U);
}

TEST(secrets, are_wiped_when_they_move_away_and_when_they_die) {
  alignas(record_key) std::array<std::byte, sizeof(record_key)> place{};
  bytes octets(32, 0x5a);
  auto* key = new (place.data()) record_key(key32(octets));
  record_key moved(std::move(*key));
  EXPECT_EQ(to_hex(key->expose()), std::string(64, '0'));
  EXPECT_EQ(moved.expose()[0], 0x5a);
  *key = std::move(moved);
  EXPECT_EQ(to_hex(moved.expose()), std::string(64, '0'));  // NOLINT: looking at the moved-from object is the point
  key->~record_key();
  for (const std::byte b : place) EXPECT_EQ(b, std::byte{0});
}

TEST(secrets, comparison_looks_at_every_octet) {
  for (std::size_t n : {1U, 8U, 29U}) {
    const bytes a(n, 7);
    EXPECT_TRUE(equal_constant_time(a, a));
    for (std::size_t bit = 0; bit < n * 8; ++bit) {
      bytes b = a;
      b[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
      EXPECT_FALSE(equal_constant_time(a, b));
    }
    EXPECT_FALSE(equal_constant_time(a, bytes_view(a).first(n - 1)));
  }
}

TEST(replay_window, agrees_with_a_set_that_forgets_nothing) {
  seeded_random r(5);
  for (int run = 0; run < 50; ++run) {
    replay_window w;
    std::vector<bool> seen(70000);
    std::uint32_t top = 0;
    bool any = false;
    std::uint32_t centre = r.below(60000);
    for (int i = 0; i < 5000; ++i) {
      if (r.below(40) == 0) centre = std::min(65535U, centre + r.below(3000));
      const std::uint32_t jitter = r.below(1400);
      const std::uint32_t c = centre > jitter ? centre - jitter : 0;
      const bool too_old = any && c + replay_window::size <= top;
      const bool expected = !seen[c] && !too_old;
      ASSERT_EQ(w.fresh(c), expected) << c << " top " << top;
      if (!expected) continue;
      w.accept(c);
      ASSERT_FALSE(w.fresh(c));
      seen[c] = true;
      top = any ? std::max(top, c) : c;
      any = true;
    }
  }
}

}  // namespace
}  // namespace prose::security::test
