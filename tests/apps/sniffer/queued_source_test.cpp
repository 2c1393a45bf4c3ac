#include "apps/sniffer/queued_source.h"

#include <gtest/gtest.h>

#include <array>
#include <condition_variable>
#include <mutex>

namespace prose::apps {
namespace {
constexpr std::size_t block = 16;

/// Blocks whose samples hold their number. Gives as many as allowed, then waits; the last one is the end, or an error.
class numbered final : public phy::sample_source {
public:
  explicit numbered(int n_blocks, bool fails = false) : n_blocks_(n_blocks), fails_(fails) {}
  double sample_rate_hz() const override { return 1e6; }
  int n_antennas() const override { return 2; }
  result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return given_ < allowed_ || given_ == n_blocks_; });
    phy::read_status s;
    if (given_ == n_blocks_ && fails_) return fail("the radio is gone");
    s.end = given_ == n_blocks_;
    if (s.end) return s;
    s.first_tick = given_ * static_cast<std::int64_t>(block);
    s.n_samples = block;
    for (std::size_t a = 0; a < out.size(); ++a)
      for (auto& v : out[a]) v = {static_cast<float>(given_), static_cast<float>(a)};
    ++given_;
    return s;
  }
  void allow(int n_blocks) {
    const std::lock_guard lock(mutex_);
    allowed_ = n_blocks;
    changed_.notify_all();
  }

private:
  const int n_blocks_;
  const bool fails_;
  int given_ = 0, allowed_ = 0;
  std::mutex mutex_;
  std::condition_variable changed_;
};

struct reader {
  std::array<std::array<phy::cf32, block>, 2> samples{};
  result<phy::read_status> read(queued_source& q) {
    const std::array<std::span<phy::cf32>, 2> out{samples[0], samples[1]};
    return q.read(out);
  }
  void expect_block(queued_source& q, int number) {
    const auto s = read(q);
    ASSERT_TRUE(s.has_value());
    ASSERT_FALSE(s->end);
    EXPECT_EQ(s->first_tick, number * static_cast<std::int64_t>(block));
    for (std::size_t a = 0; a < 2; ++a)
      for (const auto& v : samples[a]) ASSERT_EQ(v, phy::cf32(static_cast<float>(number), static_cast<float>(a)));
  }
};

void wait_for_blocks(const queued_source& q, std::uint64_t n) {
  while (q.statistics().blocks < n) std::this_thread::yield();
}

// One queued at a time, then some, then as many as there is room for: the order is that of the radio.
TEST(queued_source, blocks_come_in_order_whatever_is_queued) {
  constexpr int n = 40;
  numbered source(n);
  queued_source q(source, block, 5);
  reader r;
  int next = 0, allowed = 0;
  for (const int some : {1, 1, 3, 2, 5, 1, 4, 5, 5, 2, 1, 5, 5}) {
    source.allow(allowed += some);
    wait_for_blocks(q, static_cast<std::uint64_t>(allowed));
    for (int i = 0; i < some; ++i) r.expect_block(q, next++);
  }
  ASSERT_EQ(next, n);
  const auto end = r.read(q);
  ASSERT_TRUE(end.has_value());
  EXPECT_TRUE(end->end);
  EXPECT_EQ(q.statistics().most_queued, 5U);
}

TEST(queued_source, a_full_queue_makes_the_radio_wait_and_loses_nothing) {
  constexpr int n = 30;
  numbered source(n);
  queued_source q(source, block, 3);
  source.allow(n);
  while (q.statistics().full == 0) std::this_thread::yield();
  EXPECT_EQ(q.statistics().blocks, 3U);
  reader r;
  for (int i = 0; i < n; ++i) r.expect_block(q, i);
  EXPECT_TRUE(r.read(q)->end);
}

TEST(queued_source, an_error_comes_behind_what_was_read_before) {
  numbered source(2, true);
  queued_source q(source, block, 4);
  source.allow(2);
  reader r;
  r.expect_block(q, 0);
  r.expect_block(q, 1);
  const auto s = r.read(q);
  ASSERT_FALSE(s.has_value());
  EXPECT_EQ(s.error().message, "the radio is gone");
}

// What came before a block is told with its first part alone.
TEST(queued_source, a_block_in_parts) {
  class leaping final : public phy::sample_source {
  public:
    double sample_rate_hz() const override { return 1e6; }
    int n_antennas() const override { return 1; }
    result<phy::read_status> read(std::span<const std::span<phy::cf32>> out) override {
      phy::read_status s{.first_tick = 100 * (n_ + 1),
                         .n_samples = n_ == 1 ? block - 3 : block,
                         .gap_before = true,
                         .time_jump = 7,
                         .end = n_ == 2};
      for (std::size_t i = 0; i < s.n_samples; ++i)
        out[0][i] = {static_cast<float>(s.first_tick) + static_cast<float>(i), 0};
      ++n_;
      return s;
    }

  private:
    std::int64_t n_ = 0;
  } source;
  queued_source q(source, block, 2);
  std::array<phy::cf32, 6> part{};
  const std::array<std::span<phy::cf32>, 1> out{part};
  for (const auto& [first, n, starts, ends] : {std::tuple{100, 6U, true, false},
                                               {106, 6U, false, false},
                                               {112, 4U, false, false},
                                               {200, 6U, true, false},
                                               {206, 6U, false, false},
                                               {212, 1U, false, false},
                                               {300, 6U, true, false},
                                               {306, 6U, false, false},
                                               {312, 4U, false, true}}) {
    const auto s = q.read(out);
    ASSERT_TRUE(s.has_value());
    EXPECT_EQ(s->first_tick, first);
    ASSERT_EQ(s->n_samples, n);
    EXPECT_EQ(s->gap_before, starts);
    EXPECT_EQ(s->time_jump, starts ? 7 : 0);
    EXPECT_EQ(s->end, ends);
    for (std::size_t i = 0; i < n; ++i) EXPECT_EQ(part[i].real(), static_cast<float>(first) + static_cast<float>(i));
  }
  EXPECT_TRUE(q.read(out)->end);
}

TEST(queued_source, stop_wakes_who_waits) {
  numbered source(3);
  queued_source q(source, block, 4);
  std::thread other([&] { q.stop(); });
  reader r;
  EXPECT_TRUE(r.read(q)->end);
  other.join();
  source.allow(3);
}

}  // namespace
}  // namespace prose::apps
