// A data port of IP packets, whatever carries them to the host.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/ue/data_port.h"
#include "apps/ue/host_routes.h"
#include "apps/ue/netlink.h"

namespace prose::apps {

/// The kernel's interface behind the packets, to look at.
struct watched_interface {
  int index = 0;
  link_watch events;
};
/// `packets`: each read and write is one IP packet, none blocks. `interface`: its name, for errors. `watched`: empty
/// where there is none. Errors as of open_tun().
result<std::unique_ptr<data_port>> make_tun_port(file_descriptor packets, std::unique_ptr<host_routes> routes,
                                                 std::string interface, std::vector<data_peer> peers,
                                                 std::optional<watched_interface> watched = {});

}  // namespace prose::apps
