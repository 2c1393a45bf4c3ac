// prose-iq: recordings of a carrier (SigMF): record, replay, info, plot, convert.
#include <CLI/CLI.hpp>
#include <limits>
#include <utility>

#include "apps/iq/commands.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/radio_profile.h"

using namespace prose::apps;

namespace {

/// --config and --radio give defaults, the command line wins.
prose::result<void> read_files(int argc, char** argv, prose::phy::radio_config& radio, bool& profile_given) {
  if (const auto path = find_config_path(argc, argv); !path.empty()) {
    auto file = config_section::load(path);
    if (!file) return tl::unexpected(file.error());
    file->read("device", radio.device_args);
    auto keys = file->section("radio");
    profile_given = keys.line() > 0;
    read_radio_keys(keys, radio);
    if (auto ok = file->check(); !ok) return ok;
  }
  if (const auto path = find_option(argc, argv, "--radio"); !path.empty()) {
    profile_given = true;
    return load_radio_profile(path, radio);
  }
  return {};
}

// A minus sign would wrap round.
std::string begins_with_a_digit(const std::string& text) {
  return !text.empty() && text[0] >= '0' && text[0] <= '9' ? std::string{}
                                                           : "accepted is a size, e.g. 500MB or 2GiB; 0: no limit";
}

void add_radio_options(CLI::App& app, prose::phy::radio_config& radio, std::string& profile) {
  app.add_option("--device", radio.device_args, "UHD device arguments, e.g. type=virtual,name=iq or type=b200")
      ->type_name("ARGS")
      ->capture_default_str();
  app.add_option("--radio", profile, "the radio's settings (configs/radio_*.yaml); other options win over it")
      ->type_name("FILE.yaml");
}

}  // namespace

