// The sniffer's feed for a page: what it shows of known samples, and that no reader holds it up.
#include "apps/sniffer/look_feed.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <numbers>

namespace prose::apps {
namespace {
using nlohmann::json;

const phy::carrier_config carrier =
    *phy::carrier_config::make(25, phy::cyclic_prefix::normal, phy::transmission_mode::tm2, 7.68e6);

std::vector<std::uint8_t> octets_of(const std::string& base64) {
  const std::string digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::vector<std::uint8_t> out;
  std::uint32_t held = 0;
  int bits = 0;
  for (const char c : base64) {
    if (c == '=') break;
    held = held << 6U | static_cast<std::uint32_t>(digits.find(c));
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out.push_back(static_cast<std::uint8_t>(held >> bits & 0xffU));
  }
  return out;
}

/// A feed and the samples that it gets, without a pause.
class look : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/prose-look-XXXXXX";
    folder_ = mkdtemp(name);
    auto f = look_feed::open(path(), carrier, 5.9e9);
    ASSERT_TRUE(f) << f.error().message;
    feed_ = std::move(*f);
    observer_ = feed_->observer();
    samples_.resize(carrier.samples_per_subframe());
  }
  void TearDown() override {
    for (const int fd : readers_) close(fd);
    feed_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::string path() const { return folder_ + "/look"; }
  void tone(double cycles_a_sample, float amplitude) {
    for (std::size_t i = 0; i < samples_.size(); ++i)
      samples_[i] = std::polar(amplitude, static_cast<float>(2 * std::numbers::pi *
                                                             std::fmod(cycles_a_sample * static_cast<double>(i), 1.0)));
  }
  int connect_reader() {
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::strcpy(at.sun_path, path().c_str());
    EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    readers_.push_back(fd);
    return fd;
  }
  void pass_a_subframe() {
    const std::span<const phy::cf32> one(samples_);
    EXPECT_TRUE(observer_.samples(std::span(&one, 1), tick_, gap_));
    gap_ = false;
    tick_ += static_cast<std::int64_t>(samples_.size());
    ++passed_;
  }
  void decode(phy::constellation_sample symbols, int order) {
    phy::tb_event e;
    e.rx.symbols = symbols;
    captured_frame f;
    f.kind = frame_kind::sl_sch;
    f.modulation_order = order;
    f.time_s = 7.5;
    EXPECT_TRUE(observer_.frame(e, f));
  }
  /// Passes subframes until the reader has a line of this kind.
  json next(int fd, const std::string& kind) {
    while (true) {
      if (const auto end = text_.find('\n'); end != std::string::npos) {
        auto j = json::parse(text_.substr(0, end));
        text_.erase(0, end + 1);
        if (j["look"] == kind) return j;
        continue;
      }
      pass_a_subframe();
      char block[65536];
      if (const auto n = recv(fd, block, sizeof block, 0); n > 0) text_.append(block, static_cast<std::size_t>(n));
    }
  }

  std::string folder_, text_;
  std::unique_ptr<look_feed> feed_;
  capture_observer observer_;
  std::vector<phy::cf32> samples_;
  std::vector<int> readers_;
  std::int64_t tick_ = 7'680'000'000;  // 1000 s
  std::uint64_t passed_ = 0;
  bool gap_ = false;
};

TEST_F(look, the_socket_is_the_users_alone_and_goes_with_the_feed) {
  struct stat is {};
  ASSERT_EQ(stat(path().c_str(), &is), 0);
  EXPECT_EQ(is.st_mode & 0777U, 0600U);
  EXPECT_FALSE(look_feed::open(path(), carrier, {}));  // it is in use
  feed_.reset();
  EXPECT_NE(stat(path().c_str(), &is), 0);
  // One that a killed program left is replaced; what is no socket stays.
  const int left = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un at{};
  at.sun_family = AF_UNIX;
  std::strcpy(at.sun_path, path().c_str());
  ASSERT_EQ(bind(left, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
  close(left);
  EXPECT_TRUE(look_feed::open(path(), carrier, {}));
  std::fclose(std::fopen(path().c_str(), "w"));
  EXPECT_FALSE(look_feed::open(path(), carrier, {}));
  EXPECT_EQ(stat(path().c_str(), &is), 0);
  EXPECT_FALSE(look_feed::open(folder_ + "/" + std::string(120, 'x'), carrier, {}));
}

TEST_F(look, hello_tells_the_carrier) {
  const int fd = connect_reader();
  EXPECT_EQ(
      next(fd, "hello"),
      json::parse(
          R"({"look":"hello","carrier":{"prb":25,"tm":2,"cp":"normal"},"rate":7680000.0,"frequency":5.9e9,"bins":256,"row_s":0.002})"));
}

TEST_F(look, a_tone_is_a_line_of_its_frequency_and_level) {
  tone(32.0 / 256, 0.1F);  // -20 dBFS, 32 bins above the middle
  const int fd = connect_reader();
  next(fd, "waterfall");
  const double before_s = static_cast<double>(tick_) / 7.68e6;
  const auto w = next(fd, "waterfall");
  const auto rows = octets_of(w["rows"]);
  ASSERT_GT(rows.size(), 0U);
  ASSERT_EQ(rows.size() % 256, 0U);
  for (std::size_t r = 0; r < rows.size(); r += 256) {
    const auto row = std::span(rows).subspan(r, 256);
    const auto most = std::max_element(row.begin(), row.end());
    EXPECT_EQ(most - row.begin(), 128 + 32);
    double power = 0;  // the window spreads the tone over some bins
    for (const auto v : row) power += std::pow(10.0, (v * 120.0 / 255 - 120) / 10);
    EXPECT_NEAR(10 * std::log10(power), -20, 1);
    EXPECT_LT(row[20], 100);  // -73 dBFS
  }
  // The first row begins where the line before ended, or later where there were more rows than a line has.
  EXPECT_GE(w["t"].get<double>(), 1000);
  EXPECT_LE(w["t"].get<double>() + static_cast<double>(rows.size()) / 256 * 0.002,
            static_cast<double>(tick_) / 7.68e6 + 1e-6);
  EXPECT_GE(w["t"].get<double>() + 0.5, before_s - 0.5);
}

TEST_F(look, samples_that_are_no_numbers_are_dark) {
  for (auto& s : samples_) s = {NAN, INFINITY};
  const int fd = connect_reader();
  for (int i = 0; i < 2; ++i)
    for (const auto v : octets_of(next(fd, "waterfall")["rows"])) ASSERT_EQ(v, 0);
}

TEST_F(look, points_and_their_evm) {
  const int fd = connect_reader();
  next(fd, "waterfall");
  phy::constellation_sample s{};
  const float a = std::sqrt(0.1F);
  s[0] = {3 * a + 0.06F, a};
  s[1] = {-a, -3 * a - 0.08F};
  decode(s, 4);
  const auto p = next(fd, "points");
  EXPECT_EQ(p["channel"], "PSSCH");
  EXPECT_EQ(p["modulation"], "16QAM");
  EXPECT_DOUBLE_EQ(p["t"], 7.5);
  EXPECT_NEAR(p["evm"].get<double>(), std::sqrt((0.06 * 0.06 + 0.08 * 0.08) / 2), 1e-4);
  const auto iq = octets_of(p["iq"]);
  ASSERT_EQ(iq.size(), 4U);
  EXPECT_EQ(static_cast<std::int8_t>(iq[0]), std::lround(32 * (3 * a + 0.06F)));
  EXPECT_EQ(static_cast<std::int8_t>(iq[3]), std::lround(32 * (-3 * a - 0.08F)));
  // Never more than 200, and none of another modulation among them.
  s.fill({100, -0.7F});
  for (int i = 0; i < 100; ++i) decode(s, 6);
  s.fill({0.7F, -0.7F});
  for (int i = 0; i < 100; ++i) decode(s, 2);
  const auto q = next(fd, "points");
  EXPECT_EQ(q["modulation"], "QPSK");
  EXPECT_EQ(octets_of(q["iq"]).size(), 400U);
  EXPECT_NEAR(q["evm"].get<double>(), std::sqrt(0.5) * std::sqrt(2) - 0.7 * std::sqrt(2), 1e-3);
}

TEST_F(look, a_reader_that_stalls_loses_lines_and_the_other_none) {
  const int stalled = connect_reader(), other = connect_reader();
  std::uint64_t lines = 0;
  // Until the stalled one misses lines: what the kernel and its buffer hold is bounded.
  while (feed_->dropped() == 0) {
    ASSERT_EQ(next(other, "waterfall").count("dropped"), 0U);
    ASSERT_LT(++lines, 2000U);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(next(other, "waterfall").count("dropped"), 0U);
  // Once it reads again, it is told how many it missed.
  text_.clear();
  json w;
  do w = next(stalled, "waterfall");
  while (!w.contains("dropped"));
  EXPECT_GE(w["dropped"], 1);
}

TEST_F(look, eight_readers_and_a_place_is_free_again) {
  std::vector<int> all;
  for (std::size_t i = 0; i < look_readers::most_readers; ++i) all.push_back(connect_reader());
  for (const int fd : all) {
    text_.clear();
    next(fd, "hello");
  }
  const auto first_octet = [this](int fd) {
    char octet = 0;
    ssize_t n = -1;
    while (n < 0) {
      pass_a_subframe();
      n = recv(fd, &octet, 1, 0);
    }
    return n == 1 ? octet : '\0';
  };
  EXPECT_EQ(first_octet(connect_reader()), '\0');  // closed, without a word
  shutdown(all[0], SHUT_RDWR);
  while (first_octet(connect_reader()) != '{') {
  }  // once it is noticed
}

TEST_F(look, a_gap_begins_a_row_anew) {
  tone(0.1, 0.1F);
  const int fd = connect_reader();
  const auto first = next(fd, "waterfall");
  if (std::llround(static_cast<double>(tick_) / 7680 - first["t"].get<double>() * 1000) % 2 == 0) pass_a_subframe();
  tick_ += 7'680'000;
  gap_ = true;
  const double after_s = static_cast<double>(tick_) / 7.68e6;
  json w;
  do w = next(fd, "waterfall");
  while (w["t"].get<double>() < after_s - 1e-6);
  // Rows are 2 ms from the gap on, whatever was half a row before it.
  EXPECT_EQ(std::llround((w["t"].get<double>() - after_s) * 1000) % 2, 0);
}

}  // namespace
}  // namespace prose::apps
