// prose-bler: block error rate over SNR of every channel, false alarms on noise, and the table against the public state
// of the art.

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cmath>
#include <thread>

#include "apps/bler/campaign.h"
#include "apps/bler/false_alarm.h"
#include "apps/bler/output.h"
#include "apps/bler/table.h"
#include "apps/lib/campaign/ranks.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"

namespace {
using namespace prose;
using namespace prose::apps;
constexpr const char* program = "prose-bler";

struct options {
  common_options common;
  std::string channel = "pssch", cp = "normal", fading = "awgn", snr = "-4:1:12", csv, plot;
  int tm = 4, prb = 25, n_prb = 10, format = 0, antennas = 1, transmissions = 1, iterations = 8, threads = 0;
  std::vector<int> mcs{4};
  double cfo_hz = 0, delay_samples = 0, rate_share = 1;
  std::int64_t trials = 2000, errors = 200, false_candidates = 0, false_subframes = 0, max_false_sci = -1;
  std::uint64_t seed = 1;
  bool known_offsets = false, table = false, resume = false;
};

struct sweep {
  double first, step, last;
};

/// "4", "-4:0.5:8".
result<sweep> parse_sweep(const std::string& text) {
  std::vector<double> v;
  std::size_t at = 0;
  while (at <= text.size()) {
    const auto colon = std::min(text.find(':', at), text.size());
    double x = 0;
    const auto [end, ec] = std::from_chars(text.data() + at, text.data() + colon, x);
    if (ec != std::errc() || end != text.data() + colon || !(std::abs(x) <= 200))
      v.clear(), at = text.size();
    else
      v.push_back(x);
    at = colon + 1;
    if (v.empty()) break;
  }
  if (v.size() == 1) return sweep{v[0], 1, v[0]};
  if (v.size() == 3 && v[1] > 0 && v[2] >= v[0] && (v[2] - v[0]) / v[1] <= 1000) return sweep{v[0], v[1], v[2]};
  return fail("--snr '" + text + "' is not known; accepted: one value, or FIRST:STEP:LAST in dB");
}

result<link_config> link_of(const options& o, int mcs) {
  link_config c;
  c.channel = *link_channel_from(o.channel);
  const auto carrier =
      phy::carrier_config::make(o.prb, o.cp == "normal" ? phy::cyclic_prefix::normal : phy::cyclic_prefix::extended,
                                static_cast<phy::transmission_mode>(o.tm),
                                phy::standard_fft_size(o.prb) * phy::subcarrier_spacing_hz * o.rate_share);
  if (!carrier) return fail("--prb, --tm, --cp: " + carrier.error().message);
  c.carrier = *carrier;
  c.mcs = mcs;
  c.n_prb = o.n_prb;
  c.transmission_format = o.format;
  c.fading = *phy::fading_model_from(o.fading);
  c.cfo_hz = o.cfo_hz;
  c.delay_samples = o.delay_samples;
  c.n_antennas = o.antennas;
  c.n_transmissions = o.transmissions;
  c.max_turbo_iterations = o.iterations;
  c.known_offsets = o.known_offsets;
  return c;
}

result<std::vector<link_simulator>> links_of(const link_config& c, int n_threads) {
  std::vector<link_simulator> links;
  for (int i = 0; i < n_threads; ++i) {
    auto l = link_simulator::make(c);
    if (!l) return tl::unexpected(l.error());
    links.push_back(std::move(*l));
  }
  return links;
}

campaign_config campaign_of(const options& o, ranks& team) {
  campaign_config c;
  c.rank = team.rank();
  c.n_ranks = team.size();
  c.sum = [&team](std::span<std::int64_t> values) { team.sum(values); };
  c.seed = o.seed;
  c.max_trials = o.trials;
  c.min_errors = o.errors;
  c.n_threads = o.threads;
  c.stop = [&team] { return team.stopped(); };
  return c;
}

/// What the results depend on, beside the names of the curves.
std::string remark_of(const options& o, const std::string& title) {
  std::string r = title;
  const auto add = [&](bool told, const std::string& what) {
    if (told) r += ", " + what;
  };
  add(o.antennas != 1, std::to_string(o.antennas) + " antennas");
  add(o.transmissions != 1, std::to_string(o.transmissions) + " transmissions");
  add(o.iterations != 8, std::to_string(o.iterations) + " iterations");
  add(o.format != 0, "transmission format " + std::to_string(o.format));
  add(o.rate_share != 1, "rate share " + std::to_string(o.rate_share));
  add(o.cfo_hz != std::floor(o.cfo_hz), "CFO " + std::to_string(o.cfo_hz));
  add(o.delay_samples != std::floor(o.delay_samples), "delay " + std::to_string(o.delay_samples));
  add(o.known_offsets, "known offsets");
  return r + ", up to " + std::to_string(o.trials) + " trials and " + std::to_string(o.errors) + " errors, seed " +
         std::to_string(o.seed) + ", " + std::string(program) + " " + std::string(version());
}

std::string part_of(std::size_t done, std::size_t of, const char* what) {
  return "stopped after " + std::to_string(done) + " of " + std::to_string(of) + " " + what;
}

/// Whether the CSV can be written again and again: not where it is a pipe, a terminal or the like.
bool is_file(const std::string& path) {
  struct stat s {};
  return !path.empty() && path != "-" && (::stat(path.c_str(), &s) != 0 || S_ISREG(s.st_mode));
}

/// What is measured so far, as a part: whoever ends the program (mpirun does it within a second) leaves a whole file.
result<void> save_part(const options& o, const ranks& team, const std::vector<bler_curve>& curves,
                       const std::string& title, const std::string& how_far) {
  if (!team.first() || !is_file(o.csv)) return {};
  return write_csv(o.csv, curves, remark_of(o, title) + ", " + how_far);
}

int write_results(const options& o, const std::vector<bler_curve>& curves, const std::string& title,
                  const std::string& remark) {
  if (!o.csv.empty())
    if (auto ok = write_csv(o.csv, curves, remark); !ok) return run_error(program, ok.error());
  if (!o.plot.empty())
    if (auto ok = plot_curves(o.plot, curves, title); !ok) return run_error(program, ok.error());
  return exit_ok;
}

int finish(const options& o, ranks& team, const std::vector<bler_curve>& curves, const std::string& title) {
  team.leave();
  return team.first() ? write_results(o, curves, title, remark_of(o, title)) : exit_ok;
}

/// What was measured is written, and says that it is a part.
int finish_part(const options& o, ranks& team, const std::vector<bler_curve>& curves, const std::string& title,
                std::size_t done, const std::string& how_far) {
  team.leave();
  if (!team.first()) return exit_ok;
  const int code =
      done == 0 ? exit_ok : write_results(o, curves, title + ", " + how_far, remark_of(o, title) + ", " + how_far);
  return code != exit_ok ? code : report(program, how_far, exit_failure);
}

/// --resume: the points of an earlier run with the same options. Nothing where there was none.
result<saved_curves> earlier_points(const options& o, const std::string& title) {
  if (!o.resume || ::access(o.csv.c_str(), F_OK) != 0) return saved_curves{};
  auto saved = read_csv(o.csv);
  const auto wanted = remark_of(o, title);
  if (saved && saved->remark != wanted && !saved->remark.starts_with(wanted + ", stopped after "))
    return fail("--resume: " + o.csv + ":1: is of another campaign; accepted: '" + wanted + "'");
  return saved;
}

/// What is possible at 10 %, where the table has a row of this.
double bound_of(const options& o, int mcs) {
  if (o.fading != "awgn" || o.antennas != 1 || o.transmissions != 1 || o.cp != "normal" || o.format != 0)
    return no_value;
  for (const auto& row : baseline_table)
    if (o.channel == name_of(row.channel) && o.tm == row.tm && o.prb == row.carrier_prb && mcs == row.mcs &&
        (row.channel != link_channel::pssch || o.n_prb == row.n_prb))
      return row.bound_10;
  return no_value;
}

std::string title_of(const options& o) {
  std::string title =
      o.channel + " TM" + std::to_string(o.tm) + " " + std::to_string(o.prb) + " PRB " + o.cp + " prefix, " + o.fading;
  if (o.cfo_hz != 0) title += ", CFO within " + std::to_string(static_cast<int>(o.cfo_hz)) + " Hz";
  if (o.delay_samples != 0) title += ", delay up to " + std::to_string(static_cast<int>(o.delay_samples)) + " samples";
  return title;
}

void tell(const std::string& curve, const bler_point& p) {
  const auto w = wilson(p.errors, p.trials);
  std::printf("%-34s %7.2f dB  BLER %-10.4g [%.3g, %.3g]  %lld/%lld\n", curve.c_str(), p.snr_db, p.bler(), w.low,
              w.high, static_cast<long long>(p.errors), static_cast<long long>(p.trials));
  std::fflush(stdout);
}

/// The curves of one call of the program, point by point.
class curve_run {
public:
  curve_run(const options& o, ranks& team, const sweep& range)
      : o_(o),
        team_(team),
        range_(range),
        title_(title_of(o)),
        pssch_(o.channel == "pssch"),
        all_mcs_(pssch_ ? o.mcs : std::vector<int>{0}),
        n_points_(static_cast<int>(std::floor((range.last - range.first) / range.step + 1e-9)) + 1),
        tells_(o.csv != "-" && own_descriptor(o.csv) != STDOUT_FILENO) {}

