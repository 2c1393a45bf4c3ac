// A picture of a recording: spectrogram, mean spectrum, power over time, and in the complex plane the equalised symbols
// of what is decoded, or the density of raw samples.
#include <algorithm>
#include <cmath>
#include <optional>
#include <vector>

#include "apps/iq/burst_labels.h"
#include "apps/iq/commands.h"
#include "apps/iq/constellation.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/gnuplot.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/remarks.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/sample_power.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/listen/settings.h"
#include "apps/lib/listen/sync_search.h"
#include "phy/dsp/spectrum.h"
#include "phy/io/sigmf_reader.h"

namespace prose::apps {
namespace {
constexpr int max_columns = 900;
constexpr std::int64_t max_samples_per_column = 65536;
constexpr int plane_bins = 200;
constexpr float floor_db = -200.0F;
constexpr const char* burst_colour = "#ffffff";

struct picture {
  int columns = 0, bins = 0;
  std::vector<float> spectrogram_db;  ///< column after column
  std::vector<float> mean_db, power_db;
  std::vector<float> plane;  ///< log10(1 + count), row after row
  float plane_limit = 1;
  sample_power samples;            ///< of those that were read
  std::uint64_t n_non_finite = 0;  ///< samples that were not finite and count as zero, of those that were read
};

std::string number(double v) {
  char t[40];
  std::snprintf(t, sizeof t, "%.9g", v);
  return t;
}

std::string percent(double share) {
  char t[40];
  std::snprintf(t, sizeof t, "%.1f %%", 100 * share);
  return t;
}

/// The colour range: the noise floor and what stands above it.
std::pair<float, float> colour_range(std::vector<float> values) {
  const auto at = [&values](double q) {
    const auto place = values.begin() + static_cast<std::ptrdiff_t>(q * static_cast<double>(values.size() - 1));
    std::nth_element(values.begin(), place, values.end());
    return *place;
  };
  const float high = at(0.999);
  return {std::clamp(at(0.05), high - 70.0F, high - 10.0F), high};
}

/// Enough transforms for a smooth column, spread so evenly over its samples that no burst is left out. liquid
/// transforms half as many samples as there are bins.
void write_evenly(phy::spectrum& column, std::span<const phy::cf32> samples) {
  constexpr std::size_t enough = 24;
  const std::size_t block = static_cast<std::size_t>(column.n_bins()) / 2;
  if (samples.size() <= enough * block) return column.write(samples);
  for (std::size_t i = 0; i < enough; ++i)
    column.write(samples.subspan(i * (samples.size() - block) / (enough - 1), block));
}

result<picture> measure(phy::sigmf_reader& r, std::int64_t first, std::int64_t n, int bins) {
  picture p;
  p.bins = bins;
  p.columns = static_cast<int>(std::clamp<std::int64_t>(n / (bins / 2), 1, max_columns));
  phy::spectrum column(bins);
  std::vector<float> psd(static_cast<std::size_t>(bins));
  std::vector<double> sum(static_cast<std::size_t>(bins));  // of the columns' powers
  std::vector<std::vector<phy::cf32>> samples(static_cast<std::size_t>(r.n_antennas()),
                                              std::vector<phy::cf32>(static_cast<std::size_t>(max_samples_per_column)));
  std::vector<phy::cf32> kept;
  progress_bar progress("reading");
  for (int c = 0; c < p.columns && !stop_requested(); ++c) {
    const std::int64_t from = first + n * c / p.columns, to = first + n * (c + 1) / p.columns;
    if (auto ok = r.seek(from); !ok) return tl::unexpected(ok.error());
    std::vector<std::span<phy::cf32>> out;
    for (auto& s : samples) out.push_back(std::span(s).first(std::min(to - from, max_samples_per_column)));
    const auto status = r.read(out);
    if (!status) return tl::unexpected(status.error());
    const auto got = out[0].first(status->n_samples);
    p.samples.add(got);
    p.n_non_finite += phy::zero_non_finite(got);
    double power = 0;
    for (const auto& v : got) power += std::norm(std::complex<double>(v));
    column.clear();
    write_evenly(column, got);
    column.psd_db(psd);
    for (std::size_t b = 0; b < psd.size(); ++b) {
      const float db = std::isfinite(psd[b]) ? std::max(psd[b], floor_db) : floor_db;
      p.spectrogram_db.push_back(db);
      sum[b] += std::pow(10.0, static_cast<double>(db) / 10);
    }
    p.power_db.push_back(static_cast<float>(
        10 * std::log10(std::max(power / static_cast<double>(std::max<std::size_t>(got.size(), 1)), 1e-20))));
    for (std::size_t i = 0; i < got.size(); i += std::max<std::size_t>(1, got.size() / 1000)) kept.push_back(got[i]);
    progress.update(static_cast<double>(c) / p.columns);
  }
  if (stop_requested())
    return fail("stopped after " + std::to_string(p.power_db.size()) + " of " + std::to_string(p.columns) + " columns");
  for (const double v : sum)
    p.mean_db.push_back(std::max(static_cast<float>(10 * std::log10(v / std::max(p.columns, 1))), floor_db));

  std::vector<float> size;
  for (const auto& v : kept) size.push_back(std::max(std::abs(v.real()), std::abs(v.imag())));
  std::sort(size.begin(), size.end());
  p.plane_limit = std::max(size.empty() ? 1.0F : size[size.size() * 999 / 1000] * 1.1F, 1e-12F);
  p.plane.assign(plane_bins * plane_bins, 0.0F);
  for (const auto& v : kept) {
    const auto bin = [&p](float x) { return static_cast<int>((x / p.plane_limit + 1) * plane_bins / 2); };
    const int x = bin(v.real()), y = bin(v.imag());
    if (x >= 0 && x < plane_bins && y >= 0 && y < plane_bins) p.plane[y * plane_bins + x] += 1;
  }
  for (auto& v : p.plane) v = std::log10(1 + v);
  return p;
}

void draw_density(gnuplot& g, const picture& p) {
  const std::string limit = number(p.plane_limit), step = number(2 * p.plane_limit / plane_bins);
  g.command("set xrange [-" + limit + ":" + limit + "]; set yrange [-" + limit + ":" + limit + "]");
  g.command("plot '-' binary array=(" + std::to_string(plane_bins) + "," + std::to_string(plane_bins) +
            ") format='%float' origin=(-" + limit + ",-" + limit + ") dx=" + step + " dy=" + step + " with image");
  g.binary(p.plane);
}

void draw_symbols(gnuplot& g, const constellation& c) {
  g.command(
      "set xrange [-1.6:1.6]; set yrange [-1.6:1.6]; set grid; set key at screen 0.865, screen 0.465 "
      "center top horizontal maxcols 2 samplen 0.5");
  std::string plot;
  for (const auto& ch : c.channels)
    if (!ch.points.empty())
      plot += (plot.empty() ? "plot " : ", ") + std::string("'-' binary record=(") + std::to_string(ch.points.size()) +
              ") format='%float%float' using 1:2 with points pt 7 ps 0.4 lc rgb '" + ch.colour + "' title '" + ch.name +
              ' ' + percent(ch.evm()) + "'";
  g.command(plot);
  for (const auto& ch : c.channels) g.binary({reinterpret_cast<const float*>(ch.points.data()), 2 * ch.points.size()});
}

/// File, rate, frequency, and what was decoded how well.
std::string title_of(const phy::sigmf_reader& r, const constellation* symbols) {
  std::string title =
      r.meta_path().substr(r.meta_path().find_last_of('/') + 1) + "   " + number(r.sample_rate_hz() / 1e6) + " Msps";
  if (const auto f = r.meta().captures.front().frequency_hz) title += "   " + number(*f / 1e6) + " MHz";
  if (symbols == nullptr) return title;
  std::string evm;
  for (const auto& c : symbols->channels)
    if (c.n > 0) evm += (evm.empty() ? "   EVM " : ", ") + std::string(c.name) + ' ' + percent(c.evm());
  return title + evm;
}

/// Frames where they lie in the spectrogram: boxes where these are wide enough to be seen, and as many labels as find
/// room, each different one first.
void label_bursts(gnuplot& g, const constellation& c, const burst_view& view) {
  for (const auto& b : seen_boxes(c.bursts, view))
    g.command("set object rectangle from " + number(b.start_s) + "," + number(b.low_hz / 1e6) + " to " +
              number(b.end_s) + "," + number(b.high_hz / 1e6) + " front fs empty border lc rgb '" + burst_colour + "'");
  for (const auto& b : placed_labels(c.bursts, view))
    g.command("set label " + gnuplot::quoted(b.label) + " at " + number(b.start_s) + "," + number(b.high_hz / 1e6) +
              " left offset 0,0.35 front font ',8' tc rgb '" + burst_colour + "'");
}

/// symbols: null when nothing is known of the carrier.
result<void> draw(const picture& p, const constellation* symbols, const plot_options& o, const phy::sigmf_reader& r,
                  double t0_s, double t1_s) {
  auto opened = gnuplot::png(o.out, o.width, o.height);
  if (!opened) return tl::unexpected(opened.error());
  auto& g = *opened;
  const double half_mhz = r.sample_rate_hz() / 2e6, dt = (t1_s - t0_s) / p.columns;
  const auto [low, high] = colour_range(p.spectrogram_db);
  const std::string t_range = "[" + number(t0_s) + ":" + number(t1_s) + "]";

  g.command("set multiplot");
  g.command("set palette defined (0 '#000020', 1 '#102a7a', 2 '#1f7f8c', 3 '#6fbf4a', 4 '#f6d33c', 5 '#ffffe0')");
  g.command("set tics out nomirror; unset key");
  // spectrogram
  g.command(
      "set origin 0,0.42; set size 1,0.58; set lmargin at screen 0.08; set rmargin at screen 0.87; set tmargin at "
      "screen 0.94; "
      "set bmargin at screen 0.52");
  g.command("set title " + gnuplot::quoted(title_of(r, symbols)));
  if (symbols != nullptr) label_bursts(g, *symbols, {t0_s, t1_s, r.sample_rate_hz(), 0.79 * o.width, 0.42 * o.height});
  g.command("set xlabel 'time, s'; set ylabel 'frequency, MHz'; set cblabel 'dB full scale, a bin'");
  g.command("set cbrange [" + number(low) + ":" + number(high) + "]");
  g.command("set xrange " + t_range + "; set yrange [" + number(-half_mhz) + ":" + number(half_mhz) + "]");
  const double df = 2 * half_mhz / p.bins;
  std::vector<float> rows(p.spectrogram_db.size());  // gnuplot wants the frequencies one under the other
  for (std::size_t c = 0, bins = static_cast<std::size_t>(p.bins), columns = static_cast<std::size_t>(p.columns);
       c < columns; ++c)
    for (std::size_t b = 0; b < bins; ++b) rows[b * columns + c] = p.spectrogram_db[c * bins + b];
  g.command("plot '-' binary array=(" + std::to_string(p.columns) + "," + std::to_string(p.bins) +
            ") format='%float' origin=(" + number(t0_s + dt / 2) + "," + number(-half_mhz) + ") dx=" + number(dt) +
            " dy=" + number(df) + " with image");
  g.binary(rows);
  // mean spectrum
  g.command(
      "unset title; unset label; unset object; set tmargin at screen 0.42; set bmargin at screen 0.09; unset colorbox; "
      "set grid");
  g.command(
      "set lmargin at screen 0.08; set rmargin at screen 0.34; set xlabel 'frequency, MHz'; set ylabel 'dB full scale, "
      "a bin'");
  g.command("set xrange [" + number(-half_mhz) + ":" + number(half_mhz) + "]; set autoscale y");
  g.command("plot '-' binary array=(" + std::to_string(p.bins) + ") format='%float' origin=(" + number(-half_mhz) +
            ",0) dx=" + number(df) + " using 1 with lines lc rgb '#1f4f9c'");
  g.binary(p.mean_db);
  // power over time
  g.command(
      "set lmargin at screen 0.42; set rmargin at screen 0.68; set xlabel 'time, s'; set ylabel 'power, dB full "
      "scale'; set xrange " +
      t_range);
  g.command("plot '-' binary array=(" + std::to_string(p.columns) + ") format='%float' origin=(" +
            number(t0_s + dt / 2) + ",0) dx=" + number(dt) + " using 1 with lines lc rgb '#1f4f9c'");
  g.binary(p.power_db);
  // complex plane
  g.command(
      "set lmargin at screen 0.75; set rmargin at screen 0.98; unset grid; set cbrange [0:*]; set ylabel 'Q'; set size "
      "ratio -1");
  if (symbols != nullptr && symbols->n_frames > 0) {
    g.command("set xlabel 'I, equalised symbols of " + std::to_string(symbols->n_frames) + " frames'");
    draw_symbols(g, *symbols);
  } else {
    g.command(std::string("set xlabel 'I, density of raw samples") +
              (symbols != nullptr ? " (nothing decoded)'" : "'"));
    draw_density(g, p);
  }
  return g.finish();
}

sniffer_settings told_by(const plot_options& o) {
  sniffer_settings told;
  told.scene_path = o.scene_path;
  told.carrier = o.carrier;
  told.pools = o.pools;
  told.iq = o.in;
  told.sync = o.sync;
  return told;
}

result<void> check_plot(const plot_options& o, const phy::sigmf_reader& r) {
  std::string remark, assumed;
  const auto known = scene_of(told_by(o), carrier_from(r.meta(), r.meta_path(), remark).known);
  if (!known) return tl::unexpected(known.error());
  if (known->n_prb)
    if (const auto fits = carrier_of(*known, {o.in, "sample rate", r.sample_rate_hz(), std::nullopt}, assumed); !fits)
      return tl::unexpected(fits.error());
  return check_openable(o.out);
}

result<constellation> decoded(const plot_options& o, const recorded_carrier& recorded,
                              const std::shared_ptr<phy::sigmf_reader>& reader, double from_s, double to_s) {
  const auto told = told_by(o);
  const auto known = scene_of(told, recorded.known);
  if (!known) return tl::unexpected(known.error());
  auto way = sync_of(told, recorded.sync);
  if (!way) {
    const auto found = search_sync(o.in, o.rate_hz, *known, to_s, &stop_requested);
    if (!found) return tl::unexpected(found.error());
    way = found->way;
    if (way) log_info("--sync auto: {} ({})", name_of(*way), found->tried);
  }
  return constellation_of(reader, *known, way, from_s, to_s);
}

}  // namespace

int run_plot(const plot_options& o) {
  auto opened = phy::sigmf_reader::open(o.in, {.rate_hz = o.rate_hz});
  if (!opened) return usage_error(iq_program, opened.error());
  const std::shared_ptr<phy::sigmf_reader> reader = std::move(*opened);
  auto& r = *reader;
  const double rate = r.sample_rate_hz();
  const auto first = static_cast<std::int64_t>(o.start_s * rate);
  if (first >= r.n_samples())
    return report(iq_program,
                  "--start " + number(o.start_s) + " lies beyond the recording of " +
                      number(static_cast<double>(r.n_samples()) / rate) + " s",
                  exit_usage);
  auto n = r.n_samples() - first;
  if (o.duration_s > 0) n = std::clamp<std::int64_t>(static_cast<std::int64_t>(o.duration_s * rate), 1, n);
  if (looks_only()) {
    const auto ok = check_plot(o, r);
    return ok ? exit_ok : usage_error(iq_program, ok.error());
  }
  const auto p = measure(r, first, n, o.n_bins);
  if (!p) return run_error(iq_program, p.error());
  const double t0 = static_cast<double>(first) / rate;
  std::optional<constellation> symbols;
  std::string remark;
  const auto recorded = carrier_from(r.meta(), r.meta_path(), remark);
  const bool told = !o.scene_path.empty() || !o.carrier.empty() || !o.pools.empty() || !o.sync.empty();
  if (told || recorded.told()) {
    auto found = decoded(o, recorded, reader, t0, t0 + static_cast<double>(n) / rate);
    if (!found) return usage_error(iq_program, found.error());
    symbols = std::move(*found);
    if (stop_requested())
      return report(iq_program,
                    o.out + ": stopped after " + std::to_string(symbols->n_frames) + " frames, before the picture",
                    exit_failure);
  }
  if (auto ok = draw(*p, symbols ? &*symbols : nullptr, o, r, t0, t0 + static_cast<double>(n) / rate); !ok)
    return run_error(iq_program, ok.error());
  tell_remarks(r, o.rate_hz);
  tell_oddity(r, p->samples);
  if (p->n_non_finite > 0 && p->samples.any_finite())
    log_warning("{} samples were not finite and count as zero", p->n_non_finite);
  if (!remark.empty()) log_warning("{}", remark);
  if (symbols) log_info("{} frames decoded", symbols->n_frames);
  if (symbols && symbols->n_frames == 0) log_warning("{}", symbols->hint);
  if (!symbols)
    log_info("nothing is told of the carrier, so nothing was decoded; try --sync auto --carrier prb=25,tm=4");
  return exit_ok;
}

}  // namespace prose::apps
