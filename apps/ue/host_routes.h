// Addresses and routes of the TUN interface.
#pragma once

#include "apps/ue/ip_address.h"
#include "common/result.h"

namespace prose::apps {

/// An interface because tests replace it: the real one needs CAP_NET_ADMIN. Errors are the system's word alone ("File
/// exists").
class host_routes {
public:
  virtual ~host_routes() = default;
  /// One address alone (/32, /128), usable at once.
  virtual result<void> add_address(const ip_address& a) = 0;
  virtual result<void> remove_address(const ip_address& a) = 0;
  /// A host route; what goes there bears `source` unless its socket says otherwise. Refused where a route to `to`
  /// exists.
  virtual result<void> add_route(const ip_address& to, const ip_address& source) = 0;
  virtual result<void> remove_route(const ip_address& to) = 0;
};

}  // namespace prose::apps
