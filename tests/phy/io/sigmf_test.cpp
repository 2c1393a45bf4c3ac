// SigMF reading and writing: formats, segments, and what hostile or broken files get.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <random>

#include "phy/io/sigmf_reader.h"
#include "phy/io/sigmf_writer.h"

namespace prose::phy {
namespace {
namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

class sigmf : public testing::Test {
protected:
  void SetUp() override {
    char name[] = "/tmp/prose_sigmf_XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void put(const std::string& name, const std::string& bytes) const {
    std::ofstream(path(name), std::ios::binary) << bytes;
  }
  /// A recording with `bytes` octets of data and the given metadata; the error of opening it, empty when there is none.
  std::string open_error(const std::string& meta, std::size_t bytes = 80) const {
    put("x.sigmf-meta", meta);
    put("x.sigmf-data", std::string(bytes, '\0'));
    const auto r = sigmf_reader::open(path("x.sigmf-meta"));
    return r ? "" : r.error().message;
  }
  static std::string meta(const std::string& global, const std::string& captures = R"([{"core:sample_start":0}])") {
    return R"({"global":{)" + global + R"(},"captures":)" + captures + R"(,"annotations":[]})";
  }
  static std::vector<cf32> noise(std::size_t n, unsigned seed) {
    std::mt19937 rng(seed);
    std::uniform_real_distribution<float> u(-0.9F, 0.9F);
    std::vector<cf32> v(n);
    for (auto& x : v) x = {u(rng), u(rng)};
    return v;
  }
  static std::vector<cf32> read_all(sigmf_reader& r, std::size_t block = 1000) {
    std::vector<cf32> all, b(block);
    for (;;) {
      const std::span<cf32> out(b);
      const auto s = r.read({&out, 1});
      EXPECT_TRUE(s) << s.error().message;
      if (!s) return all;
      all.insert(all.end(), b.begin(), b.begin() + s->n_samples);
      if (s->end) return all;
    }
  }
  fs::path folder_;
};
const std::string good_global = R"("core:datatype":"cf32_le","core:sample_rate":1920000,"core:version":"1.0.0")";

TEST_F(sigmf, float_samples_come_back_bit_by_bit) {
  const auto x = noise(50'001, 1);
  const std::span<const cf32> in(x);
  auto w = sigmf_writer::make(
      {.path = path("a.sigmf-meta"), .sample_rate_hz = 15.36e6, .frequency_hz = 5.9e9, .description = "\"d\"\n"});
  ASSERT_TRUE(w) << w.error().message;
  ASSERT_EQ((*w)->write({&in, 1}, 7), write_stop::none);
  ASSERT_TRUE((*w)->finish("ab"));
  auto r = sigmf_reader::open(path("a"));
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ((*r)->sample_rate_hz(), 15.36e6);
  EXPECT_EQ((*r)->meta().sha512, "ab");
  EXPECT_EQ((*r)->meta().description, "\"d\"\n");
  EXPECT_EQ((*r)->meta().captures[0].frequency_hz, 5.9e9);
  EXPECT_EQ((*r)->tick_of(0), 7);
  EXPECT_EQ(read_all(**r), x);
  // The standard's own way of reading it, without our reader: little endian pairs of float.
  std::ifstream f(path("a.sigmf-data"), std::ios::binary);
  float v[2];
  f.read(reinterpret_cast<char*>(v), sizeof v);
  EXPECT_EQ(cf32(v[0], v[1]), x[0]);
}

TEST_F(sigmf, sixteen_bit_samples_round_clip_and_count) {
  std::vector<cf32> x{
      {0.5F, -0.5F}, {2.0F, 0.0F}, {0.0F, std::numeric_limits<float>::quiet_NaN()}, {-1.0F, 1.0F / 32768.0F}};
  const std::span<const cf32> in(x);
  auto w = sigmf_writer::make({.path = path("a"), .datatype = sigmf_datatype::ci16_le, .sample_rate_hz = 1e6});
  ASSERT_TRUE(w);
  ASSERT_EQ((*w)->write({&in, 1}, 0), write_stop::none);
  ASSERT_TRUE((*w)->finish());
  EXPECT_EQ((*w)->n_clipped(), 2U);
  EXPECT_EQ(fs::file_size(path("a.sigmf-data")), 16U);
  auto r = sigmf_reader::open(path("a.sigmf-data"));
  ASSERT_TRUE(r);
  const auto y = read_all(**r);
  EXPECT_EQ(y[0], cf32(0.5F, -0.5F));
  EXPECT_EQ(y[1], cf32(32767.0F / 32768.0F, 0.0F));
  EXPECT_EQ(y[2], cf32(0.0F, 0.0F));
  EXPECT_EQ(y[3], cf32(-1.0F, 1.0F / 32768.0F));
}

TEST_F(sigmf, channels_are_interleaved_by_sample) {
  const auto a = noise(3000, 2), b = noise(3000, 3);
  const std::span<const cf32> in[2] = {a, b};
  auto w = sigmf_writer::make({.path = path("a"), .sample_rate_hz = 1e6, .n_channels = 2});
  ASSERT_TRUE(w);
  ASSERT_EQ((*w)->write(in, 0), write_stop::none);
  ASSERT_TRUE((*w)->finish());
  auto r = sigmf_reader::open(path("a"));
  ASSERT_TRUE(r);
  EXPECT_EQ((*r)->n_antennas(), 2);
  EXPECT_EQ((*r)->n_samples(), 3000);
  std::vector<cf32> ya(3000), yb(3000);
  const std::span<cf32> out[2] = {ya, yb};
  const auto s = (*r)->read(out);
  ASSERT_TRUE(s);
  EXPECT_TRUE(s->end);
  EXPECT_EQ(ya, a);
  EXPECT_EQ(yb, b);
}

TEST_F(sigmf, a_gap_starts_a_segment_and_keeps_the_stream_index) {
  const auto x = noise(300, 4);
  const auto part = [&x](std::size_t at, std::size_t n) { return std::span<const cf32>(x).subspan(at, n); };
  auto w = sigmf_writer::make({.path = path("a"), .sample_rate_hz = 1e6});
  ASSERT_TRUE(w);
  auto s0 = part(0, 100), s1 = part(100, 50), s2 = part(150, 150);
  ASSERT_TRUE((*w)->write({&s0, 1}, 1000));
  ASSERT_TRUE((*w)->write({&s1, 1}, 1100));  // follows on
  ASSERT_TRUE((*w)->write({&s2, 1}, 5000));  // 3850 samples lost
  ASSERT_TRUE((*w)->finish());
  EXPECT_EQ((*w)->n_segments(), 2U);

  auto opened = sigmf_reader::open(path("a"));
  ASSERT_TRUE(opened);
  auto& r = **opened;
  std::vector<cf32> buffer(1000);
  const std::span<cf32> out(buffer);
  auto s = r.read({&out, 1});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->n_samples, 150U);
  EXPECT_EQ(s->first_tick, 1000);
  EXPECT_FALSE(s->gap_before);
  EXPECT_FALSE(s->end);
  s = r.read({&out, 1});
  ASSERT_TRUE(s);
  EXPECT_EQ(s->n_samples, 150U);
  EXPECT_EQ(s->first_tick, 5000);
  EXPECT_TRUE(s->gap_before);
  EXPECT_TRUE(s->end);
  EXPECT_EQ(buffer[0], x[150]);
  EXPECT_EQ(r.sample_of(1149), 149);
  EXPECT_EQ(r.sample_of(5001), 151);
  EXPECT_EQ(r.sample_of(3000), 150);  // inside the gap: the first sample after it
  EXPECT_EQ(r.tick_of(151), 5001);
  s = r.read({&out, 1});
  ASSERT_TRUE(s);
  EXPECT_TRUE(s->end);
  EXPECT_EQ(s->n_samples, 0U);
}

TEST_F(sigmf, a_segment_without_a_stream_index_is_a_gap) {
  const std::string starts = R"([{"core:sample_start":0},{"core:sample_start":4}])";
  put("x.sigmf-meta", meta(good_global, starts));
  put("x.sigmf-data", std::string(80, '\0'));
  auto r = sigmf_reader::open(path("x"));
  ASSERT_TRUE(r);
  EXPECT_TRUE((*r)->gap_before_segment(1));
  put("x.sigmf-meta", meta(good_global, R"([{"core:sample_start":0},{"core:sample_start":4,"core:global_index":4}])"));
  r = sigmf_reader::open(path("x"));
  ASSERT_TRUE(r);
  EXPECT_FALSE((*r)->gap_before_segment(1));
  // An index that runs backwards is a lie: ticks still rise.
  put("x.sigmf-meta",
      meta(good_global,
           R"([{"core:sample_start":0,"core:global_index":100},{"core:sample_start":4,"core:global_index":2}])"));
  r = sigmf_reader::open(path("x"));
  ASSERT_TRUE(r);
  EXPECT_GT((*r)->tick_of(4), (*r)->tick_of(3));
}

TEST_F(sigmf, a_partial_last_sample_is_ignored_and_counted) {
  put("x.sigmf-meta", meta(good_global));
  put("x.sigmf-data", std::string(83, '\0'));
  auto r = sigmf_reader::open(path("x"));
  ASSERT_TRUE(r);
  EXPECT_EQ((*r)->n_samples(), 10);
  EXPECT_EQ((*r)->partial_bytes(), 3);
  EXPECT_EQ(read_all(**r).size(), 10U);
}

TEST_F(sigmf, a_file_that_shrinks_while_it_is_read_just_ends) {
  put("x.sigmf-meta", meta(good_global));
  put("x.sigmf-data", std::string(8 * 100'000, '\0'));
  auto r = sigmf_reader::open(path("x"));
  ASSERT_TRUE(r);
  fs::resize_file(path("x.sigmf-data"), 8 * 50'000);
  EXPECT_EQ(read_all(**r).size(), 50'000U);
}

TEST_F(sigmf, every_lie_is_one_line_that_names_the_file_and_the_key) {
  struct lie {
    std::string text;
    const char* key;
  };
  const std::string d = R"("core:datatype":"cf32_le",)";
  const std::vector<lie> lies{
      {"", "not JSON"},
      {"{", "not JSON"},
      {"[]", "JSON object"},
      {"{}", "global"},
      {R"({"global":{}})", "captures"},
      {R"({"global":7,"captures":[]})", "global"},
      {R"({"global":{},"captures":{}})", "captures"},
      {meta(""), "core:datatype is missing"},
      {meta(good_global + R"(,"core:sample_rate":1e6)"), "'core:sample_rate' is given twice"},
      {meta(good_global, R"([{"core:sample_start":0,"a":{"b":1,"b":1}}])"), "'b' is given twice"},
      {meta(R"("core:datatype":"cf64_le","core:sample_rate":1e6)"), "core:datatype"},
      {meta(R"("core:datatype":"cf32_be","core:sample_rate":1e6)"), "core:datatype"},
      {meta(R"("core:datatype":["cf32_le"],"core:sample_rate":1e6)"), "core:datatype"},
      {meta(R"("core:datatype":"cf32_le")"), "core:sample_rate"},
      {meta(d + R"("core:sample_rate":-1e6)"), "core:sample_rate"},
      {meta(d + R"("core:sample_rate":0)"), "core:sample_rate"},
      {meta(d + R"("core:sample_rate":"1e6")"), "core:sample_rate"},
      {meta(d + R"("core:sample_rate":1e400)"), "not JSON"},
      {meta(d + R"("core:sample_rate":NaN)"), "not JSON"},
      {meta(good_global + R"(,"core:num_channels":0)"), "core:num_channels"},
      {meta(good_global + R"(,"core:num_channels":1.5)"), "core:num_channels"},
      {meta(good_global + R"(,"core:num_channels":1000000)"), "core:num_channels"},
      {meta(good_global + R"(,"core:offset":-1)"), "core:offset"},
      {meta(good_global + R"(,"core:trailing_bytes":81)"), "core:trailing_bytes"},
      {meta(good_global + R"(,"core:dataset":"../../etc/passwd")"), "core:dataset"},
      {meta(good_global + R"(,"core:metadata_only":true)"), "core:metadata_only"},
      {meta(good_global, "[7]"), "captures[0]"},
      {meta(good_global, R"([{"core:sample_start":-1}])"), "captures[0].core:sample_start"},
      {meta(good_global, R"([{"core:sample_start":10}])"), "captures[0].core:sample_start 10 lies beyond"},
      {meta(good_global, R"([{"core:sample_start":1e300}])"), "captures[0].core:sample_start"},
      {meta(good_global, R"([{"core:sample_start":0,"core:global_index":9223372036854775808}])"),
       "captures[0].core:global_index"},
      {meta(good_global, R"([{"core:sample_start":0,"core:global_index":9.3e18}])"), "captures[0].core:global_index"},
      {meta(good_global, R"([{"core:sample_start":0,"core:header_bytes":-4}])"), "captures[0].core:header_bytes"},
      {meta(good_global, R"([{},{"core:header_bytes":4}])"), "captures[1].core:header_bytes needs core:sample_start"},
      {meta(good_global, R"([{"core:sample_start":0,"core:frequency":"5.9 GHz"}])"), "captures[0].core:frequency"},
  };
  for (const auto& l : lies) {
    const auto e = open_error(l.text);
    EXPECT_THAT(e, HasSubstr(l.key)) << l.text;
    EXPECT_THAT(e, HasSubstr("x.sigmf-meta")) << l.text;
    EXPECT_THAT(e, Not(HasSubstr("\n"))) << l.text;
  }
  EXPECT_EQ(open_error(meta(good_global)), "");
  EXPECT_EQ(open_error(meta(good_global, "[]")), "");
}

TEST_F(sigmf, missing_and_empty_data_name_the_data_file) {
  EXPECT_THAT(open_error(meta(good_global), 0), testing::AllOf(HasSubstr("x.sigmf-data"), HasSubstr("no sample")));
  EXPECT_THAT(open_error(meta(good_global), 7), HasSubstr("no sample"));
  fs::remove(path("x.sigmf-data"));
  auto r = sigmf_reader::open(path("x"));
  ASSERT_FALSE(r);
  EXPECT_THAT(r.error().message, HasSubstr("x.sigmf-data: no such"));
  fs::create_directory(path("x.sigmf-data"));
  EXPECT_FALSE(sigmf_reader::open(path("x")));
  EXPECT_THAT(sigmf_reader::open(path("none.sigmf-meta")).error().message, HasSubstr("none.sigmf-meta: no such file"));
}

TEST_F(sigmf, odd_lists_of_captures_are_read_with_a_remark) {
  struct odd {
    const char *captures, *remark;
    std::vector<std::int64_t> starts;
  };
  const std::vector<odd> list{
      {"[{}]", "captures[0].core:sample_start is missing", {0}},
      {R"([{"core:sample_start":null},{"core:frequency":5}])", "captures[0].core:sample_start is missing", {0}},
      {R"([{"core:sample_start":0},{"core:sample_start":0}])",
       "captures[0] and captures[1] begin at the same sample 0",
       {0, 0}},
      {R"([{"core:sample_start":5},{"core:sample_start":0},{"core:sample_start":2}])", "not in order", {0, 2, 5}},
      {R"([{"core:sample_start":0},{"core:sample_start":10}])",
       "captures[1].core:sample_start 10 is the end of the data",
       {0}},
      {R"([{"core:sample_start":12},{"core:sample_start":11},{"core:sample_start":3}])",
       "captures[1].core:sample_start 11 (and 1 more) lies beyond",
       {3}},
  };
  for (const auto& o : list) {
    put("x.sigmf-meta", meta(good_global, o.captures));
    put("x.sigmf-data", std::string(80, '\0'));
    auto r = sigmf_reader::open(path("x"));
    ASSERT_TRUE(r) << o.captures << r.error().message;
    std::vector<std::int64_t> starts;
    for (const auto& c : (*r)->meta().captures) starts.push_back(c.sample_start);
    EXPECT_EQ(starts, o.starts) << o.captures;
    EXPECT_THAT((*r)->meta().remarks, testing::Contains(HasSubstr(o.remark))) << o.captures;
    EXPECT_EQ(read_all(**r).size(), 10U);
  }
}

TEST_F(sigmf, stream_indices_have_64_bits) {
  constexpr std::int64_t largest = std::numeric_limits<std::int64_t>::max();
  for (const std::int64_t at : {(std::int64_t{1} << 53) + 1, std::int64_t{13792014345366705}, largest - 10}) {
    const std::string index = std::to_string(at);
    for (const auto& text : {meta(good_global, R"([{"core:sample_start":0,"core:global_index":)" + index + "}]"),
                             meta(good_global + R"(,"core:offset":)" + index)}) {
      put("x.sigmf-meta", text);
      put("x.sigmf-data", std::string(80, '\0'));
      auto r = sigmf_reader::open(path("x"));
      ASSERT_TRUE(r) << r.error().message;
      EXPECT_EQ((*r)->tick_of(9), at + 9);
      EXPECT_EQ((*r)->sample_of(at + 9), 9);
      EXPECT_THAT((*r)->meta().remarks, testing::IsEmpty());
      const auto again = parse_sigmf_meta(to_json_text((*r)->meta()), "again");
      ASSERT_TRUE(again);
      EXPECT_EQ(again->offset, (*r)->meta().offset);
      EXPECT_EQ(again->captures[0].global_index, (*r)->meta().captures[0].global_index);
    }
  }
  put("x.sigmf-meta", meta(good_global, R"([{"core:sample_start":0,"core:global_index":9223372036854775800}])"));
  auto r = sigmf_reader::open(path("x"));
  ASSERT_TRUE(r);
  EXPECT_THAT((*r)->meta().remarks, testing::ElementsAre(HasSubstr("too large")));
  EXPECT_EQ((*r)->tick_of(9), 9);
}

// SigMF 1.x: all sample indices are absolute, from core:offset on. Some programs count from the file all the same.
TEST_F(sigmf, sample_indices_count_from_the_offset) {
  struct counted {
    const char* captures;
    std::vector<std::int64_t> starts;
    std::int64_t first_index;
  };
  const std::vector<counted> list{
      {R"([{"core:sample_start":1000,"core:frequency":5},{"core:sample_start":1004,"core:frequency":6}])",
       {0, 4},
       1000},
      {R"([{"core:sample_start":1004,"core:frequency":6},{"core:sample_start":1000,"core:frequency":5}])",
       {0, 4},
       1000},
      {R"([{"core:frequency":5},{"core:sample_start":1004,"core:frequency":6}])", {0, 4}, 1000},
      {R"([{"core:sample_start":0,"core:frequency":5},{"core:sample_start":4,"core:frequency":6}])", {0, 4}, 0},
  };
  for (const auto& l : list) {
    put("x.sigmf-meta", meta(good_global + R"(,"core:offset":1000)", l.captures));
    put("x.sigmf-data", std::string(80, '\0'));
    auto r = sigmf_reader::open(path("x"));
    ASSERT_TRUE(r) << l.captures << r.error().message;
    const auto& m = (*r)->meta();
    std::vector<std::int64_t> starts;
    for (const auto& c : m.captures) starts.push_back(c.sample_start);
    EXPECT_EQ(starts, l.starts) << l.captures;
    EXPECT_EQ(m.first_index, l.first_index) << l.captures;
    EXPECT_EQ((*r)->tick_of(9), 1009) << l.captures;
    EXPECT_FALSE((*r)->gap_before_segment(0));
    EXPECT_TRUE((*r)->gap_before_segment(1));
    EXPECT_EQ(frequency_at(m.captures, 3), 5) << l.captures;
    EXPECT_EQ(frequency_at(m.captures, 4), 6) << l.captures;
    EXPECT_EQ(read_all(**r).size(), 10U);
    const auto again = parse_sigmf_meta(to_json_text(m), "again");
    ASSERT_TRUE(again);
    EXPECT_EQ(again->first_index, l.first_index);
    EXPECT_EQ(again->captures[1].sample_start, 4);
  }
  const auto offset = good_global + R"(,"core:offset":1000)";
  put("x.sigmf-meta", meta(offset, R"([{"core:sample_start":1003,"core:frequency":5}])"));
  auto r = sigmf_reader::open(path("x"));
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ((*r)->meta().captures[0].sample_start, 3);
  EXPECT_EQ(frequency_at((*r)->meta().captures, 2), std::nullopt);
  // What is told of the file has the file's own numbers.
  EXPECT_THAT(open_error(meta(offset, R"([{"core:sample_start":1010}])")),
              HasSubstr("captures[0].core:sample_start 1010 lies beyond"));
}

TEST_F(sigmf, a_rate_is_taken_from_who_knows_it) {
  put("x.sigmf-meta", meta(R"("core:datatype":"cf32_le")"));
  put("x.sigmf-data", std::string(80, '\0'));
  EXPECT_FALSE(sigmf_reader::open(path("x")));
  auto r = sigmf_reader::open(path("x"), {.rate_hz = 1e6});
  ASSERT_TRUE(r);
  EXPECT_EQ((*r)->sample_rate_hz(), 1e6);
  r = sigmf_reader::open(path("x"), {.rate_required = false});
  ASSERT_TRUE(r);
  EXPECT_EQ((*r)->sample_rate_hz(), 0);
}

TEST_F(sigmf, deeply_nested_metadata_does_not_exhaust_the_stack) {
  const std::string deep = std::string(1'000'000, '[') + std::string(1'000'000, ']');
  EXPECT_EQ(open_error(meta(good_global + R"(,"x":)" + deep)), "");
}

TEST_F(sigmf, the_size_limit_leaves_a_readable_recording) {
  const auto x = noise(1000, 5);
  const std::span<const cf32> in(x);
  auto w = sigmf_writer::make({.path = path("a"), .sample_rate_hz = 1e6, .max_bytes = 8 * 1500 + 3});
  ASSERT_TRUE(w);
  EXPECT_EQ((*w)->write({&in, 1}, 0), write_stop::none);
  EXPECT_EQ((*w)->write({&in, 1}, 1000), write_stop::size_limit);
  EXPECT_EQ((*w)->write({&in, 1}, 2000), write_stop::size_limit);
  ASSERT_TRUE((*w)->finish());
  EXPECT_EQ((*w)->n_samples(), 1500);
  EXPECT_EQ(fs::file_size(path("a.sigmf-data")), 12000U);
}

TEST_F(sigmf, what_was_recorded_before_the_disk_was_full_stays_readable) {
  // The limit on file size stands for the full disk: write() fails in the same way, in the middle of a sample.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{100'003, old.rlim_max};
  const auto x = noise(100'000, 6);
  const std::span<const cf32> in(x);
  auto w = sigmf_writer::make({.path = path("a"), .sample_rate_hz = 1e6});
  ASSERT_TRUE(w);
  setrlimit(RLIMIT_FSIZE, &small);
  const auto stop = (*w)->write({&in, 1}, 0);
  const auto again = (*w)->write({&in, 1}, 100'000);
  const auto done = (*w)->finish();
  setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_EQ(stop, write_stop::disk_full);
  EXPECT_EQ(again, write_stop::disk_full);
  EXPECT_TRUE(done);
  auto r = sigmf_reader::open(path("a"));
  ASSERT_TRUE(r);
  EXPECT_EQ((*r)->n_samples(), 12500);
  EXPECT_EQ((*r)->partial_bytes(), 0);
  EXPECT_EQ(read_all(**r), std::vector<cf32>(x.begin(), x.begin() + 12500));
}

TEST_F(sigmf, a_recorder_that_was_killed_leaves_a_readable_recording) {
  const auto x = noise(40'000, 7);
  const std::span<const cf32> in(x);
  auto w = sigmf_writer::make({.path = path("a"), .sample_rate_hz = 1e6});
  ASSERT_TRUE(w);
  ASSERT_TRUE((*w)->write({&in, 1}, 123));
  auto r = sigmf_reader::open(path("a"));  // no finish() so far
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(read_all(**r), x);
  EXPECT_EQ((*r)->tick_of(0), 123);
}

TEST_F(sigmf, an_unwritable_place_is_an_error) {
  EXPECT_THAT(sigmf_writer::make({.path = path("no/such/folder/a"), .sample_rate_hz = 1e6}).error().message,
              HasSubstr("cannot be created"));
  EXPECT_FALSE(sigmf_writer::make({.path = path("a"), .sample_rate_hz = -1}));
}

TEST(zero_non_finite, counts_what_it_zeroes) {
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<cf32> x{{1, 2}, {nan, 1}, {1, inf}, {-inf, nan}, {3e38F, 0}, {1e9F, 0}};
  EXPECT_EQ(zero_non_finite(x), 4U);
  EXPECT_EQ(x, (std::vector<cf32>{{1, 2}, {0, 0}, {0, 0}, {0, 0}, {0, 0}, {1e9F, 0}}));
}

}  // namespace
}  // namespace prose::phy
