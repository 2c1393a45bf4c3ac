// prose-town: how discovery, link set-up, delivery and linkability change with the number of UEs in reach.

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <thread>

#include "apps/lib/campaign/ranks.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/progress.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/common/whole_file.h"
#include "apps/town/output.h"

namespace {
using namespace prose;
using namespace prose::apps;
using namespace prose::apps::town;
constexpr const char* program = "prose-town";

struct options {
  common_options common;
  std::vector<int> ues{10, 30, 100}, tm{2, 4};
  double seconds = 20, side_m = 500, density = 0, every_s = 5, snr_100m_db = 20, exponent = 4, link_snr_db = 5,
         equal_db = std::nan("");
  int peers = 2, seeds = 1, threads = 0;
  std::uint64_t seed = 1;
  std::string out, plot;
  bool no_verdict = false, cost = false, resume = false;
};

std::vector<town_config> towns_of(const options& o) {
  std::vector<town_config> all;
  for (const int tm : o.tm)
    for (const int ues : o.ues)
      for (int i = 0; i < o.seeds; ++i) {
        town_config c;
        c.tm = tm;
        c.ues = ues;
        c.seconds = o.seconds;
        c.peers = o.peers;
        c.link_snr_db = o.link_snr_db;
        c.every_s = o.every_s;
        c.listener = !o.no_verdict;
        c.seed = o.seed + static_cast<std::uint64_t>(i);
        c.ground.side_m = o.density > 0 ? 1000 * std::sqrt(ues / o.density) : o.side_m;
        c.ground.snr_100m_db = o.snr_100m_db;
        c.ground.exponent = o.exponent;
        c.ground.equal = !std::isnan(o.equal_db);
        if (c.ground.equal) c.ground.highest_snr_db = o.equal_db;
        all.push_back(c);
      }
  return all;
}

bool is_file(const std::string& path) {
  struct stat s {};
  return !path.empty() && path != "-" && (::stat(path.c_str(), &s) != 0 || S_ISREG(s.st_mode));
}

/// All towns of one call of the program, dealt out to processes and threads. Lines are kept in the order of towns.
class campaign {
public:
  campaign(const options& o, ranks& team) : o_(o), team_(team), towns_(towns_of(o)), bar_("towns") {}

  int run() {
    if (const auto ok = take_earlier(); !ok) return usage_error(program, ok.error());
    const std::size_t at_once = static_cast<std::size_t>(o_.threads) * static_cast<std::size_t>(team_.size());
    for (std::size_t from = 0; from < todo_.size() && !team_.stopped(); from += at_once) {
      round(from);
      if (const auto ok = save(); !ok) return run_error(program, ok.error());
    }
    team_.leave();
    return team_.first() ? finish() : exit_ok;
  }

private:
  /// Each process takes `threads` towns in a row; then all tell the first.
  void round(std::size_t from) {
    const auto threads = static_cast<std::size_t>(o_.threads);
    std::vector<std::string> lines(threads);
    std::vector<std::thread> running;
    const auto work = [&](std::size_t t) {
      const std::size_t at = from + static_cast<std::size_t>(team_.rank()) * threads + t;
      if (at < todo_.size()) lines[t] = one(towns_[todo_[at]], t == 0 ? static_cast<int>(at) : -1);
    };
    for (std::size_t t = 1; t < threads; ++t) running.emplace_back(work, t);
    work(0);
    for (auto& t : running) t.join();
    std::string own;
    for (const auto& l : lines) own += l + '\n';
    std::size_t at = from;
    for (const auto& text : team_.gather(own))
      for (std::size_t begin = 0; begin < text.size(); ++at) {
        const auto end = text.find('\n', begin);
        if (end > begin) keep(todo_[at], text.substr(begin, end - begin));
        begin = end + 1;
      }
  }

  std::string one(const town_config& c, int shown) {
    const auto r = run_town(c, &stop_requested, [&](double part) {
      if (shown >= 0 && team_.first())
        bar_.update((shown + part) / static_cast<double>(todo_.size()), name_of(c).substr(0, 40));
    });
    return r ? to_line(c, *r, o_.cost) : std::string();
  }

  void keep(std::size_t town, const std::string& line) {
    lines_[town] = line;
    if (is_file(o_.out)) return;
    if (o_.out == "-") std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }

  /// --resume: towns that the file has are not run again.
  result<void> take_earlier() {
    std::map<std::string, std::string> have;
    if (o_.resume && ::access(o_.out.c_str(), F_OK) == 0) {
      std::ifstream in(o_.out);
      std::string line;
      for (int n = 1; std::getline(in, line); ++n) {
        const auto row = read_line(line);
        if (!row) return fail("--resume: " + o_.out + ":" + std::to_string(n) + ": " + row.error().message);
        have[row->town] = line;
      }
    }
    for (std::size_t i = 0; i < towns_.size(); ++i) {
      const auto at = have.find(name_of(towns_[i]));
      if (at == have.end())
        todo_.push_back(i);
      else
        lines_[i] = at->second, have.erase(at);
    }
    if (!have.empty())
      return fail("--resume: " + o_.out + ": has a town that these options do not ask for: " + have.begin()->first);
    return {};
  }

