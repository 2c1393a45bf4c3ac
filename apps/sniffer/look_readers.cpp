#include "apps/sniffer/look_readers.h"

#include <sys/socket.h>

#include <cerrno>
#include <utility>

#include "apps/lib/common/safe_file.h"

namespace prose::apps {

result<look_readers> look_readers::open(const std::string& path) {
  constexpr const char* option = "--look ";
  look_readers r;
  if (looks_only()) {
    if (auto ok = unix_listener::check(option, path); !ok) return tl::unexpected(ok.error());
    return r;
  }
  auto made = unix_listener::open(option, path, static_cast<int>(most_readers));
  if (!made) return tl::unexpected(made.error());
  r.listener_ = std::move(*made);
  return r;
}

void look_readers::send_on(reader& r) {
  std::size_t sent = 0;
  while (sent < r.waiting.size()) {
    const auto n = send(r.socket.get(), r.waiting.data() + sent, r.waiting.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) r.gone = true;
    if (n <= 0) break;
    sent += static_cast<std::size_t>(n);
  }
  r.waiting.erase(0, sent);
}

void look_readers::accept_one(std::string_view hello) {
  file_descriptor one(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!one || readers_.size() >= most_readers) return;
  readers_.push_back({std::move(one), std::string(hello) + '\n'});
}

void look_readers::serve(std::string_view hello) {
  if (!listener_) return;
  accept_one(hello);
  for (auto& r : readers_) {
    char octet = 0;  // a reader has nothing to say
    const auto n = recv(r.socket.get(), &octet, 1, MSG_DONTWAIT);
    r.gone = n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
    send_on(r);
  }
  std::erase_if(readers_, [](const reader& r) { return r.gone; });
}

void look_readers::tell(std::string_view object) {
  for (auto& r : readers_) {
    if (r.waiting.size() + object.size() > most_waiting) {
      ++r.dropped;
      ++dropped_;
      continue;
    }
    if (r.dropped == 0) {
      r.waiting.append(object);
    } else {
      r.waiting.append(object.substr(0, object.size() - 1)).append(",\"dropped\":" + std::to_string(r.dropped) + '}');
      r.dropped = 0;
    }
    r.waiting += '\n';
    send_on(r);
  }
}

}  // namespace prose::apps
