#include "apps/sniffer/page_facts.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <memory>

#include "apps/lib/common/cli.h"
#include "apps/lib/common/sha256.h"
#include "apps/lib/common/stop.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
constexpr std::array<std::string_view, 4> hidden{"--compromised", "--keylog", "--known-plaintext", "--name"};
constexpr const char* in_place_of_it = "...";

std::string shell_word(const std::string& text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("-_./=,:+@%").find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

std::string digest_of(const std::string& path, std::int64_t begin, std::int64_t size) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> f(std::fopen(path.c_str(), "rb"), &std::fclose);
  if (!f || fseeko(f.get(), begin, SEEK_SET) != 0) return "not computed: the file cannot be opened again";
  sha256 digest;
  std::vector<std::uint8_t> block(1U << 20U);
  for (std::int64_t left = size; left > 0;) {
    if (stop_requested()) return "not computed: stopped";
    const auto n =
        std::fread(block.data(), 1, std::min<std::size_t>(block.size(), static_cast<std::size_t>(left)), f.get());
    if (n == 0) return "not computed: the file cannot be read to its end";
    digest.add({block.data(), n});
    left -= static_cast<std::int64_t>(n);
  }
  return to_hex(digest.finish());
}
}  // namespace

std::string shown_command(const std::vector<std::string>& arguments) {
  std::string out;
  bool hide = false;
  for (const auto& a : arguments) {
    const auto equals = a.find('=');
    const auto is_hidden = [&](std::string_view name) {
      return std::find(hidden.begin(), hidden.end(), name) != hidden.end();
    };
    std::string shown = a;
    if (a.size() > 1 && a.front() == '-') {
      hide = is_hidden(a);
      if (equals != a.npos && is_hidden(a.substr(0, equals))) shown = a.substr(0, equals + 1) + in_place_of_it;
    } else if (hide) {
      shown = in_place_of_it;
    }
    out += (out.empty() ? "" : " ") + (out.empty() ? shell_word(a.substr(a.find_last_of('/') + 1)) : shell_word(shown));
  }
  return out;
}

page_facts facts_of(const sniffer_settings& s, const phy::sigmf_reader* recording) {
  page_facts f;
  f.live = recording == nullptr;
  f.source = f.live ? s.device : s.iq;
  if (f.live) {
    f.frequency_hz = s.radio.center_freq_hz;
  } else if (!recording->meta().captures.empty()) {
    f.frequency_hz = recording->meta().captures.front().frequency_hz.value_or(0);
    f.recorded = recording->meta().captures.front().datetime;
  }
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  char text[40];
  if (gmtime_r(&now, &utc) != nullptr && std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S UTC", &utc) > 0)
    f.judged = text;
  f.version = "prose-sniffer " + version_and_commit();
  return f;
}

std::future<std::string> start_digest(const phy::sigmf_reader& recording) {
  return std::async(std::launch::async, digest_of, recording.data_path(), recording.data_begin(),
                    recording.data_bytes());
}

}  // namespace prose::apps
