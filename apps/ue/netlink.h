// The kernel's addresses and routes of one interface (rtnetlink(7)). Every request is answered before the next.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/ue/host_routes.h"

namespace prose::apps {

class netlink_routes final : public host_routes {
public:
  static result<netlink_routes> open(int interface_index);
  result<void> add_address(const ip_address& a) override;
  result<void> remove_address(const ip_address& a) override;
  result<void> add_route(const ip_address& to, const ip_address& source) override;
  result<void> remove_route(const ip_address& to) override;

private:
  netlink_routes(file_descriptor fd, int interface_index) : fd_(std::move(fd)), interface_index_(interface_index) {}
  result<void> ask(std::vector<std::uint8_t>& message);
  file_descriptor fd_;
  int interface_index_;
  std::uint32_t sequence_ = 0;
};

/// Reports whether one interface was down since the last call, however shortly.
class link_watch {
public:
  static result<link_watch> open(int interface_index);
  bool was_down();

private:
  link_watch(file_descriptor fd, int interface_index) : fd_(std::move(fd)), interface_index_(interface_index) {}
  file_descriptor fd_;
  int interface_index_;
};

}  // namespace prose::apps
