// prose-iq: recordings of a carrier (SigMF): record, replay, info, plot, convert; measure between two radios.
#include <limits>
#include <utility>

#include "apps/iq/commands.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/listen/settings.h"

using namespace prose::apps;

namespace {

void read_config(config_section& file, prose::phy::radio_config& radio, bool& profile_given) {
  file.read("device", radio.device_args);
  auto keys = file.section("radio");
  read_radio_keys(keys, radio);
  profile_given = keys.has("sample_rate_hz") || radio.device_rate_hz > 0;
}

/// --config and --radio give defaults, the command line wins.
prose::result<config_section> read_files(int argc, char** argv, prose::phy::radio_config& radio, bool& profile_given) {
  const auto path = find_config_path(argc, argv);
  auto file = path.empty() ? config_section::parse("", "") : config_section::load(path);
  if (!file) return file;
  read_config(*file, radio, profile_given);
  if (auto ok = file->check(); !ok) return tl::unexpected(ok.error());
  if (const auto profile = find_option(argc, argv, "--radio"); !profile.empty()) {
    profile_given = true;
    if (auto ok = load_radio_profile(profile, radio); !ok) return tl::unexpected(ok.error());
  }
  return file;
}

/// The radio of a replay in the keys of a configuration. 0, which is none: the recording's.
prose::phy::radio_config radio_of(const replay_options& o) {
  auto radio = o.radio;
  if (!o.profile_given) radio.sample_rate_hz = 0;
  if (o.rate_hz > 0) {
    radio.sample_rate_hz = o.rate_hz;
    radio.device_rate_hz = 0;
  }
  if (o.frequency_hz > 0) radio.center_freq_hz = o.frequency_hz;
  return radio;
}

// A minus sign would wrap round.
std::string begins_with_a_digit(const std::string& text) {
  return !text.empty() && text[0] >= '0' && text[0] <= '9' ? std::string{}
                                                           : "accepted is a size, e.g. 500MB or 2GiB; 0: no limit";
}

void add_radio_options(command& app, prose::phy::radio_config& radio, std::string& profile) {
  app.add_option("--device", radio.device_args, "UHD device arguments, e.g. type=virtual,name=iq or type=b200")
      .type_name("ARGS")
      .show_default();
  app.add_option("--radio", profile, "the radio's settings (configs/radio_*.yaml); other options win over it")
      .type_name("FILE.yaml");
}

command add_record(command& app, record_options& o, std::string& profile) {
  command c = app.add_subcommand(
      "record", "from a radio into a recording, until a limit or Ctrl-C; a new capture segment after every gap");
  c.add_option("output", o.out, "SigMF recording, made or overwritten").required().type_name("FILE.sigmf-meta");
  add_radio_options(c, o.radio, profile);
  c.add_option("--rate", o.radio.sample_rate_hz, "sample rate, samples a second")
      .check(number_in(1, 1e12))
      .show_default();
  c.add_option("--freq", o.radio.center_freq_hz, "centre frequency, Hz").check(number_in(1, 1e12)).show_default();
  c.add_option("--gain", o.radio.rx_gain_db, "receive gain, dB").check(number_in(0, 1e3)).show_default();
  c.add_option("--channels", o.radio.n_rx_antennas, "receive antennas, interleaved in the recording")
      .range(1, 4)
      .show_default();
  c.add_option("--duration", o.limits.duration_s, "seconds; 0: until Ctrl-C").check(number_in(0, 1e9));
  c.add_option("--max-size", o.limits.max_bytes, "of the data file, e.g. 500MB or 2GiB; 0: no limit")
      .accept_size()
      .check(begins_with_a_digit);
  c.add_option("--type", o.type, "datatype: cf32 or ci16")
      .one_of(std::vector<std::string>{"cf32", "ci16"})
      .show_default();
  c.add_option("--start", o.start_s, "device time of the first sample, seconds").check(number_in(0, 1e10));
  c.add_option("--description", o.description, "core:description");
  c.add_option("--scene", o.scene_path,
               "what is known of the carrier, as for prose-sniffer: kept in the recording, which then needs no options")
      .type_name("FILE.json");
  c.add_option("--carrier", o.carrier, "e.g. prb=50,tm=4,cp=normal; likewise");
  c.add_option("--pool", o.pools, "e.g. kind=v2x,size=10,count=5,start_prb=0; once for each pool; likewise");
  c.add_option("--sync", o.sync,
               "how its subframes are found: gnss (as UEs with time.source: gnss), slss, blind; likewise")
      .one_of(std::vector<std::string>{"gnss", "slss", "blind"});
  return c;
}

command add_replay(command& app, replay_options& o, std::string& profile) {
  command c = app.add_subcommand(
      "replay", "a recording out of a radio, at exact times; gaps between capture segments keep their length");
  c.add_option("input", o.in, "SigMF recording").required().type_name("FILE.sigmf-meta");
  add_radio_options(c, o.radio, profile);
  c.add_option("--rate", o.rate_hz,
               "the device's sample rate, resampled to; default: that of --radio, or the recording's; that of the "
               "recording too where it says none")
      .check(number_in(1, 1e12));
  c.add_option("--freq", o.frequency_hz, "centre frequency, Hz; default: the recording's, or that of --radio")
      .check(number_in(1, 1e12));
  c.add_option("--gain", o.radio.tx_gain_db, "transmit gain, dB").check(number_in(0, 1e3)).show_default();
  c.add_option("--scale", o.scale, "factor on the samples").check(number_in(0, 1e6)).show_default();
  c.add_option("--segment", o.segment, "only this capture, counted from 0 as in the recording's list and in info")
      .range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max());
  c.add_option("--channel", o.channel, "which channel of the recording").range(0, 63).show_default();
  c.add_option("--start", o.start_s, "device time of the first sample, seconds; default: soon")
      .check(number_in(0, 1e10));
  const auto loop = c.add_flag("--loop", o.loop, "again and again, until Ctrl-C");
  c.add_option("--times", o.times, "how many times")
      .range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max())
      .excludes(loop)
      .show_default();
  return c;
}

