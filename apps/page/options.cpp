#include "apps/page/options.h"

#include <algorithm>

#include "apps/lib/function/address.h"
#include "apps/page/access.h"

namespace prose::page {

void read_config(apps::config_section& file, options& o) {
  file.read_path_here("look", o.look);
  file.read_path_here("events", o.events);
  file.read("ues", o.ues);
  file.read_path_here("verdict", o.verdict);
  file.read_path_here("control", o.control);
  file.read("listen", o.listen);
  file.read("open_to_network", o.open_to_network);
  file.read_path_here("assets", o.assets);
  file.read_path_here("token_file", o.token_file);
}

result<endpoint> endpoint_of(const options& o) {
  const auto at = function::parse_endpoint(o.listen);
  if (!at) return fail("--listen " + o.listen + ": accepted is ADDRESS:PORT or [IPV6]:PORT; port 0 is any free one");
  endpoint e{at->text(), at->port()};
  if (!is_loopback(e.host) && !o.open_to_network)
    return fail(
        "--listen " + o.listen +
        ": others in the network could ask there; accepted without --open-to-network is 127.0.0.1:PORT or [::1]:PORT");
  return e;
}

result<sources> sources_of(const options& o) {
  sources s{o.look, o.events, o.verdict, o.control, {}};
  if (auto ok = line_socket::check(o.look, "--look"); !ok) return tl::unexpected(ok.error());
  if (auto ok = line_socket::check(o.control, "--control"); !ok) return tl::unexpected(ok.error());
  for (const auto& u : o.ues) {
    const auto at = u.find('=');
    if (at == std::string::npos || at == 0 || at > 32 || at + 1 == u.size())
      return fail("--ue " + u + ": accepted is NAME=FILE, the name of 1 to 32 octets");
    const auto name = u.substr(0, at);
    if (std::any_of(s.ues.begin(), s.ues.end(), [&](const auto& x) { return x.first == name; }))
      return fail("--ue " + u + ": " + name + " is there twice");
    s.ues.emplace_back(name, u.substr(at + 1));
  }
  return s;
}

}  // namespace prose::page
