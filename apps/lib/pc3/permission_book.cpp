#include "apps/lib/pc3/permission_book.h"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/key_file.h"
#include "security/identity.h"

namespace prose::apps {
namespace {

constexpr std::string_view file_kind = "statement";
constexpr int file_version = 1;
// Far beyond any time of a clock in seconds; sums of two do not overflow.
constexpr std::int64_t largest_number = std::int64_t{1} << 40;
// A permission's end is announced an hour ahead; of a shorter validity in its last quarter.
constexpr std::int64_t warn_ahead_s = 3600, warn_part = 4;
using keys::consent_state;

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t v = 0;
  const auto r = std::from_chars(text.data(), text.data() + text.size(), v);
  if (r.ec != std::errc{} || r.ptr != text.data() + text.size() || v < 0 || v > largest_number) return std::nullopt;
  return v;
}

}  // namespace

result<server_statement> parse_statement(std::string_view text, const std::string& path) {
  server_statement out;
  std::istringstream lines{std::string(text)};
  std::string line;
  int n = 1;
  const auto refuse = [&](const std::string& why) {
    return fail(path + ":" + std::to_string(n) + ": " + why + "; accepted: a file that prose-ue wrote, or none");
  };
  const auto is = version_of(text, file_kind, file_version, path);
  if (!is) return tl::unexpected(is.error());
  if (*is != file_version || !std::getline(lines, line)) return refuse("not a server's statement");
  const auto numbers = [&](const std::string& word, std::vector<std::int64_t*> values) {
    ++n;
    std::string w, v;
    std::getline(lines, line);
    std::istringstream in(line);
    in >> w;
    if (w != word) return false;
    for (auto* to : values) {
      v.clear();
      in >> v;
      const auto x = number(v);
      if (!x) return false;
      *to = *x;
    }
    return !(in >> v);
  };
  if (!numbers("at", {&out.host_s, &out.slot_s})) return refuse("not 'at HOST SLOT' in seconds");
  if (!numbers("advanced", {&out.advanced_s})) return refuse("not 'advanced SECONDS'");
  while (std::getline(lines, line)) {
    ++n;
    std::istringstream in(line);
    std::string name, key, more;
    in >> name >> key >> more;
    if (!keys::valid_name(name) || !more.empty()) return refuse("not NAME KEY");
    const auto octets = keys::key_from_base64(key, "the key of '" + name + "'");
    if (!octets) return refuse(octets.error().message);
    if (!out.keys.emplace(name, security::public_key{*octets}).second)
      return refuse("the name '" + name + "' is there twice");
    if (out.keys.size() > permission_book::max_peers_per_server) return refuse("more names than a server may tell");
  }
  return out;
}

std::string to_text(const server_statement& s) {
  std::string text = version_line(file_kind, file_version);
  text.append("at ").append(std::to_string(s.host_s)).append(" ").append(std::to_string(s.slot_s));
  text.append("\nadvanced ").append(std::to_string(s.advanced_s)).append("\n");
  for (const auto& [name, key] : s.keys) text.append(name).append(" ").append(keys::to_base64(key.octets)).append("\n");
  return text;
}

permission_book::permission_book(std::string own_name, security::public_key own_key, const key_map& fixed,
                                 std::int64_t valid_s)
    : own_name_(std::move(own_name)), own_key_(own_key), fixed_(fixed), effective_(fixed), valid_s_(valid_s) {}

void permission_book::set_consents(const keys::consent_list& list) {
  list_ = list;
  bindings_.clear();
  settle();
}

void permission_book::update(std::size_t server, const std::string& peer, std::optional<security::public_key> key,
                             const clock_reading& now) {
  update(server, {{peer, key}}, now);
}

void permission_book::update(std::size_t server,
                             const std::vector<std::pair<std::string, std::optional<security::public_key>>>& changes,
                             const clock_reading& now) {
  for (const auto& [peer, key] : changes) set_key(server, peer, key);
  restate(server, now);
}

void permission_book::replace(std::size_t server, const key_map& all, const clock_reading& now) {
  const auto before = said_[server].keys;
  for (const auto& [peer, key] : before)
    if (!all.contains(peer)) set_key(server, peer, std::nullopt);
  for (const auto& [peer, key] : all) set_key(server, peer, key);
  restate(server, now);
}

