#include "apps/lib/keys/kd_file.h"

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/secret_lines.h"

namespace prose::keys {
namespace {

using security::ts33303::kd_key;
using security::ts33303::shared_kd;
constexpr int kds_version = 1;
constexpr const char* words_of_a_line = "NAME KD-ID KD, as prose-keys kd writes them";

std::string text_of(const shared_kd& kd) {
  char id[16];
  std::snprintf(id, sizeof id, "%08x ", kd.id);
  return id + to_base64(kd.kd.expose()) + '\n';
}

result<shared_kd> parse_kd(const std::string& id, const std::string& key) {
  const bool hex = id.size() == 8 && id.find_first_not_of("0123456789abcdef") == std::string::npos;
  if (!hex) return fail("the KD ID is not 8 hexadecimal digits");
  auto octets = key_from_base64(key, "the KD");
  if (!octets) return tl::unexpected(octets.error());
  const bool zero = std::ranges::all_of(*octets, [](auto b) { return b == 0; });
  shared_kd kd{static_cast<std::uint32_t>(std::stoul(id, nullptr, 16)), kd_key(*octets)};
  security::wipe(*octets);
  if (zero) return fail("the KD is all zero");
  return kd;
}

}  // namespace

result<kd_map> read_kds(const std::string& path) {
  kd_map all;
  auto ok = read_secret_lines({path, "kds", kds_version, words_of_a_line},
                              [&](const std::vector<std::string>& words) -> result<void> {
                                if (!valid_name(words[0])) return fail("a name has 1 to 64 of a-z A-Z 0-9 . _ -");
                                if (words.size() != 3)
                                  return fail("there are " + std::to_string(words.size()) + " words");
                                auto kd = parse_kd(words[1], words[2]);
                                if (!kd) return fail(kd.error().message);
                                if (!all.emplace(words[0], std::move(*kd)).second)
                                  return fail("the name '" + words[0] + "' occurs twice");
                                return {};
                              });
  if (!ok) return tl::unexpected(ok.error());
  return all;
}

result<void> write_kds(const std::string& path, const kd_map& all) {
  std::string text = apps::version_line("kds", kds_version) + "# NAME KD-ID KD; whoever reads this reads every link\n";
  for (const auto& [name, kd] : all) text += name + ' ' + text_of(kd);
  auto ok = apps::replace_private_file(path, text);
  wipe(text);
  return ok;
}

result<shared_kd> read_kd(const std::string& path) {
  auto text = apps::read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  std::istringstream words(*text);
  std::string id, key, extra;
  words >> id >> key >> extra;
  wipe(*text);
  auto kd = extra.empty() ? parse_kd(id, key) : fail("more than one KD");
  wipe(key);
  if (!kd) return fail(path + ": " + kd.error().message + "; accepted: one line that prose-keys kd --to made");
  return kd;
}

result<void> write_kd(const std::string& path, const shared_kd& kd) {
  std::string text = text_of(kd);
  auto ok = apps::create_private_file(path, text);
  wipe(text);
  return ok;
}

shared_kd new_kd(security::random_port& random) {
  std::array<std::uint8_t, 4> id{};
  random.fill(id);
  return {std::uint32_t{id[0]} << 24 | std::uint32_t{id[1]} << 16 | std::uint32_t{id[2]} << 8 | id[3],
          kd_key::make([&](auto out) { random.fill(out); })};
}

}  // namespace prose::keys
