#include "apps/lib/keys/secret_lines.h"

#include <sstream>

#include "apps/lib/common/safe_file.h"
#include "security/secret.h"

namespace prose::keys {

void wipe(std::string& text) { security::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()}); }

namespace {
result<void> read_line(const std::string& line,
                       const std::function<result<void>(const std::vector<std::string>&)>& take) {
  std::istringstream stream(line);
  std::vector<std::string> words;
  for (std::string w; stream >> w;) words.push_back(w);
  result<void> ok;
  if (!words.empty() && words[0][0] != '#') ok = take(words);
  for (auto& w : words) wipe(w);
  return ok;
}
}  // namespace

result<void> read_secret_lines(const secret_lines& file,
                               const std::function<result<void>(const std::vector<std::string>&)>& take) {
  auto text = apps::read_private_file(file.path);
  if (!text) return tl::unexpected(text.error());
  auto ok = apps::version_of(*text, file.kind, file.version, file.path);
  result<void> all;
  if (!ok) all = tl::unexpected(ok.error());
  std::istringstream lines(*text);
  std::string line;
  for (int n = 1; all && std::getline(lines, line); ++n) {
    if (const auto taken = read_line(line, take); !taken)
      all = fail(file.path + ":" + std::to_string(n) + ": " + taken.error().message + "; accepted: " + file.accepted);
    wipe(line);
  }
  wipe(*text);
  return all;
}

}  // namespace prose::keys
