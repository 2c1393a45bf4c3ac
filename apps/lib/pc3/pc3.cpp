#include "apps/lib/pc3/pc3.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <tuple>

#include "apps/lib/common/config.h"
#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/consent_list.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "common/hex.h"
#include "security/crypto/x25519.h"

namespace prose::apps {

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

}  // namespace

result<permission_book::key_map> pending_keys(const std::string& consent_path) {
  return read_keys(consent_path + ".pending");
}

result<permission_book::key_map> cached_peers(const std::string& cache) {
  const auto pins = read_keys(cache + ".pins");
  if (!pins) return tl::unexpected(pins.error());
  const auto prefix = std::filesystem::path(cache).filename().string() + ".";
  const auto folder = std::filesystem::path(cache).parent_path();
  permission_book::key_map out;
  std::error_code none;
  for (const auto& f : std::filesystem::directory_iterator(folder.empty() ? "." : folder, none)) {
    const auto name = f.path().filename().string();
    if (!name.starts_with(prefix)) continue;
    const auto server = name.substr(prefix.size());
    if (server == "pins" || server == "pending" || server == "lock" || server.ends_with(".said") ||
        server.find(".new") != std::string::npos)
      continue;
    const auto permitted = read_keys(f.path().string());
    if (!permitted) return tl::unexpected(permitted.error());
    for (const auto& [peer, key] : *permitted)
      if (const auto pin = pins->find(peer); pin != pins->end() && pin->second == key) out.emplace(peer, key);
  }
  return out;
}

pc3_server read_pc3_server(config_section& s, const std::string& user, const pc3_server& otherwise) {
  pc3_server out = otherwise;
  auto& c = out.client;
  if (s.line() > 0) s.require("name");
  s.read("name", c.server_name);
  s.read("address", c.address);
  s.read("port", c.port, 1, 65535);
  s.read("addresses", c.addresses);
  for (const auto& a : c.addresses)
    if (!function::parse_server_address(a, c.port))
      s.reject("addresses", "'" + a + "'; accepted: ADDRESS or ADDRESS:PORT, with IPv4 or IPv6 addresses");
  s.read_path("ca", c.identity.ca_path);
  s.read_path("certificate", c.identity.certificate_path);
  s.read_path("key", c.identity.key_path);
  s.read_path("psk", c.identity.psk_path);
  s.read("udp_listen", out.udp_listen);
  s.read("udp_forward", out.udp_forward);
  if (!c.identity.psk_path.empty()) c.identity.psk_identity = user;
  return out;
}

// --- the sessions ---------------------------------------------------------------------------------------------------

struct pc3::state {
  static constexpr std::size_t max_queued = 64;    // packets for a server
  static constexpr std::size_t max_data = 256;     // packets of servers that the radio loop has not taken
  static constexpr std::size_t max_events = 1024;  // then the network threads wait
  static constexpr std::size_t max_changes = 100 * permission_book::max_peers_per_server;  // of one synchronisation
  static constexpr double first_retry_s = 0.5, last_retry_s = 30;
  static constexpr auto look_every =
      std::chrono::milliseconds(200);  // at the consent list, the clocks, what is to be written
  static constexpr auto write_every = std::chrono::seconds(1);
  // Changes are taken at this rate at most, however often a peer grants and withdraws.
  static constexpr auto answer_gap = std::chrono::milliseconds(100);
  pc3_config config;
  file_descriptor key_log;

  std::mutex book_mutex;  // of the book and its files, so it is held for long; taken before the other
  std::optional<permission_book> book;
  std::int64_t valid_s = 0;
  struct stat consent_seen {};
  std::map<std::size_t, server_statement> written;  // of each server
  permission_book::key_map pending_written;
  std::optional<std::chrono::steady_clock::time_point> last_write;
  std::string problem;  // with the files, as told last
  bool unreadable = false;
  std::atomic<std::int64_t> slot{-1};

