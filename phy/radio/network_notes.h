// What of this host's network is too small for a radio behind Ethernet.
#pragma once

#include <string>
#include <vector>

namespace prose::phy {

/// A remark on a socket buffer (rmem_max or wmem_max of net.core) or an MTU that is too small; else empty.
std::string buffer_note(const std::string& name, long octets);
std::string mtu_note(const std::string& interface, int mtu);

/// One remark a line: socket buffers below what UHD recommends for 10 Gbit/s Ethernet, and the MTU of the interface
/// that leads to the IPv4 address, where it is known. Empty: nothing to say.
std::vector<std::string> network_notes(const std::string& address);

}  // namespace prose::phy
