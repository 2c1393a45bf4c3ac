// prose-iq measure: what two radios hear of each other over their cable, as JSON.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "apps/iq/commands.h"
#include "apps/iq/test_burst.h"
#include "apps/lib/common/cli.h"
#include "apps/lib/common/radio_profile.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "phy/radio/burst_sender.h"

namespace prose::apps {
namespace {

using phy::cf32;
using json = nlohmann::ordered_json;

// Chosen, not derived.
constexpr double ahead_s = 0.6;   // what begins at a tick is asked for so long before it: the host may be busy
constexpr double slack_s = 0.02;  // how far the two clocks may be misjudged: what asking both for their time takes
constexpr int period_subframes = 10;
constexpr double send_ahead_s = 8e-3;   // bursts are handed over so long before their time: no buffer holds two of them
constexpr int turnaround_samples = 64;  // by how much the clocks may have moved since: 10 ppm of half a second
constexpr double longest_turnaround_s = 2e-3;
constexpr std::array<double, 6> leads_s{1e-3, 2e-3, 3e-3, 4e-3, 6e-3, 8e-3};
constexpr int tries_a_lead = 10;
constexpr int most_symbols = 200;  // of a path, for its picture

/// Samples of one value of strength_db: an eighth of a symbol. The turnaround is known as exactly.
std::size_t strength_step(const test_burst& b) { return static_cast<std::size_t>(b.carrier.fft_size) / 8; }

/// A radio, and the thread that hands bursts to it while it is read.
struct station {
  phy::radio& radio;
  phy::burst_sender sender;
};

struct planned_burst {
  station* from = nullptr;
  std::int64_t tick = 0;  ///< of its device's time
  std::span<const cf32> samples;
};

struct captured {
  std::int64_t start = 0;  ///< receiver's tick of the first sample
  std::vector<cf32> samples;
};

/// What is late shows in counters and as an unheard burst; what tx_limits withhold ends the measurement.
result<void> send(station& from, std::int64_t tick, std::span<const cf32> samples) {
  const auto sent = from.sender.send(tick, samples);
  if (!sent) return tl::unexpected(sent.error());
  if (*sent == phy::transmit_status::withheld) return fail("not sent: tx_limits allow " + from.radio.duty_limit());
  return {};
}

/// Reads a radio from `start` to `end` and sends its bursts of the plan (in order of time) meanwhile. keep(tick,
/// samples) is called with what is read.
template <class F>
result<void> serve(station& of, std::int64_t start, std::int64_t end, std::span<const planned_burst> plan,
                   const std::atomic<bool>& ended, F&& keep) {
  const double rate = of.radio.sample_rate_hz();
  const auto early = static_cast<std::int64_t>(send_ahead_s * rate);
  std::vector<cf32> block(static_cast<std::size_t>(rate / 1000));
  auto next = plan.begin();
  for (std::int64_t at = start; at < end && !ended;) {
    if (stop_requested()) return fail("stopped");
    for (; next != plan.end() && (next->from != &of || next->tick < at + early); ++next) {
      if (next->from != &of) continue;
      if (const auto ok = send(of, next->tick, next->samples); !ok) return ok;
    }
    if (const auto ok = of.sender.wait_until_begun(); !ok) return ok;
    const auto got = of.radio.read(block);
    if (!got) return tl::unexpected(got.error());
    if (got->time_jump != 0) return fail("the radio's time leapt while it was measured");
    keep(got->first_tick, std::span<const cf32>(block).first(got->n_samples));
    at = got->first_tick + static_cast<std::int64_t>(got->n_samples);
  }
  if (const auto ok = of.sender.finish(); !ok) return ok;
  of.radio.stop();
  return {};
}

/// n samples of `own` from soon on, while bursts of both go out in time: plan_from(start) says which. Samples that were
/// lost are zeros. The other radio is read as well, by a thread of its own: its time tells when to hand over its
/// bursts. apart: own time less that of the other, ticks.
template <class F>
result<captured> capture(station& own, station& other, std::int64_t apart, std::size_t n, F&& plan_from) {
  captured c;
  c.samples.resize(n);  // before the clock is asked: it takes time
  const auto now = own.radio.now_tick();
  if (!now) return tl::unexpected(now.error());
  c.start = *now + static_cast<std::int64_t>(ahead_s * own.radio.sample_rate_hz());
  const std::int64_t other_start = c.start - apart, length = static_cast<std::int64_t>(n);
  if (const auto ok = own.radio.start(c.start); !ok) return tl::unexpected(ok.error());
  if (const auto ok = other.radio.start(other_start); !ok) return tl::unexpected(ok.error());
  const std::vector<planned_burst> plan = plan_from(c.start);
  std::atomic<bool> ended = false;
  result<void> done, other_done;
  {
    const std::jthread beside([&] {
      other_done = serve(other, other_start, other_start + length, plan, ended, [](auto, auto) {});
      if (!other_done) ended = true;
    });
    done = serve(own, c.start, c.start + length, plan, ended, [&](std::int64_t tick, std::span<const cf32> samples) {
      for (std::size_t i = 0; i < samples.size(); ++i) {
        const std::int64_t place = tick + static_cast<std::int64_t>(i) - c.start;
        if (place >= 0 && place < length) c.samples[static_cast<std::size_t>(place)] = samples[i];
      }
    });
    if (!done) ended = true;
  }
  if (!done) return tl::unexpected(done.error());
  if (!other_done) return tl::unexpected(other_done.error());
  return c;
}

/// The receiver's time less the sender's, in ticks, as near as asking them one after the other tells.
result<std::int64_t> between_clocks(const phy::radio& tx, const phy::radio& rx) {
  const auto a = tx.now_tick();
  if (!a) return tl::unexpected(a.error());
  const auto b = rx.now_tick();
  if (!b) return tl::unexpected(b.error());
  return *b - *a;
}

struct path_measurement {
  std::vector<burst_measurement> bursts;  ///< those that were found, in order
  std::vector<double> offsets;            ///< of each: arrival less departure, by their own device's clock; samples
  std::vector<double> departures;         ///< of each: samples after the first burst of the series
  double noise_dbfs = 0;                  ///< between the bursts
  std::optional<double> turnaround_s;
  std::vector<double> strength_db;  ///< of what is heard from the end of an own burst on, a piece each

