#include "apps/ue/program_config.h"

#include <algorithm>
#include <utility>

#include "apps/lib/common/config.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/keys/key_file.h"
#include "apps/ue/carrier_config.h"

namespace prose::apps {

namespace {
constexpr int cover_cell_ms_tm4 = 100;  // of one flow; docs/attacks.md has what was measured

/// A file that is opened later: errors then name the line.
void read_path(config_section& s, std::string_view key, std::string& file, std::string& where) {
  s.read_path(key, file);
  where = s.where(key);
}

void check_endpoint(config_section& s, std::string_view key, const std::string& text) {
  if (!text.empty() && !valid_endpoint(text))
    s.reject(key,
             "'" + text + "' is no address with a port; accepted: ADDRESS:PORT or [IPV6]:PORT, e.g. 127.0.0.1:7001");
}

void read_ms(config_section& s, std::string_view key, security::time_ms& ms, double min_s, double max_s) {
  double seconds = static_cast<double>(ms) / 1000;
  s.read(key, seconds, min_s, max_s);
  ms = static_cast<security::time_ms>(seconds * 1000);
}

void read_radio(config_section s, program_config& c) {
  read_radio_keys(s, c.radio);
  double power = c.tx_power_db, rsrp = c.rsrp_offset_db;
  s.read("tx_power_db", power, -60.0, 0.0);
  s.read("rsrp_offset_db", rsrp, -150.0, 50.0);
  c.tx_power_db = static_cast<float>(power);
  c.rsrp_offset_db = static_cast<float>(rsrp);
}

/// Some number of sub-channels carries a block that one transmission determines.
bool sends_once(const mac::ue_config& c) {
  const auto pool = phy::v2x_pool::make(c.v2x);
  if (!pool) return true;  // refused elsewhere
  for (int count = 1; count <= std::min(c.tm4.max_subchannels, c.v2x.n_subchannels); ++count)
    if (pool->pssch_prbs(0, count) && !mac::leaves_bits_open(*pool, c.tm4.mcs, count)) return true;
  return false;
}

void read_sidelink(config_section s, carrier_settings& carrier, program_config& c) {
  auto& tm2 = c.ue.tm2;
  auto& tm4 = c.ue.tm4;
  int place = 0;
  s.read("transmit_pool", place, 0, 31);
  choose_communication_pool(carrier, s, place, c);
  int mcs = phy::is_v2x(c.ue.tm) ? tm4.mcs : tm2.mcs;
  s.read("mcs", mcs, 0, 20);
  tm2.mcs = tm4.mcs = mcs;
  s.read("lead_subframes", c.ue.lead_subframes, 2, 40);
  s.read("max_prb", tm2.max_prb, 1, 100);
  s.read("max_grants_per_period", tm2.max_grants_per_period, 1, 8);
  s.read("max_subchannels", tm4.max_subchannels, 1, 20);
  s.read("max_processes", tm4.max_processes, 1, 8);
  s.read("priority", tm4.priority, 1, 8);
  std::string period = std::to_string(tm4.reservation_period_ms);
  s.read_choice("reservation_period_ms", period,
                {"0", "20", "50", "100", "200", "300", "400", "500", "600", "700", "800", "900", "1000"});
  tm4.reservation_period_ms = std::stoi(period);
  s.read("retransmit", tm4.retransmit);
  if (phy::is_v2x(c.ue.tm) && !tm4.retransmit && !sends_once(c.ue))
    s.reject("retransmit", "false: nobody could decode one transmission with mcs " + std::to_string(mcs) +
                               " in this pool; accepted: true, or a lower mcs");
  s.read("repeat", tm4.repeat, 1, 4);
  s.read("prob_resource_keep", tm4.prob_resource_keep, 0.0, 0.8);
  s.read("reselect_after", tm4.reselect_after, 1, 9);
}

/// The pool tells it too.
void check_against_pool(config_section& s, std::string_view key, int value, int told, const char* pool_key) {
  if (value != told)
    s.reject(key, "'" + std::to_string(value) + "' contradicts " + pool_key + " of the pool, " + std::to_string(told) +
                      "; accepted: the pool's own value, or no key");
}

void read_discovery(config_section s, carrier_settings& carrier, program_config& c) {
  int place = 0;
  s.read("transmit_pool", place, 0, 31);
  choose_discovery_pool(carrier, s, place, c);
  const auto pool = c.ue.discovery;
  std::string model = "a";
  s.read_choice("model", model, {"a", "b", "both", "off"});
  auto& d = c.security.discovery;
  d.announce = d.monitor = model == "a" || model == "both";
  d.answer_queries = model == "b" || model == "both";
  c.ue.discovery_tx.announce = d.announce;
  int entries = static_cast<int>(d.entries);
  s.read("entries", entries, 1, 256);
  d.entries = static_cast<std::uint32_t>(entries);
  s.read("per_period", c.ue.discovery_tx.per_period, 1, 64);
  s.read("period_subframes", c.ue.discovery.disc_period_subframes, 40, 10240);
  s.read("retransmissions", c.ue.discovery.num_retx, 0, 3);
  s.read("query", c.query);
  c.where.query = s.where("query");
  if (!carrier.pools.empty()) {
    check_against_pool(s, "period_subframes", c.ue.discovery.disc_period_subframes, pool.disc_period_subframes,
                       "disc_period");
    check_against_pool(s, "retransmissions", c.ue.discovery.num_retx, pool.num_retx, "num_retx");
  }
  check_announcements(c, s);
  if (!carrier.pools.empty()) return;  // whether pools overlap is checked for all of them
  const int period = c.ue.discovery.disc_period_subframes, sc_period = c.ue.comm.sc_period_subframes;
  // The pool's subframes lie where SC periods leave room: a period that is no multiple of theirs would drift across
  // PSCCH and PSSCH.
  const int step = phy::is_v2x(c.ue.tm) ? 10 : sc_period;
  if (period % step != 0)
    s.reject("period_subframes", std::string("'").append(std::to_string(period)) + "' is not a multiple of " +
                                     std::to_string(step) + (step == sc_period ? ", the SC period" : "") +
                                     "; accepted: a multiple of " + std::to_string(step) + " from 40 to 10240");
}

/// What a radio can send beside all else: half of the SC periods (TM2), or a reservation's subframes (TM4).
int least_cover_interval_ms(const program_config& c) {
  const int a_cell_ms =
      phy::is_v2x(c.ue.tm) ? cover_cell_ms_tm4 : 2 * c.ue.comm.sc_period_subframes / c.ue.tm2.max_grants_per_period;
  return c.cover.flows * a_cell_ms;
}

void read_cover(config_section& s, program_config& c) {
  auto& v = c.cover;
  s.read("cover", v.flows, 0, 16);
  s.read("cover_interval_ms", v.interval_ms, 100, 5000);
  s.read("cover_octets", v.cell_octets, 64, 1000);
  s.read("cover_round_s", v.round_s, 15, 120);
  v.data_lifetime_ms = c.ue.limits.unlinked_lifetime_ms;
  if (v.flows == 0) return;
  if (const int least = least_cover_interval_ms(c); v.interval_ms < least)
    s.reject(s.has("cover_interval_ms") ? "cover_interval_ms" : "cover",
             std::to_string(v.flows) + " flows with a record each " + std::to_string(v.interval_ms) +
                 " ms are more than this radio can send; accepted: cover_interval_ms from " + std::to_string(least));
  if (security::time_ms{v.round_s} * 1000 > c.security.links.epochs.min_ms)
    s.reject(s.has("cover_round_s") ? "cover_round_s" : "cover",
             "a round of " + std::to_string(v.round_s) +
                 " s is above epoch_min_s, so that an epoch could end within a round; accepted: up to " +
                 std::to_string(c.security.links.epochs.min_ms / 1000));
}

void read_link(config_section s, program_config& c) {
  auto& l = c.security.links;
  read_ms(s, "keepalive_s", l.keepalive_after_ms, 0.5, 3600);
  read_ms(s, "lost_s", l.lost_after_ms, 1, 7200);
  if (l.lost_after_ms <= l.keepalive_after_ms)
    s.reject(s.has("lost_s") ? "lost_s" : "keepalive_s",
             "an idle link would be lost before its first keep-alive; accepted: a lost_s above keepalive_s, by default "
             "30 and 10");
  read_ms(s, "rekey_s", l.rekey_after_ms, 5, 1800);  // the peer answers one in 5 s
  read_ms(s, "epoch_min_s", l.epochs.min_ms, 1, 3600);
  read_ms(s, "epoch_max_s", l.epochs.max_ms, 1, 3600);
  if (l.epochs.max_ms < l.epochs.min_ms) s.reject("epoch_max_s", "is below epoch_min_s");
  s.read("auto_connect", c.ue.auto_connect);
  read_cover(s, c);
}

template <class Algorithm>
using algorithm_names = std::vector<std::pair<std::string, Algorithm>>;
const algorithm_names<security::ts33303::eea> ciphering_names{{"eea2", security::ts33303::eea::aes},
                                                              {"eea1", security::ts33303::eea::snow3g},
                                                              {"eea3", security::ts33303::eea::zuc},
                                                              {"eea0", security::ts33303::eea::none}};
const algorithm_names<security::ts33303::eia> integrity_names{{"eia2", security::ts33303::eia::aes},
                                                              {"eia1", security::ts33303::eia::snow3g},
                                                              {"eia3", security::ts33303::eia::zuc}};

/// Best first.
template <class Algorithm>
std::vector<Algorithm> algorithms_of(config_section& s, std::string_view key, const std::vector<std::string>& names,
                                     const algorithm_names<Algorithm>& known) {
  std::string accepted;
  for (const auto& [name, a] : known) accepted += (accepted.empty() ? "" : ", ") + name;
  std::vector<Algorithm> out;
  for (const auto& n : names) {
    const auto at = std::find_if(known.begin(), known.end(), [&](const auto& k) { return k.first == n; });
    if (at == known.end())
      s.reject(key, "'" + n + "' is no algorithm; accepted: " + accepted);
    else
      out.push_back(at->second);
  }
  if (names.empty()) s.reject(key, "is empty; accepted: " + accepted);
  return out;
}

/// The profile is not negotiated: both ends are configured alike.
void read_security(config_section s, program_config& c) {
  std::string profile = "ltesl";
  s.read_choice("profile", profile, {"ltesl", "ts33303"});
  if (profile == "ltesl") {
    for (const auto* key : {"kds", "codes", "ciphering", "integrity", "data_integrity"})
      if (s.has(key)) s.reject(key, "belongs to another profile; accepted: with profile: ts33303");
    return;
  }
  read_path(s, "kds", c.kds, c.where.kds);
  read_path(s, "codes", c.codes, c.where.codes);
  std::vector<std::string> ciphering{"eea2", "eea1", "eea3"};
  std::vector<std::string> integrity{"eia2", "eia1", "eia3"};
  bool data_integrity = true;
  s.read("ciphering", ciphering);
  s.read("integrity", integrity);
  s.read("data_integrity", data_integrity);
  security::ts33303::direct_link_config links;
  links.algorithms = {algorithms_of(s, "ciphering", ciphering, ciphering_names),
                      algorithms_of(s, "integrity", integrity, integrity_names)};
  links.mac_i_on_data = data_integrity;
  if (c.kds.empty()) s.reject("profile", "ts33303 needs kds; accepted: a file that prose-keys kd made");
  if (!c.pc3.servers.empty())
    s.reject("profile", "ts33303 with pc3.servers is not built; accepted: a permission file without servers");
  if (!c.codes.empty() && (c.security.discovery.answer_queries || !c.query.empty()))
    s.reject("codes",
             "model B is not built with codes; accepted: discovery.model: a without discovery.query, or no codes");
  if (c.cover.flows != 0)
    s.reject("profile", "ts33303 has no place for link.cover; accepted: link.cover: 0, or profile: ltesl");
  if (c.name.empty() || c.name.size() > 64)
    s.reject("profile", "ts33303 sends `name` as User Info; accepted: a name of 1 to 64 octets");
  links.user_info = c.name;
  c.ts33303 = std::move(links);
}

void read_time(config_section s, const std::string& shared_source, program_config& c) {
  std::string source = shared_source.empty() ? "gnss" : shared_source;
  s.read_choice("source", source, {"gnss", "slss"});
  if (!shared_source.empty() && source != shared_source)
    s.reject("source",
             source + " contradicts sync of the carrier_file, " + shared_source + "; accepted: the same, or no key");
  c.ue.sync.mode = source == "gnss" ? mac::time_mode::gnss : mac::time_mode::slss;
  std::string utc = "configured";
  s.read_choice("utc", utc, {"configured", "system"});
  c.epoch_from_system = utc == "system";
  s.read("epoch_s", c.epoch_s, 0.0, 4.2e9);
  s.read("trust_device", c.trust_device);
  c.where.time = s.where(s.has("epoch_s") ? "epoch_s" : "utc");
}

/// A host's address; each once. `taken`: those of the file so far, and where.
void read_address(config_section& s, std::string_view key, int length, ip_address& out,
                  std::vector<std::pair<ip_address, std::string>>& taken) {
  std::string text;
  s.read(key, text);
  if (text.empty()) return;
  const auto a = parse_ip_address(text);
  if (!a || a->length != length)
    return s.reject(key, "'" + text + "' is no " + (length == 4 ? "IPv4" : "IPv6") + " address; accepted: e.g. " +
                             (length == 4 ? "10.64.0.1" : "fd00::1"));
  if (!is_plain_unicast(*a))
    return s.reject(key, "'" + text +
                             "' is not an address that a host can have; accepted: a unicast address that is neither "
                             "loopback nor link-local");
  for (const auto& [other, where] : taken)
    if (other == *a)
      return s.reject(key, "'" + text + "' is there already (" + where + "); accepted: each address once");
  out = *a;
  taken.emplace_back(*a, s.where(key));
}

void read_data(config_section s, const std::string& config_path, program_config& c) {
  s.read_choice("kind", c.data, data_kinds);
  s.read("interface", c.tun.interface);
  std::vector<std::pair<ip_address, std::string>> taken;
  read_address(s, "ipv4", 4, c.tun.ipv4, taken);
  read_address(s, "ipv6", 16, c.tun.ipv6, taken);
  std::string table;
  s.read("ipv4_table", table);
  if (table.empty() && !c.private_key.empty())
    c.tun.ipv4_table = c.private_key + ".ipv4";
  else if (table != "off")
    c.tun.ipv4_table = path_from_config(config_path, table);
  if (!c.tun.ipv4_table.empty()) s.in_force().read_path("ipv4_table", c.tun.ipv4_table);
  s.read_path("hosts", c.tun.hosts);
  int queue = static_cast<int>(c.max_queued_octets);
  s.read("queue_octets", queue, 2000, 10'000'000);
  c.max_queued_octets = c.cover.max_queued_octets = static_cast<std::size_t>(queue);
  for (auto& p : s.list("peers")) {
    data_peer d;
    p.require("name");
    p.read("name", d.name);
    p.read("udp_listen", d.udp_listen);
    p.read("udp_forward", d.udp_forward);
    check_endpoint(p, "udp_listen", d.udp_listen);
    check_endpoint(p, "udp_forward", d.udp_forward);
    d.where = p.where(d.udp_listen.empty() ? "name" : "udp_listen");
    for (const auto& other : c.data_peers)
      if (!d.name.empty() && other.name == d.name)
        p.reject("name", "'" + d.name + "' is there twice; accepted: each peer once");
    read_address(p, "ipv4", 4, d.ipv4, taken);
    read_address(p, "ipv6", 16, d.ipv6, taken);
    if (d.ipv4.length != 0 && c.tun.ipv4.length == 0 && c.tun.ipv4_table.empty())
      p.reject("ipv4", "has no address of our own beside it; accepted: with data.ipv4, or without ipv4_table: off");
    c.data_peers.push_back(std::move(d));
  }
}
}  // namespace

result<void> apply_radio_profile(program_config& c, const std::string& file) {
  if (!file.empty())
    if (auto ok = load_radio_profile(file, c.radio); !ok) return ok;
  // The carrier says at which rate this UE works, whatever else the profile serves.
  c.radio.sample_rate_hz = phy::standard_fft_size(c.ue.n_prb) * phy::subcarrier_spacing_hz;
  c.radio.occupied_hz = c.ue.n_prb * phy::subcarriers_per_prb * phy::subcarrier_spacing_hz;
  return {};
}

result<program_config> read_program_config(config_section& file, const std::string& path) {
  program_config c;
  file.read("name", c.name);
  auto identity = file.section("identity");
  read_path(identity, "private_key", c.private_key, c.where.private_key);
  read_path(identity, "permissions", c.permissions, c.where.permissions);
  read_path(identity, "mark", c.mark, c.where.mark);
  carrier_settings carrier{.file = file};
  if (auto ok = read_carrier(file, carrier, c); !ok) return tl::unexpected(ok.error());
  file.read_path("radio_profile", c.radio_profile);
  if (auto ok = apply_radio_profile(c, c.radio_profile); !ok) return tl::unexpected(ok.error());
  auto pc3 = file.section("pc3");
  c.pc3.user = c.name;
  c.pc3.private_key = c.private_key;
  pc3.read("user", c.pc3.user);
  pc3.read_path("cache", c.pc3.cache);
  pc3.read_path("consent", c.pc3.consent);
  pc3.read("valid_h", c.pc3.valid_h, 0.001, pc3_config::max_valid_h);
  pc3.read_path("keylog", c.pc3.keylog);
  for (auto& s : pc3.list("servers")) {
    auto server = read_pc3_server(s, c.pc3.user);
    const auto& name = server.client.server_name;  // also the end of a file name
    if (!name.empty() && !keys::valid_name(name))
      s.reject("name", "'" + name + "'; accepted: 1 to 64 of a-z A-Z 0-9 . _ -");
    if (name == "pins" || name == "pending" || name == "lock")
      s.reject("name", "'" + name + "' is taken by a file of the cache; accepted: another name");
    for (const auto& other : c.pc3.servers)
      if (other.client.server_name == name)
        s.reject("name", "'" + name + "' is there twice; accepted: each server once");
    check_endpoint(s, "udp_listen", server.udp_listen);
    check_endpoint(s, "udp_forward", server.udp_forward);
    c.pc3.servers.push_back(std::move(server));
  }
  file.read("device", c.radio.device_args);
  read_radio(file.section("radio"), c);
  read_sidelink(file.section("sidelink"), carrier, c);
  read_discovery(file.section("discovery"), carrier, c);
  read_link(file.section("link"), c);
  read_security(file.section("security"), c);
  read_time(file.section("time"), carrier.sync, c);
  read_data(file.section("data"), path, c);
  file.read_path_here("events", c.events);
  file.read("allow_keylog", c.allow_keylog);
  if (!c.pc3.keylog.empty() && !c.allow_keylog)
    pc3.reject("keylog", "the configuration does not permit it; accepted: with allow_keylog: true");
  file.read_path_here("keylog", c.keylog);
  file.read("metrics_port", c.metrics_port, -1, 65535);
  file.read_path("control", c.control);
  file.read("duration_s", c.duration_s, 0.0, 1e9);
  if (auto ok = check_carrier(carrier, c); !ok) return tl::unexpected(ok.error());
  if (auto ok = file.check(); !ok) return tl::unexpected(ok.error());
  // Last, so that a misspelt key is named first.
  if (c.private_key.empty()) identity.reject("private_key", "is missing; accepted: a file made by prose-keys gen");
  if (c.mark.empty()) c.mark = c.private_key + ".mark";
  if (auto ok = file.check(); !ok) return tl::unexpected(ok.error());
  identity.in_force().read_path("mark", c.mark);
  std::string consent = c.pc3.consent_path();
  pc3.in_force().read_path("consent", consent);
  return c;
}

void note_options(const config_section& file, program_config c) {
  auto now = file.in_force();
  now.read("device", c.radio.device_args);
  now.read_path("radio_profile", c.radio_profile);
  auto radio = now.section("radio");
  read_radio_keys(radio, c.radio);
  now.section("data").read_choice("kind", c.data, data_kinds);
  now.read_path_here("events", c.events);
  now.read_path_here("keylog", c.keylog);
  now.read("metrics_port", c.metrics_port, -1, 65535);
  now.read_path("control", c.control);
  now.read("duration_s", c.duration_s, 0.0, 1e9);
}

}  // namespace prose::apps
