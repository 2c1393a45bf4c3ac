#include "apps/lib/listen/settings.h"

#include "apps/lib/common/config.h"
#include "apps/lib/common/radio_profile.h"
#include "phy/io/json_text.h"

namespace prose::apps {
namespace {
constexpr std::size_t max_settings_bytes = 4U << 20U;

void read_carrier(config_section c, scene& s) {
  std::string prb, tm, cp;
  c.read_choice("prb", prb, {"6", "15", "25", "50", "75", "100"});
  c.read_choice("tm", tm, {"1", "2", "3", "4"});
  c.read_choice("cp", cp, {"normal", "extended"});
  if (!prb.empty()) s.n_prb = std::stoi(prb);
  if (!tm.empty()) s.tm = static_cast<phy::transmission_mode>(std::stoi(tm));
  if (!cp.empty()) s.cp = cp == "normal" ? phy::cyclic_prefix::normal : phy::cyclic_prefix::extended;
}

/// The map as text of the pool keys, those of a map under "data" with "data." before them.
std::string pool_text(config_section& map, const std::string& prefix) {
  std::string text;
  for (const auto& key : map.keys()) {
    if (prefix.empty() && key == "data") {
      auto inner = map.section(key);
      const auto more = pool_text(inner, "data.");
      text += (text.empty() || more.empty() ? "" : ",") + more;
      continue;
    }
    std::string value;
    map.read(key, value);
    if (key.find_first_of(",=") != std::string::npos || value.find_first_of(",=") != std::string::npos) {
      map.reject(key, "'" + value + "' is no value of a pool");
      return {};
    }
    text += (text.empty() ? "" : ",") + prefix + key + "=" + value;
  }
  return text;
}

void read_pools(config_section& file, scene& s) {
  for (auto& map : file.list("pools")) {
    const auto text = pool_text(map, "");
    scene one;
    const auto ok = apply_pool_text(text, "", one);
    if (ok) {
      s.pools.push_back(one.pools.front());
      continue;
    }
    // ": KEY what is wrong": the line is the key's.
    std::string message = ok.error().message;
    message.erase(0, message.find_first_not_of(": ."));
    const auto blank = std::min(message.find(' '), message.size());
    std::string key = message.substr(0, blank);
    if (const auto dot = key.rfind('.'); dot != std::string::npos) key.erase(0, dot + 1);
    if (map.has(key))
      map.reject(key, message.substr(std::min(blank + 1, message.size())));
    else
      map.reject("kind", message);
  }
}

}  // namespace

result<void> parse_settings(const std::string& text, const std::string& path, sniffer_settings& s) {
  auto parsed = config_section::parse(text, path);
  if (!parsed) return tl::unexpected(parsed.error());
  auto& file = *parsed;
  file.read("iq", s.iq);
  s.iq = path_from_config(path, s.iq);
  file.read("device", s.device);
  file.read("loop", s.loop, 1, 1'000'000);
  auto radio = file.section("radio");
  read_radio_keys(radio, s.radio);
  radio.read("queue_s", s.queue_s, 0.01, 60.0);
  file.read("duration_s", s.duration_s, 0.0, 1e9);
  file.read("epoch_s", s.epoch_s, 0.0, 4e9);
  read_carrier(file.section("carrier"), s.known);
  read_pools(file, s.known);
  file.read("scene", s.scene_path);
  s.scene_path = path_from_config(path, s.scene_path);
  file.read_choice("sync", s.sync, sync_words);
  file.read("events", s.events);
  file.read("record", s.record);
  file.read("annotate", s.annotate);
  file.read_choice("record_type", s.record_type, {"cf32", "ci16"});
  file.read("pcap", s.pcap);
  file.read("keylog", s.keylog);
  s.keylog = path_from_config(path, s.keylog);
  file.read("report", s.reports);
  file.read("report_failed", s.report_failed);
  file.read("plain", s.plain);
  file.read("verdict", s.verdict);
  file.read("compromised", s.compromised);
  for (auto& c : s.compromised) c = path_from_config(path, c);
  file.read("known_plaintext", s.known_plaintexts);
  for (auto& k : s.known_plaintexts) k = path_from_config(path, k);
  file.read("name", s.names);
  if (!s.iq.empty() && !s.device.empty()) file.reject("device", "iq is given too; accepted: one of them");
  s.known.file = path;
  return file.check();
}

result<void> load_settings(const std::string& path, sniffer_settings& s) {
  const auto text = phy::read_text_file(path, max_settings_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse_settings(*text, path, s);
}

result<scene> scene_of(const sniffer_settings& s) {
  scene out = s.known;
  if (!s.scene_path.empty()) {
    auto loaded = load_scene(s.scene_path);
    if (!loaded) return loaded;
    if (!loaded->n_prb) loaded->n_prb = out.n_prb;
    if (!loaded->tm) loaded->tm = out.tm;
    if (!loaded->cp) loaded->cp = out.cp;
    if (loaded->pools.empty()) loaded->pools = std::move(out.pools);
    out = std::move(*loaded);
  }
  if (!s.carrier.empty())
    if (auto ok = apply_carrier_text(s.carrier, "--carrier", out); !ok) return tl::unexpected(ok.error());
  if (!s.pools.empty()) {
    out.pools.clear();
    for (const auto& p : s.pools)
      if (auto ok = apply_pool_text(p, "--pool", out); !ok) return tl::unexpected(ok.error());
  }
  return out;
}

listen_sync sync_of(const sniffer_settings& s) {
  if (s.sync == "aligned") return listen_sync::aligned;
  if (s.sync == "blind") return listen_sync::blind;
  if (s.sync == "gnss") return listen_sync::gnss;
  if (s.sync.empty() && s.iq.empty()) return listen_sync::gnss;
  return listen_sync::slss;
}

double rate_for(const sniffer_settings& s, const scene& known) {
  const int n_prb = known.n_prb.value_or(50);
  const auto tm = known.tm.value_or(phy::transmission_mode::tm4);
  const auto fits =
      phy::carrier_config::make(n_prb, known.cp.value_or(phy::cyclic_prefix::normal), tm, s.radio.sample_rate_hz);
  return fits ? s.radio.sample_rate_hz : phy::standard_fft_size(n_prb) * phy::subcarrier_spacing_hz;
}

}  // namespace prose::apps