  std::mutex mutex;  // of everything below; held for moments only
  std::condition_variable changed;
  std::deque<pc3_event> events, data;
  std::vector<std::deque<std::vector<std::uint8_t>>> outbox;
  std::vector<function::client*> clients;
  std::vector<bool> restate, untold;  // by server: to be asked to restate; not yet told of a withdrawal
  bool stopping = false;
  std::atomic<std::uint64_t> data_dropped = 0;
  std::vector<std::thread> threads;

  // A file that is missing or wrong is reported at the start.
  result<void> read_files() {
    for (const auto& server : config.servers)
      if (auto tls = function::tls_context::client(server.client.identity); !tls) return tl::unexpected(tls.error());
    if (auto list = keys::read_consents(config.consent_path()); !list) return tl::unexpected(list.error());
    auto pending = pending_keys(config.consent_path());
    if (!pending) return tl::unexpected(pending.error());
    pending_written = std::move(*pending);
    for (std::size_t i = 0; i < config.servers.size() && !config.cache.empty(); ++i) {
      const auto path = said_by(i);
      if (is_absent(path)) continue;
      const auto text = read_private_file(path);
      if (!text) return tl::unexpected(text.error());
      auto said = parse_statement(*text, path);
      if (!said) return tl::unexpected(said.error());
      written[i] = std::move(*said);
    }
    return {};
  }

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

  // A server that says more than the radio loop takes has to wait. Call without the book's mutex.
  bool wait_for_room() {
    while (true) {
      {
        const std::lock_guard lock(mutex);
        if (events.size() < max_events) return !stopping;
      }
      if (!pause(std::chrono::milliseconds(20))) return false;
    }
  }

  clock_reading now() const {
    const auto since_epoch = [](auto clock) { return clock.time_since_epoch(); };
    return {
        std::chrono::duration_cast<std::chrono::seconds>(since_epoch(std::chrono::system_clock::now())).count(), slot,
        std::chrono::duration_cast<std::chrono::milliseconds>(since_epoch(std::chrono::steady_clock::now())).count()};
  }

  // A statement is taken with the reading of the slot clock.
  bool wait_for_slot() {
    while (slot < 0)
      if (!pause(std::chrono::milliseconds(10))) return false;
    return true;
  }

  // The following with the book's mutex held.
  void collect() {
    bind();
    for (auto& e : book->take()) emit(std::move(e));
    write_files(false);
  }

  void tell_problem(const std::string& what) {
    if (!what.empty() && what != problem) emit({.what = pc3_event::kind::unwritten, .text = what});
    problem = what;
  }

  // A key is in force only once it is bound on disk; otherwise a restart could bind another one.
  void bind() {
    const auto bindings = book->bindings();
    if (bindings.empty()) return;
    using state_of = keys::consent_state;
    const auto ok = keys::change_consents(config.consent_path(), [&](keys::consent_list& list) -> result<void> {
      for (const auto& [name, to] : bindings) {
        const auto at = list.entries.find(name);
        if (at == list.entries.end()) continue;  // the user changed it meanwhile
        auto& c = at->second;
        const bool fits = to.state == state_of::suspended ? c.bound() && c.value == to.value
                          : to.state == state_of::first   ? c.state == state_of::trust_first
                                                          : c.state == state_of::fingerprint;
        if (fits) c = to;
      }
      return {};
    });
    if (!ok) return tell_problem(ok.error().message);
    load_consents();
  }

  void load_consents() {
    struct stat st {};
    if (::stat(config.consent_path().c_str(), &st) != 0) st = {};
    consent_seen = st;
    const auto list = keys::read_consents(config.consent_path());
    if (!list && !unreadable) emit({.what = pc3_event::kind::unreadable, .text = list.error().message});
    unreadable = !list;
    book->set_consents(list ? *list : keys::consent_list{});  // no list: nobody is permitted
    const std::lock_guard lock(mutex);
    if (book->withdrawn().empty()) return;
    untold.assign(untold.size(), true);
    for (auto* c : clients)
      if (c != nullptr) c->nudge();
  }

