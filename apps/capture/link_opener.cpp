#include "apps/capture/link_opener.h"

#include <filesystem>
#include <fstream>
#include <iterator>

#include "mac/pdcp.h"

namespace prose::apps {
namespace {
constexpr std::uintmax_t max_key_log_bytes = 64U << 20U;

result<std::string> read_all(const std::string& path) {
  std::error_code ignored;
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path, ignored)) return fail(path + ": cannot be read");
  std::error_code ec;
  if (const auto n = std::filesystem::file_size(path, ec); !ec && n > max_key_log_bytes) return fail(path + ": is no key log: larger than 64 MiB");
  return std::string(std::istreambuf_iterator<char>(in), {});
}
}  // namespace

result<std::vector<security::logged_key>> parse_key_log(std::string_view text, const std::string& path) {
  std::vector<security::logged_key> keys;
  for (int number = 1; !text.empty(); ++number) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (const auto last = line.find_last_not_of(" \t\r"); last == std::string_view::npos) continue;
    if (line[line.find_first_not_of(" \t\r")] == '#') continue;
    auto key = security::parse_key_log_line(line);
    if (!key) return fail(path + ":" + std::to_string(number) + ": " + key.error().message);
    keys.push_back(std::move(*key));
  }
  return keys;
}

result<link_opener> link_opener::open(const std::string& path) {
  const auto text = read_all(path);
  if (!text) return tl::unexpected(text.error());
  // A UE may be writing its last line.
  const auto whole = text->rfind('\n');
  auto keys = parse_key_log(std::string_view(*text).substr(0, whole == std::string::npos ? text->size() : whole + 1), path);
  if (!keys) return tl::unexpected(keys.error());
  link_opener o(std::move(*keys));
  o.path_ = path;
  o.size_read_ = text->size();
  return o;
}

bool link_opener::read_again() {
  if (path_.empty()) return false;
  std::error_code ec;
  const auto size = std::filesystem::file_size(path_, ec);
  if (ec || size == size_read_) return false;
  auto fresh = open(path_);
  if (!fresh) return false;
  keys_ = std::move(fresh->keys_);
  size_read_ = fresh->size_read_;
  return true;
}

void link_opener::add(const captured_frame& f, const std::function<void(const opened&)>& give) {
  if (f.repetition) return;
  const auto pdu = sl_sch_of(f);
  if (!pdu) return;
  for (const auto& s : pdu->all()) {
    if (!mac::carries_data(s.lcid) && s.lcid != mac::lcid_pc5s_protected) continue;
    const auto& h = pdu->header;
    if (entities_.size() >= max_entities && !entities_.contains({h.src, h.dst, s.lcid})) entities_.clear();
    entities_[{h.src, h.dst, s.lcid}].receive(s.data, counters_, [&](std::span<const std::uint8_t> x) { sdu(h.src, h.dst, s.lcid, x, give); });
  }
}

void link_opener::sdu(std::uint32_t src, std::uint32_t dst, std::uint8_t lcid, std::span<const std::uint8_t> pdu,
                      const std::function<void(const opened&)>& give) {
  const auto header = mac::parse_pdcp(pdu);
  if (!header) return;
  do {
    for (const auto& key : keys_) {
      const auto plain = security::open_with(key, lcid, pdu);
      if (!plain) continue;
      ++n_opened_;
      give({src, dst, lcid, static_cast<std::uint8_t>(header->type), *plain});
      return;
    }
  } while (read_again());
  ++n_closed_;
}

}  // namespace prose::apps
