#include "apps/sniffer/look_readers.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "apps/lib/common/safe_file.h"

namespace prose::apps {
namespace {

struct unix_address {
  sockaddr_un at{};
  const sockaddr* generic() const { return reinterpret_cast<const sockaddr*>(&at); }
};

result<unix_address> address_of(const std::string& path) {
  unix_address a;
  a.at.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof a.at.sun_path)
    return fail("--look " + path + ": accepted is a path of 1 to " + std::to_string(sizeof a.at.sun_path - 1) +
                " octets");
  std::memcpy(a.at.sun_path, path.c_str(), path.size() + 1);
  return a;
}

/// Removes a socket of the user's on which nobody listens.
result<void> clear_place(const std::string& path, const unix_address& at) {
  struct stat there {};
  if (lstat(path.c_str(), &there) != 0) return {};
  if (!S_ISSOCK(there.st_mode)) return fail("--look " + path + ": is there and is no socket; accepted is a new name");
  const file_descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (connect(probe.get(), at.generic(), sizeof at.at) == 0 || errno != ECONNREFUSED)
    return fail("--look " + path + ": another program serves it; accepted is a new name");
  if (!looks_only() && unlink(path.c_str()) != 0) return fail("--look " + path + ": " + std::strerror(errno));
  return {};
}

}  // namespace

result<look_readers> look_readers::open(const std::string& path) {
  const auto at = address_of(path);
  if (!at) return tl::unexpected(at.error());
  if (auto ok = clear_place(path, *at); !ok) return tl::unexpected(ok.error());
  look_readers r;
  if (looks_only()) {
    if (is_absent(path))
      if (auto ok = check_openable(path); !ok) return fail("--look " + ok.error().message);
    return r;
  }
  r.socket_ = file_descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  // The mode of the descriptor becomes that of the name, so that it is never open to others.
  if (!r.socket_ || fchmod(r.socket_.get(), S_IRUSR | S_IWUSR) != 0 ||
      bind(r.socket_.get(), at->generic(), sizeof at->at) != 0)
    return fail("--look " + path + ": " + std::strerror(errno));
  r.path_ = path;
  if (lstat(path.c_str(), &r.made_) != 0 || listen(r.socket_.get(), static_cast<int>(most_readers)) != 0)
    return fail("--look " + path + ": " + std::strerror(errno));
  return r;
}

look_readers::~look_readers() {
  struct stat there {};
  if (path_.empty() || lstat(path_.c_str(), &there) != 0) return;
  if (there.st_dev == made_.st_dev && there.st_ino == made_.st_ino) unlink(path_.c_str());
}

look_readers::look_readers(look_readers&& o) noexcept { *this = std::move(o); }

look_readers& look_readers::operator=(look_readers&& o) noexcept {
  std::swap(socket_, o.socket_);
  std::swap(path_, o.path_);
  std::swap(made_, o.made_);
  std::swap(readers_, o.readers_);
  std::swap(dropped_, o.dropped_);
  return *this;
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
  file_descriptor one(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!one || readers_.size() >= most_readers) return;
  readers_.push_back({std::move(one), std::string(hello) + '\n'});
}

void look_readers::serve(std::string_view hello) {
  if (!socket_) return;
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