  int run() {
    auto saved = earlier_points(o_, title_);
    if (!saved) return usage_error(program, saved.error());
    saved_ = std::move(*saved);
    for (const int mcs : all_mcs_) {
      if (team_.stopped()) break;
      if (const int code = run_one(mcs); code != exit_ok) return code;
    }
    return done_ < of() ? finish_part(o_, team_, curves_, title_, done_, how_far())
                        : finish(o_, team_, curves_, title_);
  }

private:
  std::size_t of() const { return all_mcs_.size() * static_cast<std::size_t>(n_points_); }
  std::string how_far() const { return part_of(done_, of(), "points"); }

  int run_one(int mcs) {
    const auto config = link_of(o_, mcs);
    if (!config) return usage_error(program, config.error());
    auto links = links_of(*config, o_.threads);
    if (!links) return usage_error(program, links.error());
    bler_curve curve;
    curve.name = pssch_ ? "MCS " + std::to_string(mcs) + ", " + std::to_string(o_.n_prb) + " PRB, " +
                              std::to_string(links->front().payload_bits()) + " bits"
                        : o_.channel;
    curve.bound_10_db = bound_of(o_, mcs);
    curves_.push_back(std::move(curve));
    const int code = measure_points(*links);
    if (curves_.back().points.empty()) curves_.pop_back();
    return code;
  }

