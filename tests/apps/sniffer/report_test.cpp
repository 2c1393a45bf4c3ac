// The page: nothing from the air becomes markup, memory and size are bounded, pictures are what they say.
#include <gtest/gtest.h>

#include <numbers>

#include "apps/sniffer/png.h"
#include "apps/sniffer/report_page.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
constexpr phy::constellation_sample no_symbols{};

captured_frame frame_with(std::string_view octets, std::uint64_t number) {
  captured_frame f;
  f.kind = frame_kind::discovery;
  f.number = number;
  f.octets.assign(octets.begin(), octets.end());
  f.n_bits = static_cast<int>(8 * octets.size());
  return f;
}
std::size_t count(const std::string& text, const std::string& what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
  return n;
}

TEST(report_page, hostile_octets_and_names_are_text) {
  const std::string attack = "</code><script>alert('1')</script><img src=\"http://x/\">&\x01\xff";
  report_page page;
  page.add(frame_with(attack, 7), no_symbols);
  verdict v;
  v.outcome = verdict_outcome::exposed;
  v.reason = attack;
  v.findings.push_back({attack, attack, attack, {7}, 1});
  v.remarks = v.findings;
  v.statistics.push_back({attack, attack, 1, 1, 1, 1, attack});
  v.opened_links.push_back({1, 2, 3, attack, 1, 1, false, {7}});
  v.residuals.push_back({attack, 1, 1, 1, 1, 1, 1});
  v.followed.push_back({2, 300, {attack, 8, 6, 0.75, 0.4, 0.9, 0.5}});
  const auto html = page.html(v, {attack, attack, 1, 1, attack});
  EXPECT_NE(html.find("6 of 8"), std::string::npos);
  EXPECT_EQ(html.find("<script"), std::string::npos);
  EXPECT_EQ(html.find("src=\"http"), std::string::npos);
  EXPECT_EQ(html.find("<img"), std::string::npos);  // no samples, no spectrogram
  EXPECT_NE(html.find("&lt;script&gt;alert(&#39;1&#39;)"), std::string::npos);
  EXPECT_NE(html.find(to_hex(std::vector<std::uint8_t>(attack.begin(), attack.begin() + 48))), std::string::npos);
  EXPECT_NE(html.find("id=\"f7\" class=\"evidence\""), std::string::npos);
  for (const char c : html) ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~')) << static_cast<int>(c);
}

TEST(report_page, every_octet_is_escaped_or_harmless) {
  for (int c = 0; c < 256; ++c) {
    const auto e = escaped(std::string(1, static_cast<char>(c)));
    EXPECT_TRUE(e.size() > 1 || (std::string("<>&\"'").find(static_cast<char>(c)) == std::string::npos)) << c;
    EXPECT_TRUE(e.size() == 1 || (e.front() == '&' && e.back() == ';')) << c;
  }
}

