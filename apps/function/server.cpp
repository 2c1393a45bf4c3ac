#include "apps/function/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "apps/common/file_descriptor.h"
#include "apps/function/address.h"
#include "apps/function/application_port.h"
#include "apps/function/half_open.h"
#include "apps/function/message.h"
#include "apps/function/possession.h"
#include "apps/function/token_bucket.h"
#include "security/crypto/x25519.h"

namespace prose::function {
namespace {

using apps::file_descriptor;
using clock_type = std::chrono::steady_clock;
using time_point = clock_type::time_point;

time_point after(double seconds) {
  return clock_type::now() + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds));
}

// An answer is queued whole; a client that does not take it blocks only itself.
constexpr std::size_t max_queued_bytes = 2 * max_answer_bytes;
constexpr std::size_t max_requests_per_turn = 8;

constexpr int handshake_steps_per_turn = 4;
constexpr int max_datagrams_per_turn = 64;

struct connection {
  connection(file_descriptor f, const socket_address& from, tls_connection t, double handshake_s)
      : fd(std::move(f)), address(from.text()), block(from.block()), tls(std::move(t)), deadline(after(handshake_s)) {}
  file_descriptor fd;
  std::string address, block;
  tls_connection tls;
  bool handshake_writes = false;  // it goes on when the socket takes more
  bool established = false;
  std::string account;
  std::string name;  // once registered
  hello greeting;
  std::optional<security::ephemeral_private_key> ephemeral;
  frame_reader in{max_request_bytes};
  bool mid_frame = false;
  bool held_back = false;  // requests wait until it has taken its answers
  std::string out;
  std::optional<changes_request> waiting;
  time_point deadline;  // of what it is doing now; then it is closed (a long poll: answered)
};

/// A user's connections share one budget.
struct account_state {
  std::deque<int> connections;  // oldest first
  token_bucket requests, packets;
};

}  // namespace

struct server::state {
  server_config config;
  std::function<void(const audit_record&)> audit;
  tls_context tls;
  store db;
  file_descriptor listener, epoll, wake;
  int port = 0;
  security::random_port& random;
  security::crypto::mbedtls_x25519 dh{random};
  std::unordered_map<int, std::unique_ptr<connection>> connections;
  std::map<std::string, int> per_block;
  half_open_connections half_open;
  std::unordered_multimap<std::string, int> waiting;            // user name -> connection
  std::unordered_map<std::string, account_state> accounts;
  std::unordered_map<std::string, int> data_to;  // user name -> the connection that polled last takes the user's data
  std::map<std::string, std::deque<int>> handshakes;  // by address block, those that can go on
  std::string last_shaken;
  std::optional<time_point> accept_again;
  application_port application;
  server_counters counters;
  std::string server_name;
  std::optional<error> failure;

  state(server_config c, security::random_port& r, std::function<void(const audit_record&)> a, tls_context t, store d)
      : config(std::move(c)), audit(std::move(a)), tls(std::move(t)), db(std::move(d)), random(r) {}

  void log(const connection& c, const std::string& what) const {
    if (audit) audit({c.account, c.address, what});
  }

  void watch(const connection& c, int operation) {
    epoll_event e{};
    e.events = EPOLLIN | (c.out.empty() && !c.handshake_writes ? 0U : static_cast<std::uint32_t>(EPOLLOUT));
    e.data.fd = c.fd.get();
    epoll_ctl(epoll.get(), operation, c.fd.get(), &e);
  }

  void stop_waiting(connection& c) {
    c.waiting.reset();
    --counters.waiting;
    const auto [first, last] = waiting.equal_range(c.name);
    for (auto it = first; it != last; ++it) {
      if (it->second == c.fd.get()) {
        waiting.erase(it);
        return;
      }
    }
  }

  void close(int fd) {
    const auto it = connections.find(fd);
    if (it == connections.end()) return;
    connection& c = *it->second;
    if (c.waiting) stop_waiting(c);
    if (const auto d = data_to.find(c.name); d != data_to.end() && d->second == fd) data_to.erase(d);
    if (c.established) {
      std::erase(accounts.at(c.account).connections, fd);
    } else {
      half_open.remove(c.block, fd);
      if (const auto line = handshakes.find(c.block); line != handshakes.end()) {
        std::erase(line->second, fd);
        if (line->second.empty()) handshakes.erase(line);
      }
    }
    if (--per_block[c.block] == 0) per_block.erase(c.block);
    connections.erase(it);
    counters.open = connections.size();
  }

