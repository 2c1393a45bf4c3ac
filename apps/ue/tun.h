// A data port of IP packets, whatever carries them to the host.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "apps/common/file_descriptor.h"
#include "apps/ue/data_port.h"
#include "apps/ue/host_routes.h"

namespace prose::apps {

/// `packets`: each read and write is one IP packet, none blocks. `interface`: its name, for errors. `index`: the kernel's number of it; 0: none is
/// looked at. Errors as of open_tun().
result<std::unique_ptr<data_port>> make_tun_port(file_descriptor packets, std::unique_ptr<host_routes> routes, std::string interface, std::vector<data_peer> peers,
                                                 int index = 0);

}  // namespace prose::apps
