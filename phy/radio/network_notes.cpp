#include "phy/radio/network_notes.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <optional>

namespace prose::phy {
namespace {

constexpr long wanted_buffer_octets = 24'862'979;  // UHD manual, "USRP X3x0 Series Device Manual": 10 Gigabit Ethernet
constexpr int wanted_mtu = 9000;                   // the same: frames of 8000 octets

class udp_socket {
public:
  udp_socket() : fd_(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {}
  ~udp_socket() {
    if (fd_ >= 0) close(fd_);
  }
  udp_socket(const udp_socket&) = delete;
  udp_socket& operator=(const udp_socket&) = delete;
  int fd() const { return fd_; }

private:
  int fd_;
};

/// The address of this host that packets to `address` leave from. Sends nothing.
std::optional<in_addr> own_address(const udp_socket& s, const std::string& address) {
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(9);
  if (inet_pton(AF_INET, address.c_str(), &to.sin_addr) != 1) return std::nullopt;
  if (connect(s.fd(), reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return std::nullopt;
  sockaddr_in from{};
  socklen_t n = sizeof from;
  if (getsockname(s.fd(), reinterpret_cast<sockaddr*>(&from), &n) != 0) return std::nullopt;
  return from.sin_addr;
}

std::optional<std::string> interface_of(const in_addr& own) {
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return std::nullopt;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all(list, &freeifaddrs);
  for (const ifaddrs* i = list; i != nullptr; i = i->ifa_next) {
    if (i->ifa_addr == nullptr || i->ifa_addr->sa_family != AF_INET) continue;
    if (reinterpret_cast<const sockaddr_in*>(i->ifa_addr)->sin_addr.s_addr == own.s_addr) return i->ifa_name;
  }
  return std::nullopt;
}

std::optional<int> mtu_of(const udp_socket& s, const std::string& interface) {
  ifreq r{};
  std::strncpy(r.ifr_name, interface.c_str(), sizeof r.ifr_name - 1);
  if (ioctl(s.fd(), SIOCGIFMTU, &r) != 0) return std::nullopt;
  return r.ifr_mtu;
}

}  // namespace

std::string buffer_note(const std::string& name, long octets) {
  if (octets >= wanted_buffer_octets) return {};
  return "net.core." + name + " is " + std::to_string(octets) + ": overflows are rarer with " +
         std::to_string(wanted_buffer_octets);
}

std::string mtu_note(const std::string& interface, int mtu) {
  if (mtu >= wanted_mtu) return {};
  return "the MTU of " + interface + " is " + std::to_string(mtu) + ": overflows are rarer with " +
         std::to_string(wanted_mtu);
}

std::vector<std::string> network_notes(const std::string& address) {
  std::vector<std::string> notes;
  for (const std::string name : {"rmem_max", "wmem_max"}) {
    long octets = 0;
    if (!(std::ifstream("/proc/sys/net/core/" + name) >> octets)) continue;
    if (auto note = buffer_note(name, octets); !note.empty()) notes.push_back(std::move(note));
  }
  const udp_socket s;
  const auto own = own_address(s, address);
  const auto interface = own ? interface_of(*own) : std::nullopt;
  const auto mtu = interface ? mtu_of(s, *interface) : std::nullopt;
  if (mtu)
    if (auto note = mtu_note(*interface, *mtu); !note.empty())
      notes.push_back(std::move(note) + " (it leads to " + address + ")");
  return notes;
}

}  // namespace prose::phy
