// The page: nothing from the air becomes markup or script, memory and size are bounded, pictures are what they say.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <numbers>

#include "apps/sniffer/page_text.h"
#include "apps/sniffer/png.h"
#include "apps/sniffer/report_page.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
using nlohmann::json;
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
/// What the page's script reads.
json data_of(const std::string& html) {
  const std::string begin = "<script type=\"application/json\" id=\"data\">";
  const auto at = html.find(begin) + begin.size();
  return json::parse(html.substr(at, html.find("</script>", at) - at));
}

TEST(page_report, hostile_octets_and_names_are_data_only) {
  const std::string attack = "</script><script>alert('1')</script><!--<img src=\"http://x/\">{{js}}&\x01\xff";
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
  page_facts facts;
  facts.source = facts.carrier = facts.transmitters = facts.recorded = facts.command = facts.version = attack;
  const auto html = page.html(v, facts);
  // Two scripts: the data and the page's own. The sentence is escaped, all else is JSON without a "<".
  EXPECT_EQ(count(html, "<script"), 2U);
  EXPECT_EQ(count(html, "</script>"), 2U);
  EXPECT_EQ(count(html, "<img"), 0U);
  EXPECT_EQ(count(html, "<!--"), 0U);
  EXPECT_EQ(count(html, "'use strict'"), 3U);  // {{js}} in a text is no place of the template
  EXPECT_NE(html.find("&lt;script&gt;alert(&#39;1&#39;)"), std::string::npos);
  const auto data = data_of(html);
  const std::string shown = attack.substr(0, attack.size() - 1) + "\xef\xbf\xbd";  // no UTF-8: replaced
  EXPECT_EQ(data["input"]["source"], shown);
  EXPECT_EQ(data["verdict"]["findings"][0]["reason"], shown);
  EXPECT_EQ(data["frames"]["rows"][0][15], to_hex(std::vector<std::uint8_t>(attack.begin(), attack.end())));
}

TEST(page_report, the_policy_lets_only_the_own_script_run) {
  const auto html = report_page().html(verdict{}, {});
  const auto between = [&](const std::string& a, const std::string& b) {
    const auto at = html.find(a) + a.size();
    return html.substr(at, html.find(b, at) - at);
  };
  EXPECT_EQ(between("http-equiv=\"Content-Security-Policy\" content=\"", "\""),
            "default-src 'none'; img-src data:; style-src " + policy_hash(between("<style>", "</style>")) +
                "; script-src " + policy_hash(between("<script>", "</script>")) +
                "; base-uri 'none'; form-action 'none'");
  // FIPS 180-4: of no octets.
  EXPECT_EQ(policy_hash(""), "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='");
  for (const auto text : {page_texts::report_html, page_texts::report_css, page_texts::draw_js, page_texts::frames_js,
                          page_texts::report_js}) {
    EXPECT_FALSE(text.empty());
    for (const char* outside : {"https:", "@import", "innerHTML", "outerHTML", "insertAdjacentHTML", "eval(",
                                "document.write", "fetch(", "XMLHttp", " style="})
      EXPECT_EQ(text.find(outside), text.npos) << outside;
    EXPECT_EQ(count(std::string(text), "url("), count(std::string(text), "url(#"));  // of the page itself
  }
  EXPECT_EQ(count(std::string(page_texts::draw_js), "http:"), 1U);  // the name of SVG
}

TEST(page_report, every_octet_is_escaped_or_harmless) {
  for (int c = 0; c < 256; ++c) {
    const std::string one(1, static_cast<char>(c));
    const auto e = escaped(one);
    EXPECT_TRUE(e.size() > 1 || (std::string("<>&\"'").find(static_cast<char>(c)) == std::string::npos)) << c;
    EXPECT_TRUE(e.size() == 1 || (e.front() == '&' && e.back() == ';')) << c;
    const auto j = in_script(json_string(one));
    EXPECT_EQ(j.find('<'), std::string::npos) << c;
    EXPECT_TRUE(c >= 128 || json::parse(j) == one) << c;
  }
  EXPECT_EQ(json_number(std::numeric_limits<double>::quiet_NaN(), 2), "null");
}