void permission_book::set_key(std::size_t server, const std::string& peer,
                              const std::optional<security::public_key>& key) {
  auto& all = said_[server].keys;
  const auto at = all.find(peer);
  if (!key) {
    if (at != all.end()) all.erase(at);
    return;
  }
  if (at == all.end()) {
    if (all.size() < max_peers_per_server) all.emplace(peer, *key);
    return;
  }
  // The notice that the peer replaced its key: what the old one's device does from now on is not the peer's.
  if (const auto c = list_.entries.find(peer);
      at->second != *key && c != list_.entries.end() && c->second.bound() && c->second.key() == at->second) {
    c->second.state = consent_state::suspended;
    bindings_[peer] = c->second;
  }
  at->second = *key;
}

void permission_book::restate(std::size_t server, const clock_reading& now) {
  age(now);
  auto& s = said_[server];
  s.host_s = now.host_s;
  s.slot_s = now.slot_s;
  s.advanced_s = 0;
  for (const auto& [name, key] : s.keys) warned_.erase(name);
  settle();
}

void permission_book::restore(std::size_t server, const server_statement& s, const clock_reading& now) {
  said_[server] = s;
  age(now);
  settle();
}

void permission_book::advance(const clock_reading& now) {
  std::vector<bool> before, after;
  for (const auto& [i, s] : said_) before.push_back(valid(s));
  age(now);
  for (const auto& [i, s] : said_) after.push_back(valid(s));
  if (waits_ || before != after) settle();
  // While a server answers, its statements do not get that old.
  const auto ahead = std::min(warn_ahead_s, valid_s_ / warn_part);
  for (const auto& [name, key] : effective_) {
    if (fixed_.contains(name) || warned_.contains(name)) continue;
    std::int64_t left = 0;
    for (const auto& [i, s] : said_)
      if (const auto k = s.keys.find(name); k != s.keys.end() && k->second == key) left = std::max(left, left_s(i));
    if (left <= 0 || left > ahead) continue;
    warned_.insert(name);
    out_.push_back({.what = pc3_event::kind::expires, .peer = name, .key = key, .seconds = left});
  }
}

void permission_book::age(const clock_reading& now) {
  now_ = now;
  for (auto& [i, s] : said_) s.advanced_s = std::max({s.advanced_s, now.host_s - s.host_s, now.slot_s - s.slot_s});
}

std::int64_t permission_book::left_s(std::size_t server) const {
  const auto s = said_.find(server);
  return s == said_.end() ? 0 : std::max<std::int64_t>(0, valid_s_ - s->second.advanced_s);
}

server_statement permission_book::granted_part(std::size_t server) const {
  server_statement out;
  const auto s = said_.find(server);
  if (s == said_.end()) return out;
  out = s->second;
  std::erase_if(out.keys, [&](const auto& k) {
    const auto c = list_.entries.find(k.first);
    return c == list_.entries.end() || c->second.state == consent_state::withdrawn || !keys::valid_name(k.first);
  });
  return out;
}

std::set<std::string> permission_book::withdrawn() const {
  std::set<std::string> out;
  for (const auto& [name, c] : list_.entries)
    if (c.state == consent_state::withdrawn) out.insert(name);
  return out;
}

void permission_book::refuse(std::size_t server, const std::string& name, const security::public_key& key,
                             const std::string& why) {
  if (told_.size() < max_told && told_.insert(std::to_string(server) + name + why + keys::to_base64(key.octets)).second)
    out_.push_back({.what = pc3_event::kind::refused, .peer = name, .key = key, .server = server, .text = why});
}

void permission_book::settle() {
  pending_.clear();
  std::erase_if(bindings_, [](const auto& b) { return b.second.state != consent_state::suspended; });
  auto o = compare_offers();
  for (const auto& [server, s] : said_)
    for (const auto& [name, key] : s.keys) judge(server, s, name, key, o);
  put_in_force(o.vouched);
}

