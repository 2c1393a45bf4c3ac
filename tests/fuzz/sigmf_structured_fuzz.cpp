// SigMF metadata that is JSON of the right shape, its keys known ones most of the time and its values of every kind.
#include <set>
#include <string>
#include <string_view>

#include "tests/fuzz/chooser.h"
#include "tests/fuzz/sigmf_check.h"

namespace {
using prose::fuzz::chooser;

constexpr std::size_t most_pairs = 12, most_captures = 6, most_nesting = 3;
constexpr std::string_view of_global[] = {"core:datatype",      "core:sample_rate",
                                          "core:version",       "core:num_channels",
                                          "core:offset",        "core:trailing_bytes",
                                          "core:dataset",       "core:sha512",
                                          "core:description",   "core:hw",
                                          "core:author",        "core:recorder",
                                          "core:metadata_only", "prose:sync",
                                          "prose:carrier",      "x"};
constexpr std::string_view of_capture[] = {"core:sample_start",
                                           "core:global_index",
                                           "core:frequency",
                                           "core:datetime",
                                           "core:header_bytes",
                                           "core:sample_count",
                                           "x"};
constexpr std::string_view numbers[] = {"0",
                                        "1",
                                        "2",
                                        "64",
                                        "65",
                                        "999",
                                        "1000",
                                        "-1",
                                        "1.5",
                                        "1e3",
                                        "1920000",
                                        "30.72e6",
                                        "1e308",
                                        "-1e308",
                                        "1e-320",
                                        "9223372036854775807",
                                        "9223372036854775808",
                                        "-9223372036854775808",
                                        "18446744073709551616",
                                        "0.1e1"};
constexpr std::string_view words[] = {"cf32_le",
                                      "ci16_le",
                                      "cf32_be",
                                      "cu8",
                                      "1.0.0",
                                      "1.2.3",
                                      "2026-01-01T00:00:00Z",
                                      "2026-02-30T25:61:61.999999999Z",
                                      "x.sigmf-data",
                                      "../x",
                                      "",
                                      "\\u0000",
                                      "\\ud800",
                                      "\\n\\n"};

std::string value(chooser& c, std::size_t depth);

std::string quoted(chooser& c) {
  if (c.flag()) return '"' + std::string(c.one_of(words)) + '"';
  std::string out = "\"";
  for (const char ch : c.text(20))
    if (ch != '"' && ch != '\\' && static_cast<unsigned char>(ch) >= 0x20) out += ch;
  return out + '"';
}

/// No key twice, most of the time: that is refused. used: what the object holds already.
template <class Keys>
std::string object(chooser& c, const Keys& keys, std::size_t depth, std::set<std::string_view> used = {}) {
  std::string out = "{";
  for (std::size_t i = c.below(most_pairs); i > 0; --i) {
    const std::string_view key = c.one_of(keys);
    if (!used.insert(key).second && c.below(64) != 63) continue;
    out += (out.size() > 1 ? ",\"" : "\"") + std::string(key) + "\":";
    out += value(c, depth + 1);
  }
  return out + "}";
}

std::string value(chooser& c, std::size_t depth) {
  switch (c.below(depth < most_nesting ? 8 : 6)) {
    case 0:
    case 1:
    case 2:
      return std::string(c.one_of(numbers));
    case 3:
    case 4:
      return quoted(c);
    case 5:
      return c.flag() ? "null" : "true";
    case 6:
      return object(c, of_capture, depth);
    default:
      return "[" + value(c, depth + 1) + "]";
  }
}

std::string captures(chooser& c) {
  std::string out = "[";
  for (std::size_t i = c.below(most_captures); i > 0; --i) {
    if (out.size() > 1) out += ",";
    out += c.below(8) == 7 ? value(c, 0) : object(c, of_capture, 0);
  }
  return out + "]";
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chooser c({data, size});
  // Most begin as what is accepted.
  const bool good = c.below(8) != 7;
  const std::set<std::string_view> begun{"core:datatype", "core:version"};
  std::string global = object(c, of_global, 0, good ? begun : std::set<std::string_view>{});
  if (good) {
    const std::string type = c.flag() ? "cf32_le" : "ci16_le";
    global =
        R"({"core:datatype":")" + type + R"(","core:version":"1.0.0")" + (global == "{}" ? "" : ",") + global.substr(1);
  }
  std::string text = R"({"global":)";
  text += c.below(16) == 15 ? value(c, 0) : global;
  text += R"(,"captures":)";
  text += c.below(16) == 15 ? value(c, 0) : captures(c);
  text += c.flag() ? R"(,"annotations":[]})" : "}";
  prose::fuzz::check_sigmf(text);
  return 0;
}