TEST(report_page, keeps_the_first_and_the_last_frames_only) {
  report_page page;
  const std::string large(2000, 'x');
  for (std::uint64_t i = 0; i < 20'000; ++i) page.add(frame_with(large, i), no_symbols);
  const auto html = page.html(verdict{}, {});
  EXPECT_EQ(count(html, "<tr id=\"f"), 4000U);
  EXPECT_NE(html.find("id=\"f0\""), std::string::npos);
  EXPECT_NE(html.find("id=\"f19999\""), std::string::npos);
  EXPECT_NE(html.find("20000 in all"), std::string::npos);
  EXPECT_LT(html.size(), 4U << 20);
}

TEST(report_page, every_frame_that_the_verdict_names_has_a_row) {
  constexpr std::uint64_t n = 20'000;
  const std::string octets(2000, 'x');
  verdict v;
  v.outcome = verdict_outcome::exposed;
  v.findings.push_back({"identity", "a", "", {0, 3000, 9000}, 3});
  v.remarks.push_back({"identity", "b", "", {9000, n - 1}, 2});
  v.opened_links.push_back({1, 2, 3, "", 1, 1, false, {11'000, 17'999}});
  for (const std::size_t max_kept : {std::size_t{10'000}, std::size_t{8000}}) {
    report_page page(max_kept);
    for (std::uint64_t i = 0; i < n; ++i) page.add(frame_with(octets, i), no_symbols);
    const auto html = page.html(v, {});
    // 11 000 lies in what 8000 of the first and 8000 of the last leave out: it has a row, without its octets. So has
    // 9000.
    EXPECT_EQ(count(html, "no longer kept"), max_kept == 8000 ? 2U : 0U);
    for (std::size_t at = html.find("href=\"#f"); at != std::string::npos; at = html.find("href=\"#f", at + 1)) {
      const auto id = html.substr(at + 7, html.find('"', at + 7) - at - 7);
      EXPECT_EQ(count(html, "<tr id=\"" + id + "\" class=\"evidence\""), 1U) << id;
    }
    EXPECT_EQ(count(html, "<tr id=\"f"), 4000U + 4);  // 3000, 9000, 11000 and 17999 lie in between
    std::uint64_t before = 0;                         // in the order of reception
    for (std::size_t at = html.find("<tr id=\"f"); at != std::string::npos; at = html.find("<tr id=\"f", at + 1)) {
      const auto number = std::stoull(html.substr(at + 9));
      EXPECT_LE(before, number);
      before = number;
    }
  }
}

TEST(report_page, shows_symbols_and_a_bounded_number_of_them) {
  report_page page;
  phy::constellation_sample symbols;
  symbols.fill({0.5F, -0.5F});
  page.add(frame_with("x", 0), symbols);
  EXPECT_EQ(count(page.html(verdict{}, {}), "<circle cx=\"50.0\" cy=\"50.0\""), symbols.size());
  symbols.fill({std::numeric_limits<float>::quiet_NaN(), 0});
  page.add(frame_with("x", 1), symbols);
  symbols.fill({1, 1});
  for (std::uint64_t i = 0; i < 5000; ++i) page.add(frame_with("x", i), symbols);
  const auto n = count(page.html(verdict{}, {}), "<circle");
  EXPECT_LE(n, 3000U);
  EXPECT_GE(n, 2900U);
}

TEST(waterfall, a_tone_is_a_line_and_columns_stay_bounded) {
  waterfall w;
  std::vector<phy::cf32> block(2048);
  for (std::size_t i = 0; i < block.size(); ++i)  // a quarter of the rate: three quarters up
    block[i] = std::polar(0.5F, 0.5F * std::numbers::pi_v<float> * static_cast<float>(i % 4));
  for (int i = 0; i < 5000; ++i) w.add(block);
  EXPECT_LT(w.n_columns(), waterfall::max_columns);
  EXPECT_GE(w.n_columns(), waterfall::max_columns / 2);
  float low = 0, high = 0;
  const auto png = w.png(low, high);
  // Stored, not compressed: header 8 + 25, palette 780, IDAT length, type, zlib 2, block 5; then rows of a filter octet
  // and pixels.
  const std::size_t width = w.n_columns(), data = 33 + 780 + 8 + 7;
  ASSERT_GT(png.size(), data);
  const auto pixel = [&](std::size_t row) {
    std::size_t at = row * (width + 1) + 1;
    return static_cast<int>(png[data + at + at / 65535 * 5]);
  };
  EXPECT_GE(pixel(256 - 1 - 192), 250);
  EXPECT_LT(pixel(128), 80);
  EXPECT_LT(pixel(192), 80);  // not upside down
  block[3] = {std::numeric_limits<float>::infinity(), 0};
  w.add(block);  // left out
  EXPECT_GT(high, low);
}

TEST(png, base64_of_the_rfc_4648_examples) {
  const auto of = [](std::string_view s) {
    return base64({reinterpret_cast<const std::uint8_t*>(s.data()), s.size()});
  };
  EXPECT_EQ(of(""), "");
  EXPECT_EQ(of("f"), "Zg==");
  EXPECT_EQ(of("fo"), "Zm8=");
  EXPECT_EQ(of("foo"), "Zm9v");
  EXPECT_EQ(of("foobar"), "Zm9vYmFy");
}

}  // namespace
}  // namespace prose::apps
