#include "apps/lib/common/metrics.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <mutex>

#include "apps/lib/common/accept_thread.h"
#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/log.h"

namespace prose::apps {

void metrics_page::head(std::string_view name, std::string_view help, std::string_view type) {
  if (name == last_) return;
  last_ = name;
  text_.append("# HELP ").append(name).append(" ").append(help).append("\n");
  text_.append("# TYPE ").append(name).append(" ").append(type).append("\n");
}

void metrics_page::counter(std::string_view name, std::string_view help, std::uint64_t value, std::string_view labels) {
  head(name, help, "counter");
  text_.append(name);
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_.append(" ").append(std::to_string(value)).append("\n");
}

void metrics_page::gauge(std::string_view name, std::string_view help, double value, std::string_view labels) {
  head(name, help, "gauge");
  char number[32];
  std::snprintf(number, sizeof number, "%.9g", value);
  text_.append(name);
  if (!labels.empty()) text_.append("{").append(labels).append("}");
  text_.append(" ").append(number).append("\n");
}

struct metrics_server::state {
  file_descriptor listener;
  int port = 0;
  std::mutex mutex;
  std::string page;
  accept_thread thread;  // last: it ends before what it uses

  void serve(int client) {
    timeval patience{1, 0};
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(client, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    char request[1024];
    const auto n = recv(client, request, sizeof request, 0);
    if (n <= 0) return;
    const std::string_view text(request, n);
    const bool known = text.starts_with("GET /metrics ");
    std::string body = "only GET /metrics is here\n";
    if (known) {
      const std::lock_guard lock(mutex);
      body = page;
    }
    const std::string answer =
        std::string(known ? "HTTP/1.0 200 OK" : "HTTP/1.0 404 Not Found") +
        "\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
        body;
    std::size_t sent = 0;
    while (sent < answer.size()) {
      const auto k = send(client, answer.data() + sent, answer.size() - sent, MSG_NOSIGNAL);
      if (k <= 0) return;
      sent += k;
    }
  }
};

result<std::unique_ptr<metrics_server>> metrics_server::open(int port) {
  if (port < 0) return std::unique_ptr<metrics_server>();
  auto s = std::make_unique<state>();
  s->listener = file_descriptor(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  sockaddr_in a{};
  a.sin_family = AF_INET;
  a.sin_port = htons(static_cast<std::uint16_t>(port));
  a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof a;
  auto* address = reinterpret_cast<sockaddr*>(&a);
  if (!s->listener || setsockopt(s->listener.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      bind(s->listener.get(), address, length) != 0 || listen(s->listener.get(), 4) != 0 ||
      getsockname(s->listener.get(), address, &length) != 0 ||
      !s->thread.start(s->listener.get(), [p = s.get()](int client) { p->serve(client); }))
    return fail("metrics port " + std::to_string(port) + ": " + std::strerror(errno));
  s->port = ntohs(a.sin_port);
  log_info("metrics on http://127.0.0.1:{}/metrics", s->port);
  return std::unique_ptr<metrics_server>(new metrics_server(std::move(s)));
}

metrics_server::metrics_server(std::unique_ptr<state> s) : s_(std::move(s)) {}

metrics_server::~metrics_server() = default;

int metrics_server::port() const { return s_->port; }

void metrics_server::publish(std::string page) {
  const std::lock_guard lock(s_->mutex);
  s_->page = std::move(page);
}

}  // namespace prose::apps
