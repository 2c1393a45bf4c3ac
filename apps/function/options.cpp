#include "apps/function/options.h"

#include <utility>
#include <vector>

#include "apps/lib/function/address.h"
#include "apps/lib/function/store.h"

namespace prose::function {

result<void> read_config(apps::config_section& file, const std::string& path, options& o) {
  auto& c = o.server;
  file.read("name", c.name);
  file.read("address", c.address);
  file.read("port", c.port, 0, 65535);
  c.store_path = apps::path_from_config(path, c.store_path);
  file.read_path("store", c.store_path);
  std::vector<std::string> proxies(c.proxies.begin(), c.proxies.end());
  file.read("proxies", proxies);
  for (const auto& text : proxies) {
    const auto address = parse_address(text, 0);
    if (!address)
      file.reject("proxies", "'" + text + "': accepted are IPv4 and IPv6 addresses");
    else
      c.proxies.insert(address->host());
  }
  file.read("audit", o.audit);
  if (o.audit != "-") o.audit = apps::path_from_config(path, o.audit);
  file.in_force().read_path("audit", o.audit);
  int most_mb = static_cast<int>(o.rotation.most_octets >> 20);
  file.read("audit_mb", most_mb, 0, 1'000'000);
  o.rotation.most_octets = static_cast<std::uint64_t>(most_mb) << 20;
  file.read("audit_files", o.rotation.files, 1, 1000);
  auto tls = file.section("tls");
  tls.read_path("ca", c.identity.ca_path);
  tls.read_path("certificate", c.identity.certificate_path);
  tls.read_path("key", c.identity.key_path);
  tls.read_path("psks", c.identity.psk_folder);
  file.read_path("kd_secret", c.kd_secret_path);
  auto l = file.section("limits");
  l.read("connections", c.limits.max_connections, 1, 100'000);
  l.read("half_open", c.limits.max_half_open, 1, 100'000);
  l.read("connections_per_address", c.limits.max_connections_per_address, 1, 100'000);
  l.read("connections_per_user", c.limits.max_connections_per_user, 1, 1000);
  l.read("requests_per_second", c.limits.requests_per_second, 0.1, 1e5);
  l.read("packets_per_second", c.limits.packets_per_second, 0.1, 1e5);
  l.read("handshake_s", c.limits.handshake_s, 0.1, 600.0);
  l.read("frame_s", c.limits.frame_s, 0.1, 600.0);
  l.read("idle_s", c.limits.idle_s, 1.0, 86400.0);
  auto a = file.section("application");
  a.read("listen", c.application.listen);
  a.read("forward", c.application.forward);
  a.read("echo", c.application.echo);
  std::vector<std::string> denied(c.denied.begin(), c.denied.end());
  file.read("denied", denied);
  for (const auto& name : denied)
    if (!valid_name(name)) file.reject("denied", "'" + name + "': accepted are names of users");
  c.denied.insert(denied.begin(), denied.end());
  return file.check();
}

result<std::set<std::string>> read_denied(const std::string& path) {
  auto file = apps::config_section::load_again(path);
  if (!file) return tl::unexpected(file.error());
  file->require("denied");
  options fresh;
  if (auto ok = read_config(*file, path, fresh); !ok) return tl::unexpected(ok.error());
  return std::move(fresh.server.denied);
}

}  // namespace prose::function
