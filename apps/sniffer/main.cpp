// prose-sniffer: decodes what a radio or a recording hears of an LTE sidelink carrier, and says whether it stays
// opaque.
#include <filesystem>

#include "apps/lib/common/command_line.h"
#include "apps/lib/common/dumps.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/listen/settings.h"
#include "apps/lib/verdict/stolen_state.h"
#include "apps/sniffer/page_facts.h"
#include "apps/sniffer/program.h"

namespace {
using namespace prose;
using namespace prose::apps;
constexpr const char* program = "prose-sniffer";

void add_input(command& app, sniffer_settings& s, std::string& profile) {
  app.add_option("recording", s.iq, "as --iq").type_name("FILE.sigmf-meta");
  app.add_option("--iq", s.iq, "a SigMF recording (cf32_le or ci16_le; its channels are antennas)")
      .type_name("FILE.sigmf-meta");
  app.add_option("--device", s.device, "a radio, as UHD names it: type=b200,serial=... or type=virtual,name=sniffer")
      .type_name("ARGS");
  app.add_option("--radio", profile, "a radio profile, configs/radio_*.yaml").type_name("FILE.yaml");
  app.add_option("--frequency", s.radio.center_freq_hz, "of the carrier, Hz").check(number_in(1e6, 6e9)).show_default();
  app.add_option("--rate", s.radio.sample_rate_hz, "samples a second; without it the carrier's own")
      .check(number_in(1.4e6, 61.44e6));
  app.add_option("--gain", s.radio.rx_gain_db, "of the receiver, dB").check(number_in(0, 120)).show_default();
  app.add_option("--duration", s.duration_s, "seconds of signal; 0: to the end, or until Ctrl-C")
      .check(number_in(0, 1e9));
  app.add_option("--loop", s.loop, "read the recording so many times").range(1, 1'000'000);
}

void add_knowledge(command& app, sniffer_settings& s) {
  app.add_option("--scene", s.scene_path, "what is known of the carrier: carrier, pool and timing")
      .type_name("FILE.json");
  app.add_option("--carrier", s.carrier, "e.g. prb=50,tm=4,cp=normal; wins over the scene");
  app.add_option("--pool", s.pools,
                 "e.g. kind=v2x,size=10,count=5,start_prb=0; once for each pool; wins over the scene");
  app.add_option(
         "--sync", s.sync,
         "how subframes are found: slss (search, then track; default for recordings that do not say it), aligned "
         "(the scene's timing), blind, gnss (device time; default for radios), auto (recordings: tries them)")
      .one_of(sync_words);
}

void add_output(command& app, sniffer_settings& s) {
  app.add_option("--events", s.events, "JSON Lines, one object an event; - is standard output").type_name("FILE|-");
  app.add_option("--record", s.record, "keep the samples").type_name("FILE.sigmf-meta");
  app.add_option("--annotate", s.annotate,
                 "of --iq: the recording under another name, with the decoded frames as annotations, which other tools "
                 "show; its samples are a hard link where possible (what --record keeps has annotations anyway)")
      .type_name("OUT.sigmf-meta");
  app.add_option("--record-type", s.record_type, "cf32, or ci16 (half the size; what is decoded is then what was kept)")
      .one_of(std::vector<std::string>{"cf32", "ci16"})
      .show_default();
  app.add_option("--pcap", s.pcap,
                 "MAC PDUs, MIBs, SCIs and discovery messages for Wireshark; - is standard output: --pcap - | "
                 "wireshark -k -i -")
      .type_name("FILE.pcap|-");
  app.add_option("--keylog", s.keylog, "of a UE: --pcap then also holds the IP packets that it opens")
      .type_name("FILE");
  app.add_option("--look", s.look,
                 "a socket to make, from which prose-page takes what it shows: waterfall and constellation")
      .type_name("SOCKET");
  app.add_flag("--verdict", s.verdict,
               "judge what was heard: exit 0 opaque, 3 exposed, 4 nothing is proven: too little captured or decoded, "
               "something is not explained, or a key was not tried");
  app.add_option("--profile", s.profile, "of the judged UEs' security: their security.profile, which no frame tells")
      .one_of(profile_words);
  app.add_option("--compromised", s.compromised,
                 "what was stolen of a UE: key file, permissions, key log; once for each file")
      .type_name("FILE");
  app.add_option("--epoch", s.epoch_s,
                 "UTC seconds at device time 0, as the UEs' epoch_s: dates of --pcap, and stolen keys are tried on "
                 "discovery codes and "
                 "tokens too")
      .check(number_in(0, 4e9));
  app.add_option("--known-plaintext", s.known_plaintexts,
                 "octets that the links carried: any 8 of them in a row are looked for; once for each file")
      .type_name("FILE");
  app.add_option("--name", s.names, "of a user, which must not show on the air; once for each name").type_name("TEXT");
  app.add_option("--report", s.reports,
                 "the verdict and its evidence; *.html: a page with pictures and the frames. Once for each file")
      .type_name("FILE.json|FILE.html");
  app.add_option("--metrics-port", s.metrics_port, "serve Prometheus metrics on 127.0.0.1; 0: any free port")
      .range(0, 65535);
  app.add_flag("--plain", s.plain, "no terminal summary, even on a terminal");
  app.add_flag("--report-failed", s.report_failed, "also tell of transport blocks whose CRC failed");
}

file_roles roles_of(const sniffer_settings& s, const common_options& common, const std::string& profile) {
  file_roles files;
  files.reads("--config", common.config_path);
  files.reads("--radio", profile);
  files.reads("tx_limits", s.radio.limits.file);
  files.reads_recording("--iq", s.iq);
  files.reads("--scene", s.scene_path);
  files.reads("carrier_file", s.carrier_file);
  files.reads("--keylog", s.keylog);
  for (const auto& f : s.compromised) {
    files.reads("--compromised", f);
    // A pipe can be read only once, and not for this. What cannot be read is told where it is read.
    std::error_code ignored;
    if (!std::filesystem::is_regular_file(f, ignored)) continue;
    if (const auto stolen = load_stolen_state(f))
      for (const auto& psk : stolen->psk_paths) files.reads("--compromised " + f + ": psk=", keys::psk_file(f, psk));
  }
  for (const auto& f : s.known_plaintexts) files.reads("--known-plaintext", f);
  files.writes("--events", s.events);
  files.writes_recording("--record", s.record);
  files.writes_recording("--annotate", s.annotate);
  files.writes("--pcap", s.pcap);
  files.writes("--look", s.look);
  for (const auto& f : s.reports) files.writes("--report", f);
  return files;
}
}  // namespace

