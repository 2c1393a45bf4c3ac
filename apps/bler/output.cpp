#include "apps/bler/output.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>

#include "apps/lib/common/gnuplot.h"
#include "apps/lib/common/whole_file.h"

namespace prose::apps {

result<void> write_csv(const std::string& path, std::span<const bler_curve> curves, const std::string& remark) {
  std::string text = "# " + remark + "\ncurve,snr_db,trials,errors,bler,low_95,high_95\n";
  char row[160];
  for (const auto& c : curves)
    for (const auto& p : c.points) {
      const auto i = wilson(p.errors, p.trials);
      std::snprintf(row, sizeof row, ",%.4g,%lld,%lld,%.6g,%.6g,%.6g\n", p.snr_db, static_cast<long long>(p.trials),
                    static_cast<long long>(p.errors), p.bler(), i.low, i.high);
      text.append("\"").append(c.name).append("\"").append(row);
    }
  auto file = whole_file::open(path == "-" ? "/dev/stdout" : path);
  if (!file) return tl::unexpected(file.error());
  if (auto ok = file->write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}); !ok) return ok;
  return file->commit();
}

namespace {
std::string snr_text(double snr_db) {
  char out[32];
  std::snprintf(out, sizeof out, "%.4g", snr_db);
  return out;
}

/// "name",snr_db,trials,errors,...
bool read_row(const std::string& line, std::vector<bler_curve>& curves) {
  const auto quote = line.rfind('"');
  if (line.empty() || line.front() != '"' || quote == 0 || quote == std::string::npos) return false;
  double snr_db = 0;
  long long trials = 0, errors = 0;
  if (std::sscanf(line.c_str() + quote + 1, ",%lf,%lld,%lld,", &snr_db, &trials, &errors) != 3) return false;
  if (trials < 0 || errors < 0 || errors > trials) return false;
  const auto name = line.substr(1, quote - 1);
  if (curves.empty() || curves.back().name != name) curves.push_back({name, {}});
  curves.back().points.push_back({snr_db, trials, errors});
  return true;
}
}  // namespace

result<saved_curves> read_csv(const std::string& path) {
  std::ifstream in(path);
  saved_curves out;
  std::string line;
  if (!std::getline(in, line) || !line.starts_with("# ")) return fail(path + ":1: is no result of prose-bler");
  out.remark = line.substr(2);
  std::getline(in, line);  // the names of the columns
  for (int n = 3; std::getline(in, line); ++n)
    if (!read_row(line, out.curves)) return fail(path + ":" + std::to_string(n) + ": is no row of prose-bler");
  return out;
}

const bler_point* find_point(const saved_curves& saved, const std::string& curve, double snr_db) {
  for (const auto& c : saved.curves)
    for (const auto& p : c.points)
      if (c.name == curve && snr_text(p.snr_db) == snr_text(snr_db)) return &p;
  return nullptr;
}

namespace {
std::string text(const char* format, auto... values) {
  char out[200];
  std::snprintf(out, sizeof out, format, values...);
  return out;
}

/// The least that the axis shows.
double lowest_of(std::span<const bler_curve> curves) {
  double lowest = 0.1;
  for (const auto& c : curves)
    for (const auto& p : c.points)
      if (p.trials > 0) lowest = std::min(lowest, p.errors > 0 ? p.bler() : wilson(0, p.trials).high);
  return std::max(lowest / 3, 1e-7);
}

/// All points, also those that are no data of gnuplot's, and bounds; a little more on both sides.
std::string snr_range(std::span<const bler_curve> curves) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  for (const auto& c : curves) {
    for (const auto& p : c.points) low = std::min(low, p.snr_db), high = std::max(high, p.snr_db);
    if (std::isfinite(c.bound_10_db)) low = std::min(low, c.bound_10_db), high = std::max(high, c.bound_10_db);
  }
  return low <= high ? text("set xrange [%g:%g]\n", low - 0.5, high + 0.5) : std::string();
}

/// Eight colours, then the same ones with other dashes.
int colour_of(std::size_t curve) { return static_cast<int>(curve % 8) + 1; }

/// Lines and arrows that are no data: 10 %, bounds, points without an error.
std::string marks(std::span<const bler_curve> curves, double lowest) {
  std::string out =
      "set arrow from graph 0, first 0.1 to graph 1, first 0.1 nohead lc rgb '#666666' lw 1 back\n"
      "set label '10 %' at graph 0.005, first 0.1 left offset 0,0.5 tc rgb '#666666'\n";
  for (std::size_t i = 0; i < curves.size(); ++i) {
    const auto& c = curves[i];
    if (std::isfinite(c.bound_10_db))
      out += text("set arrow from %g,0.1 to %g,%g nohead dt 2 lw 1.5 lc %d\n", c.bound_10_db, c.bound_10_db, lowest,
                  colour_of(i));
    for (const auto& p : c.points)
      if (p.trials > 0 && p.errors == 0) {
        const double high = wilson(0, p.trials).high;
        out += text("set arrow from %g,%g to %g,%g head filled size screen 0.008,20 lc %d\n", p.snr_db, high, p.snr_db,
                    std::max(high / 2, lowest), colour_of(i));
      }
  }
  return out;
}

/// The points with errors of one curve, twice: with their intervals, and as a line.
std::string data_of(const bler_curve& c) {
  auto points = c.points;
  std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.snr_db < b.snr_db; });
  std::string rows;
  for (const auto& p : points) {
    if (p.trials == 0 || p.errors == 0) continue;
    const auto i = wilson(p.errors, p.trials);
    rows += text("%g %g %g %g\n", p.snr_db, p.bler(), i.low, i.high);
  }
  if (rows.empty()) rows = "NaN NaN NaN NaN\n";  // gnuplot refuses a plot without data
  return rows + "e\n" + rows + "e\n";
}
}  // namespace

std::string plot_script(std::span<const bler_curve> curves, const std::string& title) {
  const double lowest = lowest_of(curves);
  const bool bounds =
      std::any_of(curves.begin(), curves.end(), [](const auto& c) { return std::isfinite(c.bound_10_db); });
  std::string out =
      "set title " + gnuplot::quoted(title) + '\n' +
      "set logscale y; set format y '10^{%T}'; set termoption enhanced; set grid xtics ytics mytics lc rgb "
      "'#cccccc'\n" +
      text("set yrange [%g:1]", lowest) + "; set xlabel 'E_s/N_0, dB" +
      (bounds ? " (dashed: what is possible at 10 %)" : "") + "'; set ylabel 'BLER'; set key outside right top\n" +
      snr_range(curves) + marks(curves, lowest) + "plot ";
  for (std::size_t i = 0; i < curves.size(); ++i)
    out += (i > 0 ? ", " : "") + text("'-' using 1:2:3:4 with yerrorbars lc %d pt 7 ps 0.6 notitle, ", colour_of(i)) +
           text("'-' using 1:2 with lines lw 1.5 lc %d dt %d title ", colour_of(i), static_cast<int>(i / 8) + 1) +
           gnuplot::quoted(curves[i].name) + " noenhanced";
  out += '\n';
  for (const auto& c : curves) out += data_of(c);
  out.pop_back();
  return out;
}

result<void> plot_curves(const std::string& path, std::span<const bler_curve> curves, const std::string& title) {
  auto opened = gnuplot::png(path, 1100, 700);
  if (!opened) return tl::unexpected(opened.error());
  opened->command(plot_script(curves, title));
  return opened->finish();
}

}  // namespace prose::apps
