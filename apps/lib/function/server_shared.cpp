// What a server has with others: a database that other instances work on, and balancers that hand connections on.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "apps/lib/function/server_state.h"

namespace prose::function {

void server::state::watch_store() {
  const int fd = db->socket();
  if (fd < 0) return;
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = fd;
  epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &e);
}

void server::state::tend_store() {
  const bool renewed = db->tend();
  if (db->connected() != store_told) {
    store_told = db->connected();
    if (audit) audit({"", "", store_told ? "the database is there again" : "the database cannot be reached"});
  }
  if (renewed) {
    watch_store();
    for (const auto& [session, fd] : sessions)
      if (!db->enter(connections.at(fd)->account, session, config.limits.max_connections_per_user)) return;
  }
  if (db->changed_elsewhere()) wake_all();
  wake_changed();
  end_sessions();
}

/// Those that another instance has ended.
void server::state::end_sessions() {
  for (const auto session : db->take_ended()) {
    const auto it = sessions.find(session);
    if (it == sessions.end()) continue;
    const int fd = it->second;
    log(*connections.at(fd), "ended by another connection of the user");
    close(fd);
  }
}

bool server::state::enter(connection& c) {
  if (!db->shared()) return true;
  c.session = ++last_session;
  sessions.emplace(c.session, c.fd.get());
  const auto ok = db->enter(c.account, c.session, config.limits.max_connections_per_user);
  return ok ? true : give_up(ok.error());
}

void server::state::leave(connection& c) {
  if (sessions.erase(c.session) > 0) db->leave(c.session);
}

/// Of a user's budget over all instances some is fetched at once, so that not every request asks the database. What
/// is left of it here when the user leaves is lost to the user.
bool server::state::take(const std::string& account, budget kind, time_point now) {
  auto& own = accounts.at(account);
  const bool packets = kind == budget::packets;
  const double rate = packets ? config.limits.packets_per_second : config.limits.requests_per_second;
  if (!(packets ? own.packets : own.requests).take(rate, now)) return false;
  if (!db->shared() || !db->connected()) return true;
  int& fetched = packets ? own.fetched_packets : own.fetched_requests;
  if (fetched == 0) {
    const int wanted = std::max(1, static_cast<int>(rate / 4));
    const auto given = db->take(account, kind, rate, token_bucket::capacity(rate), wanted);
    if (!given) return true;  // the connection to the database is lost: as without one
    fetched = *given;
  }
  if (fetched == 0) return false;
  --fetched;
  return true;
}

// --- PROXY protocol ---

void server::state::await_header(apps::file_descriptor fd, const socket_address& from) {
  const int number = fd.get();
  if (proxied.size() >= static_cast<std::size_t>(config.limits.max_half_open)) {
    ++counters.evicted;
    proxied.erase(proxied.begin());
  }
  epoll_event e{};
  e.events = EPOLLIN;
  e.data.fd = number;
  epoll_ctl(epoll.get(), EPOLL_CTL_ADD, number, &e);
  proxied.insert_or_assign(number, proxied_connection{std::move(fd), from, {}, after(config.limits.handshake_s)});
}

/// False: it is no connection that waits for its header.
bool server::state::read_header(int fd) {
  const auto it = proxied.find(fd);
  if (it == proxied.end()) return false;
  auto& p = it->second;
  while (p.header.wanted() > 0) {
    std::array<std::uint8_t, 256> chunk;
    const auto n = recv(fd, chunk.data(), std::min(chunk.size(), p.header.wanted()), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return true;
    if (n <= 0) {
      proxied.erase(it);
      return true;
    }
    p.header.add(std::span(chunk).first(static_cast<std::size_t>(n)));
  }
  const auto source = parse_proxy_header(p.header.octets());
  auto held = std::move(p);
  proxied.erase(it);
  if (!source) {
    ++counters.refused_connections;
    if (audit) audit({"", held.from.text(), source.error().message});
    return true;
  }
  epoll_ctl(epoll.get(), EPOLL_CTL_DEL, fd, nullptr);
  admit(std::move(held.fd), *source ? **source : held.from);
  return true;
}

void server::state::expire_headers(time_point now) {
  counters.timed_out += std::erase_if(proxied, [&](const auto& p) { return p.second.deadline < now; });
}

}  // namespace prose::function
