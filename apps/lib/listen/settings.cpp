#include "apps/lib/listen/settings.h"

#include "apps/lib/common/config.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/listen/carrier_keys.h"
#include "apps/lib/listen/pool_keys.h"
#include "phy/io/json_text.h"

namespace prose::apps {
namespace {
constexpr std::size_t max_settings_bytes = 4U << 20U;
}  // namespace

scene filled_in(scene told, const scene& recorded, bool has_timing) {
  const auto differs = [](const auto& a, const auto& b) { return a && b && *a != *b; };
  const bool nothing = !told.n_prb && !told.tm && !told.cp && told.pools.empty();
  if (nothing && !recorded.file.empty()) told.file = recorded.file;
  if (told.pools.empty() && !differs(told.n_prb, recorded.n_prb) && !differs(told.tm, recorded.tm))
    told.pools = recorded.pools;
  if (!told.n_prb) told.n_prb = recorded.n_prb;
  if (!told.tm) told.tm = recorded.tm;
  if (!told.cp) told.cp = recorded.cp;
  if (has_timing) return told;
  told.first_subframe_sample = recorded.first_subframe_sample;
  told.absolute_subframes = recorded.absolute_subframes;
  return told;
}

namespace {

void read_settings(config_section& file, sniffer_settings& s) {
  file.read_path("iq", s.iq);
  file.read("device", s.device);
  file.read("loop", s.loop, 1, 1'000'000);
  auto radio = file.section("radio");
  read_radio_keys(radio, s.radio);
  radio.read("queue_s", s.queue_s, 0.01, 60.0);
  file.read("duration_s", s.duration_s, 0.0, 1e9);
  file.read("epoch_s", s.epoch_s, 0.0, 4e9);
  read_carrier_file_key(file, s.carrier_file);
  if (s.carrier_file.empty()) {
    auto carrier = file.section("carrier");
    read_carrier_keys(carrier, s.known);
    for (auto& p : read_pools(file)) s.known.pools.push_back(std::move(p.pool));
  }
  file.read_path("scene", s.scene_path);
  file.read_choice("sync", s.sync, sync_words);
  file.read_path_here("events", s.events);
  file.read_path_here("record", s.record);
  file.read_path_here("annotate", s.annotate);
  file.read_choice("record_type", s.record_type, {"cf32", "ci16"});
  file.read_path_here("pcap", s.pcap);
  file.read_path("keylog", s.keylog);
  file.read_paths_here("report", s.reports);
  file.read("report_failed", s.report_failed);
  file.read("plain", s.plain);
  file.read("verdict", s.verdict);
  auto security = file.section("security");
  security.read_choice("profile", s.profile, profile_words);
  file.read_paths("compromised", s.compromised);
  file.read_paths("known_plaintext", s.known_plaintexts);
  file.read("name", s.names);
  if (!s.iq.empty() && !s.device.empty()) file.reject("device", "iq is given too; accepted: one of them");
}

}  // namespace

result<config_section> parse_settings(const std::string& text, const std::string& path, sniffer_settings& s) {
  auto file = config_section::parse(text, path);
  if (!file) return file;
  read_settings(*file, s);
  s.known.file = path;
  if (auto ok = file->check(); !ok) return tl::unexpected(ok.error());
  if (!s.carrier_file.empty()) {
    auto shared = load_carrier_file(s.carrier_file);
    if (!shared) return tl::unexpected(shared.error());
    s.known = std::move(shared->known);
    s.known.file = s.carrier_file;
    for (auto& p : shared->pools) s.known.pools.push_back(std::move(p.pool));
    if (s.sync.empty()) s.sync = shared->sync;
  }
  return file;
}

result<void> note_settings(config_section& file, sniffer_settings s) {
  if (!s.carrier.empty() || !s.pools.empty()) {
    if (!s.scene_path.empty())
      return fail("--carrier and --pool win over the scene, which no configuration can say; accepted: without a scene");
    auto known = scene_of(s);
    if (!known) return tl::unexpected(known.error());
    s.known = std::move(*known);
    s.carrier_file.clear();  // all of it is in what the options leave
  }
  if (s.sync.empty() && s.iq.empty()) s.sync = "gnss";  // else the recording may say it
  auto now = file.in_force();
  read_settings(now, s);
  if (!s.carrier_file.empty()) return {};
  std::vector<std::string> pools;
  for (const auto& p : s.known.pools) pools.push_back(to_yaml(p));
  file.note_list("pools", std::move(pools));
  return {};
}

result<config_section> load_settings(const std::string& path, sniffer_settings& s) {
  const auto text = phy::read_text_file(path, max_settings_bytes);
  if (!text) return tl::unexpected(text.error());
  return parse_settings(*text, path, s);
}

result<scene> scene_of(const sniffer_settings& s, const scene& recorded) {
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
  return filled_in(std::move(out), recorded, !s.scene_path.empty());
}

std::optional<listen_sync> sync_of(const sniffer_settings& s, const std::string& recorded) {
  const std::string& word = s.sync.empty() ? recorded : s.sync;
  if (word == "auto") return std::nullopt;
  if (word == "aligned") return listen_sync::aligned;
  if (word == "blind") return listen_sync::blind;
  if (word == "gnss") return listen_sync::gnss;
  if (word.empty() && s.iq.empty()) return listen_sync::gnss;
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
