#include "apps/ue/netlink.h"

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace prose::apps {
namespace {

std::uint8_t family_of(const ip_address& a) { return a.length == 4 ? AF_INET : AF_INET6; }
std::uint8_t prefix_of(const ip_address& a) { return a.length == 4 ? 32 : 128; }

/// A header, `Body`, then attributes.
template <class Body>
std::vector<std::uint8_t> message_of(std::uint16_t type, std::uint16_t flags, const Body& body) {
  std::vector<std::uint8_t> m(NLMSG_SPACE(sizeof body));
  nlmsghdr h{};
  h.nlmsg_type = type;
  h.nlmsg_flags = static_cast<std::uint16_t>(NLM_F_REQUEST | NLM_F_ACK | flags);
  std::memcpy(m.data(), &h, sizeof h);
  std::memcpy(m.data() + NLMSG_HDRLEN, &body, sizeof body);
  return m;
}

void add_attribute(std::vector<std::uint8_t>& m, std::uint16_t type, const void* value, std::size_t size) {
  const std::size_t at = m.size();
  m.resize(at + RTA_SPACE(size));
  rtattr a{};
  a.rta_type = type;
  a.rta_len = static_cast<std::uint16_t>(RTA_LENGTH(size));
  std::memcpy(m.data() + at, &a, sizeof a);
  std::memcpy(m.data() + at + RTA_LENGTH(0), value, size);
}
void add_attribute(std::vector<std::uint8_t>& m, std::uint16_t type, const ip_address& a) {
  add_attribute(m, type, a.octets.data(), a.length);
}

std::vector<std::uint8_t> address_message(std::uint16_t type, std::uint16_t flags, int interface_index,
                                          const ip_address& a) {
  ifaddrmsg body{};
  body.ifa_family = family_of(a);
  body.ifa_prefixlen = prefix_of(a);
  body.ifa_flags = IFA_F_PERMANENT | IFA_F_NODAD;  // no other host can have it, and there is none to ask
  body.ifa_index = static_cast<std::uint32_t>(interface_index);
  auto m = message_of(type, flags, body);
  add_attribute(m, IFA_LOCAL, a);
  add_attribute(m, IFA_ADDRESS, a);
  return m;
}

std::vector<std::uint8_t> route_message(std::uint16_t type, std::uint16_t flags, int interface_index,
                                        const ip_address& to) {
  rtmsg body{};
  body.rtm_family = family_of(to);
  body.rtm_dst_len = prefix_of(to);
  body.rtm_table = RT_TABLE_MAIN;
  body.rtm_protocol = RTPROT_STATIC;
  body.rtm_scope = to.length == 4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
  body.rtm_type = RTN_UNICAST;
  auto m = message_of(type, flags, body);
  add_attribute(m, RTA_DST, to);
  const auto index = static_cast<std::uint32_t>(interface_index);
  add_attribute(m, RTA_OIF, &index, sizeof index);
  return m;
}

result<file_descriptor> open_netlink(int flags, unsigned groups) {
  file_descriptor fd(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE));
  sockaddr_nl own{};
  own.nl_family = AF_NETLINK;
  own.nl_groups = groups;
  if (!fd || bind(fd.get(), reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return fail(std::strerror(errno));
  return fd;
}

}  // namespace

result<netlink_routes> netlink_routes::open(int interface_index) {
  auto fd = open_netlink(0, 0);
  if (!fd) return tl::unexpected(fd.error());
  return netlink_routes(std::move(*fd), interface_index);
}

result<link_watch> link_watch::open(int interface_index) {
  auto fd = open_netlink(SOCK_NONBLOCK, RTMGRP_LINK);
  if (!fd) return tl::unexpected(fd.error());
  return link_watch(std::move(*fd), interface_index);
}

bool link_watch::was_down() {
  bool down = false;
  alignas(nlmsghdr) std::uint8_t told[8192];
  for (;;) {
    const auto n = recv(fd_.get(), told, sizeof told, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == ENOBUFS) {  // something was lost: it may have been this
      down = true;
      continue;
    }
    if (n <= 0) return down;
    auto left = static_cast<int>(n);  // NLMSG_NEXT makes it negative if the last message is not padded
    for (const auto* m = reinterpret_cast<const nlmsghdr*>(told); NLMSG_OK(m, static_cast<unsigned>(std::max(left, 0)));
         m = NLMSG_NEXT(m, left)) {
      if (m->nlmsg_type != RTM_NEWLINK || m->nlmsg_len < NLMSG_LENGTH(sizeof(ifinfomsg))) continue;
      ifinfomsg link{};
      std::memcpy(&link, NLMSG_DATA(m), sizeof link);
      down = down || (link.ifi_index == interface_index_ && (link.ifi_flags & IFF_UP) == 0);
    }
  }
}

result<void> netlink_routes::ask(std::vector<std::uint8_t>& message) {
  nlmsghdr h{};
  std::memcpy(&h, message.data(), sizeof h);
  h.nlmsg_len = static_cast<std::uint32_t>(message.size());
  h.nlmsg_seq = ++sequence_;
  std::memcpy(message.data(), &h, sizeof h);
  sockaddr_nl kernel{};
  kernel.nl_family = AF_NETLINK;
  if (sendto(fd_.get(), message.data(), message.size(), 0, reinterpret_cast<const sockaddr*>(&kernel), sizeof kernel) !=
      static_cast<ssize_t>(message.size()))
    return fail(std::strerror(errno));
  alignas(nlmsghdr) std::uint8_t answer[8192];
  for (;;) {
    const auto n = recv(fd_.get(), answer, sizeof answer, 0);
    if (n < 0 && errno == EINTR) continue;
    if (n < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr))))
      return fail(n < 0 ? std::strerror(errno) : "the kernel's answer is cut");
    nlmsghdr got{};
    std::memcpy(&got, answer, sizeof got);
    if (got.nlmsg_seq != sequence_ || got.nlmsg_type != NLMSG_ERROR) continue;
    nlmsgerr e{};
    std::memcpy(&e, answer + NLMSG_HDRLEN, sizeof e);
    if (e.error == 0) return {};
    errno = -e.error;
    return fail(std::strerror(-e.error));
  }
}

result<void> netlink_routes::add_address(const ip_address& a) {
  auto m = address_message(RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, interface_index_, a);
  return ask(m);
}
result<void> netlink_routes::remove_address(const ip_address& a) {
  auto m = address_message(RTM_DELADDR, 0, interface_index_, a);
  return ask(m);
}
result<void> netlink_routes::add_route(const ip_address& to, const ip_address& source) {
  auto m = route_message(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, interface_index_, to);
  add_attribute(m, RTA_PREFSRC, source);
  return ask(m);
}
result<void> netlink_routes::remove_route(const ip_address& to) {
  auto m = route_message(RTM_DELROUTE, 0, interface_index_, to);
  return ask(m);
}

}  // namespace prose::apps
