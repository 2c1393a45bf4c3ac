#include "apps/verdict/stolen_state.h"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "apps/keys/key_file.h"
#include "common/hex.h"

namespace prose::apps {

result<stolen_file> parse_stolen_state(std::string_view text, const std::string& path) {
  stolen_file out;
  out.path = path;
  std::istringstream lines{std::string(text)};
  std::string line;
  for (int n = 1; std::getline(lines, line); ++n) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) line.pop_back();
    if (line.empty() || line[0] == '#') continue;
    if (line.rfind("PROSE_RECORD_KEY", 0) == 0) {
      auto k = security::parse_key_log_line(line);
      if (!k) return fail(path + ":" + std::to_string(n) + ": " + k.error().message);
      out.logged_keys.push_back(std::move(*k));
      continue;
    }
    if (const auto key = keys::key_from_base64(line, path)) {
      out.secrets.push_back({"static private key", {key->begin(), key->end()}});
      continue;
    }
    std::istringstream words(line);
    std::string name, second;
    words >> name >> second;
    if (const auto key = keys::key_from_base64(second, path)) {
      out.names.push_back(name);
      out.publics.push_back({*key});
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
  // A stream of a directory opens, and reads as if it were empty: nothing would be tried, and nothing found.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return fail(path + ": is a directory; accepted: files, each by its own --compromised");
  std::ifstream file(path, std::ios::binary);
  if (!file) return fail(path + ": cannot be read");
  std::string text(1U << 24, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return parse_stolen_state(text, path);
}

}  // namespace prose::apps
