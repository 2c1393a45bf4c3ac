#include "apps/ue/ue_status.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "apps/ue/utc_source.h"
#include "common/hex.h"

namespace prose::apps {
namespace {

using json = nlohmann::ordered_json;
constexpr double stale_s = 3;  // a status is published once a second of air time

double rounded(double x, double steps) { return std::round(x * steps) / steps + 0.0; }  // no -0

json addresses_json(const peer_status& p) {
  json a = json::object();
  for (const auto& [family, pair] : {std::pair{"ipv6", p.ipv6}, std::pair{"ipv4", p.ipv4}})
    if (pair.peer.length != 0) {
      a[std::string("own_") + family] = to_string(pair.own);
      a[std::string("peer_") + family] = to_string(pair.peer);
    }
  return a;
}

json link_json(const peer_status& p) {
  const auto& i = *p.link;
  return {{"suite", algorithms_of(i)},
          {"role", i.own_role == security::role::initiator ? "initiator" : "responder"},
          {"up_s", rounded(p.up_s, 10)},
          {"handshake_age_s", rounded(static_cast<double>(i.key_age_ms) / 1000, 10)},
          {"epoch", i.epoch},
          {"epoch_age_s", rounded(p.epoch_age_s, 10)},
          {"kd_sess_id", fmt::format("{:04x}", i.kd_sess_id)},
          {"key_fingerprint", to_hex(i.key_fingerprint)},
          {"own_l2_id", fmt::format("{:06x}", i.own_l2)},
          {"peer_l2_id", fmt::format("{:06x}", i.peer_l2)}};
}

json peer_json(const peer_status& p, const std::optional<running_status>& run) {
  json j{{"name", p.name}, {"key", p.key}, {"fingerprint", p.fingerprint}, {"addresses", addresses_json(p)}};
  if (!run) return j;
  j["state"] = p.link ? "linked" : p.heard_age_s ? "discovered" : "not heard";
  if (p.heard_age_s) j["discovered_age_s"] = rounded(*p.heard_age_s, 10);
  if (p.link) j["link"] = link_json(p);
  if (p.signal) {
    const auto& s = p.signal->signal;
    j["signal"] = {{"snr_db", rounded(s.snr_db, 10)},
                   {"frequency_offset_hz", rounded(s.cfo_hz, 10)},
                   {"timing_offset_us", rounded(s.timing_offset_samples / run->sample_rate_hz * 1e6, 100)},
                   {"age_s", rounded(p.signal_age_s, 10)}};
    if (p.timing && p.timing->us_per_minute)
      j["signal"]["timing_drift_us_per_minute"] = rounded(*p.timing->us_per_minute, 100);
  }
  j["rx_octets"] = p.rx_octets;
  j["tx_octets"] = p.tx_octets;
  j["packets_dropped"] = p.packets_dropped;
  j["packets_filtered"] = p.packets_filtered;
  return j;
}

void add_running(json& j, const running_status& r) {
  j["device"] = r.device;
  j["data"] = r.data;
  j["t"] = rounded(r.device_s, 1000);
  j["utc"] = utc_text(r.utc_s);
  j["told_at"] = rounded(r.host_utc_s, 1000);
  j["up_s"] = rounded(r.up_s, 10);
  j["sync"] = {{"role", r.sync}, {"n_sl_id", r.n_sl_id}};
  const auto& c = r.radio;
  j["radio"] = {{"overflows", c.overflows},      {"underflows", c.underflows}, {"lates", c.lates},
                {"withheld", c.withheld},        {"restarts", c.restarts},     {"sequence_errors", c.sequence_errors},
                {"samples_lost", c.samples_lost}};
  j["sent"] = {{"subframes", r.mac.subframes_sent}, {"discovery_messages", r.mac.discovery_sent}};
  j["received"] = {
      {"blocks", r.blocks_ok}, {"blocks_failed", r.blocks_failed}, {"discovery_messages", r.mac.discovery_heard}};
  j["dropped"] = {{"malformed", r.mac.rx.malformed_sl_sch + r.mac.rx.rlc.malformed + r.mac.rx.malformed_pdcp},
                  {"security", r.mac.rx.security_dropped},
                  {"other_destination", r.mac.rx.other_destination},
                  {"unknown_source", r.mac.rx.unknown_source},
                  {"queue_full", r.mac.tx.sdus_refused},
                  {"no_link", r.mac.tx.sdus_expired}};
  if (r.cover_flows > 0)
    j["cover"] = {{"flows", r.cover_flows}, {"links", r.cover_links}, {"dummies", r.cover_shown - r.cover_links}};
}

// --- text -----------------------------------------------------------------------------------------------------------

std::string seconds_text(double s) {
  const auto n = static_cast<std::int64_t>(s);
  if (n < 120) return fmt::format("{} s", n);
  if (n < 7200) return fmt::format("{} min {} s", n / 60, n % 60);
  return fmt::format("{} h {} min", n / 3600, n / 60 % 60);
}

std::string octets_text(double n) {
  if (n < 1024) return fmt::format("{:.0f} B", n);
  if (n < 1024 * 1024) return fmt::format("{:.2f} KiB", n / 1024);
  return fmt::format("{:.2f} MiB", n / 1024 / 1024);
}

/// "3 lates, 2 overflows" of an object of counts; `none` where all are 0.
std::string counts_text(const json& counts, const std::string& none) {
  std::string text;
  for (const auto& [name, n] : counts.items()) {
    if (n.get<std::uint64_t>() == 0) continue;
    std::string words = name;
    std::replace(words.begin(), words.end(), '_', ' ');
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", n.get<std::uint64_t>(), words);
  }
  return text.empty() ? none : text;
}

std::string link_text(const json& p) {
  if (!p.contains("link"))
    return p.contains("discovered_age_s")
               ? "  link: none; discovered " + seconds_text(p.at("discovered_age_s")) + " ago\n"
               : "  link: none; not heard in this run\n";
  const auto& l = p.at("link");
  return fmt::format(
      "  link: up for {}, {}, {}\n"
      "  latest handshake: {} ago\n"
      "  epoch: {}, since {}\n",
      seconds_text(l.at("up_s")), l.at("suite").get<std::string>(), l.at("role").get<std::string>(),
      seconds_text(l.at("handshake_age_s")), l.at("epoch").get<std::uint32_t>(), seconds_text(l.at("epoch_age_s")));
}

std::string peer_text(const json& p) {
  std::string text =
      fmt::format("\npeer: {}\n  public key: {}\n  compare by voice: {}\n", p.at("name").get<std::string>(),
                  p.at("key").get<std::string>(), p.at("fingerprint").get<std::string>());
  const auto& a = p.at("addresses");
  for (const std::string family : {"ipv6", "ipv4"})
    if (a.contains("peer_" + family))
      text += fmt::format("  address: {} (this UE's towards it: {})\n", a.at("peer_" + family).get<std::string>(),
                          a.at("own_" + family).get<std::string>());
  text += link_text(p);
  text +=
      fmt::format("  transfer: {} received, {} sent\n", octets_text(p.at("rx_octets")), octets_text(p.at("tx_octets")));
  if (p.contains("signal")) {
    const auto& s = p.at("signal");
    const std::string drift =
        s.contains("timing_drift_us_per_minute")
            ? fmt::format(" ({:+.2f} us a minute)", s.at("timing_drift_us_per_minute").get<double>())
            : "";
    text += fmt::format("  signal: SNR {:.1f} dB, frequency offset {:+.0f} Hz, timing {:+.2f} us{}, {} ago\n",
                        s.at("snr_db").get<double>(), s.at("frequency_offset_hz").get<double>(),
                        s.at("timing_offset_us").get<double>(), drift, seconds_text(s.at("age_s")));
  }
  return text + fmt::format("  dropped: {} packets of the host, {} by the link's filter\n",
                            p.at("packets_dropped").get<std::uint64_t>(),
                            p.at("packets_filtered").get<std::uint64_t>());
}

std::string text_of(const json& j, double host_utc_s) {
  std::string text =
      fmt::format("ue: {}\n  public key: {}\n  device: {}\n  running for: {} (device time {:.1f} s, {})\n",
                  j.at("name").get<std::string>(), j.at("key").get<std::string>(), j.at("device").get<std::string>(),
                  seconds_text(j.at("up_s")), j.at("t").get<double>(), j.at("utc").get<std::string>());
  if (const double age = host_utc_s - j.at("told_at").get<double>(); age > stale_s)
    text += fmt::format("  warning: this is {} old; the air or the radio stands still\n", seconds_text(age));
  text += fmt::format("  synchronisation: {}\n", j.at("sync").at("role").get<std::string>());
  if (j.at("silent_s").get<double>() > 0)
    text += fmt::format("  discovery: silent for {} more, until {} (the mark of the last run)\n",
                        seconds_text(j.at("silent_s")), j.at("silent_until").get<std::string>());
  text += "  radio: " + counts_text(j.at("radio"), "no losses") + '\n';
  text += "  sent: " + counts_text(j.at("sent"), "nothing") + '\n';
  text += "  received: " + counts_text(j.at("received"), "nothing") + '\n';
  text += "  dropped: " + counts_text(j.at("dropped"), "nothing") + '\n';
  if (j.contains("cover"))
    text += fmt::format("  cover: {} flows, {} with a link, {} dummies\n", j.at("cover").at("flows").get<int>(),
                        j.at("cover").at("links").get<int>(), j.at("cover").at("dummies").get<int>());
  for (const auto& p : j.at("peers")) text += peer_text(p);
  return text;
}

}  // namespace

std::string to_json(const ue_status& s) {
  json j{{"running", s.running.has_value()}, {"name", s.name}, {"key", s.key}};
  j["silent_s"] = rounded(s.silent_s, 10);
  if (!s.silent_until.empty()) j["silent_until"] = s.silent_until;
  if (s.running) add_running(j, *s.running);
  j["peers"] = json::array();
  for (const auto& p : s.peers) j["peers"].push_back(peer_json(p, s.running));
  return j.dump(-1, ' ', false, json::error_handler_t::replace);
}

result<std::string> status_text(const std::string& text, double host_utc_s) {
  try {
    return text_of(json::parse(text), host_utc_s);
  } catch (const nlohmann::json::exception& e) {
    return fail(std::string("what answers is no status of a UE: ") + e.what());
  }
}

}  // namespace prose::apps
