#include "apps/ue/pc3.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <mutex>
#include <random>
#include <thread>

#include "apps/common/config.h"
#include "apps/common/file_descriptor.h"
#include "apps/common/safe_file.h"
#include "apps/keys/key_file.h"
#include "apps/keys/system_random.h"
#include "common/hex.h"
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
  if (key && (said_[server].size() < max_peers_per_server || said_[server].contains(peer))) said_[server][peer] = *key;
  else said_[server].erase(peer);
  settle();
}

void permission_book::replace(std::size_t server, const key_map& all) {
  said_[server] = all;
  settle();
}

void permission_book::settle() {
  pending_.clear();
  std::map<decltype(security::public_key::octets), std::string> owners;
  for (const auto& [name, key] : pins_) owners.emplace(key.octets, name);
  for (const auto& [server, all] : said_) {
    auto& accepted = by_server_[server];
    std::erase_if(accepted, [&](const auto& a) { return !all.contains(a.first); });
    for (const auto& [name, key] : all) {
      const auto pin = pins_.find(name);
      const auto owner = owners.find(key.octets);
      std::string why;
      if (!keys::valid_name(name) || name == own_name_ || key == own_key_) why = "own name or key, or no name";
      else if (owner != owners.end() && owner->second != name) why = "key of another peer";
      else if (pin != pins_.end() && pin->second != key) why = "changed key";
      else if (pin == pins_.end() && pins_.size() >= max_pins) why = "too many peers";
      if (why.empty()) {
        pins_[name] = key;
        owners.emplace(key.octets, name);
        accepted[name] = key;
        continue;
      }
      if (why == "changed key") pending_[name] = key;
      if (told_.size() < max_told && told_.insert(std::to_string(server) + name + why + keys::to_base64(key.octets)).second)
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
  if (is_absent(path)) return out;
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh{random};
  auto all = keys::read_private_permissions(path, dh, random);
  if (!all) return tl::unexpected(all.error());
  for (const auto& p : *all) out[p.name] = p.key;
  return out;
}

result<void> write_keys(const std::string& path, const permission_book::key_map& all) {
  std::vector<keys::permission> lines;
  for (const auto& [name, key] : all) lines.push_back({name, key, {}});
  return keys::write_private_permissions(path, lines);
}

/// prose-ue and prose-keys confirm both change the pins. A holder that is stuck does not stop us for good.
result<file_descriptor> lock_files(const std::string& cache) {
  const std::string path = cache + ".lock";
  auto fd = open_private_output(path, output_mode::append);
  if (!fd) return fd;
  for (int tries = 0; ::flock(fd->get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (tries == 100) return fail(path + ": another program holds it");
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
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

result<security::public_key> pinned_key(const std::string& cache, const std::string& peer) {
  auto pins = read_keys(cache + ".pins");
  if (!pins) return tl::unexpected(pins.error());
  const auto at = pins->find(peer);
  if (at == pins->end()) return fail(cache + ".pins: no peer is named '" + peer + "'");
  return at->second;
}

result<void> confirm_pending(const std::string& cache, const std::string& peer, const security::public_key& shown) {
  const auto lock = lock_files(cache);
  if (!lock) return tl::unexpected(lock.error());
  auto key = pending_key(cache, peer);
  if (!key) return tl::unexpected(key.error());
  if (*key != shown) return fail(cache + ".pending: the key of '" + peer + "' changed meanwhile; look at it again");
  auto pins = read_keys(cache + ".pins");
  if (!pins) return tl::unexpected(pins.error());
  (*pins)[peer] = *key;
  return write_keys(cache + ".pins", *pins);
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
  static constexpr std::size_t max_queued = 64;      // packets for a server
  static constexpr std::size_t max_data = 256;       // packets of servers that the radio loop has not taken
  static constexpr std::size_t max_events = 1024;    // then the network threads wait
  static constexpr std::size_t max_changes = 100 * permission_book::max_peers_per_server;  // of one synchronisation
  static constexpr double first_retry_s = 0.5, last_retry_s = 30;
  pc3_config config;
  file_descriptor key_log;

  std::mutex book_mutex;  // of the book and its files, so it is held for long; taken before the other
  std::optional<permission_book> book;
  timespec pins_time{};
  bool unwritten = false;

  std::mutex mutex;  // of everything below; held for moments only
  std::condition_variable changed;
  std::deque<pc3_event> events, data;
  std::vector<std::deque<std::vector<std::uint8_t>>> outbox;
  std::vector<function::client*> clients;
  bool stopping = false;
  std::atomic<std::uint64_t> data_dropped = 0;
  std::vector<std::thread> threads;

  void emit(pc3_event e) {
    const std::lock_guard lock(mutex);
    if (e.what != pc3_event::kind::data) {
      events.push_back(std::move(e));
    } else if (data.size() < max_data) {
      data.push_back(std::move(e));
    } else {
      ++data_dropped;
    }
  }

  // One write a line: several sessions share the file.
  void log_secret(const function::tls_secret& secret) {
    std::string line = "CLIENT_RANDOM " + to_hex(secret.client_random) + ' ' + to_hex(secret.master) + '\n';
    if (::write(key_log.get(), line.data(), line.size()) != static_cast<ssize_t>(line.size()))
      emit({.what = pc3_event::kind::unlogged, .text = config.keylog + ": " + std::strerror(errno)});
    security::wipe({reinterpret_cast<std::uint8_t*>(line.data()), line.size()});
  }

  // True: time is up. False: the program ends.
  bool pause(std::chrono::duration<double> time) {
    std::unique_lock lock(mutex);
    return !changed.wait_for(lock, time, [&] { return stopping; });
  }

  // A server says more than the radio loop takes: it has to wait. Without the book's mutex.
  bool wait_for_room() {
    while (true) {
      {
        const std::lock_guard lock(mutex);
        if (events.size() < max_events) return !stopping;
      }
      if (!pause(std::chrono::milliseconds(20))) return false;
    }
  }

  // The following with the book's mutex held.
  void tell() {
    for (auto& e : book->take()) emit(std::move(e));
  }
  void collect() {
    tell();
    if (config.cache.empty()) return;
    const auto ok = write_files();
    if (!ok && !unwritten) emit({.what = pc3_event::kind::unwritten, .text = ok.error().message});
    unwritten = !ok;
  }
  result<void> write_files() {
    const auto lock = lock_files(config.cache);
    if (!lock) return tl::unexpected(lock.error());
    // What the user confirmed meanwhile wins over what is about to be written.
    const auto pins = read_keys(config.cache + ".pins");
    if (!pins) return tl::unexpected(pins.error());
    book->set_pins(*pins);
    tell();
    result<void> all_written;  // one that fails does not hinder the others
    const auto write = [&](const std::string& path, const permission_book::key_map& all) {
      if (auto ok = write_keys(path, all); !ok) all_written = std::move(ok);
    };
    for (const auto& [server, all] : book->by_server()) {
      permission_book::key_map now;
      for (const auto& [name, key] : all) now[name] = book->pins().at(name);
      write(cache_of(server), now);
    }
    write(config.cache + ".pins", book->pins());
    write(config.cache + ".pending", book->pending());
    pins_time = time_of_pins();
    return all_written;
  }
  std::string cache_of(std::size_t server) const {
    return config.cache + "." + config.servers[server].client.server_name;
  }
  timespec time_of_pins() const {
    struct stat st {};
    return ::stat((config.cache + ".pins").c_str(), &st) == 0 ? st.st_mtim : timespec{};
  }

  static tl::unexpected<error> lies(const function::client& c, const std::string& what) {
    return fail("server " + c.server_name() + ": " + what);
  }

  result<void> synchronise(function::client& c, std::size_t i, std::int64_t& since) {
    permission_book::key_map all;
    for (std::size_t n = 0;;) {
      auto got = c.changes(since, 0);
      if (!got) return tl::unexpected(got.error());
      if (got->empty()) break;
      n += got->size();
      const auto before = since;
      for (const auto& v : *got) {
        if (v.permitted) all[v.peer] = v.key;
        else all.erase(v.peer);
        since = std::max(since, v.version);
      }
      if (since <= before) return lies(c, "changes that are not new");
      if (all.size() > permission_book::max_peers_per_server || n > max_changes) return lies(c, "more changes than there can be");
    }
    const std::lock_guard lock(book_mutex);
    book->replace(i, all);
    collect();
    return {};
  }

  result<void> follow(function::client& c, std::size_t i, std::int64_t since) {
    while (wait_for_room()) {
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
      const auto before = since;
      const std::lock_guard lock(book_mutex);
      for (const auto& v : **got) {
        since = std::max(since, v.version);
        book->update(i, v.peer, v.permitted ? std::optional(v.key) : std::nullopt);
      }
      collect();
      if (since <= before) return lies(c, "changes that are not new");
    }
    return {};
  }

  // Notices keys that the user confirmed, and writes what could not be written. Reading a key costs a scalar
  // multiplication, too much for the radio loop.
  void watch_files() {
    while (pause(std::chrono::seconds(1))) {
      const std::lock_guard lock(book_mutex);
      const auto t = time_of_pins();
      if (unwritten || t.tv_sec != pins_time.tv_sec || t.tv_nsec != pins_time.tv_nsec) collect();
    }
  }

  // `up`: it came to know all that the server permits.
  result<void> session(std::size_t i, bool& up) {
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
    if (!wait_for_room()) return {};
    emit({.what = pc3_event::kind::session, .server = i, .text = (*c)->key_fingerprint()});
    std::int64_t since = 0;
    if (auto ok = synchronise(**c, i, since); !ok) return ok;
    up = true;
    return follow(**c, i, since);
  }

  // A server that comes back is not met by all its UEs at once: each waits twice as long as before, more or less.
  void run(std::size_t i) {
    std::minstd_rand jitter(std::random_device{}());
    std::string last;
    double retry_s = first_retry_s;
    while (true) {
      const auto began = std::chrono::steady_clock::now();
      bool up = false;
      const auto ended = session(i, up);
      if (up) last.clear();
      if (up && std::chrono::steady_clock::now() - began > std::chrono::seconds(5)) retry_s = first_retry_s;
      if (!ended && ended.error().message != last && wait_for_room()) {
        last = ended.error().message;
        emit({.what = pc3_event::kind::session_lost, .server = i, .text = last});
      }
      if (!pause(std::chrono::duration<double>(std::uniform_real_distribution(0.5, 1.5)(jitter) * retry_s))) return;
      retry_s = std::min(2 * retry_s, last_retry_s);
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
  if (!config.keylog.empty()) {
    auto fd = keys::open_key_log(config.keylog);
    if (!fd) return tl::unexpected(fd.error());
    s->key_log = file_descriptor(*fd);
    for (auto& server : s->config.servers)
      server.client.observe_secret = [raw = s.get()](const function::tls_secret& secret) { raw->log_secret(secret); };
  }
  s->outbox.resize(config.servers.size());
  s->clients.resize(config.servers.size());
  for (const auto& server : config.servers)  // a file that is missing or wrong is the user's to mend, now
    if (auto tls = function::tls_context::client(server.client.identity); !tls) return tl::unexpected(tls.error());
  if (!config.cache.empty()) {
    const std::lock_guard lock(s->book_mutex);
    auto pins = read_keys(config.cache + ".pins");
    if (!pins) return tl::unexpected(pins.error());
    s->book->set_pins(*pins);
    for (std::size_t i = 0; i < config.servers.size(); ++i) {
      auto cached = read_keys(s->cache_of(i));
      if (!cached) return tl::unexpected(cached.error());
      s->book->replace(i, *cached);
    }
    s->collect();
  }
  auto* raw = s.get();
  for (std::size_t i = 0; i < config.servers.size(); ++i) s->threads.emplace_back([raw, i] { raw->run(i); });
  if (!config.cache.empty()) s->threads.emplace_back([raw] { raw->watch_files(); });
  return std::unique_ptr<pc3>(new pc3(std::move(s)));
}

std::optional<pc3_event> pc3::poll() {
  const std::lock_guard lock(s_->mutex);
  auto& from = s_->events.empty() ? s_->data : s_->events;
  if (from.empty()) return std::nullopt;
  auto e = std::move(from.front());
  from.pop_front();
  return e;
}

bool pc3::send(std::size_t server, std::span<const std::uint8_t> octets) {
  const std::lock_guard lock(s_->mutex);
  if (s_->outbox[server].size() >= state::max_queued || octets.empty()) return false;
  s_->outbox[server].emplace_back(octets.begin(), octets.end());
  if (s_->clients[server] != nullptr) s_->clients[server]->nudge();
  return true;
}

std::uint64_t pc3::data_dropped() const { return s_->data_dropped; }

}  // namespace prose::apps
