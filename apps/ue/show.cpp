#include "apps/ue/show.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>

#include "apps/lib/keys/key_file.h"
#include "apps/lib/listen/pool_keys.h"
#include "apps/ue/control_socket.h"
#include "apps/ue/host_addresses.h"
#include "apps/ue/ue_identity.h"
#include "apps/ue/ue_status.h"
#include "apps/ue/utc_source.h"

namespace prose::apps {
namespace {

security::slot_t host_slot(double host_utc_s) {
  constexpr double last_slot = std::numeric_limits<security::slot_t>::max();
  return static_cast<security::slot_t>(std::clamp(host_utc_s, 0.0, last_slot));
}

std::string mark_line(const program_config& config, const security::slot_clock& clock, double host_utc_s) {
  const auto mark = clock.boot_mark();
  if (!mark) return "mark " + config.mark + " not there yet\n";
  const auto host = host_slot(host_utc_s);
  std::string text = "mark " + config.mark + " until " + utc_text(static_cast<double>(*mark) + 1);
  if (host <= *mark) text += "; by the host's clock " + silence_text(*mark, host, config.mark);
  return text + '\n';
}

/// Of the addresses, what --data tun uses: IPv4 where it is configured or was drawn before.
peer_status status_of(const security::peer& p, const program_config& config, const security::public_key& own,
                      const std::optional<ipv4_table>& table) {
  data_peer configured;
  for (const auto& c : config.data_peers)
    if (c.name == p.name) configured = c;
  const auto a = addresses_of(p, config.tun, configured, table ? table->find(p.name, p.key) : std::nullopt);
  return {p.name, keys::to_base64(p.key.octets), keys::fingerprint_text(own, p.key), a.host_ipv6, a.host_ipv4};
}

ue_status of_files(const program_config& config, ue_identity& identity, double host_utc_s) {
  auto& security = identity.security();
  const auto& own = security.peers().own_public();
  ue_status s{config.name, keys::to_base64(own.octets)};
  if (const auto mark = security.discovery().clock().boot_mark(); mark && host_slot(host_utc_s) <= *mark) {
    s.silent_s = static_cast<double>(*mark) + 1 - host_slot(host_utc_s);
    s.silent_until = utc_text(static_cast<double>(*mark) + 1);
  }
  std::optional<ipv4_table> table;
  if (!config.tun.ipv4_table.empty())
    if (auto t = ipv4_table::open(config.tun.ipv4_table, identity.random(), {}); t) table.emplace(std::move(*t));
  for (const auto& p : security.peers().all()) s.peers.push_back(status_of(*p, config, own, table));
  return s;
}

result<std::string> show_files(const program_config& config, double host_utc_s, bool as_json) {
  ue_identity identity;
  peer_slots slots;
  if (auto ok = identity.open(config, slots); !ok) return tl::unexpected(ok.error());
  const auto s = of_files(config, identity, host_utc_s);
  if (as_json) return to_json(s) + '\n';
  std::string text = "name " + s.name + "\nkey " + s.key + '\n';
  text += mark_line(config, identity.security().discovery().clock(), host_utc_s);
  for (const auto& p : s.peers) text += "peer " + p.name + ' ' + p.key + '\n';
  for (const auto& p : s.peers)
    for (const auto& pair : {p.ipv6, p.ipv4})
      if (pair.peer.length != 0)
        text += "address " + p.name + ' ' + to_string(pair.peer) + " from " + to_string(pair.own) + '\n';
  return text;
}

}  // namespace

result<shown> show_ue(const program_config& config, double host_utc_s, bool as_json) {
  std::string remark = "no control socket is configured (--control SOCKET, or control: in the configuration)";
  if (!config.control.empty()) {
    auto told = read_control_socket(config.control);
    if (!told) return tl::unexpected(told.error());
    if (*told) {
      if (as_json) return shown{std::move(**told)};
      auto text = status_text(**told, host_utc_s);
      return text ? result<shown>(shown{std::move(*text)}) : tl::unexpected(text.error());
    }
    remark = "no UE runs with the control socket " + config.control;
  }
  auto text = show_files(config, host_utc_s, as_json);
  if (!text) return tl::unexpected(text.error());
  return shown{std::move(*text), remark + "; this is what the files say"};
}

std::string show_pools(const program_config& config) {
  const auto& ue = config.ue;
  const bool v2x = phy::is_v2x(ue.tm);
  std::string text = "carrier: {prb: " + std::to_string(ue.n_prb) + ", tm: " + (v2x ? "4" : "2") +
                     ", cp: " + (config.cp == phy::cyclic_prefix::normal ? "normal" : "extended") + "}\n";
  text += std::string("sync: ") + (ue.sync.mode == mac::time_mode::gnss ? "gnss" : "slss") + "\npools:\n";
  auto pools = config.pools;
  if (pools.empty()) {
    if (v2x)
      pools.emplace_back(ue.v2x);
    else
      pools.emplace_back(ue.comm);
    pools.emplace_back(ue.discovery);
  }
  for (const auto& p : pools) text += "  - " + to_yaml(p) + '\n';
  return text;
}

}  // namespace prose::apps