command add_info(command& app, info_options& o) {
  command c = app.add_subcommand("info", "what a recording holds");
  c.add_option("input", o.in, "SigMF recording").required().type_name("FILE.sigmf-meta");
  c.add_flag("--verify", o.verify, "compare core:sha512 with the data");
  c.add_flag("--json", o.json, "one JSON object");
  c.add_option("--rate", o.rate_hz, "sample rate of a recording that does not say it, samples a second")
      .check(number_in(1, 1e12));
  return c;
}

command add_convert(command& app, convert_options& o) {
  command c = app.add_subcommand("convert",
                                 "raw samples to SigMF and back, or between datatypes; names ending in .sigmf-meta are "
                                 "SigMF, in .sigmf archives of it");
  c.add_option("input", o.in, "SigMF recording or raw file").required().type_name("FILE");
  c.add_option("output", o.out, "SigMF recording or raw file").required().type_name("FILE");
  c.add_option("--in-type", o.in_type, "datatype of a raw input: cf32 or ci16").show_default();
  c.add_option("--out-type", o.out_type, "datatype of the output: cf32 or ci16").show_default();
  c.add_option("--rate", o.rate_hz,
               "sample rate of a raw input or of a recording that does not say it, samples a second")
      .check(number_in(1, 1e12));
  c.add_option("--freq", o.frequency_hz, "centre frequency of a raw input, or of captures that do not say it, Hz")
      .check(number_in(0, 1e12));
  c.add_option("--channels", o.n_channels, "interleaved channels of a raw input").range(1, 64).show_default();
  c.add_flag("--no-verify{false}", o.verify, "also where core:sha512 of the input does not match its data");
  return c;
}

command add_plot(command& app, plot_options& o) {
  command c = app.add_subcommand(
      "plot",
      "spectrogram, mean spectrum, power, and the complex plane as a PNG picture: equalised symbols "
      "of what is decoded\n"
      "when the recording, --scene, --carrier, --pool or --sync tell of the carrier, else the density of raw "
      "samples");
  c.add_option("input", o.in, "SigMF recording").required().type_name("FILE.sigmf-meta");
  c.add_option("output", o.out, "PNG file").required().type_name("FILE.png");
  c.add_option("--rate", o.rate_hz, "sample rate of a recording that does not say it, samples a second")
      .check(number_in(1, 1e12));
  c.add_option("--start", o.start_s, "seconds from the beginning").check(number_in(0, 1e10));
  c.add_option("--duration", o.duration_s, "seconds; 0: to the end").check(number_in(0, 1e9));
  c.add_option("--scene", o.scene_path, "what is known of the carrier, as for prose-sniffer").type_name("FILE.json");
  c.add_option("--carrier", o.carrier, "e.g. prb=50,tm=4,cp=normal; wins over the scene");
  c.add_option("--pool", o.pools, "e.g. kind=v2x,size=10,count=5,start_prb=0; once for each pool; wins over the scene");
  c.add_option(
       "--sync", o.sync,
       "how subframes are found: slss (default where the recording does not say it), aligned (the scene's timing), "
       "blind, gnss, auto (tries them)")
      .one_of(sync_words);
  c.add_option("--bins", o.n_bins, "frequency bins").range(16, 8192).show_default();
  c.add_option("--width", o.width, "pixels").range(200, 8000).show_default();
  c.add_option("--height", o.height, "pixels").range(200, 8000).show_default();
  return c;
}

