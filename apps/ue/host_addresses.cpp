#include "apps/ue/host_addresses.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <sstream>
#include <string_view>

#include "apps/common/file_descriptor.h"
#include "apps/keys/key_file.h"

namespace prose::apps {
namespace {

constexpr std::string_view table_head = "# prose-ue IPv4 addresses 1";
constexpr std::string_view hosts_head = "# prose-ue hosts 1";
constexpr std::size_t largest_file = 1U << 20;

/// Empty where there is no such file. Judged on the open descriptor.
result<std::optional<std::string>> read_private(const std::string& path) {
  const file_descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ENOENT) return std::optional<std::string>{};
  if (!fd) return fail(path + ": " + (errno == ELOOP ? "is a symbolic link; accepted: a file" : std::strerror(errno)));
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail(path + ": " + std::strerror(errno));
  if (!S_ISREG(st.st_mode)) return fail(path + ": not a regular file");
  if ((st.st_mode & 07177) != 0) return fail(path + ": others may read or write it; accepted: mode 0600");
  if (st.st_uid != ::geteuid() && st.st_uid != 0) return fail(path + ": belongs to user " + std::to_string(st.st_uid) + "; accepted: one's own or root's");
  std::string text;
  char buffer[4096];
  for (;;) {
    const auto n = ::read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(path + ": " + std::strerror(errno));
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > largest_file) return fail(path + ": larger than 1 MiB");
  }
}

result<void> replace_private(const std::string& path, const std::string& text) {
  const std::string temporary = path + ".new";
  (void)::unlink(temporary.c_str());
  {
    const file_descriptor fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return fail(path + ": cannot be written: " + std::strerror(errno));
    for (std::string_view rest = text; !rest.empty();) {
      const auto n = ::write(fd.get(), rest.data(), rest.size());
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return fail(path + ": cannot be written: " + std::strerror(errno));
      rest.remove_prefix(static_cast<std::size_t>(n));
    }
    if (::fsync(fd.get()) != 0) return fail(path + ": cannot be written: " + std::strerror(errno));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(path + ": cannot be written: " + std::strerror(errno));
  return {};
}

bool holds(const std::vector<ip_address>& all, const ip_address& a) { return std::find(all.begin(), all.end(), a) != all.end(); }

}  // namespace

result<ipv4_table> ipv4_table::open(std::string path, security::random_port& random, std::vector<ip_address> configured) {
  auto text = read_private(path);
  if (!text) return tl::unexpected(text.error());
  ipv4_table t(std::move(path), random, std::move(configured));
  if (*text)
    if (auto ok = t.parse(**text); !ok) return tl::unexpected(ok.error());
  return t;
}

result<void> ipv4_table::parse(const std::string& text) {
  std::istringstream lines(text);
  std::string line;
  for (int n = 1; std::getline(lines, line); ++n) {
    const auto refuse = [&](const std::string& why) { return fail(path_ + ":" + std::to_string(n) + ": " + why + "; accepted: NAME PUBLIC-KEY OWN PEER"); };
    if (n == 1) {
      if (line.rfind(table_head, 0) != 0) return fail(path_ + ":1: no table of addresses of this version; accepted: '" + std::string(table_head) + "...'");
      continue;
    }
    std::istringstream words(line);
    std::string name, key, own, peer, more;
    words >> name >> key >> own >> peer >> more;
    if (name.empty() || name[0] == '#') continue;
    const auto octets = keys::key_from_base64(key, "the public key");
    const auto a = parse_ip_address(own), b = parse_ip_address(peer);
    if (!keys::valid_name(name)) return refuse("a name has 1 to 64 of a-z A-Z 0-9 . _ -");
    if (!octets) return refuse(octets.error().message);
    if (!a || !b || !more.empty() || a->length != 4 || b->length != 4 || !is_plain_unicast(*a) || !is_plain_unicast(*b)) return refuse("no two IPv4 addresses after the key");
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
    const ip_address a{{10, static_cast<std::uint8_t>(64 | v >> 16), static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)}, 4};
    // .0 and .255 at the end look like network and broadcast addresses to some tools.
    if (a.octets[3] != 0 && a.octets[3] != 255 && !is_used(a) && !holds(configured_, a)) return a;
  }
}

result<address_pair> ipv4_table::of(const std::string& name, const security::public_key& key) {
  const auto same_name = std::find_if(rows_.begin(), rows_.end(), [&](const row& r) { return r.name == name; });
  if (same_name != rows_.end()) {
    if (same_name->key == key && !holds(configured_, same_name->pair.own) && !holds(configured_, same_name->pair.peer)) return same_name->pair;
    rows_.erase(same_name);
  }
  if (rows_.size() >= 4096) rows_.erase(rows_.begin());  // the oldest; nobody permits so many
  rows_.push_back({name, key, {draw(), {}}});
  rows_.back().pair.peer = draw();
  if (auto ok = write(); !ok) {
    rows_.pop_back();
    return tl::unexpected(ok.error());
  }
  return rows_.back().pair;
}

result<void> ipv4_table::write() const {
  std::string text = std::string(table_head) + ": NAME PUBLIC-KEY OWN PEER; drawn at random, of use to this host alone\n";
  for (const auto& r : rows_) text += r.name + ' ' + keys::to_base64(r.key.octets) + ' ' + to_string(r.pair.own) + ' ' + to_string(r.pair.peer) + '\n';
  return replace_private(path_, text);
}

link_addresses addresses_of(const security::peer& peer, const tun_config& own, const data_peer& configured, const std::optional<address_pair>& drawn) {
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
  const auto present = read_private(path);
  if (!present) return tl::unexpected(present.error());
  if (*present && !(*present)->empty() && (*present)->rfind(hosts_head, 0) != 0)
    return fail(path + ": there is a file that prose-ue did not write; accepted: another name, or one that is not there yet");
  std::string text = std::string(hosts_head) + ": replaced whenever a peer comes or goes\n";
  for (const auto& [name, a] : peers)
    for (const auto& pair : {a.host_ipv6, a.host_ipv4})
      if (pair.peer.length != 0) text += to_string(pair.peer) + ' ' + name + "  # from " + to_string(pair.own) + '\n';
  return replace_private(path, text);
}

}  // namespace prose::apps