  // Who has not shown yet who he is keeps nobody out: one of those gives way, of the address that has the most of them.
  bool make_room(const std::string& block) {
    std::optional<int> oldest;
    const auto count = per_block.find(block);
    if (count != per_block.end() && count->second >= config.limits.max_connections_per_address) {
      oldest = half_open.oldest_of(block);
      if (!oldest) return false;
    } else if (half_open.size() >= static_cast<std::size_t>(config.limits.max_half_open)) {
      oldest = half_open.oldest_of_heaviest();
    }
    if (oldest) {
      ++counters.evicted;
      close(*oldest);
    }
    return true;
  }

  void accept_all() {
    while (true) {
      socket_address from;
      from.length = sizeof from.storage;
      file_descriptor fd(accept4(listener.get(), from.generic(), &from.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
      if (!fd) {
        if (errno == EMFILE || errno == ENFILE) pause_accepting();
        return;
      }
      if (!make_room(from.block())) {
        ++counters.refused_connections;
        continue;
      }
      const int on = 1;
      setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      if (config.send_buffer_bytes > 0)
        setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &config.send_buffer_bytes, sizeof config.send_buffer_bytes);
      auto session = tls_connection::make(tls, fd.get(), "");
      if (!session) {
        ++counters.refused_connections;
        continue;
      }
      const int number = fd.get();
      auto c = std::make_unique<connection>(std::move(fd), from, std::move(*session), config.limits.handshake_s);
      ++counters.accepted;
      ++per_block[c->block];
      half_open.add(c->block, number);
      watch(*c, EPOLL_CTL_ADD);
      connections.emplace(number, std::move(c));
      counters.open = connections.size();
    }
  }

  // Out of descriptors: the backlog waits, rather than that we spin on it.
  void pause_accepting() {
    epoll_ctl(epoll.get(), EPOLL_CTL_DEL, listener.get(), nullptr);
    accept_again = after(0.5);
  }

  void resume_accepting() {
    if (!accept_again || clock_type::now() < *accept_again) return;
    accept_again.reset();
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = listener.get();
    epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &e);
  }

  // Handshakes cost milliseconds, requests microseconds: whoever is connected goes first, and a turn has a few
  // handshake steps only, one address after another, so that a flood from one address delays the others little.
  void queue_handshake(const connection& c) {
    auto& line = handshakes[c.block];
    if (std::find(line.begin(), line.end(), c.fd.get()) == line.end()) line.push_back(c.fd.get());
  }

  void shake_hands() {
    for (int steps = 0; steps < handshake_steps_per_turn && !handshakes.empty(); ++steps) {
      auto at = handshakes.upper_bound(last_shaken);
      if (at == handshakes.end()) at = handshakes.begin();
      last_shaken = at->first;
      const int fd = at->second.front();
      at->second.pop_front();
      if (at->second.empty()) handshakes.erase(at);
      const auto it = connections.find(fd);
      if (it == connections.end() || it->second->established) continue;
      if (!proceed(*it->second)) close(fd);
      wake_changed();  // requests may have come with the handshake's end
    }
  }

  // A user's devices and tools may be connected at once, but not without end.
  void limit_user(connection& c) {
    auto& own = accounts[c.account].connections;
    own.push_back(c.fd.get());
    if (own.size() <= static_cast<std::size_t>(config.limits.max_connections_per_user)) return;
    const int oldest = own.front();
    log(*connections.at(oldest), "too many connections; the oldest is closed");
    close(oldest);
  }

  void queue(connection& c, const answer& a) {
    c.out += frame(to_text(a));
    c.deadline = after(config.limits.frame_s);
  }

  void greet(connection& c) {
    c.ephemeral = security::ephemeral_private_key::make([&](auto out) { random.fill(out); });
    c.greeting.server = server_name;
    random.fill(c.greeting.challenge);
    c.greeting.ephemeral = dh.public_of(*c.ephemeral);
    queue(c, c.greeting);
  }

