#include "apps/bler/output.h"

#include <algorithm>
#include <cstdio>

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

result<void> plot_curves(const std::string& path, std::span<const bler_curve> curves, const std::string& title) {
  auto opened = gnuplot::png(path, 1100, 700);
  if (!opened) return tl::unexpected(opened.error());
  auto& g = *opened;
  double lowest = 1;
  for (const auto& c : curves)
    for (const auto& p : c.points)
      if (p.trials > 0) lowest = std::min(lowest, p.errors > 0 ? p.bler() : wilson(0, p.trials).high);
  char range[64];
  std::snprintf(range, sizeof range, "set yrange [%g:1]", std::max(lowest / 3, 1e-7));
  g.command("set title " + gnuplot::quoted(title));
  g.command(
      "set logscale y; set format y '10^{%T}'; set termoption enhanced; set grid xtics ytics mytics lc rgb '#cccccc'");
  g.command(std::string(range) +
            "; set xlabel 'E_s/N_0, dB'; set ylabel 'BLER'; set key outside right top; set offsets 0.3,0.3,0,0");
  std::string plot = "plot ";
  int colour = 0;
  for (const auto& c : curves) {
    // Eight colours, then the same ones dashed.
    const std::string line = " lc " + std::to_string(colour % 8 + 1) + " dt " + std::to_string(colour / 8 + 1);
    plot += (colour > 0 ? ", " : "") + std::string("'-' using 1:2:3:4 with yerrorbars lc ") +
            std::to_string(colour % 8 + 1) + " pt 7 ps 0.6 notitle, '-' using 1:2 with points pt 11 lc " +
            std::to_string(colour % 8 + 1) + " notitle, '-' using 1:2 with lines lw 1.5" + line + " title " +
            gnuplot::quoted(c.name) + " noenhanced";
    ++colour;
  }
  g.command(plot);
  for (const auto& c : curves) {
    for (const bool bounds : {false, true, false}) {
      auto points = c.points;
      std::sort(points.begin(), points.end(), [](const auto& a, const auto& b) { return a.snr_db < b.snr_db; });
      bool any = false;
      for (const auto& p : points) {
        // Without an error there is no point on a logarithmic axis, but a bound.
        if (p.trials == 0 || bounds != (p.errors == 0)) continue;
        any = true;
        const auto i = wilson(p.errors, p.trials);
        char line[120];
        std::snprintf(line, sizeof line, "%g %g %g %g", p.snr_db, bounds ? i.high : p.bler(), i.low, i.high);
        g.command(line);
      }
      if (!any) g.command("NaN NaN NaN NaN");  // gnuplot refuses a plot without data
      g.command("e");
    }
  }
  return g.finish();
}

}  // namespace prose::apps
