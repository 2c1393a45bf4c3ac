#include "apps/lib/function/client.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <deque>
#include <utility>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/function/address.h"
#include "apps/lib/function/possession.h"
#include "common/hex.h"

namespace prose::function {
namespace {

using clock_type = std::chrono::steady_clock;
// What the server may send faster than the program takes it; older data goes first.
constexpr std::size_t max_data_held = 256;

result<apps::file_descriptor> start_connecting(const std::string& address, int port) {
  const auto to = parse_server_address(address, port);
  if (!to) return fail("server address '" + address + "': accepted is an IPv4 or IPv6 address");
  apps::file_descriptor fd(socket(to->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd || (connect(fd.get(), to->generic(), to->length) != 0 && errno != EINPROGRESS))
    return fail("server " + address + ": " + std::strerror(errno));
  const int on = 1;
  setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const unsigned unanswered_ms = 10'000;  // a network that went away is noticed although we keep sending
  setsockopt(fd.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &unanswered_ms, sizeof unanswered_ms);
  return fd;
}

}  // namespace

struct client::state {
  state(client_config c, tls_context t, apps::file_descriptor f)
      : config(std::move(c)), context(std::move(t)), fd(std::move(f)), wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
  client_config config;
  tls_context context;
  apps::file_descriptor fd;
  apps::file_descriptor wake;
  std::atomic<bool> interrupted{false};
  std::unique_ptr<tls_connection> tls;
  frame_reader in{max_answer_bytes};
  hello greeting;
  // Answers that are due, in order: of an unfinished long poll, of the call.
  enum class due : std::uint8_t { poll, call };
  std::deque<due> expected;
  std::optional<std::vector<change>> polled;  // the poll's answer, arrived during another call
  std::deque<std::vector<std::uint8_t>> data;
  clock_type::time_point poll_again{};  // after a refused poll
  bool refused = false;

  tl::unexpected<error> failed(const std::string& what) const {
    return fail("server " + config.server_name + ": " + what);
  }

  enum class woken : std::uint8_t { socket, nudge, time };
  result<woken> sleep_until(short events, clock_type::time_point deadline) {
    while (true) {
      if (interrupted) return failed("interrupted");
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock_type::now()).count();
      if (left <= 0) return woken::time;
      pollfd fds[2] = {{fd.get(), events, 0}, {wake.get(), POLLIN, 0}};
      const int n = poll(fds, 2, static_cast<int>(left));
      if (n < 0 && errno != EINTR) return failed(std::strerror(errno));
      if (interrupted) return failed("interrupted");
      if (fds[1].revents != 0) {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = read(wake.get(), &count, sizeof count);
        return woken::nudge;
      }
      if (n > 0 && fds[0].revents != 0) return woken::socket;
    }
  }

  // A call that is not wait() goes on when nudged; it is short.
  result<void> wait_for(tls_status status, clock_type::time_point deadline) {
    if (status != tls_status::want_read && status != tls_status::want_write)
      return failed(status == tls_status::closed ? "the server closed the connection" : tls->failure());
    const auto why = sleep_until(status == tls_status::want_read ? POLLIN : POLLOUT, deadline);
    if (!why) return tl::unexpected<error>(why.error());
    if (*why == woken::time) return failed("no answer in time");
    return {};
  }

  clock_type::time_point after(double seconds) const {
    return clock_type::now() + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds));
  }

  // The next message that is here already; no value: none is.
  result<std::optional<answer>> take() {
    std::array<char, 4096> chunk;
    while (true) {
      if (auto message = in.next()) {
        auto a = parse_answer(*message);
        if (!a) return failed("an answer that is none: " + a.error().message);
        return std::optional<answer>(std::move(*a));
      }
      const auto got = tls->read(chunk);
      if (got.status == tls_status::want_read || got.status == tls_status::want_write) return std::optional<answer>();
      if (got.status != tls_status::done)
        return failed(got.status == tls_status::closed ? "the server closed the connection" : tls->failure());
      if (!in.add({chunk.data(), got.n})) return failed("an answer that is too long");
    }
  }

  // Files what answers something else than the call. The call's answer comes back.
  result<std::optional<answer>> sort(answer&& a) {
    if (auto* d = std::get_if<data_answer>(&a)) {
      if (data.size() >= max_data_held) data.pop_front();
      data.push_back(std::move(d->octets));
      return std::optional<answer>();
    }
    if (expected.empty()) return failed("an answer that nobody asked for");
    const auto kind = expected.front();
    expected.pop_front();
    if (kind == due::call) return std::optional<answer>(std::move(a));
    const auto* refusal = std::get_if<error_answer>(&a);
    if (refusal != nullptr) {  // too many requests: of this user's other devices, say
      poll_again = after(1);
      return std::optional<answer>();
    }
    auto* c = std::get_if<changes_answer>(&a);
    if (c == nullptr) return failed("an answer to something else");
    polled = std::move(c->changes);
    return std::optional<answer>();
  }

  result<void> send(const request& r, std::optional<due> kind, clock_type::time_point deadline) {
    const std::string out = frame(to_text(r));
    for (std::size_t sent = 0; sent < out.size();) {
      const auto n = tls->write(std::span(out).subspan(sent));
      if (n.status == tls_status::done) {
        sent += n.n;
      } else if (auto ok = wait_for(n.status, deadline); !ok) {
        return ok;
      }
    }
    if (kind) expected.push_back(*kind);
    return {};
  }

  result<answer> receive(clock_type::time_point deadline) {
    while (true) {
      auto got = take();
      if (!got) return tl::unexpected<error>(got.error());
      if (*got) {
        auto mine = sort(std::move(**got));
        if (!mine) return tl::unexpected<error>(mine.error());
        if (*mine) return std::move(**mine);
        continue;
      }
      if (auto ok = wait_for(tls_status::want_read, deadline); !ok) return tl::unexpected<error>(ok.error());
    }
  }

  template <class Expected>
  result<Expected> call_for(const request& r, double extra_s = 0) {
    refused = false;
    const auto deadline = after(config.timeout_s + extra_s);
    if (auto ok = send(r, due::call, deadline); !ok) return tl::unexpected<error>(ok.error());
    auto a = receive(deadline);
    if (!a) return tl::unexpected<error>(a.error());
    if (auto* refusal = std::get_if<error_answer>(&*a)) {
      refused = true;
      return failed(refusal->reason);
    }
    if (auto* wanted = std::get_if<Expected>(&*a)) return std::move(*wanted);
    return failed("an answer to something else");
  }

  bool poll_open() const {
    for (const auto d : expected)
      if (d == due::poll) return true;
    return false;
  }
};