  result<void> save() const {
    if (!team_.first() || !is_file(o_.out)) return {};
    std::string text;
    for (const auto& [i, line] : lines_) text += line + '\n';
    auto file = whole_file::open(o_.out);
    if (!file) return tl::unexpected(file.error());
    if (auto ok = file->write({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()}); !ok) return ok;
    return file->commit();
  }

  int finish() {
    std::vector<town_row> rows;
    for (const auto& [i, line] : lines_)
      if (auto r = read_line(line)) rows.push_back(std::move(*r));
    if (o_.out != "-") std::printf("%s", table_of(rows).c_str());
    if (!o_.plot.empty() && !rows.empty())
      if (const auto ok = town::plot(o_.plot, rows); !ok) return run_error(program, ok.error());
    if (lines_.size() == towns_.size()) return exit_ok;
    return report(program,
                  "stopped after " + std::to_string(lines_.size()) + " of " + std::to_string(towns_.size()) + " towns",
                  exit_failure);
  }

  const options& o_;
  ranks& team_;
  std::vector<town_config> towns_;
  std::vector<std::size_t> todo_;
  std::map<std::size_t, std::string> lines_;
  progress_bar bar_;
};

void read_config(config_section& file, options& o) {
  file.read("seconds", o.seconds, 1, 3600);
  file.read("seeds", o.seeds, 1, 100'000);
  file.read("threads", o.threads, 0, 1024);
  file.read_path_here("out", o.out);
  file.read_path_here("plot", o.plot);
}

void add_options(command& app, options& o) {
  app.add_option("--ues", o.ues, "numbers of UEs: a town for each").range(2, 20'000).delimiter(',').show_default();
  app.add_option("--tm", o.tm, "transmission modes").one_of(std::vector{2, 4}).delimiter(',').show_default();
  app.add_option("--seconds", o.seconds, "simulated").range(1.0, 3600.0).show_default();
  app.add_option("--side", o.side_m, "metres: side of the square").range(1.0, 100'000.0).show_default();
  app.add_option("--density", o.density, "instead of --side: UEs a km^2").range(0.0, 1e6);
  app.add_option("--peers", o.peers, "at most so many are permitted by each UE").range(1, 16).show_default();
  app.add_option("--link-snr", o.link_snr_db, "dB: who hears each other so well may permit each other")
      .range(-10.0, 40.0)
      .show_default();
  app.add_option("--every", o.every_s, "seconds: mean time between messages of a link in one direction; 0: none")
      .range(0.0, 3600.0)
      .show_default();
  app.add_option("--snr-100m", o.snr_100m_db, "dB at 100 m, a UE's power over the whole carrier")
      .range(-50.0, 100.0)
      .show_default();
  app.add_option("--exponent", o.exponent, "of the path loss").range(1.5, 6.0).show_default();
  app.add_option("--snr", o.equal_db, "dB: instead of path loss, all hear each other alike").range(-10.0, 60.0);
  app.add_option("--seeds", o.seeds, "towns of each kind").range(1, 100'000).show_default();
  app.add_option("--seed", o.seed, "of the first").show_default();
  app.add_flag("--no-verdict", o.no_verdict, "nobody listens and judges");
  app.add_flag("--cost", o.cost, "add processor time and memory, which differ from run to run");
  app.add_option("--threads", o.threads, "0: all cores, under mpirun one a process; results do not depend on it")
      .range(0, 1024)
      .show_default();
  app.add_option("--out", o.out, "result file, a line of JSON a town, written as they end; - is standard output")
      .type_name("FILE|-");
  app.add_flag("--resume", o.resume, "run only those towns that --out does not have yet");
  app.add_option("--plot", o.plot, "picture of the figures over density or number").type_name("FILE.png");
}
}  // namespace

static int run_main(int argc, char** argv) {
  options o;
  const auto path = find_config_path(argc, argv);
  auto file = path.empty() ? config_section::parse("", "") : config_section::load(path);
  if (!file) return usage_error(program, file.error());
  read_config(*file, o);
  if (const auto ok = file->check(); !ok) return usage_error(program, ok.error());
  command_line app(program, "Towns of simulated UEs: discovery, links, delivery and linkability over density.",
                   o.common);
  add_options(app, o);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (o.common.print_config) {
    auto now = file->in_force();
    read_config(now, o);
    return print_config(now.effective());
  }
  if (o.resume && !is_file(o.out)) return report(program, "--resume goes with --out FILE", exit_usage);
  file_roles files;
  files.reads("--config", o.common.config_path);
  files.writes("--out", o.out);
  files.writes("--plot", o.plot);
  if (const auto ok = files.check(); !ok) return usage_error(program, ok.error());
  if (o.common.check) return report_right(program, o.common.config_path);
  auto team = ranks::join();
  if (!team) return run_error(program, team.error());
  if (o.threads == 0)
    o.threads = team->by_mpirun() ? 1 : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  return campaign(o, *team).run();
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
