#include "apps/ue/host_addresses.h"

#include <algorithm>
#include <sstream>

#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/key_file.h"

namespace prose::apps {
namespace {

constexpr const char* table_kind = "ipv4-addresses";
constexpr const char* hosts_kind = "hosts";
constexpr int version = 1;

/// Empty where there is no such file.
result<std::optional<std::string>> read_if_there(const std::string& path) {
  if (is_absent(path)) return std::optional<std::string>{};
  auto text = read_private_file(path);
  if (!text) return tl::unexpected(text.error());
  return std::optional<std::string>{std::move(*text)};
}

/// Checks that the file is one of ours and of a known version; 0: a file without a version.
result<void> check_version(const std::string& text, const char* kind, const std::string& path, const char* accepted) {
  const auto found = version_of(text, kind, version, path);
  if (!found) return tl::unexpected(found.error());
  if (*found == 0) return fail(path + ": there is a file that prose-ue did not write; accepted: " + accepted);
  return {};
}

bool holds(const std::vector<ip_address>& all, const ip_address& a) {
  return std::find(all.begin(), all.end(), a) != all.end();
}

}  // namespace

result<ipv4_table> ipv4_table::open(std::string path, security::random_port& random,
                                    std::vector<ip_address> configured) {
  auto text = read_if_there(path);
  if (!text) return tl::unexpected(text.error());
  ipv4_table t(std::move(path), random, std::move(configured));
  if (*text)
    if (auto ok = t.parse(**text); !ok) return tl::unexpected(ok.error());
  return t;
}

result<void> ipv4_table::parse(const std::string& text) {
  if (auto ok = check_version(text, table_kind, path_, "another data.ipv4_table, or a file that is not there yet"); !ok)
    return ok;
  std::istringstream lines(text);
  std::string line;
  for (int n = 1; std::getline(lines, line); ++n) {
    const auto refuse = [&](const std::string& why) {
      return fail(path_ + ":" + std::to_string(n) + ": " + why + "; accepted: NAME PUBLIC-KEY OWN PEER");
    };
    std::istringstream words(line);
    std::string name, key, own, peer, more;
    words >> name >> key >> own >> peer >> more;
    if (name.empty() || name[0] == '#') continue;
    const auto octets = keys::key_from_base64(key, "the public key");
    const auto a = parse_ip_address(own), b = parse_ip_address(peer);
    if (!keys::valid_name(name)) return refuse("a name has 1 to 64 of a-z A-Z 0-9 . _ -");
    if (!octets) return refuse(octets.error().message);
    if (!a || !b || !more.empty() || a->length != 4 || b->length != 4 || !is_plain_unicast(*a) || !is_plain_unicast(*b))
      return refuse("no two IPv4 addresses after the key");
    if (*a == *b || is_used(*a) || is_used(*b)) return refuse("an address that is there already");
    for (const auto& r : rows_)
      if (r.name == name) return refuse("the name '" + name + "' occurs twice");
    rows_.push_back({name, {*octets}, {*a, *b}});
  }
  return {};
}

bool ipv4_table::is_used(const ip_address& a) const {
  return std::any_of(rows_.begin(), rows_.end(), [&](const row& r) { return r.pair.own == a || r.pair.peer == a; });
}

ip_address ipv4_table::draw() const {
  for (;;) {
    const auto v = random_->below(1U << 22);  // 10.64.0.0/10
    const ip_address a{
        {10, static_cast<std::uint8_t>(64 | v >> 16), static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)},
        4};
    // .0 and .255 at the end look like network and broadcast addresses to some tools.
    if (a.octets[3] != 0 && a.octets[3] != 255 && !is_used(a) && !holds(configured_, a)) return a;
  }
}

std::optional<address_pair> ipv4_table::find(const std::string& name, const security::public_key& key) const {
  const auto r = std::find_if(rows_.begin(), rows_.end(), [&](const row& x) { return x.name == name && x.key == key; });
  return r == rows_.end() ? std::nullopt : std::optional(r->pair);
}

result<address_pair> ipv4_table::of(const std::string& name, const security::public_key& key) {
  const auto same_name = std::find_if(rows_.begin(), rows_.end(), [&](const row& r) { return r.name == name; });
  if (same_name != rows_.end()) {
    if (same_name->key == key && !holds(configured_, same_name->pair.own) && !holds(configured_, same_name->pair.peer))
      return same_name->pair;
    rows_.erase(same_name);
  }
  if (rows_.size() >= 4096) rows_.erase(rows_.begin());  // the oldest; far more than a UE has peers
  rows_.push_back({name, key, {draw(), {}}});
  rows_.back().pair.peer = draw();
  if (auto ok = write(); !ok) {
    rows_.pop_back();
    return tl::unexpected(ok.error());
  }
  return rows_.back().pair;
}

result<void> ipv4_table::write() const {
  std::string text =
      version_line(table_kind, version) + "# NAME PUBLIC-KEY OWN PEER; drawn at random, of use to this host alone\n";
  for (const auto& r : rows_)
    text += r.name + ' ' + keys::to_base64(r.key.octets) + ' ' + to_string(r.pair.own) + ' ' + to_string(r.pair.peer) +
            '\n';
  if (auto ok = replace_private_file(path_, text); !ok)
    return fail(ok.error().message + " (data.ipv4_table; off: no IPv4 but what is configured)");
  return {};
}

link_addresses addresses_of(const security::peer& peer, const tun_config& own, const data_peer& configured,
                            const std::optional<address_pair>& drawn) {
  link_addresses a;
  a.link_ipv6 = a.host_ipv6 = {link_ipv6_address(peer.own_address), link_ipv6_address(peer.peer_address)};
  if (drawn) a.host_ipv4 = *drawn;
  if (own.ipv6.length != 0) a.host_ipv6.own = own.ipv6;
  if (configured.ipv6.length != 0) a.host_ipv6.peer = configured.ipv6;
  if (own.ipv4.length != 0) a.host_ipv4.own = own.ipv4;
  if (configured.ipv4.length != 0) a.host_ipv4.peer = configured.ipv4;
  if (a.host_ipv4.own.length == 0 || a.host_ipv4.peer.length == 0) a.host_ipv4 = {};
  return a;
}

result<void> write_hosts(const std::string& path, const std::vector<std::pair<std::string, link_addresses>>& peers) {
  const auto present = read_if_there(path);
  if (!present) return tl::unexpected(present.error());
  if (*present)
    if (auto ok = check_version(**present, hosts_kind, path, "another data.hosts, or a file that is not there yet");
        !ok)
      return ok;
  std::string text = version_line(hosts_kind, version) + "# replaced whenever a peer comes or goes\n";
  for (const auto& [name, a] : peers)
    for (const auto& pair : {a.host_ipv6, a.host_ipv4})
      if (pair.peer.length != 0) text += to_string(pair.peer) + ' ' + name + "  # from " + to_string(pair.own) + '\n';
  return replace_private_file(path, text);
}

}  // namespace prose::apps
