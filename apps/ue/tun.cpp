// The TUN side of a UE's data (Linux tun(4)).
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <initializer_list>
#include <utility>

#include "apps/lib/common/file_descriptor.h"
#include "apps/ue/data_port.h"
#include "apps/ue/netlink.h"
#include "apps/ue/tun.h"

namespace prose::apps {
namespace {

/// Our own addresses: on all links those that are configured, on others the link's own.
struct used_address {
  ip_address address;
  int links = 0;
};

class tun_port final : public data_port {
public:
  tun_port(file_descriptor fd, std::unique_ptr<host_routes> routes, std::string interface,
           std::optional<watched_interface> watched)
      : fd_(std::move(fd)),
        routes_(std::move(routes)),
        interface_(std::move(interface)),
        watched_(std::move(watched)) {}

  result<void> assign(std::size_t slot, data_peer peer) override;
  void withdraw(std::size_t slot) override;
  port_trouble look() override;

  std::optional<outgoing_packet> poll(std::span<std::uint8_t> buffer) override {
    for (int i = 0; i < max_dropped_at_once; ++i) {
      // One octet more than may pass: the kernel cuts a packet to what is asked for and does not say so.
      std::uint8_t more = 0;
      const std::array<iovec, 2> parts{{{buffer.data(), max_data_packet_bytes}, {&more, 1}}};
      const auto n = readv(fd_.get(), parts.data(), static_cast<int>(parts.size()));
      if (n <= 0) return std::nullopt;
      if (static_cast<std::size_t>(n) > max_data_packet_bytes) {
        ++counters_.oversized;
        continue;
      }
      const auto packet = buffer.first(n);
      const auto destination = destination_of(packet);
      const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const data_peer& p) {
        return destination &&
               (p.addresses.host_ipv4.peer == *destination || p.addresses.host_ipv6.peer == *destination);
      });
      if (peer == peers_.end()) {
        ++counters_.no_such_peer;
        continue;
      }
      const std::size_t slot = peer - peers_.begin();
      if (const auto check = host_to_link(peer->addresses, packet); check != packet_check::passes) {
        ++drops_[slot].out[static_cast<std::size_t>(check)];
        continue;
      }
      return outgoing_packet{slot, packet.size()};
    }
    return std::nullopt;
  }

  void deliver(std::size_t slot, std::span<const std::uint8_t> packet) override {
    if (packet.size() > incoming_.size()) {
      ++counters_.oversized;
      return;
    }
    std::copy(packet.begin(), packet.end(), incoming_.begin());
    const auto translated = std::span(incoming_).first(packet.size());
    if (const auto check = link_to_host(peers_.at(slot).addresses, translated); check != packet_check::passes) {
      ++drops_[slot].in[static_cast<std::size_t>(check)];
      return;
    }
    if (write(fd_.get(), translated.data(), translated.size()) != static_cast<ssize_t>(translated.size()))
      ++counters_.write_failed;
  }

private:
  static constexpr int max_dropped_at_once = 64;  // a host that floods must not cost the subframe its time
  result<void> add(const address_pair& pair);
  void remove(const address_pair& pair);

  file_descriptor fd_;
  std::unique_ptr<host_routes> routes_;
  std::string interface_;
  std::optional<watched_interface> watched_;
  bool was_down_ = false;  // and its routes are not set again yet
  std::vector<data_peer> peers_;
  std::vector<used_address> own_;
  std::array<std::uint8_t, max_data_packet_bytes> incoming_{};
};