  int measure_points(std::vector<link_simulator>& links) {
    auto& curve = curves_.back();
    auto c = campaign_of(o_, team_);
    progress_bar bar(curve.name);
    for (int i = 0; i < n_points_; ++i) {
      const double snr_db = range_.first + range_.step * i;
      c.progress = [&](double part) {
        if (team_.first())
          bar.update((i + std::min(part, 1.0)) / n_points_, "at " + std::to_string(snr_db).substr(0, 5) + " dB");
      };
      const auto* before = find_point(saved_, curve.name, snr_db);
      const auto p = before != nullptr ? bler_point{snr_db, before->trials, before->errors} : measure(links, snr_db, c);
      if (team_.stopped()) break;  // with fewer trials than were asked for
      ++done_;
      curve.points.push_back(p);
      if (tells_) tell(curve.name, p);
      if (const auto ok = save_part(o_, team_, curves_, title_, how_far()); !ok) return run_error(program, ok.error());
    }
    return exit_ok;
  }

  const options& o_;
  ranks& team_;
  sweep range_;
  std::string title_;
  bool pssch_;
  std::vector<int> all_mcs_;
  int n_points_;
  bool tells_;
  saved_curves saved_;
  std::vector<bler_curve> curves_;
  std::size_t done_ = 0;
};

int run_curves(const options& o, ranks& team) {
  const auto range = parse_sweep(o.snr);
  if (!range) return usage_error(program, range.error());
  return curve_run(o, team, *range).run();
}

std::string cell(double v) {
  char t[16];
  std::snprintf(t, sizeof t, "%6.1f", v);
  return std::isnan(v) ? "     -" : t;
}

/// Every row of the table; exit 1 when a target is missed.
int run_table(const options& o, ranks& team) {
  auto c = campaign_of(o, team);
  const std::string title = "all channels, AWGN";
  const auto how_far = [&](std::size_t done) { return part_of(done, std::size(baseline_table), "rows"); };
  std::vector<bler_curve> curves;
  int missed = 0;
  std::printf("%-26s | this receiver | peer as it is | peer repaired | bound  | asked |\n", "dB at 10 % / 1 % BLER");
  for (const auto& row : baseline_table) {
    options r = o;
    r.channel = name_of(row.channel);
    r.tm = row.tm;
    r.prb = row.carrier_prb;
    r.n_prb = row.n_prb;
    const auto config = link_of(r, row.mcs);
    if (!config) return usage_error(program, config.error());
    auto links = links_of(*config, o.threads);
    if (!links) return usage_error(program, links.error());
    progress_bar bar(row.name);
    bler_curve curve{row.name, {}, row.bound_10};
    c.progress = [&](double part) {
      if (team.first()) bar.update(std::min(part, 1.0));
    };
    const double at_10 = find_crossing(*links, 0.1, std::floor(row.target_10), 0.25, c, curve.points);
    const double at_1 = team.stopped() || std::isnan(at_10)
                            ? no_value
                            : find_crossing(*links, 0.01, std::ceil(at_10) + 1, 0.5, c, curve.points);
    if (team.stopped()) return finish_part(o, team, curves, title, curves.size(), how_far(curves.size()));
    // Written so that a crossing that was not found counts as missed.
    const bool ok = at_10 <= row.target_10 + 1e-9;
    missed += ok ? 0 : 1;
    std::printf("%-26s | %s %s | %s %s | %s %s | %s | %s | %s\n", row.name, cell(at_10).c_str(), cell(at_1).c_str(),
                cell(row.peer_10).c_str(), cell(row.peer_1).c_str(), cell(row.repaired_10).c_str(),
                cell(row.repaired_1).c_str(), cell(row.bound_10).c_str(), cell(row.target_10).c_str(),
                ok ? "reached" : "MISSED");
    std::fflush(stdout);
    curves.push_back(std::move(curve));
    if (const auto saved = save_part(o, team, curves, title, how_far(curves.size())); !saved)
      return run_error(program, saved.error());
  }
  if (const int code = finish(o, team, curves, title); code != exit_ok) return code;
  return missed == 0 || !team.first()
             ? exit_ok
             : report(program, std::to_string(missed) + " rows miss what is asked", exit_failure);
}

/// The counts of all processes.
void add_up(false_alarm_report& r, ranks& team) {
  std::int64_t* const counts[] = {&r.subframes,  &r.pscch_candidates, &r.false_sci,      &r.slss_searches,
                                  &r.false_slss, &r.psbch_tries,      &r.false_mib,      &r.pssch_tries,
                                  &r.false_tb,   &r.psdch_tries,      &r.false_discovery};
  std::array<std::int64_t, std::size(counts)> sums{};
  for (std::size_t i = 0; i < sums.size(); ++i) sums[i] = *counts[i];
  team.sum(sums);
  for (std::size_t i = 0; i < sums.size(); ++i) *counts[i] = sums[i];
}

int run_false_alarms(const options& o, ranks& team) {
  false_alarm_config f;
  const auto carrier = link_of(o, 0);
  if (!carrier) return usage_error(program, carrier.error());
  f.carrier = carrier->carrier;
  f.seed = o.seed;
  f.pscch_candidates = o.false_candidates;
  f.subframes = o.false_subframes;
  f.n_threads = o.threads;
  f.rank = team.rank();
  f.n_ranks = team.size();
  f.stop = &stop_requested;
  progress_bar bar("noise");
  f.progress = [&](double part) {
    if (team.first()) bar.update(part);
  };
  auto r = count_false_alarms(f);
  if (!r) return usage_error(program, r.error());
  add_up(*r, team);
  team.leave();
  if (!team.first()) return exit_ok;
  const auto line = [](const char* what, std::int64_t n, std::int64_t of) {
    std::printf("%-20s %lld in %lld\n", what, static_cast<long long>(n), static_cast<long long>(of));
  };
  line("false SCI", r->false_sci, r->pscch_candidates);
  line("false SLSS", r->false_slss, r->slss_searches);
  line("false MIB-SL", r->false_mib, r->psbch_tries);
  line("false blocks", r->false_tb, r->pssch_tries);
  line("false discovery", r->false_discovery, r->psdch_tries);
  if (r->pscch_candidates < o.false_candidates || r->subframes < o.false_subframes)
    return report(program,
                  "stopped after " + std::to_string(r->pscch_candidates) + " of " + std::to_string(o.false_candidates) +
                      " PSCCH candidates and " + std::to_string(r->subframes) + " of " +
                      std::to_string(o.false_subframes) + " subframes",
                  exit_failure);
  if (o.max_false_sci < 0) return exit_ok;
  const bool ok = r->false_sci <= o.max_false_sci && r->false_mib == 0 && r->false_tb == 0 && r->false_discovery == 0;
  return ok ? exit_ok : report(program, "more false alarms than allowed", exit_failure);
}

void read_config(config_section& file, options& o) {
  file.read("trials", o.trials, 1, 1'000'000'000);
  file.read("errors", o.errors, 1, 1'000'000'000);
  file.read("threads", o.threads, 0, 1024);
  file.read_path_here("csv", o.csv);
  file.read_path_here("plot", o.plot);
}

/// --check: what run_curves() refuses before the first trial.
int check(const options& o) {
  if (const auto range = parse_sweep(o.snr); !range) return usage_error(program, range.error());
  for (const int mcs : o.channel == "pssch" ? o.mcs : std::vector<int>{0}) {
    const auto config = link_of(o, mcs);
    if (!config) return usage_error(program, config.error());
    if (const auto link = link_simulator::make(*config); !link) return usage_error(program, link.error());
  }
  return report_right(program, o.common.config_path);
}

void add_link_options(command& app, options& o) {
  app.add_option("--channel", o.channel)
      .one_of(std::vector<std::string>{"pssch", "pscch", "psbch", "psdch", "slss"})
      .show_default();
  app.add_option("--tm", o.tm, "transmission mode").range(1, 4).show_default();
  app.add_option("--prb", o.prb, "of the carrier: 6, 15, 25, 50, 75, 100")
      .one_of(std::vector{6, 15, 25, 50, 75, 100})
      .show_default();
  app.add_option("--cp", o.cp).one_of(std::vector<std::string>{"normal", "extended"}).show_default();
  app.add_option("--mcs", o.mcs, "of PSSCH; several give several curves").range(0, 31).delimiter(',').show_default();
  app.add_option("--n-prb", o.n_prb, "of PSSCH").range(1, 100).show_default();
  app.add_option("--transmission-format", o.format, "1: last symbol rate matched (Rel-15)").range(0, 1).show_default();
  app.add_option("--rate-share", o.rate_share, "of the LTE sampling rate: 1 or 0.75")
      .one_of(std::vector{1.0, 0.75})
      .show_default();
  app.add_option("--fading", o.fading, "TS 36.101 B.2")
      .one_of(std::vector<std::string>{"awgn", "epa5", "eva70", "eva180"})
      .show_default();
  app.add_option("--cfo", o.cfo_hz, "each transmission is off by a uniform draw within +-Hz")
      .range(0.0, 7500.0)
      .show_default();
  app.add_option("--delay", o.delay_samples, "and late by a uniform draw of 0 to so many samples")
      .range(0.0, 15.0)
      .show_default();
  app.add_option("--antennas", o.antennas).range(1, 4).show_default();
  app.add_option("--transmissions", o.transmissions, "HARQ transmissions of one block").range(1, 4).show_default();
  app.add_option("--iterations", o.iterations, "of the turbo decoder").range(1, 50).show_default();
  app.add_flag("--known-offsets", o.known_offsets, "the receiver is told offset and timing");
}

void add_campaign_options(command& app, options& o) {
  app.add_option("--snr", o.snr, "dB: one value or FIRST:STEP:LAST").show_default();
  app.add_option("--trials", o.trials, "at most, a point")
      .range(std::int64_t{1}, std::int64_t{1'000'000'000})
      .show_default();
  app.add_option("--errors", o.errors, "a point ends with so many")
      .range(std::int64_t{1}, std::int64_t{1'000'000'000})
      .show_default();
  app.add_option("--seed", o.seed).show_default();
  app.add_option("--threads", o.threads, "0: all cores, under mpirun one a process; results do not depend on it")
      .range(0, 1024)
      .show_default();
  app.add_option("--csv", o.csv, "result file, written after each point; - is standard output").type_name("FILE|-");
  app.add_flag("--resume", o.resume,
               "go on where an earlier run with the same options ended: take its points from --csv");
  app.add_option("--plot", o.plot, "picture of the curves").type_name("FILE.png");
  app.add_flag(
      "--table", o.table,
      "the 10 % and 1 % points of all rows beside the peer and the bound; exit 1 when one misses what is asked");
  app.add_option("--false-alarms", o.false_candidates, "search so many PSCCH candidates in noise");
  app.add_option("--noise-subframes", o.false_subframes, "and so many noise subframes for everything else");
  app.add_option("--max-false-sci", o.max_false_sci,
                 "exit 1 with more false SCIs, or any false MIB-SL, block or discovery message");
}

int run(const options& o, ranks& team) {
  if (o.table) return run_table(o, team);
  if (o.false_candidates > 0 || o.false_subframes > 0) return run_false_alarms(o, team);
  return run_curves(o, team);
}
}  // namespace

static int run_main(int argc, char** argv) {
  options o;
  const auto path = find_config_path(argc, argv);
  auto file = path.empty() ? config_section::parse("", "") : config_section::load(path);
  if (!file) return usage_error(program, file.error());
  read_config(*file, o);
  if (const auto ok = file->check(); !ok) return usage_error(program, ok.error());
  command_line app(program, "Block error rate over SNR (E_s/N_0 of a used resource element) of the sidelink channels.",
                   o.common);

  add_link_options(app, o);
  add_campaign_options(app, o);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (o.false_candidates < 0 || o.false_subframes < 0)
    return report(program, "--false-alarms and --noise-subframes must be 0 or more", exit_usage);
  if (o.common.print_config) {
    auto now = file->in_force();
    read_config(now, o);
    return print_config(now.effective());
  }
  if (o.resume && (!is_file(o.csv) || o.table || o.false_candidates > 0 || o.false_subframes > 0))
    return report(program, "--resume goes with curves and --csv FILE", exit_usage);
  file_roles files;
  files.reads("--config", o.common.config_path);
  files.writes("--csv", o.csv);
  files.writes("--plot", o.plot);
  if (const auto ok = files.check(); !ok) return usage_error(program, ok.error());
  if (o.common.check) return check(o);
  auto team = ranks::join();
  if (!team) return run_error(program, team.error());
  if (o.threads == 0)
    o.threads = team->by_mpirun() ? 1 : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return run(o, *team);
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
