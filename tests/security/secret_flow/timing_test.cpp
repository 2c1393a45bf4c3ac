// Do times tell secrets? Welch's t over two classes that are measured in random order (Reparaz, Balasch, Verbauwhede,
// "Dude, is my code constant time?", 2017). A comparison that stops early must be found.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <functional>

#include "security/crypto/aead.h"
#include "security/crypto/hash.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

using bytes = std::vector<std::uint8_t>;
constexpr double most_t = 4.5;         // of that paper and of ISO 17825
constexpr int measurements = 200'000;  // of both classes together
constexpr double kept_quantile = 0.9;  // longer ones are interrupts

/// `prepare(k)` is not measured; `work` is, after prepare(0) as often as after prepare(1).
double welch_t(const std::function<void(int)>& prepare, const std::function<void()>& work, int n = measurements) {
  seeded_random random(1);
  std::vector<std::pair<int, double>> took;
  took.reserve(static_cast<std::size_t>(n));
  for (int i = 0; i < n; ++i) {
    const int k = static_cast<int>(random.below(2));
    prepare(k);
    const auto begin = std::chrono::steady_clock::now();
    work();
    took.emplace_back(k, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - begin).count());
  }
  // One bound for both classes: where it cuts must not depend on the class.
  std::vector<double> all;
  for (const auto& [k, t] : took) all.push_back(t);
  const auto cut = all.begin() + static_cast<std::ptrdiff_t>(kept_quantile * static_cast<double>(all.size()));
  std::nth_element(all.begin(), cut, all.end());
  std::array<double, 2> count{}, mean{}, square{};
  for (const auto& [k, t] : took) {
    if (t > *cut) continue;
    const auto c = static_cast<std::size_t>(k);
    ++count[c];
    const double off = t - mean[c];
    mean[c] += off / count[c];
    square[c] += off * (t - mean[c]);
  }
  const auto error = [&](int c) { return square[c] / (count[c] - 1) / count[c]; };
  const double t = (mean[0] - mean[1]) / std::sqrt(error(0) + error(1));
  std::printf("[ timing ] %.1f against %.1f ns, t = %.2f\n", mean[0], mean[1], t);
  return std::abs(t);
}

/// A busy machine may bring one outlier among so many tests: what is real stays.
void expect_no_difference(const std::function<void(int)>& prepare, const std::function<void()>& work,
                          int n = measurements) {
  double least = 1e9;
  for (int attempt = 0; attempt < 3 && least >= most_t; ++attempt) least = std::min(least, welch_t(prepare, work, n));
  EXPECT_LT(least, most_t);
}

volatile bool result_of_work;

/// The control: leaves at the first octet that differs.
[[gnu::noinline]] bool equal_but_leaky(bytes_view a, bytes_view b) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return false;
    asm volatile("" ::: "memory");
  }
  return true;
}

class wrong_octet {
public:
  /// Class 0: wrong in the first octet; class 1: in the last.
  void operator()(int k) {
    given = right;
    given[k == 0 ? 0 : given.size() - 1] ^= 1;
  }
  bytes right = bytes(crypto::tag_octets, 0x5a), given = right;
};

TEST(secret_flow_timing, control_a_leaky_comparison_is_found) {
  wrong_octet w;
  double least = 1e9;
  for (int i = 0; i < 3; ++i)
    least = std::min(least, welch_t(std::ref(w), [&] { result_of_work = equal_but_leaky(w.right, w.given); }));
  EXPECT_GT(least, most_t);
}

TEST(secret_flow_timing, comparison) {
  wrong_octet w;
  expect_no_difference(std::ref(w), [&] { result_of_work = equal_constant_time(w.right, w.given); });
}

class timing_of_suite : public ::testing::TestWithParam<suite> {};

TEST_P(timing_of_suite, a_tag_wrong_in_the_first_or_the_last_octet) {
  const bytes key(32, 7), text(64, 1);
  const crypto::aead box(GetParam(), record_key(std::span<const std::uint8_t, 32>(key)));
  const std::array<std::uint8_t, crypto::nonce_octets> nonce{};
  bytes sealed(text.size() + crypto::tag_octets), out(text.size());
  box.seal(nonce, {}, text, sealed);
  const bytes right = sealed;
  expect_no_difference(
      [&](int k) {
        sealed = right;
        sealed[k == 0 ? text.size() : sealed.size() - 1] ^= 1;
      },
      [&] { result_of_work = box.open(nonce, {}, sealed, out); });
}

TEST_P(timing_of_suite, two_fixed_keys_against_random_ones) {
  seeded_random random(2);
  const bytes text(64, 1);
  const std::array<std::uint8_t, crypto::nonce_octets> nonce{};
  bytes key(32), sealed(text.size() + crypto::tag_octets);
  for (const std::uint8_t fixed : {0x00, 0xff}) {
    std::optional<crypto::aead> box;
    expect_no_difference(
        [&](int k) {
          random.fill(key);  // in both classes, so that what goes before is the same
          if (k == 0) std::fill(key.begin(), key.end(), fixed);
          box.emplace(GetParam(), record_key(std::span<const std::uint8_t, 32>(key)));
        },
        [&] { box->seal(nonce, {}, text, sealed); });
  }
}

INSTANTIATE_TEST_SUITE_P(both, timing_of_suite, ::testing::Values(suite::aes_256_gcm, suite::chacha20_poly1305),
                         [](const auto& s) { return s.param == suite::aes_256_gcm ? "aes" : "chacha"; });

TEST(secret_flow_timing, derivation_under_two_fixed_keys_against_random_ones) {
  seeded_random random(3);
  std::array<std::uint8_t, 32> key{}, out{};
  for (const std::uint8_t fixed : {0x00, 0xff})
    expect_no_difference(
        [&](int k) {
          random.fill(key);
          if (k == 0) key.fill(fixed);
        },
        [&] { crypto::hkdf_expand(key, crypto::as_bytes("LTESL/1 record initiator"), out); });
}

}  // namespace
}  // namespace prose::security::test
