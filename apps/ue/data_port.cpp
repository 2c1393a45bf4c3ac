#include "apps/ue/data_port.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <string_view>
#include <utility>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/keys/key_file.h"
#include "common/printable.h"

namespace prose::apps {

result<void> data_port::assign(std::size_t, data_peer) { return {}; }

namespace {

class none_port final : public data_port {
public:
  std::optional<outgoing_packet> poll(std::span<std::uint8_t>) override { return std::nullopt; }
  void deliver(std::size_t, std::span<const std::uint8_t>) override {}
};

struct endpoint {
  sockaddr_storage address{};
  socklen_t length = 0;
};

// "127.0.0.1:5000", "[::1]:5000".
std::optional<endpoint> parse_endpoint(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos || colon == 0) return std::nullopt;
  std::string host = text.substr(0, colon);
  const std::string port_text = text.substr(colon + 1);
  if (port_text.empty() || port_text.size() > 5 || port_text.find_first_not_of("0123456789") != std::string::npos)
    return std::nullopt;
  const int port = std::stoi(port_text);
  if (port > 65535) return std::nullopt;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  const auto ip = parse_ip_address(host);
  if (!ip) return std::nullopt;
  endpoint e;
  if (ip->length == 4) {
    auto* a = reinterpret_cast<sockaddr_in*>(&e.address);
    a->sin_family = AF_INET;
    a->sin_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&a->sin_addr, ip->octets.data(), 4);
    e.length = sizeof(sockaddr_in);
  } else {
    auto* a = reinterpret_cast<sockaddr_in6*>(&e.address);
    a->sin6_family = AF_INET6;
    a->sin6_port = htons(static_cast<std::uint16_t>(port));
    std::memcpy(&a->sin6_addr, ip->octets.data(), 16);
    e.length = sizeof(sockaddr_in6);
  }
  return e;
}

class udp_port final : public data_port {
public:
  struct peer_sockets {
    file_descriptor listen;
    file_descriptor send;
    std::optional<endpoint> forward;
  };
  explicit udp_port(std::vector<peer_sockets> peers) : peers_(std::move(peers)) {}

  std::optional<outgoing_packet> poll(std::span<std::uint8_t> buffer) override {
    for (std::size_t tried = 0; tried < peers_.size(); ++tried) {
      const std::size_t peer = next_;
      next_ = (next_ + 1) % peers_.size();
      if (!peers_[peer].listen) continue;
      // MSG_TRUNC gives the datagram's real length, so that one too long is dropped rather than cut.
      const auto n = recv(peers_[peer].listen.get(), buffer.data(), max_data_packet_bytes, MSG_DONTWAIT | MSG_TRUNC);
      if (n < 0) continue;
      if (static_cast<std::size_t>(n) > max_data_packet_bytes) {
        ++counters_.oversized;
        continue;
      }
      return outgoing_packet{peer, static_cast<std::size_t>(n)};
    }
    return std::nullopt;
  }

  void deliver(std::size_t peer, std::span<const std::uint8_t> packet) override {
    auto& p = peers_.at(peer);
    if (!p.forward) return;
    const auto n = sendto(p.send.get(), packet.data(), packet.size(), MSG_DONTWAIT,
                          reinterpret_cast<const sockaddr*>(&p.forward->address), p.forward->length);
    if (n != static_cast<ssize_t>(packet.size())) ++counters_.write_failed;
  }

  // Sockets are opened at the start, for the peers that data.peers names.
  result<void> assign(std::size_t slot, data_peer) override {
    if (slot >= peers_.size()) peers_.resize(slot + 1);
    return {};
  }

private:
  std::vector<peer_sockets> peers_;
  std::size_t next_ = 0;
};

class line_port final : public data_port {
  static constexpr std::size_t max_line_bytes = 64 * 1024;  // far more than a packet: a longer line is no message

public:
  line_port(std::vector<data_peer> peers, int in_fd, int out_fd) : peers_(std::move(peers)), in_(in_fd), out_(out_fd) {}

  std::optional<outgoing_packet> poll(std::span<std::uint8_t> buffer) override {
    while (true) {
      if (const auto end = pending_.find('\n'); end != std::string::npos) {
        const std::string line = pending_.substr(0, end);
        pending_.erase(0, end + 1);
        if (auto packet = parse(line, buffer)) return packet;
        continue;
      }
      if (eof_ || !fill()) return std::nullopt;
    }
  }

  void deliver(std::size_t peer, std::span<const std::uint8_t> packet) override {
    // What a peer sends is its text, not its terminal codes.
    std::string line = peers_.at(peer).name + ' ' +
                       printable({reinterpret_cast<const char*>(packet.data()), packet.size()}, '?', true);
    line.push_back('\n');
    std::string_view left = line;
    while (!left.empty()) {
      const auto n = write(out_, left.data(), left.size());
      if (n < 0 && errno == EINTR && !stop_requested()) continue;
      if (n < 0) {
        ++counters_.write_failed;
        if (errno != EAGAIN && errno != EINTR)
          failure_ = {"standard output: cannot be written: " + why_not_written(errno), true};
        return;
      }
      left.remove_prefix(n);
    }
  }

