// SNOW 3G and ZUC, which are ours, against Intel's libipsec-mb on random inputs: keys, COUNT, BEARER, DIRECTION,
// lengths and octets. Its own functions make the IVs. PROSE_IPSEC_MB_INPUTS: how many, instead of the default.
#include <gtest/gtest.h>
#include <intel-ipsec-mb.h>

#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string_view>

#include "common/hex.h"
#include "security/ts33303/algorithms.h"

namespace prose::security::ts33303 {
namespace {

using key_view = std::span<const std::uint8_t, 16>;
constexpr int default_inputs = 2000;
constexpr std::size_t slack = 64;  // its bit-wise f8 writes beyond the last octet
constexpr std::uint64_t seed = 33303;

/// 0 for what is no number from 1 on.
int inputs_of(std::string_view text) {
  int n = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  return error == std::errc{} && end == text.data() + text.size() && n > 0 ? n : 0;
}
int inputs() {
  const char* text = std::getenv("PROSE_IPSEC_MB_INPUTS");
  return text ? inputs_of(text) : default_inputs;
}

/// One of 256 messages is long (up to 2048 octets), the others have up to 64 octets. At least one bit.
struct input {
  explicit input(std::mt19937_64& random) {
    for (auto& o : key) o = static_cast<std::uint8_t>(random());
    what = {static_cast<std::uint32_t>(random()), static_cast<std::uint8_t>(random() % 32), random() % 2 == 1};
    bits = 1 + random() % (random() % 256 == 0 ? 16384 : 512);
    message.resize((bits + 7) / 8);
    for (auto& o : message) o = static_cast<std::uint8_t>(random());
  }
  std::array<std::uint8_t, 16> key{};
  stream_inputs what;
  std::size_t bits = 0;
  std::vector<std::uint8_t> message;
};

class ipsec_mb : public ::testing::Test {
protected:
  void SetUp() override {
    manager_.reset(alloc_mb_mgr(0));
    ASSERT_NE(manager_, nullptr);
    IMB_ARCH arch{};
    init_mb_mgr_auto(manager_.get(), &arch);
    schedule_.resize(IMB_SNOW3G_KEY_SCHED_SIZE(manager_.get()));
  }
  IMB_MGR* manager() { return manager_.get(); }
  snow3g_key_schedule_t* schedule(const input& in) {
    auto* s = reinterpret_cast<snow3g_key_schedule_t*>(schedule_.data());
    EXPECT_EQ(IMB_SNOW3G_INIT_KEY_SCHED(manager(), in.key.data(), s), 0);
    return s;
  }
  /// theirs(in, out): what the library makes of it.
  template <class Theirs>
  void compare_ciphering(eea algorithm, Theirs&& theirs) {
    std::mt19937_64 random(seed + static_cast<std::uint64_t>(algorithm));
    ASSERT_GT(inputs(), 0) << "PROSE_IPSEC_MB_INPUTS";
    for (int n = inputs(); n > 0; --n) {
      const input in(random);
      std::vector<std::uint8_t> ours(in.message.size()), other(in.message.size() + slack);
      ciphering(algorithm, encryption_key(key_view(in.key))).apply(in.what, in.message, in.bits, ours);
      theirs(in, other);
      other.resize(ours.size());
      if (in.bits % 8 != 0) other.back() &= static_cast<std::uint8_t>(0xff00U >> in.bits % 8);
      ASSERT_EQ(to_hex(ours), to_hex(other)) << in.bits << " bits, key " << to_hex(in.key);
    }
  }
  template <class Theirs>
  void compare_integrity(eia algorithm, Theirs&& theirs) {
    std::mt19937_64 random(seed + 16 + static_cast<std::uint64_t>(algorithm));
    ASSERT_GT(inputs(), 0) << "PROSE_IPSEC_MB_INPUTS";
    for (int n = inputs(); n > 0; --n) {
      const input in(random);
      mac_i other{};
      theirs(in, other);
      ASSERT_EQ(to_hex(integrity(algorithm, integrity_key(key_view(in.key))).mac(in.what, in.message, in.bits)),
                to_hex(other))
          << in.bits << " bits, key " << to_hex(in.key);
    }
  }

private:
  struct release {
    void operator()(IMB_MGR* m) const { free_mb_mgr(m); }
  };
  std::unique_ptr<IMB_MGR, release> manager_;
  std::vector<std::uint8_t> schedule_;
};

TEST(ipsec_mb_inputs, only_whole_positive_numbers_count) {
  EXPECT_EQ(inputs_of("1000000"), 1000000);
  for (const auto* text : {"", "x", "5x", " 5", "0", "-5", "99999999999"}) EXPECT_EQ(inputs_of(text), 0) << text;
}

TEST_F(ipsec_mb, eea1) {
  compare_ciphering(eea::snow3g, [&](const input& in, std::vector<std::uint8_t>& out) {
    std::array<std::uint8_t, 16> iv{};
    ASSERT_EQ(snow3g_f8_iv_gen(in.what.count, in.what.bearer, in.what.direction, iv.data()), 0);
    IMB_SNOW3G_F8_1_BUFFER_BIT(manager(), schedule(in), iv.data(), in.message.data(), out.data(),
                               static_cast<std::uint32_t>(in.bits), 0);
  });
}

TEST_F(ipsec_mb, eia1) {
  compare_integrity(eia::snow3g, [&](const input& in, mac_i& out) {
    std::array<std::uint8_t, 16> iv{};
    ASSERT_EQ(snow3g_f9_iv_gen(in.what.count, std::uint32_t{in.what.bearer} << 27, in.what.direction, iv.data()), 0);
    IMB_SNOW3G_F9_1_BUFFER(manager(), schedule(in), iv.data(), in.message.data(), in.bits, out.data());
  });
}

TEST_F(ipsec_mb, eea3) {
  compare_ciphering(eea::zuc, [&](const input& in, std::vector<std::uint8_t>& out) {
    std::array<std::uint8_t, 16> iv{};
    ASSERT_EQ(zuc_eea3_iv_gen(in.what.count, in.what.bearer, in.what.direction, iv.data()), 0);
    IMB_ZUC_EEA3_1_BUFFER(manager(), in.key.data(), iv.data(), in.message.data(), out.data(),
                          static_cast<std::uint32_t>(in.message.size()));
  });
}

TEST_F(ipsec_mb, eia3) {
  compare_integrity(eia::zuc, [&](const input& in, mac_i& out) {
    std::array<std::uint8_t, 16> iv{};
    std::uint32_t tag = 0;
    ASSERT_EQ(zuc_eia3_iv_gen(in.what.count, in.what.bearer, in.what.direction, iv.data()), 0);
    IMB_ZUC_EIA3_1_BUFFER(manager(), in.key.data(), iv.data(), in.message.data(), static_cast<std::uint32_t>(in.bits),
                          &tag);
    std::memcpy(out.data(), &tag, sizeof tag);
  });
}

}  // namespace
}  // namespace prose::security::ts33303