static int run_main(int argc, char** argv) {
  common_options common;
  info_options info;
  convert_options convert;
  plot_options plot;
  record_options rec;
  replay_options replay;
  std::string profile;
  const double default_hz = std::exchange(rec.radio.center_freq_hz, 0);  // a replay must know whether somebody said it
  if (auto ok = read_files(argc, argv, rec.radio, replay.profile_given); !ok)
    return usage_error(iq_program, ok.error());
  replay.radio = rec.radio;
  if (rec.radio.center_freq_hz == 0) rec.radio.center_freq_hz = default_hz;

  CLI::App app{"Recordings of samples (SigMF): make them, send them, look at them, draw them, convert them.",
               iq_program};
  add_common_options(app, common);
  app.require_subcommand(1);
  app.fallthrough();

  auto* r = app.add_subcommand(
      "record", "from a radio into a recording, until a limit or Ctrl-C; a new capture segment after every gap");
  r->add_option("output", rec.out, "SigMF recording, made or overwritten")->required();
  add_radio_options(*r, rec.radio, profile);
  r->add_option("--rate", rec.radio.sample_rate_hz, "sample rate, samples a second")
      ->check(number_in(1, 1e12))
      ->capture_default_str();
  r->add_option("--freq", rec.radio.center_freq_hz, "centre frequency, Hz")
      ->check(number_in(1, 1e12))
      ->capture_default_str();
  r->add_option("--gain", rec.radio.rx_gain_db, "receive gain, dB")->check(number_in(0, 1e3))->capture_default_str();
  r->add_option("--channels", rec.radio.n_rx_antennas, "receive antennas, interleaved in the recording")
      ->check(CLI::Range(1, 4))
      ->capture_default_str();
  r->add_option("--duration", rec.limits.duration_s, "seconds; 0: until Ctrl-C")->check(number_in(0, 1e9));
  r->add_option("--max-size", rec.limits.max_bytes, "of the data file, e.g. 500MB or 2GiB; 0: no limit")
      ->transform(CLI::AsSizeValue(true))
      ->check(begins_with_a_digit);
  r->add_option("--type", rec.type, "datatype: cf32 or ci16")
      ->check(CLI::IsMember({"cf32", "ci16"}))
      ->capture_default_str();
  r->add_option("--start", rec.start_s, "device time of the first sample, seconds")->check(number_in(0, 1e10));
  r->add_option("--description", rec.description, "core:description");

  auto* t = app.add_subcommand(
      "replay", "a recording out of a radio, at exact times; gaps between capture segments keep their length");
  t->add_option("input", replay.in, "SigMF recording")->required();
  add_radio_options(*t, replay.radio, profile);
  t->add_option("--rate", replay.rate_hz,
                "the device's sample rate, resampled to; default: that of --radio, or the recording's; that of the "
                "recording too where it says none")
      ->check(number_in(1, 1e12));
  t->add_option("--freq", replay.frequency_hz, "centre frequency, Hz; default: the recording's, or that of --radio")
      ->check(number_in(1, 1e12));
  t->add_option("--gain", replay.radio.tx_gain_db, "transmit gain, dB")
      ->check(number_in(0, 1e3))
      ->capture_default_str();
  t->add_option("--scale", replay.scale, "factor on the samples")->check(number_in(0, 1e6))->capture_default_str();
  t->add_option("--segment", replay.segment, "only this capture, counted from 0 as in the recording's list and in info")
      ->check(CLI::Range(std::int64_t{0}, std::numeric_limits<std::int64_t>::max()));
  t->add_option("--channel", replay.channel, "which channel of the recording")
      ->check(CLI::Range(0, 63))
      ->capture_default_str();
  t->add_option("--start", replay.start_s, "device time of the first sample, seconds; default: soon")
      ->check(number_in(0, 1e10));
  auto* loop = t->add_flag("--loop", replay.loop, "again and again, until Ctrl-C");
  t->add_option("--times", replay.times, "how many times")
      ->check(CLI::Range(std::int64_t{1}, std::numeric_limits<std::int64_t>::max()))
      ->excludes(loop)
      ->capture_default_str();

  auto* i = app.add_subcommand("info", "what a recording holds");
  i->add_option("input", info.in, "SigMF recording")->required();
  i->add_flag("--verify", info.verify, "compare core:sha512 with the data");
  i->add_flag("--json", info.json, "one JSON object");
  i->add_option("--rate", info.rate_hz, "sample rate of a recording that does not say it, samples a second")
      ->check(number_in(1, 1e12));

  auto* c = app.add_subcommand("convert",
                               "raw samples to SigMF and back, or between datatypes; names ending in .sigmf-meta are "
                               "SigMF, in .sigmf archives of it");
  c->add_option("input", convert.in, "SigMF recording or raw file")->required();
  c->add_option("output", convert.out, "SigMF recording or raw file")->required();
  c->add_option("--in-type", convert.in_type, "datatype of a raw input: cf32 or ci16")->capture_default_str();
  c->add_option("--out-type", convert.out_type, "datatype of the output: cf32 or ci16")->capture_default_str();
  c->add_option("--rate", convert.rate_hz,
                "sample rate of a raw input or of a recording that does not say it, samples a second")
      ->check(number_in(1, 1e12));
  c->add_option("--freq", convert.frequency_hz,
                "centre frequency of a raw input, or of captures that do not say it, Hz")
      ->check(number_in(0, 1e12));
  c->add_option("--channels", convert.n_channels, "interleaved channels of a raw input")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();

  auto* p =
      app.add_subcommand("plot",
                         "spectrogram, mean spectrum, power, and the complex plane as a PNG picture: equalised symbols "
                         "of what is decoded\n"
                         "when --scene, --carrier or --pool tell of the carrier, else the density of raw samples");
  p->add_option("input", plot.in, "SigMF recording")->required();
  p->add_option("output", plot.out, "PNG file")->required();
  p->add_option("--rate", plot.rate_hz, "sample rate of a recording that does not say it, samples a second")
      ->check(number_in(1, 1e12));
  p->add_option("--start", plot.start_s, "seconds from the beginning")->check(number_in(0, 1e10));
  p->add_option("--duration", plot.duration_s, "seconds; 0: to the end")->check(number_in(0, 1e9));
  p->add_option("--scene", plot.scene_path, "what is known of the carrier, as for prose-sniffer")
      ->type_name("FILE.json");
  p->add_option("--carrier", plot.carrier, "e.g. prb=50,tm=4,cp=normal; wins over the scene");
  p->add_option("--pool", plot.pools,
                "e.g. kind=v2x,size=10,count=5,start_prb=0; once for each pool; wins over the scene");
  p->add_option("--sync", plot.sync,
                "how subframes are found: slss (default), aligned (the scene's timing), blind, gnss")
      ->check(CLI::IsMember({"slss", "aligned", "blind", "gnss"}));
  p->add_option("--bins", plot.n_bins, "frequency bins")->check(CLI::Range(16, 8192))->capture_default_str();
  p->add_option("--width", plot.width, "pixels")->check(CLI::Range(200, 8000))->capture_default_str();
  p->add_option("--height", plot.height, "pixels")->check(CLI::Range(200, 8000))->capture_default_str();

  if (const auto code = parse_command_line(app, argc, argv, common)) return *code;
  file_roles files;
  files.reads("--config", common.config_path);
  files.reads("--radio", profile);
  if (*r) files.writes_recording("output", rec.out);
  if (*p) {
    files.reads_recording("input", plot.in);
    files.reads("--scene", plot.scene_path);
    files.writes("output", plot.out);
  }
  if (const auto ok = files.check(); !ok) return usage_error(iq_program, ok.error());
  if (*r) return run_record(rec);
  if (*t) return run_replay(replay);
  if (*i) return run_info(info);
  if (*c) return run_convert(convert);
  return run_plot(plot);
}

int main(int argc, char** argv) { return prose::apps::run_program(iq_program, run_main, argc, argv); }