  bool heard() const { return !bursts.empty(); }
};

/// Power between the bursts, or of everything where there are none.
double noise_of(std::span<const cf32> x, const std::vector<burst_measurement>& bursts, std::size_t subframe) {
  if (bursts.empty()) return power_dbfs(x);
  std::vector<cf32> quiet;
  for (const auto& b : bursts) {
    const auto from = static_cast<std::size_t>(b.place.sample) + 2 * subframe;
    const auto to = std::min(from + (period_subframes - 4) * subframe, x.size());
    if (from < to)
      quiet.insert(quiet.end(), x.begin() + static_cast<std::ptrdiff_t>(from),
                   x.begin() + static_cast<std::ptrdiff_t>(to));
  }
  return power_dbfs(quiet);
}

result<path_measurement> measure_path(station& tx, station& rx, burst_finder& finder, int n_bursts) {
  const auto clocks = between_clocks(tx.radio, rx.radio);
  if (!clocks) return tl::unexpected(clocks.error());
  const auto& samples = finder.burst().samples;
  const auto subframe = static_cast<std::int64_t>(samples.size());
  const std::int64_t period = period_subframes * subframe;
  const auto slack = static_cast<std::int64_t>(slack_s * rx.radio.sample_rate_hz());
  const auto starts = series_starts(slack, period, n_bursts);
  const auto n = static_cast<std::size_t>(starts.back() + period + slack);
  const auto got = capture(rx, tx, *clocks, n, [&](std::int64_t start) {
    std::vector<planned_burst> plan;
    for (const std::int64_t s : starts) plan.push_back({&tx, start + s - *clocks, samples});
    return plan;
  });
  if (!got) return tl::unexpected(got.error());
  const std::span<const cf32> x = got->samples;
  path_measurement m;
  const auto places = finder.find_series(x, starts, slack);
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!places[i]) continue;
    m.bursts.push_back(finder.measure(x, *places[i]));
    m.offsets.push_back(m.bursts.back().place.sample - static_cast<double>(starts[i] - *clocks));
    m.departures.push_back(static_cast<double>(starts[i] - starts[0]));
  }
  m.noise_dbfs = noise_of(x, m.bursts, static_cast<std::size_t>(subframe));
  return m;
}

