#include "apps/page/page_server.h"

#include <httplib.h>
#include <sys/socket.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace prose::page {
namespace {

using httplib::Request;
using httplib::Response;

constexpr std::size_t threads = stream_hub::most_clients + 8;  // a stream holds one as long as it lasts
constexpr int read_timeout_s = 5, write_timeout_s = 5;

httplib::Headers headers_of_all() {
  return {{"Content-Security-Policy",
           "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"},
          {"X-Content-Type-Options", "nosniff"},
          {"Referrer-Policy", "no-referrer"},
          {"Cross-Origin-Opener-Policy", "same-origin"},
          {"Cross-Origin-Resource-Policy", "same-origin"},
          {"Cache-Control", "no-store"}};
}

/// SO_REUSEPORT, which httplib sets by itself, would let another program share the port.
void socket_options(socket_t s) {
  const int yes = 1;
  setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
}

bool is_json(const std::string& type) {
  const auto plain = type.substr(0, type.find(';'));
  return plain == "application/json" || plain == "application/json ";
}

void refuse(const Request& req, Response& res, int status, const std::string& why) {
  res.status = status;
  if (req.path == "/action")
    res.set_content(text_of({{"ok", false}, {"error", why}}), "application/json");
  else
    res.set_content(why + "\n", "text/plain; charset=utf-8");
}

/// The value of a header that may be there once; nothing if it is there more often.
std::optional<std::string> once(const Request& req, const char* name) {
  if (req.get_header_value_count(name) > 1) return std::nullopt;
  return req.get_header_value(name);
}

}  // namespace

struct page_server::impl {
  access& gate;
  const assets& files;
  gatherer& source;
  stream_hub& hub;
  httplib::Server server;
  std::atomic<bool> ended{false}, running{false}, stopping{false};

  impl(access& a, const assets& f, gatherer& g, stream_hub& h) : gate(a), files(f), source(g), hub(h) {}

  void enter(const Request& req, Response& res) {
    const auto cookie = req.has_param("token") ? gate.exchange(req.get_param_value("token")) : std::string();
    if (cookie.empty())
      return refuse(req, res, 403,
                    "This address was used already, or is wrong. Ask the program for a new one (SIGUSR1).");
    res.status = 303;
    res.set_header("Location", "/");
    res.set_header("Set-Cookie", "prose_page=" + cookie + "; HttpOnly; SameSite=Strict; Path=/");
  }

  void stream(const Request& req, Response& res) {
    const auto client = source.subscribe();
    if (!client) return refuse(req, res, 503, "Too many browsers listen already.");
    res.status = 200;
    res.set_chunked_content_provider(
        "text/event-stream",
        [client](std::size_t, httplib::DataSink& sink) {
          bool over = false;
          const auto text = client->next(over);
          if (over) return false;
          // An empty remark finds out whether the browser is still there.
          return text ? sink.write(text->data(), text->size()) : sink.write(":\n\n", 3);
        },
        [this, client](bool) { hub.remove(client); });
  }

  void file(const Request& req, Response& res) {
    const auto found = files.read(req.path == "/" ? "index.html" : std::string_view(req.path).substr(1));
    if (!found) return refuse(req, res, 404, "There is no such file.");
    res.status = 200;
    res.set_content(found->text, found->type);
  }

  /// A request with a right host and a session.
  void get(const Request& req, Response& res) {
    if (req.path == "/action") return refuse(req, res, 405, "accepted is POST");
    if (req.path == "/stream") return stream(req, res);
    file(req, res);
  }

  /// What is wrong with a POST before its body is read. True: nothing.
  bool may_act(const Request& req, Response& res, const std::string& host) const {
    const auto no = [&](int status, const char* why) {
      refuse(req, res, status, why);
      return false;
    };
    const auto origin = once(req, "Origin");
    if (!origin || !access::right_origin(*origin, host)) return no(403, "accepted are actions of this page only");
    if (req.path != "/action") return no(404, "there is no such action");
    const auto type = once(req, "Content-Type"), length = once(req, "Content-Length");
    if (!type || !is_json(*type)) return no(415, "accepted is application/json");
    if (req.has_header("Content-Encoding") || req.has_header("Transfer-Encoding") || !length || length->empty() ||
        length->find_first_not_of("0123456789") != std::string::npos)
      return no(411, "accepted is a body of a told length, without an encoding");
    if (length->size() > 6 || std::stoul(*length) > most_body_octets) return no(413, "the body is too large");
    return true;
  }

  /// Everything but the body of an action. True: it was answered.
  bool before(const Request& req, Response& res) {
    const auto host = once(req, "Host");
    const auto answered = [&](int status, const char* why) {
      refuse(req, res, status, why);
      return true;
    };
    if (!host || !gate.right_host(*host)) return answered(421, "This server has another address.");
    if (req.method != "GET" && req.method != "POST") return answered(405, "accepted are GET and POST");
    if (req.has_header("Range")) return answered(416, "accepted are whole files");
    if (req.method == "GET" && req.path == "/" && req.has_param("token")) {
      enter(req, res);
      return true;
    }
    const auto cookies = once(req, "Cookie");
    if (!cookies || !gate.has_session(*cookies))
      return answered(403, "Open the address that the program prints; it holds the token.");
    if (req.method == "POST") return !may_act(req, res, *host);
    get(req, res);
    return true;
  }

  void act(const Request& req, Response& res) {
    const auto done = source.ask(req.body);
    if (!done.error.empty()) return refuse(req, res, done.status, done.error);
    res.status = 200;
    res.set_content(text_of({{"ok", true}}), "application/json");
  }

  void set_up() {
    server.new_task_queue = [] { return new httplib::ThreadPool(threads); };
    server.set_socket_options(socket_options);
    server.set_tcp_nodelay(true);
    server.set_keep_alive_max_count(1);  // an idle connection would hold a thread
    server.set_read_timeout(read_timeout_s);
    server.set_write_timeout(write_timeout_s);
    server.set_payload_max_length(most_body_octets);
    server.set_default_headers(headers_of_all());
    server.set_pre_routing_handler([this](const Request& req, Response& res) {
      return before(req, res) ? httplib::Server::HandlerResponse::Handled : httplib::Server::HandlerResponse::Unhandled;
    });
    server.Post("/action", [this](const Request& req, Response& res) { act(req, res); });
  }
};

page_server::page_server(access& a, const assets& files, gatherer& g, stream_hub& hub)
    : impl_(std::make_unique<impl>(a, files, g, hub)) {
  impl_->set_up();
}

page_server::~page_server() = default;

result<int> page_server::listen_on(const std::string& host, int port) {
  const int got = port == 0 ? impl_->server.bind_to_any_port(host) : impl_->server.bind_to_port(host, port) ? port : -1;
  if (got <= 0)
    return fail("--listen " + host + ":" + std::to_string(port) + ": " +
                (errno != 0 ? std::strerror(errno) : "cannot be listened on"));
  return got;
}

void page_server::run() {
  impl_->running = true;
  if (!impl_->stopping) impl_->server.listen_after_bind();
  impl_->ended = true;
}

/// httplib forgets a stop that comes before it waits for connections, so it is told again.
void page_server::stop() {
  impl_->stopping = true;
  while (impl_->running && !impl_->ended) {
    impl_->server.stop();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

}  // namespace prose::page
