#include "apps/lib/keys/consent_list.h"

#include <sys/file.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <sstream>
#include <thread>
#include <utility>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/key_file.h"
#include "common/hex.h"
#include "security/identity.h"

namespace prose::keys {
namespace {

constexpr std::string_view kind = "consent";
constexpr int version = 1;
constexpr const char* accepted =
    "; accepted: NAME pending|trust-first|withdrawn, NAME first|confirmed|suspended KEY, NAME fingerprint HEX";
constexpr std::array<std::pair<consent_state, std::string_view>, 7> words{{{consent_state::pending, "pending"},
                                                                           {consent_state::trust_first, "trust-first"},
                                                                           {consent_state::fingerprint, "fingerprint"},
                                                                           {consent_state::first, "first"},
                                                                           {consent_state::confirmed, "confirmed"},
                                                                           {consent_state::suspended, "suspended"},
                                                                           {consent_state::withdrawn, "withdrawn"}}};

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// Gives up after a time: a program that hangs while it holds the lock must not stop us for good.
result<apps::file_descriptor> lock(const std::string& path) {
  auto fd = apps::open_private_output(path, apps::output_mode::append);
  if (!fd) return fd;
  for (int tries = 0; ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (tries == 100) return fail(path + ": another program holds it");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return fd;
}

}  // namespace

std::string_view name_of(consent_state s) {
  for (const auto& [state, word] : words)
    if (state == s) return word;
  return "?";
}

result<std::array<std::uint8_t, 32>> fingerprint_from_text(std::string_view text) {
  std::array<std::uint8_t, 32> out{};
  std::size_t n = 0;
  for (const char c : text) {
    if (c == ' ') continue;
    const int d = digit(c);
    if (d < 0 || n == 64) {
      n = 0;
      break;
    }
    out[n / 2] = static_cast<std::uint8_t>(out[n / 2] << 4 | d);
    ++n;
  }
  if (n != 64)
    return fail("not a fingerprint; accepted: the eight groups of eight digits that prose-keys fingerprint prints");
  return out;
}

result<consent_list> parse_consents(std::string_view text, const std::string& path) {
  consent_list out;
  std::map<std::array<std::uint8_t, 32>, std::string> keys_of;
  std::istringstream lines{std::string(text)};
  std::string line;
  const auto is = apps::version_of(text, kind, version, path);
  if (!is) return tl::unexpected(is.error());
  if (*is != version) return fail(path + ":1: not a consent list; accepted: a file of prose-keys grant, or none");
  std::getline(lines, line);
  for (int n = 2; std::getline(lines, line); ++n) {
    const auto refuse = [&](const std::string& why) {
      return fail(path + ":" + std::to_string(n) + ": " + why + accepted);
    };
    std::istringstream in(line);
    std::string name, word, value, more;
    in >> name >> word >> value >> more;
    if (name.empty() || name[0] == '#') continue;
    if (name == "imported" && word.empty()) {
      out.imported = true;
      continue;
    }
    if (!valid_name(name)) return refuse("a name has 1 to 64 of a-z A-Z 0-9 . _ -");
    const auto* const known = std::find_if(words.begin(), words.end(), [&](const auto& w) { return w.second == word; });
    if (known == words.end()) return refuse("no such state");
    consent c{known->first, {}};
    if (c.has_key()) {
      const auto octets = key_from_base64(value, "the key of '" + name + "'");
      if (!octets) return refuse(octets.error().message);
      c.value = *octets;
      if (!security::canonical(c.key())) return refuse("the key of '" + name + "' is not canonical");
    } else if (c.state == consent_state::fingerprint) {
      const auto octets = fingerprint_from_text(value);
      if (!octets || value.size() != 64) return refuse("the fingerprint of '" + name + "' is not 64 digits of hex");
      c.value = *octets;
    } else if (!value.empty()) {
      return refuse("unknown words after the state");
    }
    if (!more.empty()) return refuse("unknown words at the end");
    if (out.entries.contains(name)) return refuse("the name '" + name + "' is there twice");
    if (c.has_key())
      if (const auto [other, is_new] = keys_of.emplace(c.value, name); !is_new)
        return refuse("'" + other->second + "' and '" + name + "' have the same key");
    if (out.entries.size() >= consent_list::max_entries)
      return refuse("more than " + std::to_string(consent_list::max_entries) + " names");
    out.entries.emplace(std::move(name), c);
  }
  return out;
}

std::string to_text(const consent_list& list) {
  std::string text = apps::version_line(kind, version);
  text += "# whom servers may link, by prose-keys grant and withdraw\n";
  if (list.imported) text += "imported\n";
  for (const auto& [name, c] : list.entries) {
    text.append(name).append(" ").append(name_of(c.state));
    if (c.has_key()) text.append(" ").append(to_base64(c.value));
    if (c.state == consent_state::fingerprint) text.append(" ").append(to_hex(c.value));
    text += '\n';
  }
  return text;
}

std::string default_consent_path(const std::string& private_key) { return private_key + ".consent"; }

result<consent_list> read_consents(const std::string& path) {
  if (apps::is_absent(path)) return consent_list{};
  const auto text = apps::read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  return parse_consents(*text, path);
}

result<void> change_consents(const std::string& path, const std::function<result<void>(consent_list&)>& change) {
  const auto held = lock(path + ".lock");
  if (!held) return tl::unexpected(held.error());
  auto list = read_consents(path);
  if (!list) return tl::unexpected(list.error());
  const auto before = *list;
  if (auto ok = change(*list); !ok) return ok;
  if (*list == before && !apps::is_absent(path)) return {};
  const auto text = to_text(*list);
  // What cannot be read again, such as one key under two names, is not written.
  if (auto readable = parse_consents(text, path); !readable) return tl::unexpected(readable.error());
  return apps::replace_private_file(path, text);
}

}  // namespace prose::keys