struct interface_setup {
  file_descriptor v4{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  std::string name;
  int index = 0;

  ifreq request() const {
    ifreq r{};
    std::strncpy(r.ifr_name, name.c_str(), IFNAMSIZ - 1);
    return r;
  }
  bool set_mtu() {
    ifreq r = request();
    r.ifr_mtu = static_cast<int>(max_data_packet_bytes);
    return ioctl(v4.get(), SIOCSIFMTU, &r) == 0;
  }
  bool up() {
    ifreq r = request();
    if (ioctl(v4.get(), SIOCGIFFLAGS, &r) != 0) return false;
    r.ifr_flags = static_cast<short>(r.ifr_flags | IFF_UP | IFF_RUNNING);
    if (ioctl(v4.get(), SIOCSIFFLAGS, &r) != 0) return false;
    index = static_cast<int>(if_nametoindex(name.c_str()));
    return index != 0;
  }
  /// The filter holds these messages back anyway; with these settings the host does not send them. A setting that the
  /// system does not have is skipped.
  void be_quiet() const {
    const auto set = [&](const char* key, char value) {
      const file_descriptor file(open(("/proc/sys/net/ipv6/conf/" + name + "/" + key).c_str(), O_WRONLY | O_CLOEXEC));
      return file && write(file.get(), &value, 1) == 1;
    };
    (void)set("addr_gen_mode", '1');
    for (const char* key : {"router_solicitations", "accept_ra", "accept_redirects"}) (void)set(key, '0');
  }
};

result<void> tun_port::add(const address_pair& pair) {
  if (pair.peer.length == 0) return {};
  const auto at = std::find_if(own_.begin(), own_.end(), [&](const used_address& u) { return u.address == pair.own; });
  if (at != own_.end()) {
    ++at->links;
  } else {
    if (auto ok = routes_->add_address(pair.own); !ok)
      return fail("cannot take address " + to_string(pair.own) + ": " + ok.error().message);
    own_.push_back({pair.own, 1});
  }
  if (auto ok = routes_->add_route(pair.peer, pair.own); !ok) {
    const auto why = ok.error().message;
    remove({pair.own, {}});
    return fail("cannot add a route to " + to_string(pair.peer) + " from " + to_string(pair.own) + ": " + why);
  }
  return {};
}

void tun_port::remove(const address_pair& pair) {
  if (pair.peer.length != 0) (void)routes_->remove_route(pair.peer);
  const auto at = std::find_if(own_.begin(), own_.end(), [&](const used_address& u) { return u.address == pair.own; });
  if (at == own_.end() || --at->links > 0) return;
  (void)routes_->remove_address(pair.own);
  own_.erase(at);
}

result<void> tun_port::assign(std::size_t slot, data_peer peer) {
  if (slot >= peers_.size()) {
    peers_.resize(slot + 1);
    drops_.resize(slot + 1);
  }
  withdraw(slot);
  const auto addresses = std::exchange(peer.addresses, {});
  peers_[slot] = std::move(peer);
  const std::string at = "tun interface " + interface_ + ": " + peers_[slot].name + ": ";
  for (const auto& a : {addresses.host_ipv6, addresses.host_ipv4}) {
    if (a.peer.length == 0) continue;
    for (const auto& other : peers_)
      if (a.peer == other.addresses.host_ipv6.peer || a.peer == other.addresses.host_ipv4.peer ||
          a.own == other.addresses.host_ipv6.peer || a.own == other.addresses.host_ipv4.peer)
        return fail(at + "its link and that of " + other.name + " have the same address, " + to_string(a.peer));
    if (a.peer == a.own ||
        std::any_of(own_.begin(), own_.end(), [&](const used_address& u) { return u.address == a.peer; }))
      return fail(at + to_string(a.peer) + " is our own address too");
  }
  if (auto ok = add(addresses.host_ipv6); !ok) return fail(at + ok.error().message);
  if (auto ok = add(addresses.host_ipv4); !ok) {
    remove(addresses.host_ipv6);
    return fail(at + ok.error().message);
  }
  peers_[slot].addresses = addresses;
  return {};
}

void tun_port::withdraw(std::size_t slot) {
  const auto addresses = std::exchange(peers_.at(slot).addresses, {});
  for (const auto& pair : {addresses.host_ipv6, addresses.host_ipv4})
    if (pair.peer.length != 0) remove(pair);
}

port_trouble tun_port::look() {
  if (!watched_) return {};
  const std::string who = "tun interface " + interface_ + ": ";
  ifreq r{};
  if (if_indextoname(static_cast<unsigned>(watched_->index), r.ifr_name) == nullptr) return {who + "it is gone", true};
  const file_descriptor any(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (ioctl(any.get(), SIOCGIFFLAGS, &r) != 0) return {who + std::strerror(errno)};
  const bool down = (r.ifr_flags & IFF_UP) == 0;
  if (watched_->events.was_down() || down) was_down_ = true;
  if (down) return {who + "it is down"};
  if (was_down_) {  // the kernel has forgotten routes, and IPv6 addresses
    for (const auto& p : peers_)
      for (const auto& pair : {p.addresses.host_ipv6, p.addresses.host_ipv4}) {
        if (pair.peer.length == 0) continue;
        (void)routes_->remove_route(pair.peer);
        auto ok = routes_->add_address(pair.own);
        if (ok) ok = routes_->add_route(pair.peer, pair.own);
        if (!ok) return {who + p.name + ": " + ok.error().message};
      }
    was_down_ = false;
  }
  if (ioctl(any.get(), SIOCGIFMTU, &r) == 0 && r.ifr_mtu > static_cast<int>(max_data_packet_bytes))
    return {who + "its MTU was set to " + std::to_string(r.ifr_mtu) + ": longer packets than " +
            std::to_string(max_data_packet_bytes) + " octets are dropped"};
  return {};
}

}  // namespace

result<std::unique_ptr<data_port>> make_tun_port(file_descriptor packets, std::unique_ptr<host_routes> routes,
                                                 std::string interface, std::vector<data_peer> peers,
                                                 std::optional<watched_interface> watched) {
  auto port =
      std::make_unique<tun_port>(std::move(packets), std::move(routes), std::move(interface), std::move(watched));
  for (std::size_t i = 0; i < peers.size(); ++i)
    if (auto ok = port->assign(i, std::move(peers[i])); !ok) return tl::unexpected(ok.error());
  return port;
}

result<std::unique_ptr<data_port>> open_tun(const tun_config& config, std::vector<data_peer> peers) {
  const auto failed = [&](const std::string& what) {
    return fail("tun interface " + config.interface + ": " + what + ": " + std::strerror(errno) +
                (errno == EPERM ? " (CAP_NET_ADMIN is needed)" : ""));
  };
  if (config.interface.empty() || config.interface.size() >= IFNAMSIZ)
    return fail("tun interface '" + config.interface + "': a name has 1 to 15 characters");
  file_descriptor fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd) return failed("cannot open /dev/net/tun");
  interface_setup setup;
  setup.name = config.interface;
  ifreq r = setup.request();
  r.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (ioctl(fd.get(), TUNSETIFF, &r) != 0) return failed("cannot create it");
  if (!setup.set_mtu()) return failed("cannot set its MTU");
  setup.be_quiet();
  if (!setup.up()) return failed("cannot bring it up");
  auto routes = netlink_routes::open(setup.index);
  if (!routes) return failed("cannot ask for routes");
  auto events = link_watch::open(setup.index);
  if (!events) return failed("cannot watch it");
  return make_tun_port(std::move(fd), std::make_unique<netlink_routes>(std::move(*routes)), config.interface,
                       std::move(peers), watched_interface{setup.index, std::move(*events)});
}

}  // namespace prose::apps
