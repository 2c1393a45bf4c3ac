#include "apps/ue/pc3.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <thread>

#include "apps/common/config.h"
#include "apps/common/file_descriptor.h"
#include "apps/keys/key_file.h"
#include "apps/keys/system_random.h"
#include "security/crypto/x25519.h"

namespace prose::apps {

// --- the book -------------------------------------------------------------------------------------------------------

permission_book::permission_book(std::string own_name, security::public_key own_key, const key_map& fixed)
    : own_name_(std::move(own_name)), own_key_(own_key), fixed_(fixed), pins_(fixed), effective_(fixed) {}

void permission_book::set_pins(const key_map& pins) {
  for (const auto& [name, key] : pins)
    if (!fixed_.contains(name)) pins_[name] = key;
  settle();
}

void permission_book::update(std::size_t server, const std::string& peer, std::optional<security::public_key> key) {
  if (key) said_[server][peer] = *key;
  else said_[server].erase(peer);
  settle();
}

void permission_book::replace(std::size_t server, const key_map& all) {
  said_[server] = all;
  settle();
}

void permission_book::settle() {
  pending_.clear();
  for (const auto& [server, all] : said_) {
    auto& accepted = by_server_[server];
    std::erase_if(accepted, [&](const auto& a) { return !all.contains(a.first); });
    for (const auto& [name, key] : all) {
      const auto pin = pins_.find(name);
      const bool other_has_it = std::any_of(pins_.begin(), pins_.end(), [&](const auto& p) { return p.first != name && p.second == key; });
      std::string why;
      if (!keys::valid_name(name) || name == own_name_ || key == own_key_) why = "own name or key, or no name";
      else if (other_has_it) why = "key of another peer";
      else if (pin != pins_.end() && pin->second != key) why = "changed key";
      if (why.empty()) {
        pins_[name] = key;
        accepted[name] = key;
        continue;
      }
      if (why == "changed key") pending_[name] = key;
      if (told_.insert(std::to_string(server) + name + why + keys::to_base64(key.octets)).second)
        out_.push_back({.what = pc3_event::kind::refused, .peer = name, .key = key, .server = server, .text = why});
    }
  }
  // The pinned key is in force wherever a server permits the name.
  key_map now = fixed_;
  for (const auto& [server, accepted] : by_server_)
    for (const auto& [name, key] : accepted) now.try_emplace(name, pins_.at(name));
  for (const auto& [name, key] : effective_)
    if (const auto n = now.find(name); n == now.end() || n->second != key)
      out_.push_back({.what = pc3_event::kind::withdrawn, .peer = name, .key = key});
  for (const auto& [name, key] : now)
    if (const auto o = effective_.find(name); o == effective_.end() || o->second != key)
      out_.push_back({.what = pc3_event::kind::permitted, .peer = name, .key = key});
  effective_ = std::move(now);
}

std::vector<pc3_event> permission_book::take() { return std::exchange(out_, {}); }

// --- files ----------------------------------------------------------------------------------------------------------
namespace {

result<permission_book::key_map> read_keys(const std::string& path) {
  permission_book::key_map out;
  if (::access(path.c_str(), F_OK) != 0) return out;
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh{random};
  auto all = keys::read_permissions(path, dh, random);
  if (!all) return tl::unexpected(all.error());
  for (const auto& p : *all) out[p.name] = p.key;
  return out;
}

result<void> write_keys(const std::string& path, const permission_book::key_map& all) {
  std::vector<keys::permission> lines;
  for (const auto& [name, key] : all) lines.push_back({name, key, {}});
  return keys::write_permissions(path, lines);
}

/// prose-ue and prose-keys confirm both change the pins.
file_descriptor lock_files(const std::string& cache) {
  file_descriptor fd(::open((cache + ".lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (fd) (void)::flock(fd.get(), LOCK_EX);
  return fd;
}

std::string beside(const std::string& config_path, const std::string& file) {
  if (file.empty() || std::filesystem::path(file).is_absolute()) return file;
  return (std::filesystem::path(config_path).parent_path() / file).string();
}
}  // namespace

result<security::public_key> pending_key(const std::string& cache, const std::string& peer) {
  auto pending = read_keys(cache + ".pending");
  if (!pending) return tl::unexpected(pending.error());
  const auto at = pending->find(peer);
  if (at == pending->end()) return fail(cache + ".pending: no key of '" + peer + "' waits for a confirmation");
  return at->second;
}

result<security::public_key> confirm_pending(const std::string& cache, const std::string& peer) {
  const auto lock = lock_files(cache);
  auto key = pending_key(cache, peer);
  if (!key) return key;
  auto pins = read_keys(cache + ".pins");
  if (!pins) return tl::unexpected(pins.error());
  (*pins)[peer] = *key;
  if (auto ok = write_keys(cache + ".pins", *pins); !ok) return tl::unexpected(ok.error());
  return key;
}

pc3_server read_pc3_server(config_section& s, const std::string& path, const std::string& user) {
  pc3_server out;
  auto& c = out.client;
  s.require("name");
  s.read("name", c.server_name);
  s.read("address", c.address);
  s.read("port", c.port, 1, 65535);
  s.read("ca", c.identity.ca_path);
  s.read("certificate", c.identity.certificate_path);
  s.read("key", c.identity.key_path);
  s.read("psk", c.identity.psk_path);
  s.read("udp_listen", out.udp_listen);
  s.read("udp_forward", out.udp_forward);
  if (!c.identity.psk_path.empty()) c.identity.psk_identity = user;
  for (auto* p : {&c.identity.ca_path, &c.identity.certificate_path, &c.identity.key_path, &c.identity.psk_path})
    *p = beside(path, *p);
  return out;
}

// --- the sessions ---------------------------------------------------------------------------------------------------

struct pc3::state {
  static constexpr std::size_t max_queued = 64;
  pc3_config config;
  std::mutex mutex;  // of everything below; the radio loop only tries it
  std::condition_variable changed;
  std::optional<permission_book> book;
  std::deque<pc3_event> events;
  std::vector<std::deque<std::vector<std::uint8_t>>> outbox;
  std::vector<function::client*> clients;
  std::string written, pins_written;
  timespec pins_time{};
  bool stopping = false;
  std::vector<std::thread> threads;

  void emit(pc3_event e) {
    const std::lock_guard lock(mutex);
    events.push_back(std::move(e));
  }

  // With the mutex held.
  void collect() {
    for (auto& e : book->take()) events.push_back(std::move(e));
    if (config.cache.empty()) return;
    const auto lock = lock_files(config.cache);
    // What the user confirmed meanwhile wins over what is about to be written.
    if (auto pins = read_keys(config.cache + ".pins"); pins) {
      book->set_pins(*pins);
      for (auto& e : book->take()) events.push_back(std::move(e));
    }
    (void)write_keys(config.cache + ".pins", book->pins());
    (void)write_keys(config.cache + ".pending", book->pending());
    for (const auto& [server, all] : book->by_server()) {
      permission_book::key_map now;
      for (const auto& [name, key] : all) now[name] = book->pins().at(name);
      (void)write_keys(cache_of(server), now);
    }
    pins_time = time_of_pins();
  }
  std::string cache_of(std::size_t server) const {
    return config.cache + "." + config.servers[server].client.server_name;
  }
  timespec time_of_pins() const {
    struct stat st {};
    return ::stat((config.cache + ".pins").c_str(), &st) == 0 ? st.st_mtim : timespec{};
  }

  result<void> synchronise(function::client& c, std::size_t i, std::int64_t& since) {
    permission_book::key_map all;
    while (true) {
      auto got = c.changes(since, 0);
      if (!got) return tl::unexpected(got.error());
      if (got->empty()) break;
      for (const auto& v : *got) {
        if (v.permitted) all[v.peer] = v.key;
        else all.erase(v.peer);
        since = std::max(since, v.version);
      }
    }
    const std::lock_guard lock(mutex);
    book->replace(i, all);
    collect();
    return {};
  }

  result<void> follow(function::client& c, std::size_t i, std::int64_t since) {
    while (true) {
      std::deque<std::vector<std::uint8_t>> out;
      {
        const std::lock_guard lock(mutex);
        if (stopping) return {};
        out.swap(outbox[i]);
      }
      for (const auto& packet : out)
        if (auto ok = c.send_data(packet); !ok) return ok;
      auto got = c.wait(since, 30);
      if (!got) return tl::unexpected(got.error());
      while (auto d = c.take_data()) emit({.what = pc3_event::kind::data, .server = i, .octets = std::move(*d)});
      if (!*got || (*got)->empty()) continue;
      const std::lock_guard lock(mutex);
      for (const auto& v : **got) {
        since = std::max(since, v.version);
        book->update(i, v.peer, v.permitted ? std::optional(v.key) : std::nullopt);
      }
      collect();
    }
  }

  result<void> session(std::size_t i) {
    auto key = keys::read_private_key(config.private_key);
    if (!key) return tl::unexpected(key.error());
    keys::system_random random;
    security::crypto::mbedtls_x25519 dh{random};
    auto c = function::client::connect(config.servers[i].client);
    if (!c) return tl::unexpected(c.error());
    {
      const std::lock_guard lock(mutex);
      if (stopping) return {};
      clients[i] = c->get();
    }
    struct leave {
      state& s;
      std::size_t i;
      ~leave() {
        const std::lock_guard lock(s.mutex);
        s.clients[i] = nullptr;
      }
    } guard{*this, i};
    if (auto ok = (*c)->register_key(dh, *key, config.user); !ok) return ok;
    emit({.what = pc3_event::kind::session, .server = i, .text = (*c)->key_fingerprint()});
    std::int64_t since = 0;
    if (auto ok = synchronise(**c, i, since); !ok) return ok;
    return follow(**c, i, since);
  }

  void run(std::size_t i) {
    std::string last;
    while (true) {
      if (const auto ended = session(i); !ended && ended.error().message != last) {
        last = ended.error().message;
        emit({.what = pc3_event::kind::session_lost, .server = i, .text = last});
      }
      std::unique_lock lock(mutex);
      if (changed.wait_for(lock, std::chrono::seconds(1), [&] { return stopping; })) return;
    }
  }
};

pc3::pc3(std::unique_ptr<state> s) : s_(std::move(s)) {}

pc3::~pc3() {
  {
    const std::lock_guard lock(s_->mutex);
    s_->stopping = true;
    for (auto* c : s_->clients)
      if (c != nullptr) c->interrupt();
  }
  s_->changed.notify_all();
  for (auto& t : s_->threads) t.join();
}

result<std::unique_ptr<pc3>> pc3::start(const pc3_config& config, const security::public_key& own,
                                        const permission_book::key_map& fixed) {
  auto s = std::make_unique<state>();
  s->config = config;
  s->book.emplace(config.user, own, fixed);
  s->outbox.resize(config.servers.size());
  s->clients.resize(config.servers.size());
  for (const auto& server : config.servers)  // a file that is missing or wrong is the user's to mend, now
    if (auto tls = function::tls_context::client(server.client.identity); !tls) return tl::unexpected(tls.error());
  if (!config.cache.empty()) {
    auto pins = read_keys(config.cache + ".pins");
    if (!pins) return tl::unexpected(pins.error());
    s->book->set_pins(*pins);
    for (std::size_t i = 0; i < config.servers.size(); ++i) {
      auto cached = read_keys(s->cache_of(i));
      if (!cached) return tl::unexpected(cached.error());
      s->book->replace(i, *cached);
    }
    const std::lock_guard lock(s->mutex);
    s->collect();
  }
  auto* raw = s.get();
  for (std::size_t i = 0; i < config.servers.size(); ++i) s->threads.emplace_back([raw, i] { raw->run(i); });
  return std::unique_ptr<pc3>(new pc3(std::move(s)));
}

std::optional<pc3_event> pc3::poll() {
  const std::unique_lock lock(s_->mutex, std::try_to_lock);
  if (!lock || s_->events.empty()) return std::nullopt;
  auto e = std::move(s_->events.front());
  s_->events.pop_front();
  return e;
}

bool pc3::send(std::size_t server, std::span<const std::uint8_t> octets) {
  const std::unique_lock lock(s_->mutex, std::try_to_lock);
  if (!lock || s_->outbox[server].size() >= state::max_queued || octets.empty()) return false;
  s_->outbox[server].emplace_back(octets.begin(), octets.end());
  if (s_->clients[server] != nullptr) s_->clients[server]->nudge();
  return true;
}

void pc3::each_second() {
  if (s_->config.cache.empty()) return;
  const std::unique_lock lock(s_->mutex, std::try_to_lock);
  if (!lock) return;
  const auto t = s_->time_of_pins();
  if (t.tv_sec == s_->pins_time.tv_sec && t.tv_nsec == s_->pins_time.tv_nsec) return;
  s_->pins_time = t;
  if (auto pins = read_keys(s_->config.cache + ".pins"); pins) s_->book->set_pins(*pins);
  for (auto& e : s_->book->take()) s_->events.push_back(std::move(e));
}

}  // namespace prose::apps
