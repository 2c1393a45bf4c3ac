#include "apps/lib/capture/link_opener.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "security/pdcp.h"

namespace prose::apps {
namespace {
constexpr std::uintmax_t max_key_log_bytes = 64U << 20U;

result<std::string> read_all(const std::string& path) {
  std::error_code ignored;
  std::ifstream in(path, std::ios::binary);
  if (!in || std::filesystem::is_directory(path, ignored)) return fail(path + ": cannot be read");
  std::error_code ec;
  if (const auto n = std::filesystem::file_size(path, ec); !ec && n > max_key_log_bytes)
    return fail(path + ": is no key log: larger than 64 MiB");
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
  auto keys =
      parse_key_log(std::string_view(*text).substr(0, whole == std::string::npos ? text->size() : whole + 1), path);
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

link_opener::flow& link_opener::flow_of(const flow_name& name) {
  if (const auto at = flows_.find(name); at != flows_.end()) {
    by_use_.splice(by_use_.end(), by_use_, at->second.place);
    return at->second;
  }
  if (flows_.size() >= max_flows) {
    flows_.erase(by_use_.front());
    by_use_.pop_front();
  }
  by_use_.push_back(name);
  return flows_.try_emplace(name, std::prev(by_use_.end())).first->second;
}

bool link_opener::named(const flow_name& name) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const auto& k) { return flow_name{k.src, k.dst} == name; });
}

void link_opener::add(const captured_frame& f, const std::function<void(const opened&)>& give) {
  if (f.repetition) return;
  const auto pdu = sl_sch_of(f);
  if (!pdu) return;
  std::size_t budget = octets_a_frame;
  for (const auto& s : pdu->all()) {
    if (!mac::carries_data(s.lcid) && s.lcid != mac::lcid_pc5s_protected) continue;
    const auto& h = pdu->header;
    flow& of = flow_of({h.src, h.dst});
    mac::rlc_um_counters c;
    of.rlc.receive(s.lcid, s.data, budget, *work_, c, [&](std::span<const std::uint8_t> x) {
      if (!sdu(h.src, h.dst, s.lcid, x, give)) return mac::sdu_verdict::forged;
      of.opened = true;
      return mac::sdu_verdict::verified;
    });
    if (c.young_dropped + c.searches_cut + c.trials_refused > 0 && (of.opened || named({h.src, h.dst})))
      bound_hit_ = true;
  }
}

bool link_opener::sdu(std::uint32_t src, std::uint32_t dst, std::uint8_t lcid, std::span<const std::uint8_t> pdu,
                      const std::function<void(const opened&)>& give) {
  const auto header = security::read_pdcp_header(pdu);
  if (!header) return false;
  do {
    for (const auto& key : keys_) {
      const auto plain = security::open_with(key, lcid, pdu);
      if (!plain) continue;
      ++n_opened_;
      give({src, dst, lcid, static_cast<std::uint8_t>(header->type), *plain});
      return true;
    }
  } while (read_again());
  ++n_closed_;
  return false;
}

}  // namespace prose::apps