  // False: close the connection.
  bool proceed(connection& c) {
    if (!c.established) {
      const auto status = c.tls.handshake();
      if (status == tls_status::want_read || status == tls_status::want_write) {
        if (std::exchange(c.handshake_writes, status == tls_status::want_write) != c.handshake_writes)
          watch(c, EPOLL_CTL_MOD);
        return true;
      }
      c.handshake_writes = false;
      if (status != tls_status::done) {
        ++counters.failed_handshakes;
        log(c, "TLS handshake failed: " + c.tls.failure());
        return false;
      }
      c.account = c.tls.peer_name();
      if (!valid_name(c.account)) {
        c.account.clear();  // not fit for a log
        return false;
      }
      if (config.denied.contains(c.account)) {
        log(c, "denied");
        c.account.clear();
        return false;
      }
      if (connections.size() - half_open.size() >= static_cast<std::size_t>(config.limits.max_connections)) {
        ++counters.refused_connections;
        log(c, "too many connections at the server");
        c.account.clear();
        return false;
      }
      c.established = true;
      half_open.remove(c.block, c.fd.get());
      ++counters.handshakes;
      limit_user(c);
      auto name = db.name_of(c.account);
      if (!name) return give_up(name.error());
      c.name = *name;
      greet(c);
    }
    return read_requests(c) && write_answers(c);
  }

  bool read_requests(connection& c) {
    std::array<char, 4096> chunk;
    for (std::size_t handled = 0; handled < max_requests_per_turn;) {
      if (c.out.size() > max_queued_bytes) {  // it must take its answers first
        c.held_back = true;
        return true;
      }
      if (auto message = c.in.next()) {
        ++handled;
        c.mid_frame = false;
        if (!handle(c, *message)) return false;
        continue;
      }
      const auto got = c.tls.read(chunk);
      if (got.status == tls_status::want_read || got.status == tls_status::want_write) return true;
      if (got.status != tls_status::done) return false;
      if (!c.mid_frame && !c.waiting) {
        c.mid_frame = true;
        c.deadline = after(config.limits.frame_s);
      }
      if (!c.in.add({chunk.data(), got.n})) {
        ++counters.bad_requests;
        log(c, "request too long");
        return false;
      }
    }
    again.push_back(c.fd.get());  // others first; TLS may hold more than the socket shows
    return true;
  }

  bool write_answers(connection& c) {
    while (!c.out.empty()) {
      const auto sent = c.tls.write(c.out);
      if (sent.status == tls_status::want_read || sent.status == tls_status::want_write) break;
      if (sent.status != tls_status::done) return false;
      c.out.erase(0, sent.n);
      if (c.out.empty() && !c.waiting && !c.mid_frame) c.deadline = after(config.limits.idle_s);
    }
    // What it sent meanwhile may lie in our buffers, where the socket does not show it.
    if (c.held_back && c.out.size() <= max_queued_bytes) {
      c.held_back = false;
      again.push_back(c.fd.get());
    }
    watch(c, EPOLL_CTL_MOD);
    return true;
  }

  bool give_up(const error& e) {
    failure = e;
    return false;
  }

  bool handle(connection& c, const std::string& message) {
    ++counters.requests;
    const auto parsed = parse_request(message);
    const bool is_data = parsed && std::holds_alternative<data_request>(*parsed);
    if (c.waiting && !is_data) {  // one request at a time; a new one ends the wait
      stop_waiting(c);
      queue(c, changes_answer{});
    }
    auto& account = accounts.at(c.account);
    const auto now = clock_type::now();
    if (!(is_data ? account.packets.take(config.limits.packets_per_second, now)
                  : account.requests.take(config.limits.requests_per_second, now))) {
      ++counters.rate_limited;
      if (is_data) return no_answer(c);
      queue(c, error_answer{"too many requests; wait a little"});
      return true;
    }
    if (!parsed) {
      ++counters.bad_requests;
      queue(c, error_answer{parsed.error().message.substr(0, 200)});
      return true;
    }
    return std::visit([&](const auto& r) { return serve(c, r); }, *parsed);
  }

  // The same answer whatever the other side has done.
  bool finish(connection& c, const result<refusal>& r, const std::string& what) {
    if (!r) return give_up(r.error());
    log(c, what + ": " + std::string(describe(*r)));
    if (*r == refusal::none)
      queue(c, done_answer{});
    else
      queue(c, error_answer{std::string(describe(*r))});
    return true;
  }