  bool consents_changed() const {
    struct stat st {};
    if (::stat(config.consent_path().c_str(), &st) != 0) st = {};
    const auto of = [](const struct stat& s) {
      return std::tuple(s.st_ino, s.st_size, s.st_mtim.tv_sec, s.st_mtim.tv_nsec, s.st_ctim.tv_sec, s.st_ctim.tv_nsec,
                        s.st_mode);
    };
    return of(st) != of(consent_seen);
  }

  /// What changed, at most once a second. A statement that only grew older is written when its age grew by a hundredth
  /// of the validity.
  void write_files(bool all) {
    const auto t = std::chrono::steady_clock::now();
    if (!all && last_write && t - *last_write < write_every) return;
    const auto write = [&](const std::string& path, const std::string& text) {
      last_write = t;
      const auto ok = replace_private_file(path, text);
      tell_problem(ok ? "" : ok.error().message);
      return ok.has_value();
    };
    if (!config.cache.empty())
      for (const auto& [i, s] : book->statements()) {
        const auto is = book->granted_part(i);
        auto& was = written[i];
        const auto old = std::max(is.advanced_s - was.advanced_s, is.host_s - was.host_s);
        if (is == was || (!all && is.keys == was.keys && old <= valid_s / 100)) continue;
        if (write(said_by(i), to_text(is))) was = is;
      }
    if (book->pending() == pending_written) return;
    last_write = t;
    const auto ok = write_keys(config.consent_path() + ".pending", book->pending());
    tell_problem(ok ? "" : ok.error().message);
    if (ok) pending_written = book->pending();
  }
  std::string said_by(std::size_t server) const {
    return config.cache + "." + config.servers[server].client.server_name + ".said";
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
        if (v.permitted)
          all[v.peer] = v.key;
        else
          all.erase(v.peer);
        since = std::max(since, v.version);
      }
      if (since <= before) return lies(c, "changes that are not new");
      if (all.size() > permission_book::max_peers_per_server || n > max_changes)
        return lies(c, "more changes than there can be");
    }
    const std::lock_guard lock(book_mutex);
    book->replace(i, all, now());
    collect();
    return {};
  }

  /// A withdrawal is in force here at once; the server is told when it can be reached.
  result<void> tell_withdrawals(function::client& c, std::size_t i) {
    {
      const std::lock_guard lock(mutex);
      if (!untold[i]) return {};
      untold[i] = false;
    }
    std::set<std::string> names;
    {
      const std::lock_guard lock(book_mutex);
      names = book->withdrawn();
    }
    if (names.empty()) return {};
    const auto again = [&](const error& e) -> result<void> {
      if (!c.refused()) return tl::unexpected(e);
      const std::lock_guard lock(mutex);  // too many requests: later
      untold[i] = true;
      return {};
    };
    const auto listed = c.list();
    if (!listed) return again(listed.error());
    for (const auto& name : listed->granted)
      if (names.contains(name))
        if (const auto ok = c.withdraw(name); !ok) return again(ok.error());
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
      if (auto ok = tell_withdrawals(c, i); !ok) return ok;
      bool ask = false;
      {
        const std::lock_guard lock(mutex);
        ask = restate[i];
        restate[i] = false;
      }
      auto got = ask ? at_once(c, since) : c.wait(since, 30);
      if (!got) return tl::unexpected(got.error());
      while (auto d = c.take_data()) emit({.what = pc3_event::kind::data, .server = i, .octets = std::move(*d)});
      if (!*got) continue;
      const auto before = since;
      const bool news = !(*got)->empty();
      {
        const std::lock_guard lock(book_mutex);
        std::vector<std::pair<std::string, std::optional<security::public_key>>> changes;
        for (const auto& v : **got) {
          since = std::max(since, v.version);
          changes.emplace_back(v.peer, v.permitted ? std::optional(v.key) : std::nullopt);
        }
        book->update(i, changes, now());
        collect();
      }
      if (news && since <= before) return lies(c, "changes that are not new");
      if (news && !pause(answer_gap)) return {};
    }
    return {};
  }
  static result<std::optional<std::vector<function::change>>> at_once(function::client& c, std::int64_t since) {
    auto got = c.changes(since, 0);
    if (got) return std::optional(std::move(*got));
    if (c.refused()) return std::optional<std::vector<function::change>>();
    return tl::unexpected(got.error());
  }

  // Follows the consent list, the clocks and files that could not be written. Asks a server whose statement gets old to
  // restate it.
  void watch() {
    if (!wait_for_slot()) return;
    {
      const std::lock_guard lock(book_mutex);
      for (const auto& [i, said] : written) book->restore(i, said, now());
      collect();
    }
    while (pause(look_every)) {
      const std::lock_guard lock(book_mutex);
      if (consents_changed()) load_consents();
      book->advance(now());
      collect();
      for (std::size_t i = 0; i < config.servers.size(); ++i) {
        if (2 * book->left_s(i) > valid_s) continue;
        const std::lock_guard l(mutex);
        if (clients[i] == nullptr) continue;
        restate[i] = true;
        clients[i]->nudge();
      }
    }
    const std::lock_guard lock(book_mutex);
    write_files(true);
  }

  // `up` is set once all that the server permits is known.
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
    {
      const std::lock_guard lock(mutex);
      untold[i] = true;
    }
    if (auto ok = tell_withdrawals(**c, i); !ok) return ok;
    std::int64_t since = 0;
    if (auto ok = synchronise(**c, i, since); !ok) return ok;
    up = true;
    return follow(**c, i, since);
  }

  // When a server comes back its UEs must not all connect at once: each waits about twice as long as before, at random.
  void run(std::size_t i) {
    keys::system_random random;
    std::string last;
    double retry_s = first_retry_s;
    if (!wait_for_slot()) return;
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
      std::array<std::uint8_t, 4> r;
      random.fill(r);
      const double part = (r[0] + r[1] * 0x1p8 + r[2] * 0x1p16 + r[3] * 0x1p24) * 0x1p-32;
      if (!pause(std::chrono::duration<double>((0.5 + part) * retry_s))) return;
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
  s->valid_s = std::llround(config.valid_h * 3600);
  s->book.emplace(config.user, own, fixed, s->valid_s);
  if (!config.keylog.empty()) {
    auto fd = keys::open_key_log(config.keylog);
    if (!fd) return tl::unexpected(fd.error());
    s->key_log = file_descriptor(*fd);
    for (auto& server : s->config.servers)
      server.client.observe_secret = [raw = s.get()](const function::tls_secret& secret) { raw->log_secret(secret); };
  }
  s->outbox.resize(config.servers.size());
  s->clients.resize(config.servers.size());
  s->restate.resize(config.servers.size());
  s->untold.resize(config.servers.size());
  if (auto ok = s->read_files(); !ok) return tl::unexpected(ok.error());
  {
    const std::lock_guard lock(s->book_mutex);
    s->load_consents();
  }
  auto* raw = s.get();
  for (std::size_t i = 0; i < config.servers.size(); ++i) s->threads.emplace_back([raw, i] { raw->run(i); });
  s->threads.emplace_back([raw] { raw->watch(); });
  return std::unique_ptr<pc3>(new pc3(std::move(s)));
}

result<void> pc3::check(const pc3_config& config) {
  state s;
  s.config = config;
  if (!config.keylog.empty())
    if (auto fd = open_private_output(config.keylog, output_mode::probe); !fd) return tl::unexpected(fd.error());
  return s.read_files();
}

void pc3::set_slot(security::slot_t slot) { s_->slot = slot; }

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
