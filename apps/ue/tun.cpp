// The TUN side of a UE's data (Linux tun(4)), configured through ioctl and a route per peer.
#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "apps/ue/data_port.h"
#include "apps/common/file_descriptor.h"

namespace prose::apps {
namespace {

// The kernel's struct in6_ifreq and in6_rtmsg, whose header (linux/ipv6.h) cannot be included beside netinet/in.h
// everywhere.
struct in6_address_request {
  in6_addr address;
  std::uint32_t prefix_length;
  int ifindex;
};
struct in6_route_request {
  in6_addr dst, src, gateway;
  std::uint32_t type;
  std::uint16_t dst_len, src_len;
  std::uint32_t metric;
  unsigned long info;
  std::uint32_t flags;
  int ifindex;
};

class tun_port final : public data_port {
public:
  tun_port(file_descriptor fd, std::vector<data_peer> peers, std::string interface)
      : fd_(std::move(fd)), peers_(std::move(peers)), interface_(std::move(interface)) {}

  bool add(data_peer peer) override;

  std::optional<outgoing_packet> poll(std::span<std::uint8_t> buffer) override {
    while (true) {
      const auto n = read(fd_.get(), buffer.data(), buffer.size());
      if (n <= 0) return std::nullopt;
      const auto size = static_cast<std::size_t>(n);
      const auto destination = destination_of(buffer.first(size));
      const auto peer = std::find_if(peers_.begin(), peers_.end(), [&](const data_peer& p) {
        return destination && (p.ipv4 == *destination || p.ipv6 == *destination);
      });
      if (peer == peers_.end()) {
        ++counters_.no_such_peer;
        continue;
      }
      return outgoing_packet{static_cast<std::size_t>(peer - peers_.begin()), size};
    }
  }

  void deliver(std::size_t peer, std::span<const std::uint8_t> packet) override {
    const auto source = source_of(packet);
    const auto& p = peers_.at(peer);
    if (!source || (*source != p.ipv4 && *source != p.ipv6) ||
        write(fd_.get(), packet.data(), packet.size()) != static_cast<ssize_t>(packet.size()))
      ++counters_.write_failed;
  }

private:
  file_descriptor fd_;
  std::vector<data_peer> peers_;
  std::string interface_;
};

sockaddr_in socket_address(const std::array<std::uint8_t, 16>& octets) {
  sockaddr_in a{};
  a.sin_family = AF_INET;
  std::memcpy(&a.sin_addr, octets.data(), 4);
  return a;
}

struct interface_setup {
  file_descriptor v4{socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  file_descriptor v6{socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
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
  bool set_address(const ip_address& a) {
    if (a.length == 4) {
      ifreq r = request();
      const sockaddr_in address = socket_address(a.octets);
      std::memcpy(&r.ifr_addr, &address, sizeof address);
      if (ioctl(v4.get(), SIOCSIFADDR, &r) != 0) return false;
      const sockaddr_in mask = socket_address({255, 255, 255, 255});
      std::memcpy(&r.ifr_netmask, &mask, sizeof mask);
      return ioctl(v4.get(), SIOCSIFNETMASK, &r) == 0;
    }
    in6_address_request r{};
    std::memcpy(&r.address, a.octets.data(), 16);
    r.prefix_length = 128;
    r.ifindex = index;
    return ioctl(v6.get(), SIOCSIFADDR, &r) == 0;
  }
  bool add_route(const ip_address& a) {
    if (a.length == 4) {
      rtentry r{};
      const sockaddr_in destination = socket_address(a.octets);
      const sockaddr_in mask = socket_address({255, 255, 255, 255});
      std::memcpy(&r.rt_dst, &destination, sizeof destination);
      std::memcpy(&r.rt_genmask, &mask, sizeof mask);
      r.rt_flags = RTF_UP | RTF_HOST;
      std::string device = name;
      r.rt_dev = device.data();
      return ioctl(v4.get(), SIOCADDRT, &r) == 0;
    }
    in6_route_request r{};
    std::memcpy(&r.dst, a.octets.data(), 16);
    r.dst_len = 128;
    r.metric = 1;
    r.flags = RTF_UP | RTF_HOST;
    r.ifindex = index;
    return ioctl(v6.get(), SIOCADDRT, &r) == 0;
  }
};

bool tun_port::add(data_peer peer) {
  interface_setup setup;
  setup.name = interface_;
  setup.index = static_cast<int>(if_nametoindex(interface_.c_str()));
  bool ok = setup.index != 0;
  for (const auto& a : {peer.ipv4, peer.ipv6}) ok = (a.length == 0 || setup.add_route(a)) && ok;
  peers_.push_back(std::move(peer));
  return ok;
}

}  // namespace

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
  if (!setup.up()) return failed("cannot bring it up");
  for (const auto& a : {config.ipv4, config.ipv6})
    if (a.length != 0 && !setup.set_address(a)) return failed("cannot set address " + to_string(a));
  for (const auto& p : peers)
    for (const auto& a : {p.ipv4, p.ipv6})
      if (a.length != 0 && !setup.add_route(a)) return failed("cannot add a route to " + p.name + " " + to_string(a));
  return std::make_unique<tun_port>(std::move(fd), std::move(peers), config.interface);
}

}  // namespace prose::apps