/// What of a radio's counters means that samples went astray, to it or from it.
std::uint64_t losses(const phy::radio& r) {
  const auto c = r.counters();
  return c.lates + c.underflows + c.overflows + c.sequence_errors;
}

std::vector<cf32> answer_of(const test_burst& burst) {
  return endless(
      burst, burst.samples.size() + static_cast<std::size_t>(longest_turnaround_s * burst.carrier.sample_rate_hz()));
}

/// How long after an own burst `own` hears the other again; not told where that burst or what was heard is not whole.
/// `path`: from the other to this one.
result<void> measure_turnaround(station& own, station& other, const burst_finder& finder, path_measurement& path) {
  const auto& burst = finder.burst().samples;
  const double rate = own.radio.sample_rate_hz();
  const auto answer = answer_of(finder.burst());
  const std::int64_t offset = std::llround(path.offsets.back());
  const auto begin = static_cast<std::int64_t>(2 * burst.size());  // of both, after the start of the capture
  const auto losses_before = losses(own.radio);
  const auto got = capture(own, other, offset, answer.size() + 4 * burst.size(), [&](std::int64_t start) {
    const std::int64_t at = start + begin;
    return std::vector<planned_burst>{{&other, at - offset, answer}, {&own, at, burst}};
  });
  if (!got) return tl::unexpected(got.error());
  const std::size_t piece = strength_step(finder.burst());
  const std::size_t active = finder.burst().active;  // then nothing of the own burst is sent any more
  const known_signal rest{std::span<const cf32>(answer).subspan(active), path.bursts.back().place.cfo_hz, rate, piece};
  path.strength_db = strength_of(got->samples, rest, begin + static_cast<std::int64_t>(active), turnaround_samples);
  const std::size_t first = heard_from(path.strength_db);
  if (first < path.strength_db.size() / 2 && losses(own.radio) == losses_before)
    path.turnaround_s = static_cast<double>(first * piece) / rate;
  return {};
}

struct lead_count {
  double lead_s = 0;
  int tries = 0;
  std::uint64_t lates = 0;
};

/// How often a burst that is handed over so long after the last sample read comes too late.
result<lead_count> count_lates(station& of, std::span<const cf32> burst, double lead_s) {
  phy::radio& radio = of.radio;
  const auto before = radio.counters().lates;
  const double rate = radio.sample_rate_hz();
  std::vector<cf32> block(static_cast<std::size_t>(rate / 1000));
  for (int i = 0; i < tries_a_lead * 2 + period_subframes; ++i) {
    if (stop_requested()) return fail("stopped");
    if (const auto ok = of.sender.wait_until_begun(); !ok) return tl::unexpected(ok.error());
    const auto got = radio.read(block);
    if (!got) return tl::unexpected(got.error());
    if (i % 2 != 0 || i >= tries_a_lead * 2) continue;
    const std::int64_t end = got->first_tick + static_cast<std::int64_t>(got->n_samples);
    if (const auto ok = send(of, end + static_cast<std::int64_t>(lead_s * rate), burst); !ok)
      return tl::unexpected(ok.error());
  }
  if (const auto ok = of.sender.finish(); !ok) return tl::unexpected(ok.error());
  return lead_count{lead_s, tries_a_lead, radio.counters().lates - before};
}