permission_book::offers permission_book::compare_offers() const {
  offers out;
  for (const auto& [name, key] : fixed_) out.owners.emplace(key, name);
  for (const auto& [name, c] : list_.entries)
    if (c.has_key()) out.owners.emplace(c.key(), name);
  // A key that servers give under two names, or two keys under one, is nobody's before the user says whose.
  std::map<security::public_key, std::string> offered;
  std::map<std::string, security::public_key> first_offer;
  for (const auto& [server, s] : said_)
    for (const auto& [name, key] : s.keys) {
      if (const auto o = offered.emplace(key, name).first; o->second != name) out.unclear.insert({name, o->second});
      if (const auto o = first_offer.emplace(name, key).first; o->second != key) out.unclear.insert(name);
    }
  for (const auto& [server, s] : said_)
    for (const auto& [name, key] : s.keys) {
      const auto c = list_.entries.find(name);
      if (!valid(s) || c == list_.entries.end()) continue;
      if (!c->second.bound()) continue;
      if (c->second.key() != key) continue;
      out.vouched.insert(name);
    }
  return out;
}

/// What a server says of one name, and what it does to the list.
void permission_book::judge(std::size_t server, const server_statement& s, const std::string& name,
                            const security::public_key& key, offers& o) {
  if (!keys::valid_name(name) || name == own_name_ || key == own_key_) {
    refuse(server, name, key, "own name or key, or no name");
    return;
  }
  if (const auto f = fixed_.find(name); f != fixed_.end()) {
    if (f->second != key) refuse(server, name, key, "changed key");
    return;
  }
  const auto entry = list_.entries.find(name);
  if (entry == list_.entries.end()) {
    refuse(server, name, key, "not in the consent list");
    return;
  }
  const auto& c = entry->second;
  if (c.state == consent_state::withdrawn) return;
  if (c.has_key() && c.key() == key) return;
  if (const auto owner = o.owners.find(key); owner != o.owners.end() && owner->second != name) {
    refuse(server, name, key, "key of another peer");
    return;
  }
  if (c.has_key()) refuse(server, name, key, "changed key");
  if (!o.vouched.contains(name)) bind_or_wait(server, s, name, key, c, o);
}

/// A key that the list does not have yet, of a granted name.
void permission_book::bind_or_wait(std::size_t server, const server_statement& s, const std::string& name,
                                   const security::public_key& key, const keys::consent& c, offers& o) {
  const bool fits = c.state == consent_state::fingerprint && security::pair_fingerprint(own_key_, key) == c.value;
  if (c.state == consent_state::fingerprint && !fits) refuse(server, name, key, "another fingerprint than granted");
  const bool trusts = c.state == consent_state::trust_first && !o.unclear.contains(name);
  if ((fits || trusts) && valid(s) && security::canonical(key)) {
    bindings_[name] = {fits ? consent_state::confirmed : consent_state::first, key.octets};
    o.owners.emplace(key, name);
    return;
  }
  pending_.emplace(name, key);
  if (told_.size() < max_told && told_.insert(name + " pending " + keys::to_base64(key.octets)).second)
    out_.push_back({.what = pc3_event::kind::pending,
                    .peer = name,
                    .key = key,
                    .server = server,
                    .text = std::string(keys::name_of(c.state))});
}

bool permission_book::in_force(const std::string& name, const security::public_key& key) const {
  const auto e = effective_.find(name);
  return e != effective_.end() && e->second == key;
}

void permission_book::put_in_force(const std::set<std::string>& vouched) {
  key_map now = fixed_;
  for (const auto& name : vouched)
    if (!fixed_.contains(name)) now.emplace(name, list_.entries.at(name).key());
  for (const auto& [name, key] : effective_)
    if (const auto n = now.find(name); n == now.end() || n->second != key)
      out_.push_back({.what = pc3_event::kind::withdrawn, .peer = name, .key = key});
  std::erase_if(not_before_ms_, [&](const auto& n) { return n.second <= now_.steady_ms; });
  waits_ = false;
  // Who is permitted already keeps its place. A UE has a limited number; another peer waits until one is free.
  std::size_t places = security::max_peers;
  for (const auto& [name, key] : now)
    if (places != 0 && in_force(name, key)) --places;
  for (auto n = now.begin(); n != now.end();) {
    if (in_force(n->first, n->second)) {
      ++n;
      continue;
    }
    if (places == 0) refuse(0, n->first, n->second, "one peer too many");
    if (places == 0 || not_before_ms_.contains(n->first)) {
      waits_ = true;
      n = now.erase(n);
      continue;
    }
    --places;
    not_before_ms_[n->first] = now_.steady_ms + permit_gap_ms;
    out_.push_back({.what = pc3_event::kind::permitted, .peer = n->first, .key = n->second});
    ++n;
  }
  effective_ = std::move(now);
}

}  // namespace prose::apps
