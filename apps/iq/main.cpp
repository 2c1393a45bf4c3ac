// prose-iq: recordings of a carrier (SigMF): info, plot, convert.
#include <CLI/CLI.hpp>

#include "apps/common/cli.h"
#include "apps/common/config.h"
#include "apps/iq/commands.h"

using namespace prose::apps;

int main(int argc, char** argv) {
  common_options common;
  info_options info;
  convert_options convert;
  plot_options plot;

  CLI::App app{"Recordings of samples (SigMF): look at them, draw them, convert them.", iq_program};
  add_common_options(app, common);
  app.require_subcommand(1);
  app.fallthrough();

  auto* i = app.add_subcommand("info", "what a recording holds");
  i->add_option("input", info.in, "SigMF recording")->required();
  i->add_flag("--verify", info.verify, "compare core:sha512 with the data");
  i->add_flag("--json", info.json, "one JSON object");

  auto* c = app.add_subcommand("convert", "raw samples to SigMF and back, or between datatypes; names ending in .sigmf-meta are SigMF");
  c->add_option("input", convert.in, "SigMF recording or raw file")->required();
  c->add_option("output", convert.out, "SigMF recording or raw file")->required();
  c->add_option("--in-type", convert.in_type, "datatype of a raw input: cf32 or ci16")->capture_default_str();
  c->add_option("--out-type", convert.out_type, "datatype of the output: cf32 or ci16")->capture_default_str();
  c->add_option("--rate", convert.rate_hz, "sample rate of a raw input, samples a second");
  c->add_option("--freq", convert.frequency_hz, "centre frequency of a raw input, Hz")->check(CLI::NonNegativeNumber);
  c->add_option("--channels", convert.n_channels, "interleaved channels of a raw input")->check(CLI::Range(1, 64))->capture_default_str();

  auto* p = app.add_subcommand("plot", "spectrogram, mean spectrum, power and samples in the complex plane as a PNG picture");
  p->add_option("input", plot.in, "SigMF recording")->required();
  p->add_option("output", plot.out, "PNG file")->required();
  p->add_option("--start", plot.start_s, "seconds from the beginning")->check(CLI::NonNegativeNumber);
  p->add_option("--duration", plot.duration_s, "seconds; 0: to the end")->check(CLI::NonNegativeNumber);
  p->add_option("--bins", plot.n_bins, "frequency bins")->check(CLI::Range(16, 8192))->capture_default_str();
  p->add_option("--width", plot.width, "pixels")->check(CLI::Range(200, 8000))->capture_default_str();
  p->add_option("--height", plot.height, "pixels")->check(CLI::Range(200, 8000))->capture_default_str();

  if (const auto code = parse_command_line(app, argc, argv, common)) return *code;
  if (!common.config_path.empty()) {
    // Nothing of this program is configured by a file so far; a file that says something is a mistake worth a word.
    const auto file = config_section::load(common.config_path);
    if (!file) return usage_error(iq_program, file.error());
    if (auto ok = file->check(); !ok) return usage_error(iq_program, ok.error());
  }
  if (*i) return run_info(info);
  if (*c) return run_convert(convert);
  return run_plot(plot);
}