  result<void> assign(std::size_t slot, data_peer peer) override {
    if (slot >= peers_.size()) peers_.push_back(std::move(peer));
    return {};
  }

  port_trouble look() override { return failure_; }
  std::vector<std::string> remarks() override { return std::exchange(remarks_, {}); }

private:
  /// Each name once, and no more of them than a user reads. Of a line that names nobody nothing is repeated: it may be
  /// anything.
  void remark_on(const std::string& name, bool alone) {
    const bool is_name = keys::valid_name(name);
    if (told_.size() > most_told || !told_.insert(is_name ? name : "").second) return;
    std::string known;
    for (const auto& p : peers_) known += (known.empty() ? "" : ", ") + p.name;
    if (told_.size() > most_told)
      remarks_.push_back(
          "standard input: more lines name nobody who is permitted; only metrics count them from here on");
    else
      remarks_.push_back("standard input: " +
                         (!is_name ? "a line that begins with no name"
                          : alone  ? "the line '" + name + "', a name without a space and a text,"
                                   : "a line for '" + name + "', who is not permitted,") +
                         " is not sent; accepted: NAME TEXT, with the names " + (known.empty() ? "of nobody" : known));
  }

  bool fill() {
    // Asked first rather than set non-blocking: that flag would outlive us on a shared terminal.
    pollfd ready{in_, POLLIN, 0};
    if (::poll(&ready, 1, 0) <= 0) return false;
    char chunk[4096];
    const auto n = read(in_, chunk, sizeof chunk);
    if (n > 0) {
      pending_.append(chunk, n);
      if (pending_.size() > max_line_bytes && pending_.find('\n') == std::string::npos) {
        pending_.clear();
        ++counters_.oversized;
      }
      return true;
    }
    if (n == 0) {
      eof_ = true;
      if (!pending_.empty()) pending_.push_back('\n');
      return !pending_.empty();
    }
    if (errno != EINTR && errno != EAGAIN) failure_ = {std::string("standard input: ") + std::strerror(errno), true};
    return false;
  }

  std::optional<outgoing_packet> parse(const std::string& line, std::span<std::uint8_t> buffer) {
    const auto space = line.find(' ');
    const std::string name = line.substr(0, space);
    const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const data_peer& p) { return p.name == name; });
    if (space == std::string::npos || peer == peers_.end()) {
      if (line.empty()) return std::nullopt;
      ++counters_.no_such_peer;
      remark_on(name, peer != peers_.end());
      return std::nullopt;
    }
    const std::string_view text = std::string_view(line).substr(space + 1);
    if (text.size() > max_data_packet_bytes) {
      if (counters_.oversized++ == 0)
        remarks_.push_back("standard input: a line of " + std::to_string(text.size()) +
                           " octets is not sent; accepted: up to " + std::to_string(max_data_packet_bytes) +
                           "; metrics count more of them");
      return std::nullopt;
    }
    std::copy(text.begin(), text.end(), buffer.begin());
    return outgoing_packet{static_cast<std::size_t>(peer - peers_.begin()), text.size()};
  }

  std::vector<data_peer> peers_;
  int in_;
  int out_;
  std::string pending_;
  bool eof_ = false;
  port_trouble failure_;
  static constexpr std::size_t most_told = 10;  // names
  std::set<std::string> told_;
  std::vector<std::string> remarks_;
};

}  // namespace

bool valid_endpoint(const std::string& text) { return parse_endpoint(text).has_value(); }

std::unique_ptr<data_port> open_none() { return std::make_unique<none_port>(); }

result<std::unique_ptr<data_port>> open_udp(std::vector<data_peer> peers) {
  std::vector<udp_port::peer_sockets> sockets;
  for (const auto& p : peers) {
    udp_port::peer_sockets s;
    if (!p.udp_listen.empty()) {
      const auto e = parse_endpoint(p.udp_listen);
      if (!e) return fail("udp_listen of " + p.name + ": '" + p.udp_listen + "' is not ADDRESS:PORT or [IPV6]:PORT");
      s.listen = file_descriptor(socket(e->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!s.listen || bind(s.listen.get(), reinterpret_cast<const sockaddr*>(&e->address), e->length) != 0)
        return fail((p.where.empty() ? "udp_listen of " + p.name : p.where) + ": cannot listen on " + p.udp_listen +
                    ": " + std::strerror(errno));
    }
    if (!p.udp_forward.empty()) {
      s.forward = parse_endpoint(p.udp_forward);
      if (!s.forward)
        return fail("udp_forward of " + p.name + ": '" + p.udp_forward + "' is not ADDRESS:PORT or [IPV6]:PORT");
      s.send = file_descriptor(socket(s.forward->address.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      if (!s.send) return fail("udp_forward of " + p.name + ": " + std::strerror(errno));
    }
    sockets.push_back(std::move(s));
  }
  return std::make_unique<udp_port>(std::move(sockets));
}

result<std::unique_ptr<data_port>> open_lines(std::vector<data_peer> peers, int in_fd, int out_fd) {
  if (fcntl(in_fd, F_GETFD) < 0) return fail(std::string("standard input: ") + std::strerror(errno));
  return std::make_unique<line_port>(std::move(peers), in_fd, out_fd);
}

}  // namespace prose::apps