  bool serve(connection& c, const register_request& r) {
    if (!verify_possession(dh, *c.ephemeral, c.greeting, r)) {
      log(c, "register " + (valid_name(r.name) ? r.name : "(bad name)") + ": proof of possession failed");
      queue(c, error_answer{"proof of possession failed"});
      return true;
    }
    // An account without a certificate of its own name could register anybody's: the certificate's name is the user's
    // name.
    if (r.name != c.account) {
      queue(c, error_answer{"a certificate registers its own name only"});
      return true;
    }
    const auto outcome = db.register_user(c.account, r.name, r.key, r.replace);
    if (outcome && *outcome == refusal::none) c.name = r.name;
    return finish(c, outcome, "register " + r.name);
  }

  bool serve(connection& c, const grant_request& r) {
    return finish(c, db.grant(c.name, r.peer), "grant " + (valid_name(r.peer) ? r.peer : "(bad name)"));
  }

  bool serve(connection& c, const withdraw_request& r) {
    return finish(c, db.withdraw(c.name, r.peer), "withdraw " + (valid_name(r.peer) ? r.peer : "(bad name)"));
  }

  bool serve(connection& c, const list_request&) {
    auto granted = db.granted_by(c.name);
    if (!granted) return give_up(granted.error());
    auto mutual = db.mutual_peers(c.name);
    if (!mutual) return give_up(mutual.error());
    queue(c, list_answer{std::move(*granted), std::move(*mutual)});
    return true;
  }

  bool serve(connection& c, const changes_request& r) {
    if (c.name.empty()) {
      queue(c, error_answer{std::string(describe(refusal::not_registered))});
      return true;
    }
    data_to[c.name] = c.fd.get();
    auto found = db.changes(c.name, r.since, max_changes_per_answer);
    if (!found) return give_up(found.error());
    if (!found->empty() || r.wait_s == 0) {
      queue(c, changes_answer{std::move(*found)});
      return true;
    }
    c.waiting = r;
    c.deadline = after(r.wait_s);
    waiting.emplace(c.name, c.fd.get());
    ++counters.waiting;
    return true;
  }

  // A packet gets none, and does not end a long poll.
  bool no_answer(connection& c) {
    if (!c.waiting && c.out.empty()) c.deadline = after(config.limits.idle_s);
    return true;
  }

  bool serve(connection& c, const data_request& r) {
    if (c.name.empty()) {
      ++counters.data_dropped;
      return no_answer(c);
    }
    ++counters.data_in;
    if (!application.deliver(c.name, r.octets)) ++counters.data_dropped;
    no_answer(c);
    if (config.application.echo) send_data(c, r.octets);
    return true;
  }

  void send_data(connection& c, std::vector<std::uint8_t> octets) {
    if (c.out.size() > max_queued_bytes) {
      ++counters.data_dropped;
      return;
    }
    ++counters.data_out;
    const auto deadline = c.deadline;
    const bool idle = c.out.empty();
    queue(c, data_answer{std::move(octets)});
    // Data does not keep a long poll or a slow reader alive: their time goes on.
    if (c.waiting || !idle) c.deadline = deadline;
  }

  void take_datagrams() {
    for (int i = 0; i < max_datagrams_per_turn; ++i) {
      auto d = application.poll();
      if (!d) return;
      const auto to = data_to.find(d->name);
      if (to == data_to.end()) {
        ++counters.data_dropped;
        continue;
      }
      connection& c = *connections.at(to->second);
      send_data(c, std::move(d->octets));
      if (!write_answers(c)) close(c.fd.get());
    }
  }

  void answer_waiting(int fd) {
    const auto it = connections.find(fd);
    if (it == connections.end() || !it->second->waiting) return;
    connection& c = *it->second;
    auto found = db.changes(c.name, c.waiting->since, max_changes_per_answer);
    if (!found) {
      give_up(found.error());
      return;
    }
    stop_waiting(c);
    queue(c, changes_answer{std::move(*found)});
    if (!write_answers(c)) close(fd);
  }

  void wake_changed() {
    for (const auto& user : db.take_changed_users()) {
      std::vector<int> fds;
      const auto [first, last] = waiting.equal_range(user);
      for (auto it = first; it != last; ++it) fds.push_back(it->second);
      for (const int fd : fds) answer_waiting(fd);
    }
  }

