#include "apps/lib/keys/key_file.h"

#include "apps/lib/common/safe_file.h"
#include "common/hex.h"

#include <mbedtls/base64.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <sstream>

namespace prose::keys {
namespace {

constexpr int permissions_version = 1, mark_version = 1;

template <class Key>
result<Key> read_secret(const std::string& path, const std::string& what) {
  auto text = apps::read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  const bool is_pem = text->find("-----BEGIN ") != std::string::npos;
  auto octets = key_from_base64(pasted(*text), path + ": " + what);
  security::wipe({reinterpret_cast<std::uint8_t*>(text->data()), text->size()});
  if (!octets && is_pem)
    return fail(path + " is a TLS key (prose-keys ca issue), not " + what +
                "; accepted: an X25519 key, one line that prose-keys gen made");
  if (!octets) return tl::unexpected(octets.error());
  const bool zero = std::all_of(octets->begin(), octets->end(), [](auto b) { return b == 0; });
  Key key(*octets);
  security::wipe(*octets);
  if (zero) return fail(path + ": " + what + " is all zero; accepted: one that prose-keys gen made");
  return key;
}

}  // namespace

std::string to_base64(security::bytes_view octets) {
  std::string out(4 * ((octets.size() + 2) / 3) + 1, '\0');
  std::size_t n = 0;
  (void)mbedtls_base64_encode(reinterpret_cast<unsigned char*>(out.data()), out.size(), &n, octets.data(),
                              octets.size());
  out.resize(n);
  return out;
}

std::string_view pasted(std::string_view text) {
  constexpr std::string_view mark = "\xEF\xBB\xBF", blanks = " \t\r\n";
  if (text.starts_with(mark)) text.remove_prefix(mark.size());
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

result<std::array<std::uint8_t, 32>> key_from_base64(std::string_view text, const std::string& what) {
  const auto bad = [&] { return fail(what + " is not 32 octets in base64; accepted: one line of 44 characters"); };
  if (text.size() != 44) return bad();
  std::array<std::uint8_t, 33> raw{};
  std::size_t n = 0;
  const int rc = mbedtls_base64_decode(raw.data(), raw.size(), &n, reinterpret_cast<const unsigned char*>(text.data()),
                                       text.size());
  std::array<std::uint8_t, 32> out{};
  std::copy_n(raw.begin(), 32, out.begin());
  security::wipe(raw);
  if (rc != 0 || n != 32 || to_base64(out) != text) {
    security::wipe(out);
    return bad();
  }
  return out;
}

result<security::static_private_key> read_private_key(const std::string& path) {
  return read_secret<security::static_private_key>(path, "the private key");
}

result<security::pre_shared_key> read_psk(const std::string& path) {
  return read_secret<security::pre_shared_key>(path, "the pre-shared key");
}

result<void> write_secret(const std::string& path, security::bytes_view octets) {
  std::string text = to_base64(octets) + '\n';
  auto ok = apps::create_private_file(path, text);
  security::wipe({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  return ok;
}

result<int> open_key_log(const std::string& path) {
  auto fd = apps::open_private_output(path, apps::output_mode::append);
  if (!fd) return tl::unexpected(fd.error());
  return fd->release();
}

result<security::public_key> check_public_key(const std::string& base64, security::dh_port& dh,
                                              security::random_port& random) {
  const auto octets = key_from_base64(pasted(base64), "the public key");
  if (!octets) return tl::unexpected(octets.error());
  const security::public_key key{*octets};
  if (!security::canonical(key))
    return fail("the public key is not in its canonical form (top bit clear, below 2^255 - 19)");
  const auto probe = security::static_private_key::make([&](auto k) { random.fill(k); });
  if (!dh.agree(probe, key)) return fail("the public key is all-zero or of low order");
  return key;
}

bool valid_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
  });
}

result<std::vector<permission>> parse_permissions(const std::string& text, const std::string& path,
                                                  security::dh_port& dh, security::random_port& random) {
  if (const auto version = apps::version_of(text, "permissions", permissions_version, path); !version)
    return tl::unexpected(version.error());
  std::vector<permission> out;
  std::istringstream lines(text);
  std::string line;
  for (int n = 1; std::getline(lines, line); ++n) {
    const auto refuse = [&](const std::string& why) {
      return fail(path + ":" + std::to_string(n) + ": " + why + "; accepted: NAME PUBLIC-KEY [psk=FILE]");
    };
    std::istringstream words(n == 1 ? std::string(pasted(line)) : line);
    std::string name, key, extra;
    words >> name >> key >> std::ws;
    std::getline(words, extra);  // a path may have blanks
    extra = pasted(extra);
    if (name.empty() || name[0] == '#') continue;
    if (!valid_name(name)) return refuse("a name has 1 to 64 of a-z A-Z 0-9 . _ -");
    const auto checked = check_public_key(key, dh, random);
    if (!checked) return refuse(checked.error().message);
    permission p{name, *checked, {}};
    if (!extra.empty()) {
      if (!extra.starts_with("psk=") || extra.size() == 4) return refuse("unknown words after the key");
      p.psk_path = extra.substr(4);
    }
    for (const auto& q : out) {
      if (q.name == p.name) return refuse("the name '" + p.name + "' occurs twice");
      if (q.key == p.key) return refuse("'" + q.name + "' and '" + p.name + "' have the same public key");
    }
    out.push_back(std::move(p));
  }
  return out;
}

result<std::vector<permission>> read_permissions(const std::string& path, security::dh_port& dh,
                                                 security::random_port& random) {
  const auto text = apps::read_trusted_file(path);
  if (!text) return tl::unexpected(text.error());
  return parse_permissions(*text, path, dh, random);
}

result<std::vector<permission>> read_private_permissions(const std::string& path, security::dh_port& dh,
                                                         security::random_port& random) {
  const auto text = apps::read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  return parse_permissions(*text, path, dh, random);
}

namespace {
std::string line_of(const permission& p) {
  return p.name + ' ' + to_base64(p.key.octets) + (p.psk_path.empty() ? "" : " psk=" + p.psk_path) + '\n';
}
std::string text_of(const std::vector<permission>& all) {
  std::string text = apps::version_line("permissions", permissions_version);
  text += "# NAME PUBLIC-KEY [psk=FILE]; links need such a line on both sides\n";
  for (const auto& p : all) text += line_of(p);
  return text;
}
}  // namespace

std::string psk_file(const std::string& permissions_path, const std::string& psk_path) {
  const auto beside = std::filesystem::path(permissions_path).parent_path() / psk_path;
  std::error_code ignored;
  return !std::filesystem::exists(beside, ignored) && std::filesystem::exists(psk_path, ignored) ? psk_path
                                                                                                 : beside.string();
}

result<void> write_permissions(const std::string& path, const std::vector<permission>& all) {
  return apps::replace_trusted_file(path, text_of(all));
}

result<void> change_permission(const std::string& path, const std::string& name, const permission* now,
                               security::dh_port& dh, security::random_port& random) {
  std::string old = text_of({});
  if (!apps::is_absent(path)) {
    auto text = apps::read_trusted_file(path);
    if (!text) return tl::unexpected(text.error());
    old = std::move(*text);
  }
  std::string text;
  bool written = now == nullptr;
  for (std::size_t at = 0; at < old.size();) {
    const std::size_t end = std::min(old.find('\n', at), old.size() - 1) + 1;
    const std::string_view line = std::string_view(old).substr(at, end - at);
    const std::string_view words = pasted(line);
    at = end;
    if (words.substr(0, words.find_first_of(" \t")) != name) {
      text += line;
    } else if (!written) {
      text += line_of(*now);
      written = true;
    }
  }
  if (!text.empty() && text.back() != '\n') text += '\n';
  if (!written) text += line_of(*now);
  // A file that this program could not read again must not replace one that it can.
  const auto back = parse_permissions(text, path, dh, random);
  if (!back) return tl::unexpected(back.error());
  if (now != nullptr && std::none_of(back->begin(), back->end(), [&](const auto& p) {
        return p.name == now->name && p.key == now->key && p.psk_path == now->psk_path;
      }))
    return fail(path + ": psk=" + now->psk_path +
                " could not be read again; accepted: a path without line breaks and without blanks at its ends");
  return apps::replace_trusted_file(path, text);
}

result<void> write_private_permissions(const std::string& path, const std::vector<permission>& all) {
  return apps::replace_private_file(path, text_of(all));
}

std::string fingerprint_text(const security::public_key& own, const security::public_key& other) {
  const auto digest = security::pair_fingerprint(own, other);
  std::string text;
  for (std::size_t i = 0; i < digest.size(); i += 4) {
    if (i != 0) text += ' ';
    text += to_hex(security::bytes_view(digest).subspan(i, 4));
  }
  return text;
}

result<std::optional<security::slot_t>> read_mark(const std::string& path) {
  if (apps::is_absent(path)) return std::optional<security::slot_t>{};
  auto text = apps::read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  const auto version = apps::version_of(*text, "mark", mark_version, path);
  if (!version) return tl::unexpected(version.error());
  if (*version > 0) text->erase(0, std::min(text->find('\n'), text->size() - 1) + 1);
  while (!text->empty() && text->back() == '\n') text->pop_back();
  security::slot_t v = 0;
  const auto r = std::from_chars(text->data(), text->data() + text->size(), v);
  if (r.ec != std::errc{} || r.ptr != text->data() + text->size())
    return fail(path + (*version > 0 ? ":2" : ":1") + ": not a slot number; accepted: one unsigned 32-bit number");
  return std::optional<security::slot_t>{v};
}

result<void> write_mark(const std::string& path, security::slot_t mark) {
  return apps::replace_private_file(path, apps::version_line("mark", mark_version) + std::to_string(mark) + '\n');
}

result<void> check_mark_writable(const std::string& path) { return apps::check_replaceable(path); }

}  // namespace prose::keys
