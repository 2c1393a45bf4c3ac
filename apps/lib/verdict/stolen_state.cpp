#include "apps/lib/verdict/stolen_state.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "apps/lib/keys/key_file.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
constexpr std::size_t most_octets = 1U << 24;
constexpr std::string_view key_log_word = "PROSE_RECORD_KEY";

result<std::string> octets_of_file(const std::string& path) {
  // A stream of a directory opens, and reads as if it were empty: nothing would be tried, and nothing found.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored))
    return fail(path + ": is a directory; accepted: files, each by its own --compromised");
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(path + ": cannot be read");
  std::string text(most_octets + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(file.gcount());
  // What lies beyond would not be tried, and the verdict would not say so.
  if (text.size() > most_octets) return fail(path + ": larger than 16 MiB; accepted: several smaller files");
  return text;
}
}  // namespace

result<stolen_file> parse_stolen_state(std::string_view text, const std::string& path) {
  stolen_file out;
  out.path = path;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int n = 1; std::getline(lines, line); ++n) {
    const bool unfinished = lines.eof();
    line = keys::pasted(line);
    if (line.empty() || line[0] == '#') continue;
    if (unfinished && key_log_word.starts_with(line)) continue;
    if (line.starts_with(key_log_word)) {
      auto k = security::parse_key_log_line(line);
      if (!k && unfinished) continue;
      if (!k) return fail(path + ":" + std::to_string(n) + ": " + k.error().message);
      out.logged_keys.push_back(std::move(*k));
      continue;
    }
    if (const auto key = keys::key_from_base64(line, path)) {
      out.secrets.push_back({"static private key", {key->begin(), key->end()}});
      continue;
    }
    std::istringstream words(line);
    std::string name, second, rest;
    words >> name >> second >> std::ws;
    std::getline(words, rest);
    const std::string_view option = keys::pasted(rest);
    if (const auto key = keys::key_from_base64(second, path)) {
      out.names.push_back(name);
      out.publics.push_back({*key});
      if (option.starts_with("psk=") && option.size() > 4) out.psk_paths.emplace_back(option.substr(4));
      continue;
    }
    const auto at = line.find_last_of(' ');
    const auto octets = at == std::string::npos ? std::nullopt : from_hex(std::string_view(line).substr(at + 1));
    if (!octets || octets->empty())
      return fail(path + ":" + std::to_string(n) +
                  ": not a secret; accepted: a key in base64, a permission, a key-log line, or NAME HEX of memory");
    out.secrets.push_back({line.substr(0, at), *octets});
  }
  return out;
}

result<stolen_file> load_stolen_state(const std::string& path) {
  const auto text = octets_of_file(path);
  if (!text) return tl::unexpected(text.error());
  auto out = parse_stolen_state(*text, path);
  if (!out) return out;
  for (const auto& named : out->psk_paths) {
    const auto file = keys::psk_file(path, named);
    const auto psk = octets_of_file(file);
    if (!psk) return fail(path + ": psk=" + named + ": " + psk.error().message);
    const auto key = keys::key_from_base64(keys::pasted(*psk), file + ": the pre-shared key");
    if (!key) return tl::unexpected(key.error());
    out->secrets.push_back({named + " psk", {key->begin(), key->end()}});
  }
  return out;
}

}  // namespace prose::apps