static int run_main(int argc, char** argv) {
  sniffer_settings s;
  common_options common;
  std::string profile = find_option(argc, argv, "--radio");
  if (!profile.empty())
    if (auto ok = load_radio_profile(profile, s.radio); !ok) return usage_error(program, ok.error());
  const auto path = find_config_path(argc, argv);
  auto file = path.empty() ? parse_settings("", "", s) : load_settings(path, s);
  if (!file) return usage_error(program, file.error());
  const bool configured = !s.device.empty() || !s.iq.empty();

  command_line app(program, "Decodes an LTE sidelink carrier: MIB-SL, SCI, transport blocks, discovery messages.",
                   common);

  add_input(app, s, profile);
  add_knowledge(app, s);
  add_output(app, s);
  const std::string device = s.device, iq = s.iq;
  if (const auto code = app.parse(argc, argv)) return *code;

  // The command line's source wins over the configuration's.
  const bool given_iq = app.given("--iq") || app.given("recording"), given_device = app.given("--device");
  if (app.given("--iq") && app.given("recording"))
    return report(program, "--iq and a recording without an option: accepted is one of them", exit_usage);
  if (given_iq && given_device) return report(program, "--iq and --device: accepted is one of them", exit_usage);
  s.rate_given = app.given("--rate");
  if (given_iq) s.device.clear();
  if (given_device) s.iq.clear();
  if (s.device.empty() && s.iq.empty() && !profile.empty()) s.device = s.radio.device_args;
  if (s.device.empty() && s.iq.empty())
    return report(
        program,
        std::string("nothing to listen to") + (configured ? "" : "; accepted: --iq FILE.sigmf-meta or --device ARGS"),
        exit_usage);
  if (const auto ok = roles_of(s, common, profile).check(); !ok) return usage_error(program, ok.error());
  if (!s.compromised.empty() || !s.keylog.empty())
    if (const auto ok = forbid_dumps(); !ok) return run_error(program, ok.error());
  if (common.print_config) {
    const auto ok = note_settings(*file, s);
    return ok ? print_config(file->effective()) : usage_error(program, ok.error());
  }
  if (common.check) {
    const auto ok = check_sniffer(s);
    return ok ? report_right(program, path) : usage_error(program, ok.error());
  }
  return run_sniffer(program, s, shown_command({argv, argv + argc}));
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