client::client(std::unique_ptr<state> s) : s_(std::move(s)) {}
client::~client() {
  if (s_->tls) s_->tls->close_notify();
}

std::optional<socket_address> parse_server_address(const std::string& text, int port) {
  const auto alone = parse_address(text, port);
  return alone ? alone : parse_endpoint(text);
}

result<std::unique_ptr<client>> client::connect(const client_config& config) {
  const double seconds = config.timeout_s / static_cast<double>(1 + config.addresses.size());
  auto c = connect_to(config, config.address, seconds);
  for (const auto& next : config.addresses) {
    if (c) break;
    auto other = connect_to(config, next, seconds);
    if (other)
      c = std::move(other);
    else
      c = fail(c.error().message + "; " + next + ": " + other.error().message);
  }
  return c;
}

result<std::unique_ptr<client>> client::connect_to(const client_config& config, const std::string& address,
                                                   double seconds) {
  auto context = tls_context::client(config.identity);
  if (!context) return tl::unexpected<error>(context.error());
  if (auto ok = context->check_dates(); !ok) return tl::unexpected<error>(ok.error());
  if (config.observe_secret) context->observe_secrets(config.observe_secret);
  auto fd = start_connecting(address, config.port);
  if (!fd) return tl::unexpected<error>(fd.error());
  auto s = std::make_unique<state>(config, std::move(*context), std::move(*fd));
  const auto deadline = s->after(seconds);
  if (auto ok = s->wait_for(tls_status::want_write, deadline); !ok) return tl::unexpected<error>(ok.error());
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
  s->expected.push_back(state::due::call);  // the greeting
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

result<kd_answer> client::kd(const std::string& peer) { return s_->call_for<kd_answer>(kd_request{peer}); }

result<std::vector<change>> client::changes(std::int64_t since, int wait_s) {
  auto a = s_->call_for<changes_answer>(changes_request{since, wait_s}, wait_s);
  if (!a) return tl::unexpected<error>(a.error());
  return std::move(a->changes);
}

bool client::refused() const { return s_->refused; }

result<std::optional<std::vector<change>>> client::wait(std::int64_t since, int wait_s) {
  using none = std::optional<std::vector<change>>;
  const auto deadline = s_->after(s_->config.timeout_s + wait_s);
  while (!s_->polled && s_->data.empty()) {
    if (!s_->poll_open() && clock_type::now() >= s_->poll_again)
      if (auto ok = s_->send(changes_request{since, wait_s}, state::due::poll, deadline); !ok)
        return tl::unexpected<error>(ok.error());
    auto got = s_->take();
    if (!got) return tl::unexpected<error>(got.error());
    if (*got) {
      auto sorted = s_->sort(std::move(**got));
      if (!sorted) return tl::unexpected<error>(sorted.error());
      continue;
    }
    const bool open = s_->poll_open();
    const auto why = s_->sleep_until(POLLIN, open ? deadline : std::min(deadline, s_->poll_again));
    if (!why) return tl::unexpected<error>(why.error());
    if (*why == state::woken::nudge) return none();
    if (*why == state::woken::time && (open || clock_type::now() >= deadline)) return s_->failed("no answer in time");
  }
  return std::exchange(s_->polled, std::nullopt);
}

result<void> client::send_data(std::span<const std::uint8_t> octets) {
  return s_->send(data_request{{octets.begin(), octets.end()}}, std::nullopt, s_->after(s_->config.timeout_s));
}

std::optional<std::vector<std::uint8_t>> client::take_data() {
  if (s_->data.empty()) return std::nullopt;
  auto out = std::move(s_->data.front());
  s_->data.pop_front();
  return out;
}

void client::nudge() noexcept {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = write(s_->wake.get(), &one, sizeof one);
}

void client::interrupt() noexcept {
  s_->interrupted = true;
  nudge();
}

std::string client::key_fingerprint() const { return to_hex(std::span(s_->tls->session_fingerprint()).first(8)); }
std::string client::suite() const { return s_->tls->suite(); }
const std::string& client::server_name() const { return s_->config.server_name; }

}  // namespace prose::function
