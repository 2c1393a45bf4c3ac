#include "apps/lib/keys/code_file.h"

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/secret_lines.h"
#include "common/hex.h"

namespace prose::keys {
namespace {

using security::ts33303::secured_code;
constexpr int codes_version = 1;
constexpr const char* own_name = "*";
constexpr const char* words_of_a_line = "NAME CODE DUSK DUIK DUCK, as prose-keys code writes them";

std::string text_of(const secured_code& c) {
  return to_hex(c.code) + ' ' + to_base64(c.keys.dusk->expose()) + ' ' + to_base64(c.keys.duik->expose()) + ' ' +
         to_base64(c.keys.duck->expose()) + '\n';
}

template <class Key>
result<void> parse_key(std::optional<Key>& key, const std::string& text, const char* what) {
  auto octets = key_from_base64(text, what);
  if (!octets) return tl::unexpected(octets.error());
  key.emplace(*octets);
  security::wipe(*octets);
  return {};
}

result<secured_code> parse_code(std::span<const std::string> words) {
  if (words.size() != 4) return fail("there are not four words of a code");
  const auto code = from_hex(words[0]);
  secured_code c;
  if (!code || code->size() != c.code.size()) return fail("the code is not 46 hexadecimal digits");
  std::ranges::copy(*code, c.code.begin());
  if (auto ok = parse_key(c.keys.dusk, words[1], "the DUSK"); !ok) return tl::unexpected(ok.error());
  if (auto ok = parse_key(c.keys.duik, words[2], "the DUIK"); !ok) return tl::unexpected(ok.error());
  if (auto ok = parse_key(c.keys.duck, words[3], "the DUCK"); !ok) return tl::unexpected(ok.error());
  c.keys.encrypted_bits.fill(0xff);
  return c;
}

}  // namespace

result<code_book> read_codes(const std::string& path) {
  code_book all;
  auto take = [&all](const std::vector<std::string>& words) -> result<void> {
    const bool own = words[0] == own_name;
    if (!own && !valid_name(words[0])) return fail("a name has 1 to 64 of a-z A-Z 0-9 . _ -, or is * for the own code");
    auto code = parse_code(std::span(words).subspan(1));
    if (!code) return fail(code.error().message);
    if (own ? all.own.has_value() : all.of_peers.contains(words[0]))
      return fail("the name '" + words[0] + "' occurs twice");
    if (own)
      all.own = std::move(*code);
    else
      all.of_peers.emplace(words[0], std::move(*code));
    return {};
  };
  if (auto ok = read_secret_lines({path, "codes", codes_version, words_of_a_line}, take); !ok)
    return tl::unexpected(ok.error());
  return all;
}

result<void> write_codes(const std::string& path, const code_book& all) {
  std::string text = apps::version_line("codes", codes_version) +
                     "# NAME CODE DUSK DUIK DUCK; whoever reads this announces as each of them\n";
  if (all.own) text += own_name + (' ' + text_of(*all.own));
  for (const auto& [name, code] : all.of_peers) text += name + ' ' + text_of(code);
  auto ok = apps::replace_private_file(path, text);
  wipe(text);
  return ok;
}

result<secured_code> read_code(const std::string& path) {
  auto text = apps::read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  std::istringstream stream(*text);
  std::vector<std::string> words;
  for (std::string w; stream >> w;) words.push_back(w);
  wipe(*text);
  auto code = parse_code(words);
  for (auto& w : words) wipe(w);
  if (!code) return fail(path + ": " + code.error().message + "; accepted: one line that prose-keys code --to made");
  return code;
}

result<void> write_code(const std::string& path, const secured_code& code) {
  std::string text = text_of(code);
  auto ok = apps::create_private_file(path, text);
  wipe(text);
  return ok;
}

}  // namespace prose::keys