result<json> leads_of(station& of, const test_burst& burst) {
  json all = json::array();
  const auto piece = std::span<const cf32>(burst.samples).first(burst.samples.size() / 10);
  for (const double lead_s : leads_s) {
    const auto n = count_lates(of, piece, lead_s);
    if (!n) return tl::unexpected(n.error());
    all.push_back({{"lead_ms", lead_s * 1e3}, {"tries", n->tries}, {"lates", n->lates}});
  }
  of.radio.stop();
  return all;
}

double mean(std::span<const double> v) {
  double sum = 0;
  for (const double x : v) sum += x;
  return v.empty() ? 0 : sum / static_cast<double>(v.size());
}

/// Slope of the offsets: by how much of a sample they move in one.
double slope_of(const path_measurement& m) {
  const double middle = mean(m.departures), level = mean(m.offsets);
  double xy = 0, xx = 0;
  for (std::size_t i = 0; i < m.offsets.size(); ++i) {
    const double d = m.departures[i] - middle;
    xy += d * (m.offsets[i] - level);
    xx += d * d;
  }
  return xx > 0 ? xy / xx : 0;
}

/// Largest distance of the offsets from the line through them.
double unsteadiness(const path_measurement& m) {
  const double slope = slope_of(m), middle = mean(m.departures), level = mean(m.offsets);
  double most = 0;
  for (std::size_t i = 0; i < m.offsets.size(); ++i)
    most = std::max(most, std::abs(m.offsets[i] - level - slope * (m.departures[i] - middle)));
  return most;
}

json json_of(const path_measurement& m, int n_sent, double rate_hz) {
  json j{{"sent", n_sent}, {"found", m.bursts.size()}, {"noise_dbfs", m.noise_dbfs}};
  if (!m.heard()) return j;
  std::vector<double> cfo, power, snr, arrival;
  std::vector<cf32> symbols;
  int decoded = 0, clipped = 0;
  float peak = 0;
  for (const auto& b : m.bursts) {
    cfo.push_back(b.place.cfo_hz);
    power.push_back(std::pow(10, b.power_dbfs / 10));
    if (b.decoded) snr.push_back(b.snr_db);
    decoded += b.decoded ? 1 : 0;
    clipped += b.n_clipped;
    peak = std::max(peak, b.peak);
    if (b.decoded) symbols.insert(symbols.end(), b.symbols.begin(), b.symbols.end());
  }
  for (const double o : m.offsets) arrival.push_back(o / rate_hz * 1e6);
  const auto [low, high] = std::minmax_element(cfo.begin(), cfo.end());
  j["decoded"] = decoded;
  j["arrival_us"] = mean(arrival);
  j["arrivals_us"] = arrival;
  j["unsteady_samples"] = unsteadiness(m);
  j["drift_ppm"] = slope_of(m) * 1e6;
  j["cfo_hz"] = mean(cfo);
  j["cfo_spread_hz"] = *high - *low;
  j["cfos_hz"] = cfo;
  j["power_dbfs"] = 10 * std::log10(mean(power));
  j["peak"] = peak;
  j["clipped_samples"] = clipped;
  if (!snr.empty()) j["snr_db"] = mean(snr);
  if (!symbols.empty()) j["evm_percent"] = 100 * evm_of(symbols);
  json points = json::array();
  for (std::size_t i = 0; i < symbols.size() && points.size() < most_symbols; ++i)
    points.push_back({std::round(symbols[i].real() * 1e3F) / 1e3, std::round(symbols[i].imag() * 1e3F) / 1e3});
  j["symbols"] = points;
  if (m.turnaround_s) j["turnaround_us"] = *m.turnaround_s * 1e6;
  j["strength_db"] = m.strength_db;
  return j;
}