  void expire() {
    const auto now = clock_type::now();
    std::vector<int> over;
    for (const auto& [fd, c] : connections)
      if (c->deadline < now) over.push_back(fd);
    for (const int fd : over) {
      if (connections[fd]->waiting) {
        answer_waiting(fd);
      } else {
        ++counters.timed_out;
        close(fd);
      }
    }
    // Who has gone keeps his budget until it is full again: coming back does not fill it.
    std::erase_if(accounts, [&](const auto& a) {
      return a.second.connections.empty() && a.second.requests.full(config.limits.requests_per_second, now) &&
             a.second.packets.full(config.limits.packets_per_second, now);
    });
  }

  void turn(int fd) {
    const auto it = connections.find(fd);
    if (it == connections.end()) return;
    if (!it->second->established)
      queue_handshake(*it->second);
    else if (!proceed(*it->second))
      close(fd);
    wake_changed();
  }

  std::vector<int> again;
};

server::server(std::unique_ptr<state> s) : s_(std::move(s)) {}
server::~server() = default;
int server::port() const { return s_->port; }
const server_counters& server::counters() const { return s_->counters; }

void server::stop() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(s_->wake.get(), &one, sizeof one);
}

result<std::unique_ptr<server>> server::open(const server_config& config, security::random_port& random,
                                             std::function<void(const audit_record&)> audit) {
  auto tls = tls_context::server(config.identity);
  if (!tls) return tl::unexpected<error>(tls.error());
  auto db = store::open(config.store_path);
  if (!db) return tl::unexpected<error>(db.error());
  auto s = std::make_unique<state>(config, random, std::move(audit), std::move(*tls), std::move(*db));
  if (config.observe_secret) s->tls.observe_secrets(config.observe_secret);
  const std::string certified = s->tls.own_name();
  s->server_name = config.name.empty() ? certified : config.name;
  if (s->server_name.empty()) return fail("a server without a certificate needs a name");
  if (!valid_name(s->server_name))
    return fail("server name '" + s->server_name + "': accepted are 1 to 64 of a-z A-Z 0-9 . _ -");
  if (!certified.empty() && certified != s->server_name)
    return fail(config.identity.certificate_path + ": its common name is '" + certified + "', not '" + s->server_name +
                "'");

  auto address = parse_address(config.address, config.port);
  if (!address) return fail("address '" + config.address + "': accepted is an IPv4 or IPv6 address");
  const int on = 1;
  s->listener = file_descriptor(socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  s->epoll = file_descriptor(epoll_create1(EPOLL_CLOEXEC));
  s->wake = file_descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!s->listener || !s->epoll || !s->wake ||
      setsockopt(s->listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(s->listener.get(), address->generic(), address->length) != 0 || listen(s->listener.get(), 512) != 0 ||
      getsockname(s->listener.get(), address->generic(), &address->length) != 0)
    return fail("cannot listen on " + config.address + " port " + std::to_string(config.port) + ": " +
                std::strerror(errno));
  s->port = address->port();
  auto application = application_port::open(config.application);
  if (!application) return tl::unexpected<error>(application.error());
  s->application = std::move(*application);
  for (const int fd : {s->listener.get(), s->wake.get(), s->application.listening()}) {
    if (fd < 0) continue;
    epoll_event e{};
    e.events = EPOLLIN;
    e.data.fd = fd;
    epoll_ctl(s->epoll.get(), EPOLL_CTL_ADD, fd, &e);
  }
  return std::unique_ptr<server>(new server(std::move(s)));
}

result<void> server::run() {
  std::array<epoll_event, 256> events;
  auto next_expiry = after(0);
  while (true) {
    const bool busy = !s_->again.empty() || !s_->handshakes.empty();
    const int n = epoll_wait(s_->epoll.get(), events.data(), static_cast<int>(events.size()), busy ? 0 : 100);
    if (n < 0 && errno != EINTR) return fail(std::string("epoll: ") + std::strerror(errno));
    for (int i = 0; i < n; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == s_->wake.get()) return {};
      if (fd == s_->listener.get())
        s_->accept_all();
      else if (fd == s_->application.listening())
        s_->take_datagrams();
      else
        s_->turn(fd);
    }
    const auto again = std::exchange(s_->again, {});
    for (const int fd : again) s_->turn(fd);
    s_->shake_hands();
    s_->resume_accepting();
    if (clock_type::now() >= next_expiry) {
      s_->expire();
      next_expiry = after(0.1);
    }
    if (s_->failure) return tl::unexpected<error>(*s_->failure);
  }
}

}  // namespace prose::function