TEST(page_report, keeps_the_first_and_the_last_frames_only) {
  report_page page(2000);
  const std::string large(2000, 'x');
  for (std::uint64_t i = 0; i < 20'000; ++i) page.add(frame_with(large, i), no_symbols);
  const auto html = page.html(verdict{}, {});
  const auto frames = data_of(html)["frames"];
  ASSERT_EQ(frames["rows"].size(), 4000U);
  EXPECT_EQ(frames["rows"].front()[0], 0);
  EXPECT_EQ(frames["rows"].back()[0], 19'999);
  EXPECT_EQ(frames["total"], 20'000);
  EXPECT_LT(html.size(), 2U << 20);
}

TEST(page_report, every_frame_that_the_verdict_names_has_a_row) {
  constexpr std::uint64_t n = 20'000;
  verdict v;
  v.outcome = verdict_outcome::exposed;
  v.findings.push_back({"identity", "a", "", {0, 3000, 9000}, 3});
  v.remarks.push_back({"identity", "b", "", {9000, n - 1}, 2});
  v.doubts.push_back({"unexplained", "", {9500}});
  v.opened_links.push_back({1, 2, 3, "", 1, 1, false, {11'000, 17'999}});
  for (const std::size_t max_kept : {std::size_t{10'000}, std::size_t{8000}}) {
    report_page page(max_kept);
    for (std::uint64_t i = 0; i < n; ++i) page.add(frame_with("x", i), no_symbols);
    const auto rows = data_of(page.html(v, {}))["frames"]["rows"];
    // 9000, 9500 and 11 000 lie in what 8000 of the first and 8000 of the last leave out: rows with a number only.
    std::set<std::uint64_t> numbers, lost;
    std::uint64_t before = 0;  // in the order of reception
    for (const auto& r : rows) {
      const auto number = r[0].get<std::uint64_t>();
      EXPECT_LE(before, number);
      before = number;
      EXPECT_TRUE(numbers.insert(number).second) << number;
      if (r.size() == 1) lost.insert(number);
    }
    EXPECT_EQ(lost, max_kept == 8000 ? (std::set<std::uint64_t>{9000, 9500, 11'000}) : std::set<std::uint64_t>{});
    for (const std::uint64_t f : {0U, 3000U, 9000U, 9500U, 11'000U, 17'999U, 19'999U}) EXPECT_TRUE(numbers.contains(f));
  }
}

TEST(page_report, shows_symbols_and_a_bounded_number_of_them) {
  report_page page;
  phy::constellation_sample symbols;
  const auto points = [&] { return data_of(page.html(verdict{}, {}))["points"]; };
  symbols.fill({0.5F, -0.5F});
  page.add(frame_with("x", 0), symbols);
  ASSERT_EQ(points()[0]["points"].size(), 2 * symbols.size());
  EXPECT_EQ(points()[0]["points"][0], 50);
  EXPECT_EQ(points()[0]["points"][1], -50);
  symbols.fill({std::numeric_limits<float>::quiet_NaN(), 0});
  page.add(frame_with("x", 1), symbols);
  symbols.fill({1, 1});
  for (std::uint64_t i = 0; i < 5000; ++i) page.add(frame_with("x", i), symbols);
  auto block = frame_with("x", 1);
  block.kind = frame_kind::sl_sch;
  block.modulation_order = 4;
  page.add(block, symbols);
  ASSERT_EQ(points().size(), 2U);
  EXPECT_EQ(points()[0]["points"].size(), 2 * 1500U);
  EXPECT_EQ(points()[1]["channel"], "PSSCH");
  EXPECT_EQ(points()[1]["bits"], 4);
}

TEST(page_report, the_command_is_shown_without_names_and_keys) {
  EXPECT_EQ(shown_command({"/usr/bin/prose-sniffer", "--iq", "a b.sigmf-meta", "--compromised", "mary.key", "--name",
                           "John Doe", "--name=Peter", "--verdict", "--keylog", "k", "--known-plaintext", "t",
                           "--plain", "it's"}),
            "prose-sniffer --iq 'a b.sigmf-meta' --compromised ... --name ... --name=... --verdict --keylog ... "
            "--known-plaintext ... --plain 'it'\\''s'");
}

TEST(waterfall, a_tone_is_a_line_and_columns_stay_bounded) {
  waterfall w;
  std::vector<phy::cf32> block(2048);
  for (std::size_t i = 0; i < block.size(); ++i)  // a quarter of the rate: three quarters up
    block[i] = std::polar(0.5F, 0.5F * std::numbers::pi_v<float> * static_cast<float>(i % 4));
  for (int i = 0; i < 5000; ++i) w.add(block);
  EXPECT_LT(w.n_columns(), waterfall::max_columns);
  EXPECT_GE(w.n_columns(), waterfall::max_columns / 2);
  EXPECT_EQ(w.n_samples() % (2048 * w.n_columns()), 0U);  // each column lasts as long
  EXPECT_LE(w.n_samples(), 5000U * 2048);
  EXPECT_GT(w.n_samples(), 4980U * 2048);
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