command add_measure(command& app, measure_options& o) {
  command c = app.add_subcommand(
      "measure",
      "transmits bursts between two radios that a cable with attenuators connects, and prints what each hears of the "
      "other as JSON:\ncarrier offset, delay, power, noise, SNR, EVM, turnaround, and the lead that a burst needs");
  c.add_option("first", o.profiles[0], "the radio's settings (configs/radio_*.yaml) with its device_args")
      .required()
      .type_name("FILE.yaml");
  c.add_option("second", o.profiles[1], "the other's").required().type_name("FILE.yaml");
  c.add_option("--bursts", o.bursts, "in each direction, one every 10 ms").range(2, 1000).show_default();
  c.add_option("--power", o.power_db, "mean of a burst, dB of full scale").check(number_in(-60, -9)).show_default();
  return c;
}

}  // namespace

static int run_main(int argc, char** argv) {
  common_options common;
  info_options info;
  convert_options convert;
  plot_options plot;
  record_options rec;
  replay_options replay;
  measure_options measure;
  std::string profile;
  const double default_hz = std::exchange(rec.radio.center_freq_hz, 0);  // a replay must know whether somebody said it
  const auto file = read_files(argc, argv, rec.radio, replay.profile_given);
  if (!file) return usage_error(iq_program, file.error());
  replay.radio = rec.radio;
  if (rec.radio.center_freq_hz == 0) rec.radio.center_freq_hz = default_hz;

  command_line app(iq_program,
                   "Recordings of samples (SigMF): make them, send them, look at them, draw them, convert them. Paths "
                   "between radios: "
                   "measure them.",
                   common);
  app.require_subcommand();
  app.accept_options_after_subcommand();
  const command to_record = add_record(app, rec, profile);
  const command to_replay = add_replay(app, replay, profile);
  const command to_inform = add_info(app, info);
  const command to_convert = add_convert(app, convert);
  const command to_plot = add_plot(app, plot);
  const command to_measure = add_measure(app, measure);
  if (const auto code = app.parse(argc, argv)) return *code;

  file_roles files;
  files.reads("--config", common.config_path);
  files.reads("--radio", profile);
  if (to_measure.given())
    for (const auto& p : measure.profiles) files.reads("profile", p);
  files.reads("tx_limits", rec.radio.limits.file);
  if (to_record.given()) {
    files.reads("--scene", rec.scene_path);
    files.writes_recording("output", rec.out);
  }
  if (to_plot.given()) {
    files.reads_recording("input", plot.in);
    files.reads("--scene", plot.scene_path);
    files.writes("output", plot.out);
  }
  if (to_convert.given()) files.writes("output", convert.out);
  if (const auto ok = files.check(); !ok) return usage_error(iq_program, ok.error());
  if (common.print_config) {
    // Without a command, and for those without a radio, what all of them start from.
    auto radio = to_record.given() ? rec.radio : radio_of(replay);
    auto now = file->in_force();
    read_config(now, radio, replay.profile_given);
    return print_config(now.effective());
  }
  // With --check they end before they open a radio or write.
  int code = exit_ok;
  if (to_record.given())
    code = run_record(rec);
  else if (to_replay.given())
    code = run_replay(replay);
  else if (to_inform.given())
    code = run_info(info);
  else if (to_convert.given())
    code = run_convert(convert);
  else if (to_measure.given())
    code = run_measure(measure);
  else if (to_plot.given())
    code = run_plot(plot);
  return common.check && code == exit_ok ? report_right(iq_program, common.config_path) : code;
}

int main(int argc, char** argv) { return prose::apps::run_program(iq_program, run_main, argc, argv); }