json json_of(const phy::radio& r) {
  const auto c = r.counters();
  return {{"description", r.description()},
          {"notes", r.notes()},
          {"overflows", c.overflows},
          {"underflows", c.underflows},
          {"lates", c.lates},
          {"sequence_errors", c.sequence_errors},
          {"restarts", c.restarts},
          {"bursts_sent", c.bursts_sent}};
}

result<json> measure_all(std::array<std::unique_ptr<phy::radio>, 2>& radios, burst_finder& finder,
                         const measure_options& o) {
  const std::size_t longest = answer_of(finder.burst()).size();
  std::array<station, 2> stations{{{*radios[0], {*radios[0], longest}}, {*radios[1], {*radios[1], longest}}}};
  json paths = json::array();
  for (const int to : {1, 0}) {
    station &tx = stations[1 - to], &rx = stations[to];
    auto path = measure_path(tx, rx, finder, o.bursts);
    if (!path) return tl::unexpected(path.error());
    if (path->heard())
      if (const auto ok = measure_turnaround(rx, tx, finder, *path); !ok) return tl::unexpected(ok.error());
    json j{{"from", 1 - to}, {"to", to}};
    j.update(json_of(*path, o.bursts, rx.radio.sample_rate_hz()));
    paths.push_back(j);
  }
  json sides = json::array();
  for (station& s : stations) {
    // Before the bursts that are late on purpose.
    json side = json_of(s.radio);
    const auto leads = leads_of(s, finder.burst());
    if (!leads) return tl::unexpected(leads.error());
    side["leads"] = *leads;
    sides.push_back(side);
  }
  const double rate = radios[0]->sample_rate_hz();
  return json{{"sample_rate_hz", rate},
              {"burst_dbfs", o.power_db},
              {"resolution_us", 1e6 * static_cast<double>(strength_step(finder.burst())) / rate},
              {"radios", sides},
              {"paths", paths}};
}

}  // namespace

namespace {

/// What the two profiles say, and the burst that fits them.
struct measurement {
  std::array<phy::radio_config, 2> configs;
  std::optional<burst_finder> finder;
};

result<measurement> prepare(const measure_options& o) {
  measurement m;
  for (std::size_t i = 0; i < 2; ++i) {
    auto& c = m.configs[i];
    if (auto ok = load_radio_profile(o.profiles[i], c); !ok) return tl::unexpected(ok.error());
    c.blank_own_bursts = false;
    c.transmit_timeout_s = 10;
    wait_as_a_program(c);
  }
  if (m.configs[0].sample_rate_hz != m.configs[1].sample_rate_hz)
    return fail(o.profiles[1] + ": sample_rate_hz differs from that of " + o.profiles[0] + "; accepted: the same");
  auto burst = test_burst::make(m.configs[0].sample_rate_hz, static_cast<float>(o.power_db));
  if (!burst) return fail(o.profiles[0] + ": " + burst.error().message);
  auto finder = burst_finder::make(std::move(*burst));
  if (!finder) return tl::unexpected(finder.error());
  m.finder.emplace(std::move(*finder));
  return m;
}

}  // namespace

int run_measure(const measure_options& o) {
  std::array<std::unique_ptr<phy::radio>, 2> radios;
  auto m = prepare(o);
  if (!m) return usage_error(iq_program, m.error());
  if (looks_only()) {
    for (const auto& c : m->configs)
      if (const auto ok = phy::radio::check(c); !ok) return usage_error(iq_program, ok.error());
    return exit_ok;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    auto opened = phy::radio::open(m->configs[i]);
    if (!opened) return usage_error(iq_program, opened.error());
    radios[i] = std::move(*opened);
  }
  const auto measured = measure_all(radios, *m->finder, o);
  if (!measured) return run_error(iq_program, measured.error());
  std::printf("%s\n", measured->dump(-1, ' ', false, json::error_handler_t::replace).c_str());
  return std::fflush(stdout) == 0 ? exit_ok : exit_failure;
}

}  // namespace prose::apps
