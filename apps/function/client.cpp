#include "apps/function/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "apps/common/file_descriptor.h"
#include "apps/function/possession.h"
#include "common/hex.h"

namespace prose::function {
namespace {

using clock_type = std::chrono::steady_clock;

result<apps::file_descriptor> start_connecting(const std::string& address, int port) {
  sockaddr_storage to{};
  socklen_t length = sizeof(sockaddr_in);
  auto* v4 = reinterpret_cast<sockaddr_in*>(&to);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&to);
  if (inet_pton(AF_INET, address.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<std::uint16_t>(port));
  } else if (inet_pton(AF_INET6, address.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<std::uint16_t>(port));
    length = sizeof(sockaddr_in6);
  } else {
    return fail("server address '" + address + "': accepted is an IPv4 or IPv6 address");
  }
  apps::file_descriptor fd(socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), length) != 0 && errno != EINPROGRESS))
    return fail("server " + address + ": " + std::strerror(errno));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace

struct client::state {
  state(client_config c, tls_context t, apps::file_descriptor f)
      : config(std::move(c)), context(std::move(t)), fd(std::move(f)), wake(eventfd(0, EFD_CLOEXEC)) {}
  client_config config;
  tls_context context;
  apps::file_descriptor fd;
  apps::file_descriptor wake;
  std::unique_ptr<tls_connection> tls;
  frame_reader in{max_answer_bytes};
  hello greeting;

  tl::unexpected<error> failed(const std::string& what) const {
    return fail("server " + config.server_name + ": " + what);
  }

  result<void> wait_until(short events, clock_type::time_point deadline) {
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock_type::now()).count();
      if (left <= 0) return failed("no answer in time");
      pollfd fds[2] = {{fd.get(), events, 0}, {wake.get(), POLLIN, 0}};
      const int n = poll(fds, 2, static_cast<int>(left));
      if (n < 0 && errno != EINTR) return failed(std::strerror(errno));
      if (fds[1].revents != 0) return failed("interrupted");
      if (n > 0 && fds[0].revents != 0) return {};
    }
  }

  result<void> wait_for(tls_status status, clock_type::time_point deadline) {
    if (status == tls_status::want_read) return wait_until(POLLIN, deadline);
    if (status == tls_status::want_write) return wait_until(POLLOUT, deadline);
    return failed(status == tls_status::closed ? "the server closed the connection" : tls->failure());
  }

  clock_type::time_point after(double seconds) const {
    return clock_type::now() + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds));
  }

  result<answer> receive(clock_type::time_point deadline) {
    std::array<char, 4096> chunk;
    while (true) {
      if (auto message = in.next()) {
        auto a = parse_answer(*message);
        if (!a) return failed("an answer that is none: " + a.error().message);
        return a;
      }
      const auto got = tls->read(chunk);
      if (got.status == tls_status::done) {
        if (!in.add({chunk.data(), got.n})) return failed("an answer that is too long");
      } else if (auto ok = wait_for(got.status, deadline); !ok) {
        return tl::unexpected<error>(ok.error());
      }
    }
  }

  result<answer> call(const request& r, double extra_s = 0) {
    const auto deadline = after(config.timeout_s + extra_s);
    const std::string out = frame(to_text(r));
    for (std::size_t sent = 0; sent < out.size();) {
      const auto n = tls->write(std::span(out).subspan(sent));
      if (n.status == tls_status::done) {
        sent += n.n;
      } else if (auto ok = wait_for(n.status, deadline); !ok) {
        return tl::unexpected<error>(ok.error());
      }
    }
    return receive(deadline);
  }

  template <class Expected>
  result<Expected> call_for(const request& r, double extra_s = 0) {
    auto a = call(r, extra_s);
    if (!a) return tl::unexpected<error>(a.error());
    if (auto* refused = std::get_if<error_answer>(&*a)) return failed(refused->reason);
    if (auto* expected = std::get_if<Expected>(&*a)) return std::move(*expected);
    return failed("an answer to something else");
  }
};

client::client(std::unique_ptr<state> s) : s_(std::move(s)) {}
client::~client() {
  if (s_->tls) s_->tls->close_notify();
}

result<std::unique_ptr<client>> client::connect(const client_config& config) {
  auto context = tls_context::client(config.identity);
  if (!context) return tl::unexpected<error>(context.error());
  auto fd = start_connecting(config.address, config.port);
  if (!fd) return tl::unexpected<error>(fd.error());
  auto s = std::make_unique<state>(config, std::move(*context), std::move(*fd));
  const auto deadline = s->after(config.timeout_s);
  if (auto ok = s->wait_until(POLLOUT, deadline); !ok) return tl::unexpected<error>(ok.error());
  int problem = 0;
  socklen_t length = sizeof problem;
  if (getsockopt(s->fd.get(), SOL_SOCKET, SO_ERROR, &problem, &length) != 0 || problem != 0)
    return s->failed(std::strerror(problem));
  auto tls = tls_connection::make(s->context, s->fd.get(), config.server_name);
  if (!tls) return tl::unexpected<error>(tls.error());
  s->tls = std::make_unique<tls_connection>(std::move(*tls));
  for (auto status = s->tls->handshake(); status != tls_status::done; status = s->tls->handshake()) {
    if (auto ok = s->wait_for(status, deadline); !ok) return tl::unexpected<error>(ok.error());
  }
  auto first = s->receive(deadline);
  if (!first) return tl::unexpected<error>(first.error());
  const auto* greeting = std::get_if<hello>(&*first);
  // The name that goes into the proof is the one whose certificate was checked, not one that the other end claims.
  if (greeting == nullptr || greeting->server != config.server_name)
    return s->failed("it does not greet as that server");
  s->greeting = *greeting;
  return std::unique_ptr<client>(new client(std::move(s)));
}

result<void> client::register_key(security::dh_port& dh, const security::static_private_key& own,
                                  const std::string& name, bool replace) {
  const auto proof = prove_possession(dh, own, s_->greeting, name);
  if (!proof) return s_->failed("its ephemeral key is of low order");
  const auto done = s_->call_for<done_answer>(register_request{name, dh.public_of(own), *proof, replace});
  if (!done) return tl::unexpected<error>(done.error());
  return {};
}

result<void> client::grant(const std::string& peer) {
  const auto done = s_->call_for<done_answer>(grant_request{peer});
  if (!done) return tl::unexpected<error>(done.error());
  return {};
}

result<void> client::withdraw(const std::string& peer) {
  const auto done = s_->call_for<done_answer>(withdraw_request{peer});
  if (!done) return tl::unexpected<error>(done.error());
  return {};
}

result<list_answer> client::list() { return s_->call_for<list_answer>(list_request{}); }

result<std::vector<change>> client::changes(std::int64_t since, int wait_s) {
  auto a = s_->call_for<changes_answer>(changes_request{since, wait_s}, wait_s);
  if (!a) return tl::unexpected<error>(a.error());
  return std::move(a->changes);
}

void client::interrupt() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(s_->wake.get(), &one, sizeof one);
}

std::string client::key_fingerprint() const { return to_hex(std::span(s_->tls->session_fingerprint()).first(8)); }
const std::string& client::server_name() const { return s_->config.server_name; }

}  // namespace prose::function
