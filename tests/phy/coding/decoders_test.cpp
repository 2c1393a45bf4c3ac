// The decoders. Round trips through our own encoder prove only self-consistency (the encoders are checked elsewhere).
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "phy/coding/control_code.h"
#include "phy/coding/segmentation.h"
#include "phy/coding/transport_code.h"

namespace prose::phy {
namespace {

using bits = std::vector<std::uint8_t>;

bits random_bits(std::size_t n, std::mt19937_64& rng) {
  bits b(n);
  for (auto& x : b) x = static_cast<std::uint8_t>(rng() & 1U);
  return b;
}
// BPSK-like soft bits over AWGN with Es/N0 per bit of snr_db.
std::vector<llr> noisy(const bits& coded, double snr_db, std::mt19937_64& rng) {
  const double n0 = std::pow(10.0, -snr_db / 10.0);
  std::normal_distribution<double> noise(0.0, std::sqrt(n0 / 2));
  std::vector<llr> out(coded.size());
  for (std::size_t i = 0; i < coded.size(); ++i)
    out[i] = static_cast<float>(4.0 / n0 * ((coded[i] != 0 ? -1.0 : 1.0) + noise(rng)));
  return out;
}

TEST(control_decoder, round_trip_self_consistency) {
  std::mt19937_64 rng(1);
  control_decoder decoder;
  for (std::size_t n = 1; n <= 48; ++n)
    for (const std::size_t e : {3 * (n + 16), std::size_t{240}, std::size_t{1152}}) {
      const bits payload = random_bits(n, rng);
      bits coded(e), out(n);
      const auto crc = encode_control(payload, coded);
      const auto r = decoder.decode(noisy(coded, 6.0, rng), out);
      ASSERT_TRUE(r.crc_ok) << n;
      EXPECT_EQ(out, payload);
      EXPECT_EQ(r.crc, crc);
      EXPECT_GT(r.agreement, 0.9F);
    }
}

TEST(control_decoder, silence_and_noise_are_not_messages) {
  control_decoder decoder;
  bits out(40);
  const std::vector<llr> silence(480, 0.0F);
  auto r = decoder.decode(silence, out);
  EXPECT_FALSE(r.crc_ok);
  EXPECT_EQ(r.agreement, 0.0F);
  EXPECT_FALSE(decoder.decode({}, out).crc_ok);
  std::mt19937_64 rng(5);
  std::normal_distribution<float> noise;
  int passed = 0;
  for (int i = 0; i < 2000; ++i) {
    std::vector<llr> in(480);
    for (auto& x : in) x = noise(rng);
    r = decoder.decode(in, out);
    passed += r.crc_ok ? 1 : 0;
    EXPECT_LT(r.agreement, 0.65F);
  }
  EXPECT_LE(passed, 2);  // 2^-16 each
}

TEST(transport_decoder, round_trip_self_consistency_all_shapes) {
  std::mt19937_64 rng(6);
  transport_encoder encoder;
  transport_decoder decoder;
  soft_buffer buffer;
  for (const int tbs :
       {16, 24, 40, 56, 232, 488, 504, 712, 1000, 1544, 2024, 5992, 6120, 6200, 12216, 14688, 36696, 97896})
    for (int rv = 0; rv < 4; ++rv) {
      const transport_format f{tbs, 2, rv};
      const bits payload = random_bits(static_cast<std::size_t>(tbs), rng);
      bits coded(static_cast<std::size_t>(2 * ((tbs + 24) * 5 / 4 + 60))), out(payload.size());  // about rate 0.4
      encoder.encode(f, payload, coded);
      buffer.reset(tbs);
      const auto r = decoder.decode(f, noisy(coded, 4.0, rng), buffer, out);
      ASSERT_TRUE(r.crc_ok) << tbs << " rv " << rv;
      ASSERT_EQ(out, payload);
      EXPECT_GE(r.iterations, 1);
    }
}

TEST(transport_decoder, every_code_block_size_decodes) {
  std::mt19937_64 rng(7);
  transport_encoder encoder;
  transport_decoder decoder;
  soft_buffer buffer(6120);
  for (int k = 40; k <= 6144; k += k < 512 ? 8 : k < 1024 ? 16 : k < 2048 ? 32 : 64) {
    const int tbs = k - 24;
    const transport_format f{tbs, 2, 0};
    const bits payload = random_bits(static_cast<std::size_t>(tbs), rng);
    bits coded(static_cast<std::size_t>(3 * k + 12)), out(payload.size());
    encoder.encode(f, payload, coded);
    buffer.reset(tbs);
    ASSERT_TRUE(decoder.decode(f, noisy(coded, 0.0, rng), buffer, out).crc_ok) << k;
    ASSERT_EQ(out, payload);
  }
}

TEST(transport_decoder, combines_redundancy_versions_that_fail_alone) {
  std::mt19937_64 rng(8);
  transport_encoder encoder;
  transport_decoder decoder;
  const int tbs = 14688;  // three blocks, two sizes
  ASSERT_GT(make_segmentation(tbs).n_blocks, 1);
  soft_buffer together(tbs), alone(tbs);
  const bits payload = random_bits(static_cast<std::size_t>(tbs), rng);
  bits out(payload.size());
  together.reset(tbs);
  bool done = false;
  int sent = 0;
  for (const int rv : {0, 2, 3, 1}) {
    const transport_format f{tbs, 2, rv};
    bits coded(16000);
    encoder.encode(f, payload, coded);
    const auto soft = noisy(coded, -2.0, rng);
    alone.reset(tbs);
    EXPECT_FALSE(decoder.decode(f, soft, alone, out).crc_ok);
    ++sent;
    done = decoder.decode(f, soft, together, out).crc_ok;
    if (done) break;
  }
  EXPECT_TRUE(done);
  EXPECT_GT(sent, 1);
  EXPECT_EQ(out, payload);
  // What is decoded stays decoded, at no further iteration.
  const std::vector<llr> erasures(16000, 0.0F);
  const auto again = decoder.decode({tbs, 2, 0}, erasures, together, out);
  EXPECT_TRUE(again.crc_ok);
  EXPECT_EQ(again.iterations, 0);
  EXPECT_EQ(out, payload);
}

TEST(soft_buffer, a_copy_goes_on_by_itself) {
  std::mt19937_64 rng(10);
  transport_encoder encoder;
  transport_decoder decoder;
  const int tbs = 14688;
  const bits payload = random_bits(static_cast<std::size_t>(tbs), rng);
  bits coded(16000), out(payload.size());
  soft_buffer original;  // room for the largest block
  soft_buffer copy(tbs);
  original.reset(tbs);
  copy.reset(40);
  encoder.encode({tbs, 2, 0}, payload, coded);
  ASSERT_FALSE(decoder.decode({tbs, 2, 0}, noisy(coded, 0.0, rng), original, out).crc_ok);
  encoder.encode({tbs, 2, 2}, payload, coded);
  const auto second = noisy(coded, 0.0, rng);
  copy.copy(original);
  EXPECT_EQ(copy.tbs(), tbs);
  const auto first = decoder.decode({tbs, 2, 2}, second, copy, out);
  EXPECT_TRUE(first.crc_ok);
  EXPECT_EQ(out, payload);
  const auto same = decoder.decode({tbs, 2, 2}, second, original, out);
  EXPECT_EQ(same.iterations, first.iterations);
  EXPECT_EQ(out, payload);
}

TEST(transport_decoder, decodes_only_missing_blocks_again) {
  std::mt19937_64 rng(9);
  transport_encoder encoder;
  transport_decoder decoder;
  const int tbs = 14688;
  const transport_format f{tbs, 2, 0};
  soft_buffer buffer(tbs);
  buffer.reset(tbs);
  const bits payload = random_bits(static_cast<std::size_t>(tbs), rng);
  bits coded(36000), out(payload.size());
  encoder.encode(f, payload, coded);
  auto soft = noisy(coded, 3.0, rng);
  const auto good = soft;
  for (std::size_t i = 0; i < 12000; ++i) soft[i] = -soft[i];  // ruins the first of three blocks
  EXPECT_FALSE(decoder.decode(f, soft, buffer, out).crc_ok);
  // Now ruin the others: they must not matter any more. The first needs its wrong soft bits outweighed.
  auto second = good;
  for (std::size_t i = 0; i < 12000; ++i) second[i] *= 3.0F;
  for (std::size_t i = 12000; i < second.size(); ++i) second[i] = -second[i];
  const auto r = decoder.decode(f, second, buffer, out);
  EXPECT_TRUE(r.crc_ok);
  EXPECT_EQ(out, payload);
}

TEST(transport_decoder, a_failed_block_writes_and_noise_does_not_pass) {
  std::mt19937_64 rng(10);
  std::normal_distribution<float> noise;
  transport_decoder decoder;
  soft_buffer buffer(2000);
  for (int i = 0; i < 20; ++i) {
    std::vector<llr> soft(2400);
    for (auto& x : soft) x = noise(rng);
    buffer.reset(1544);
    bits out(1544, 9);
    const auto r = decoder.decode({1544, 2, 0}, soft, buffer, out);
    EXPECT_FALSE(r.crc_ok);
    EXPECT_EQ(r.iterations, 8);
    for (const auto b : out) ASSERT_LE(b, 1);
  }
  buffer.reset(1544);
  bits out(1544, 9);
  EXPECT_FALSE(decoder.decode({1544, 2, 0}, std::vector<llr>(2400, 0.0F), buffer, out).crc_ok);
  for (const auto b : out) ASSERT_LE(b, 1);
}

TEST(transport_decoder, scale_of_the_soft_bits_does_not_matter) {
  std::mt19937_64 rng(11);
  transport_encoder encoder;
  transport_decoder decoder;
  const transport_format f{1544, 4, 0};
  soft_buffer buffer(2000);
  const bits payload = random_bits(1544, rng);
  bits coded(3200), out(payload.size());
  encoder.encode(f, payload, coded);
  const auto soft = noisy(coded, 2.0, rng);
  for (const float scale : {1e-6F, 1e-3F, 1.0F, 1e3F}) {
    auto scaled = soft;
    for (auto& x : scaled) x *= scale;
    buffer.reset(1544);
    EXPECT_TRUE(decoder.decode(f, scaled, buffer, out).crc_ok) << scale;
    EXPECT_EQ(out, payload);
  }
}

TEST(decoders, hostile_soft_bits) {
  constexpr float inf = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> odd{inf, -inf, nan, 3e38F, -3e38F, 1e-45F, -0.0F, 0.0F, 1.0F, -1.0F};
  std::mt19937_64 rng(12);
  control_decoder control;
  transport_decoder transport;
  soft_buffer buffer(7000);
  for (int i = 0; i < 300; ++i) {
    std::vector<llr> soft(rng() % 3000);
    const bool same = rng() % 4 == 0;
    const float one = odd[rng() % odd.size()];
    for (auto& x : soft) x = same ? one : odd[rng() % odd.size()];
    bits payload(1 + rng() % 48);
    const auto c = control.decode(soft, payload);
    EXPECT_TRUE(std::isfinite(c.agreement));
    EXPECT_LE(std::abs(c.agreement), 1.001F);
    const int tbs = static_cast<int>(rng() % 7000);
    buffer.reset(tbs);
    bits block(static_cast<std::size_t>(tbs));
    const std::size_t whole = soft.size() / 2 * 2;
    transport.decode({tbs, 2, static_cast<int>(rng() % 4)}, std::span<const llr>(soft).first(whole), buffer, block);
    for (const auto b : block) ASSERT_LE(b, 1);
  }
}

TEST(decoders, a_few_not_a_numbers_and_infinities_do_not_spoil_a_good_block) {
  std::mt19937_64 rng(13);
  transport_encoder encoder;
  transport_decoder decoder;
  const transport_format f{712, 2, 0};
  soft_buffer buffer(712);
  buffer.reset(712);
  const bits payload = random_bits(712, rng);
  bits coded(2200), out(payload.size());
  encoder.encode(f, payload, coded);
  auto soft = noisy(coded, 3.0, rng);
  for (std::size_t i = 0; i < soft.size(); i += 10) soft[i] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(decoder.decode(f, soft, buffer, out).crc_ok);
  EXPECT_EQ(out, payload);
}

TEST(transport_decoder, more_payload_than_coded_bits_fails_quietly) {
  std::mt19937_64 rng(14);
  transport_encoder encoder;
  transport_decoder decoder;
  for (const int tbs : {1000, 97896})
    for (const std::size_t g : {0U, 2U, 10U, 480U}) {
      const transport_format f{tbs, 2, 3};
      const bits payload = random_bits(static_cast<std::size_t>(tbs), rng);
      bits coded(g), out(payload.size(), 7);
      encoder.encode(f, payload, coded);
      soft_buffer buffer(tbs);
      buffer.reset(tbs);
      std::vector<llr> soft(g);
      for (std::size_t i = 0; i < g; ++i) soft[i] = coded[i] != 0 ? -9.0F : 9.0F;
      EXPECT_FALSE(decoder.decode(f, soft, buffer, out).crc_ok);
      for (const auto b : out) ASSERT_LE(b, 1);
    }
}

}  // namespace
}  // namespace prose::phy
