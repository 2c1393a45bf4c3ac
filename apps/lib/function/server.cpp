#include "apps/lib/function/server.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "apps/lib/function/server_state.h"
#include "apps/lib/keys/key_file.h"

namespace prose::function {
namespace {

using apps::file_descriptor;

constexpr std::size_t max_requests_per_turn = 8;
constexpr int handshake_steps_per_turn = 4;

}  // namespace

void server::state::log(const connection& c, const std::string& what) const {
  if (audit) audit({c.account, c.address, what});
}

void server::state::watch(const connection& c, int operation) {
  epoll_event e{};
  // Requests that are held back may still be in the socket; waiting for them would wake us again and again.
  if (!c.held_back) e.events |= EPOLLIN;
  if (!c.out.empty() || c.handshake_writes) e.events |= EPOLLOUT;
  e.data.fd = c.fd.get();
  epoll_ctl(epoll.get(), operation, c.fd.get(), &e);
}

void server::state::close(int fd) {
  const auto it = connections.find(fd);
  if (it == connections.end()) return;
  connection& c = *it->second;
  if (c.waiting) stop_waiting(c);
  if (const auto d = data_to.find(c.name); d != data_to.end() && d->second == fd) data_to.erase(d);
  if (c.established) {
    leave(c);
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

// Connections that have not authenticated must not keep others out: the address with the most of them loses one.
bool server::state::make_room(const std::string& block) {
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

void server::state::accept_all() {
  while (true) {
    socket_address from;
    from.length = sizeof from.storage;
    file_descriptor fd(accept4(listener.get(), from.generic(), &from.length, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd) {
      if (errno != EMFILE && errno != ENFILE) return;
      if (free_descriptor()) continue;
      pause_accepting();
      return;
    }
    if (config.proxies.contains(from.host()))
      await_header(std::move(fd), from);
    else
      admit(std::move(fd), from);
  }
}

/// A new connection of this address, directly or through a balancer.
void server::state::admit(file_descriptor fd, const socket_address& from) {
  if (!make_room(from.block())) {
    ++counters.refused_connections;
    return;
  }
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (config.send_buffer_bytes > 0)
    setsockopt(fd.get(), SOL_SOCKET, SO_SNDBUF, &config.send_buffer_bytes, sizeof config.send_buffer_bytes);
  auto session = tls_connection::make(tls, fd.get(), "");
  if (!session) {
    ++counters.refused_connections;
    return;
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

/// Out of descriptors: the oldest of whoever has most connections without a name ends, as with max_half_open. False:
/// there is none.
bool server::state::free_descriptor() {
  const auto oldest = half_open.oldest_of_heaviest();
  const auto now = clock_type::now();
  if (now >= tell_descriptors_again) {  // strangers must not fill the log
    tell_descriptors_again = after(10);
    if (audit)
      audit({"", "",
             std::string("out of descriptors (ulimit -n): ") +
                 (oldest ? "the oldest connection without a name is ended" : "new connections wait")});
  }
  if (!oldest) return false;
  ++counters.evicted;
  close(*oldest);
  return true;
}

// No connection is left to close: the backlog waits, so that we do not spin on it.
void server::state::pause_accepting() {
  epoll_ctl(epoll.get(), EPOLL_CTL_DEL, listener.get(), nullptr);
  accept_again = after(0.5);
}

void server::state::resume_accepting() {
  if (!accept_again || clock_type::now() < *accept_again) return;
  accept_again.reset();
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = listener.get();
  epoll_ctl(epoll.get(), EPOLL_CTL_ADD, listener.get(), &e);
}

// Handshakes cost milliseconds, requests microseconds. So established connections go first, and each turn has only a
// few handshake steps, one address after another: a flood from one address delays the others little.
void server::state::queue_handshake(const connection& c) {
  auto& line = handshakes[c.block];
  if (std::find(line.begin(), line.end(), c.fd.get()) == line.end()) line.push_back(c.fd.get());
}

void server::state::shake_hands() {
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
void server::state::limit_user(connection& c) {
  auto& own = accounts[c.account].connections;
  own.push_back(c.fd.get());
  if (own.size() <= static_cast<std::size_t>(config.limits.max_connections_per_user)) return;
  const int oldest = own.front();
  log(*connections.at(oldest), "too many connections; the oldest is closed");
  close(oldest);
}

void server::state::woken() {
  std::uint64_t times = 0;
  [[maybe_unused]] const auto n = ::read(wake.get(), &times, sizeof times);
  if (!reloading.exchange(false) || !config.read_denied) return;
  auto denied = config.read_denied();
  if (!denied) return;
  config.denied = std::move(*denied);
  for (const auto& user : config.denied) {
    const auto account = accounts.find(user);
    if (account == accounts.end()) continue;
    const auto own = account->second.connections;  // close() takes them out
    for (const int fd : own) {
      log(*connections.at(fd), "denied; the session ends");
      close(fd);
    }
  }
}

bool server::state::proceed(connection& c) {
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
    if (!db->connected()) {
      log(c, "the database cannot be reached");
      c.account.clear();
      return false;
    }
    c.established = true;
    half_open.remove(c.block, c.fd.get());
    ++counters.handshakes;
    limit_user(c);
    if (!enter(c)) return false;
    auto name = db->name_of(c.account);
    if (!name) return give_up(name.error());
    c.name = *name;
    greet(c);
  }
  return read_requests(c) && write_answers(c);
}

bool server::state::read_requests(connection& c) {
  std::array<char, 4096> chunk;
  for (std::size_t handled = 0; handled < max_requests_per_turn;) {
    if (c.out.size() > config.max_queued_bytes) {  // it must take its answers first
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

bool server::state::write_answers(connection& c) {
  while (!c.out.empty()) {
    const auto sent = c.tls.write(c.out);
    if (sent.status == tls_status::want_read || sent.status == tls_status::want_write) break;
    if (sent.status != tls_status::done) return false;
    c.out.erase(0, sent.n);
    if (c.out.empty() && !c.waiting && !c.mid_frame) c.deadline = after(config.limits.idle_s);
  }
  // What it sent meanwhile may be in our buffers, where the socket does not show it.
  if (c.held_back && c.out.size() <= config.max_queued_bytes) {
    c.held_back = false;
    again.push_back(c.fd.get());
  }
  watch(c, EPOLL_CTL_MOD);
  return true;
}

void server::state::expire() {
  const auto now = clock_type::now();
  expire_headers(now);
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
  // The budget of a user who left is kept until it is full again: reconnecting does not refill it.
  std::erase_if(accounts, [&](const auto& a) {
    return a.second.connections.empty() && a.second.requests.full(config.limits.requests_per_second, now) &&
           a.second.packets.full(config.limits.packets_per_second, now);
  });
}

void server::state::turn(int fd) {
  if (read_header(fd)) return;
  const auto it = connections.find(fd);
  if (it == connections.end()) return;
  if (!it->second->established)
    queue_handshake(*it->second);
  else if (!proceed(*it->second))
    close(fd);
  wake_changed();
}

server::server(std::unique_ptr<state> s) : s_(std::move(s)) {}
server::~server() = default;
int server::port() const { return s_->port; }
const server_counters& server::counters() const { return s_->counters; }

void server::stop() noexcept {
  s_->stopping = true;
  s_->wake_up();
}

void server::reload() noexcept {
  s_->reloading = true;
  s_->wake_up();
}

void server::state::wake_up() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(wake.get(), &one, sizeof one);
}

namespace {

/// The server's name, or what is wrong with it.
result<std::string> name_of(const server_config& config, const tls_context& tls) {
  const std::string certified = tls.own_name();
  std::string name = config.name.empty() ? certified : config.name;
  if (name.empty()) return fail("a server without a certificate needs a name");
  if (!valid_name(name)) return fail("server name '" + name + "': accepted are 1 to 64 of a-z A-Z 0-9 . _ -");
  if (!certified.empty() && certified != name)
    return fail(config.identity.certificate_path + ": its common name is '" + certified + "', not '" + name + "'");
  return name;
}

result<socket_address> address_of(const server_config& config) {
  const auto address = parse_address(config.address, config.port);
  if (!address) return fail("address '" + config.address + "': accepted is an IPv4 or IPv6 address");
  return *address;
}

}  // namespace

static result<std::optional<security::pre_shared_key>> read_kd_secret(const server_config& config) {
  std::optional<security::pre_shared_key> none;
  if (config.kd_secret_path.empty()) return none;
  auto secret = keys::read_psk(config.kd_secret_path);
  if (!secret) return fail("kd_secret: " + secret.error().message);
  return std::optional(std::move(*secret));
}

result<void> server::check(const server_config& config) {
  const auto tls = tls_context::server(config.identity);
  if (!tls) return tl::unexpected<error>(tls.error());
  if (auto ok = tls->check_dates(); !ok) return ok;
  if (auto ok = store::check(config.store_path); !ok) return ok;
  if (const auto secret = read_kd_secret(config); !secret) return tl::unexpected<error>(secret.error());
  if (const auto name = name_of(config, *tls); !name) return tl::unexpected<error>(name.error());
  if (const auto address = address_of(config); !address) return tl::unexpected<error>(address.error());
  return application_port::check(config.application);
}

result<std::unique_ptr<server>> server::open(const server_config& config, security::random_port& random,
                                             std::function<void(const audit_record&)> audit) {
  auto tls = tls_context::server(config.identity);
  if (!tls) return tl::unexpected<error>(tls.error());
  if (auto ok = tls->check_dates(); !ok) return tl::unexpected<error>(ok.error());
  auto db = store::open(config.store_path);
  if (!db) return tl::unexpected<error>(db.error());
  auto s = std::make_unique<state>(config, random, std::move(audit), std::move(*tls), std::move(*db));
  auto secret = read_kd_secret(config);
  if (!secret) return tl::unexpected<error>(secret.error());
  s->kd_secret = std::move(*secret);
  if (config.observe_secret) s->tls.observe_secrets(config.observe_secret);
  auto name = name_of(config, s->tls);
  if (!name) return tl::unexpected<error>(name.error());
  s->server_name = std::move(*name);
  auto address = address_of(config);
  if (!address) return tl::unexpected<error>(address.error());
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
  s->watch_store();
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
      const int fd = events[i].data.fd;
      if (fd == s_->wake.get())
        s_->woken();
      else if (fd == s_->listener.get())
        s_->accept_all();
      else if (fd == s_->application.listening())
        s_->take_datagrams();
      else if (fd == s_->db->socket())
        s_->tend_store();
      else
        s_->turn(fd);
    }
    if (s_->stopping) return {};
    const auto again = std::exchange(s_->again, {});
    for (const int fd : again) s_->turn(fd);
    s_->shake_hands();
    s_->resume_accepting();
    if (clock_type::now() >= next_expiry) {
      s_->expire();
      s_->tend_store();
      next_expiry = after(0.1);
    }
    if (s_->failure) return tl::unexpected<error>(*s_->failure);
  }
}

}  // namespace prose::function
