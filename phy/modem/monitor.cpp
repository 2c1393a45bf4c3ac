#include "phy/modem/monitor.h"

#include <algorithm>
#include <cmath>

#include "phy/modem/band_watch.h"
#include "phy/modem/event_sink.h"
#include "phy/modem/numberings.h"
#include "phy/modem/reception/subframe_view.h"
#include "phy/modem/soft_buffers.h"
#include "phy/modem/stream_window.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/sync/prefix_search.h"
#include "phy/sync/slss_search.h"
#include "phy/types/delay_range.h"

namespace prose::phy {
namespace {

/// Both chosen, not derived: transmitters with a timing of their own, and blocks whose other transmissions may follow.
constexpr int max_tracks = 4;
constexpr int n_soft_buffers = 16;
/// Room of the stream in subframes. Half of it is padding (stream_window), so it holds six: the search window of two
/// and a bit, one to look back, and what is appended.
constexpr int window_subframes = 12;
/// A subframe below this power is digital silence: nothing is looked for.
constexpr float silence_db = -250;
/// Subframes without anything decoded after which a transmitter's timing is forgotten: 20 ppm move it by 60 Ts in 100
/// ms.
constexpr int track_memory_subframes = 400;
/// The longest SLSS period is 160 subframes (V2X), so every reference that is received is heard in this time.
constexpr std::int64_t slss_heard_within_subframes = 170;
/// A track that SLSS gave is searched for again after this long.
constexpr int slss_memory_subframes = 500;
/// While references are tracked in sync_mode::slss, others are searched for in the first slss_heard_within_subframes of
/// so many.
constexpr std::int64_t slss_scan_every_subframes = 1000;
/// Fruitless attempts in a row after which the blind search tries only the best candidates: a carrier full of signals
/// that cannot be decoded must not cost many times real time for ever. Both chosen, not derived.
constexpr int patience = 4000;
constexpr int hurried_candidates = 2;

// Tracking; all chosen, not derived. tolerated_error is in prefixes.
constexpr double tolerated_error = 0.35;        ///< not corrected: the receiver needs no window of its own for it
constexpr int settled_after = 4;                ///< decoded subframes until a track is corrected slowly
constexpr double first_gain = 0.5, gain = 0.2;  ///< share of an error that is corrected at once
/// A track is that of its earliest transmitter: others come later by the way they are farther off. After so many
/// subframes without it the track goes to the next one. It may be a reference that sends nothing but SLSS. Drift moves
/// it by 7 us in that time at 40 ppm.
constexpr std::int64_t earliest_memory_subframes = slss_heard_within_subframes;
/// Where something was decoded already, a candidate of prefix_search below this share of the best one's score is a side
/// lobe of it. Chosen, not derived.
constexpr float side_lobe = 0.05F;

constexpr int psbch_prbs = 6;  ///< TS 36.211 9.6.4

int largest_tbs(const carrier_config& c) {
  int largest = 0;
  for (int mcs = 0; mcs < 32; ++mcs)
    for (int format = 0; format < 2; ++format)
      if (const auto t = pssch_transport(c.tm, mcs, c.n_prb, format)) largest = std::max(largest, t->tbs);
  return largest;
}

/// Subframe timing of one transmitter, or of several that agree.
struct track {
  bool used = false;
  double next_start = 0;          ///< tick
  std::int64_t next_index = 0;    ///< its subframe index
  std::int64_t last_decoded = 0;  ///< subframe indices
  std::int64_t last_slss = 0;
  int n_decoded = 0;
  std::int64_t last_in_time = 0;  ///< the earliest transmitter was heard, subframe index
};

struct outcome {
  int decoded = 0;
  bool slss = false;
  std::optional<float> earliest;  ///< event_sink::earliest()
};

/// A pool of TM1/2 of which nothing is known.
result<void> add_unknown_pool(const carrier_config& carrier, std::vector<comm_monitor>& monitors) {
  auto pool = comm_pool::make({.n_prb = carrier.n_prb, .tm = carrier.tm, .known = false});
  if (!pool) return fail("pool: " + pool.error().message);
  monitors.emplace_back(carrier, std::move(*pool));
  return {};
}

/// Monitors of each pool of the configuration. Without pools: monitors that search everything.
result<void> monitor_pools(const monitor_config& config, pool_monitors& pools) {
  const carrier_config& carrier = config.carrier;
  const bool wide = is_v2x(carrier.tm);
  for (const monitor_pool& known : config.pools) {
    if (const auto* v2x = std::get_if<v2x_pool_config>(&known)) {
      if (!wide) return fail("pool: a v2x pool needs transmission mode 3 or 4");
      v2x_pool_config c = *v2x;
      c.n_prb = carrier.n_prb;
      auto pool = v2x_pool::make(c);
      if (!pool) return fail("pool: " + pool.error().message);
      pools.v2x.emplace_back(carrier, std::move(*pool));
    } else if (const auto* comm = std::get_if<comm_pool_config>(&known)) {
      if (wide) return fail("pool: an sl_comm pool needs transmission mode 1 or 2");
      comm_pool_config c = *comm;
      c.n_prb = carrier.n_prb;
      c.tm = carrier.tm;
      auto pool = comm_pool::make(c);
      if (!pool) return fail("pool: " + pool.error().message);
      pools.comm.emplace_back(carrier, std::move(*pool), config.unannounced);
    } else if (const auto* discovery = std::get_if<discovery_pool_config>(&known)) {
      discovery_pool_config c = *discovery;
      c.n_prb = carrier.n_prb;
      auto pool = discovery_pool::make(c);
      if (!pool) return fail("pool: " + pool.error().message);
      pools.discovery.emplace_back(carrier, std::move(*pool));
    }
  }
  if (config.pools.empty() && wide) pools.v2x.emplace_back(carrier, std::nullopt);
  if (config.pools.empty() && !wide) {
    if (auto ok = add_unknown_pool(carrier, pools.comm); !ok) return ok;
    pools.discovery.emplace_back(carrier, std::nullopt);
  }
  if (config.search_beside && !config.pools.empty()) {
    if (wide) {
      pools.v2x_unexplained.emplace_back(carrier, std::nullopt);
    } else if (auto ok = add_unknown_pool(carrier, pools.comm_unexplained); !ok) {
      return ok;
    }
    pools.discovery_unexplained.emplace_back(carrier, std::nullopt);
  }
  return {};
}

}  // namespace

struct monitor::impl {
  monitor_config config;
  int sps;
  int prefix_length;
  subframe_receiver rx;
  soft_buffers buffers;
  numberings numbers;
  std::optional<band_watch> watch;
  std::optional<slss_search> slss;
  std::optional<prefix_search> prefix;
  std::int64_t search_window = 0;  // samples
  event_sink sink;
  stream_window stream;
  monitor_statistics statistics;
  bool started = false;

  // aligned
  std::int64_t next_stored = 0;  // index among the stored subframes
  std::int64_t index = 0;        // unwrapped absolute number where known
  int last_absolute = -1;

  // slss, blind
  std::array<track, max_tracks> tracks{};
  std::int64_t epoch = 0;       // tick of subframe index 0
  std::int64_t search_at = 0;   // starts before this tick are done
  std::int64_t n_searched = 0;  // subframes since the start or the last gap
  int fruitless = 0;

  impl(const monitor_config& c, subframe_receiver&& r, std::vector<pool_monitors>&& pools)
      : config(c),
        sps(c.carrier.samples_per_subframe()),
        prefix_length(static_cast<int>(prefix_samples(c.carrier))),
        rx(std::move(r)),
        buffers(n_soft_buffers, largest_tbs(c.carrier)),
        numbers(std::move(pools)),
        sink(static_cast<std::int64_t>(most_late_samples(c.carrier))),
        stream(c.n_antennas, window_subframes * c.carrier.samples_per_subframe()) {
    if (c.search_beside) watch.emplace(c.carrier);
  }

  void step(bool end);
  void step_aligned(bool end);
  void step_search(bool end);
  int try_candidate(double start);
  double look_before(double start, std::int64_t subframe_index);
  bool follow(track& t);
  /// known: the absolute number that the timing gives, where sync is aligned.
  outcome examine(std::int64_t start, std::int64_t subframe_index, std::optional<int> known, bool trial = false);
  void receive_slss(subframe_view& sf, bool numbered, outcome& o);
  void listen(subframe_view& sf, pool_monitors& pools, outcome& o);
  bool near_track(double start, bool whole_symbols) const;
  track* track_after(double start, const track* other_than = nullptr);
  void merge_tracks();
  void correct(track& t, double earliest) const;
  std::int64_t index_of(double start) const { return std::llround((start - static_cast<double>(epoch)) / sps); }
};

// --- one subframe ---

outcome monitor::impl::examine(std::int64_t start, std::int64_t subframe_index, std::optional<int> known, bool trial) {
  outcome o;
  std::array<std::span<const cf32>, max_rx_antennas> antennas;
  for (int a = 0; a < config.n_antennas; ++a) antennas[a] = stream.at(a, start, sps);
  const auto loaded = rx.load(std::span(antennas).first(config.n_antennas));
  ++statistics.subframes;
  if (loaded.power_db < silence_db) return o;
  sink.begin_subframe();
  subframe_view sf{rx,
                   sink,
                   statistics,
                   start,
                   subframe_index,
                   known.value_or(-1),
                   config.report_failed_tbs,
                   trial,
                   loaded.power_db,
                   watch ? &*watch : nullptr};
  if (watch) watch->begin_subframe(rx);
  receive_slss(sf, known.has_value(), o);
  const auto listen_as = [&](pool_monitors& pools, int absolute) {
    sf.absolute = absolute;
    listen(sf, pools, o);
  };
  if (known) {
    listen_as(numbers.first(), *known);
  } else {
    numbers.forget(subframe_index, slss_memory_subframes);
    numbers.each(subframe_index, listen_as);
  }
  o.earliest = sink.earliest();
  if (watch && !trial) {
    statistics.prbs_occupied += watch->n_occupied();
    statistics.prbs_unexplained += watch->unexplained().size();
  }
  return o;
}

/// numbered: the timing gives the subframe's number, whatever the MIB says.
void monitor::impl::receive_slss(subframe_view& sf, bool numbered, outcome& o) {
  const slss_result id = rx.detect_slss();
  if (!id.detected) return;
  const psbch_result mib = rx.decode_psbch(id.n_sl_id, hints_of(id.signal));
  if (!mib.detected || !sf.credible(mib.signal)) return;
  mib_sl_event e;
  const auto fields = unpack_mib_sl(mib.payload());
  if (fields) e.mib = *fields;
  if (fields && !numbered) {
    sf.absolute = fields->direct_frame_number * 10 + fields->direct_subframe_number;
    numbers.heard(sf.index, sf.absolute);
  }
  e.rx = sf.at(mib.signal);
  e.n_sl_id = id.n_sl_id;
  if (sink.add(e, mib.payload())) ++statistics.mib;
  // Around the middle of the carrier; if its number of PRBs is odd, half a PRB at either end.
  const int n_prb = config.carrier.n_prb;
  if (watch) watch->explain((n_prb - psbch_prbs) / 2, psbch_prbs + n_prb % 2);
  o.slss = true;
  ++o.decoded;
}

void monitor::impl::listen(subframe_view& sf, pool_monitors& pools, outcome& o) {
  for (auto& pool : pools.v2x) o.decoded += pool.examine(sf, buffers);
  for (auto& pool : pools.comm) o.decoded += pool.examine(sf, buffers);
  for (auto& pool : pools.discovery) o.decoded += pool.examine(sf);
  if (!watch || sf.trial) return;
  for (auto& any : pools.comm_unexplained) o.decoded += any.examine_unexplained(sf, buffers, watch->unexplained());
  for (auto& any : pools.v2x_unexplained) o.decoded += any.examine_unexplained(sf, buffers, watch->unexplained());
  for (auto& any : pools.discovery_unexplained) o.decoded += any.examine_unexplained(sf, watch->unexplained());
}

// --- aligned ---

void monitor::impl::step_aligned(bool end) {
  const aligned_timing& t = config.timing;
  while (true) {
    const std::int64_t start = t.first_subframe_sample + next_stored * sps;
    if (start < stream.first_tick()) {  // before the stream, or lost in a gap
      const std::int64_t missing = stream.first_tick() - start;
      next_stored += (missing + sps - 1) / sps;
      continue;
    }
    const bool whole = start + sps <= stream.end_tick();
    if (!whole && !(end && start < stream.end_tick())) {
      stream.drop_before(std::min(start, stream.end_tick()));
      return;
    }
    int absolute = -1;
    const std::int64_t n = std::ssize(t.absolute_subframes);
    if (n > 0) {
      const std::int64_t number =
          next_stored < n ? t.absolute_subframes[next_stored] : t.absolute_subframes.back() + next_stored - n + 1;
      absolute = static_cast<int>((number % n_absolute_subframes + n_absolute_subframes) % n_absolute_subframes);
      index += last_absolute < 0 ? 0 : (absolute - last_absolute + n_absolute_subframes) % n_absolute_subframes;
      last_absolute = absolute;
    } else {
      index = next_stored;
    }
    examine(start, index, absolute);
    ++next_stored;
  }
}

// --- searching and tracking ---

/// Where the receiver of a track's subframes hears a transmission that starts here or, with whole_symbols, at any of
/// their symbols.
bool monitor::impl::near_track(double start, bool whole_symbols) const {
  const delay_range range = received_delays(config.carrier.cp);
  for (const track& t : tracks) {
    if (!t.used) continue;
    double d = std::fmod(start - t.next_start, sps);
    if (d < 0) d += sps;
    if (d <= range.latest * config.carrier.fft_size || d - sps >= range.earliest * config.carrier.fft_size) return true;
    if (!whole_symbols) continue;
    for (int l = 0; l < config.carrier.symbols_per_subframe(); ++l) {
      const double boundary = l == 0 ? 0.0 : symbol_start_samples(config.carrier, l - 1) + config.carrier.fft_size;
      if (std::abs(d - boundary) <= prefix_length) return true;
    }
  }
  return false;
}

/// A track whose transmitters are heard from this start as well: it is the later one of the two.
track* monitor::impl::track_after(double start, const track* other_than) {
  for (track& t : tracks) {
    if (!t.used || &t == other_than) continue;
    double d = std::fmod(t.next_start - start, sps);
    if (d < 0) d += sps;
    if (d <= most_late_samples(config.carrier)) return &t;
  }
  return nullptr;
}

/// Where clocks have brought two tracks together the earlier one hears all, and nothing is examined twice.
void monitor::impl::merge_tracks() {
  for (track& t : tracks) {
    track* later = t.used ? track_after(t.next_start, &t) : nullptr;
    if (later == nullptr) continue;
    t.last_slss = std::max(t.last_slss, later->last_slss);
    later->used = false;
  }
}

/// The track's start follows its earliest transmitter: the receiver hears later ones, but hardly any earlier ones.
void monitor::impl::correct(track& t, double earliest) const {
  const double slack = prefix_length * tolerated_error;
  const double error = std::clamp<double>(earliest, -prefix_length, prefix_length);
  if (error <= slack) t.last_in_time = t.next_index - 1;
  const bool alone = t.next_index - 1 - t.last_in_time > earliest_memory_subframes || t.n_decoded < settled_after;
  if (error < -slack || (error > slack && alone))
    t.next_start += error * (error < 0 || t.n_decoded < settled_after ? first_gain : gain);
}

bool monitor::impl::follow(track& t) {
  const std::int64_t start = std::llround(t.next_start);
  const std::int64_t i = t.next_index++;
  t.next_start += sps;
  if (start < stream.first_tick()) return false;
  const outcome o = examine(start, i, {});
  if (o.slss) t.last_slss = i;
  if (o.decoded > 0) {
    t.last_decoded = i;
    ++t.n_decoded;
    if (o.earliest) correct(t, static_cast<double>(*o.earliest));
    return true;
  }
  const bool stale = i - t.last_decoded > track_memory_subframes;
  const bool slss_lost = config.sync == sync_mode::slss && i - t.last_slss > slss_memory_subframes;
  if (stale || slss_lost) t.used = false;
  return false;
}

/// Of several transmitters that begin within 15 us the search offers the strongest. How far (samples, 0 or less) the
/// earliest of those that are received begins before `start`.
double monitor::impl::look_before(double start, std::int64_t subframe_index) {
  const std::int64_t before = std::llround(start - most_late_samples(config.carrier));
  if (before < stream.first_tick()) return 0;
  const outcome o = examine(before, subframe_index, {}, true);
  if (!o.earliest) return 0;
  return std::min(0.0, static_cast<double>(before) + static_cast<double>(*o.earliest) - start);
}

int monitor::impl::try_candidate(double start) {
  const std::int64_t at = std::llround(start);
  if (at < stream.first_tick()) return 0;
  if (!started) epoch = at;
  const std::int64_t i = index_of(start);
  const outcome o = examine(at, i, {}, true);
  if (o.decoded == 0) {
    ++fruitless;
    return 0;
  }
  fruitless = 0;
  started = true;
  double error = std::clamp<double>(o.earliest.value_or(0), -prefix_length, prefix_length);
  error += look_before(start + error, i);
  track* slot = track_after(start + error);
  const bool examined_before = slot != nullptr;
  if (slot == nullptr)
    slot = &*std::min_element(tracks.begin(), tracks.end(), [](const track& a, const track& b) {
      return (a.used ? a.last_decoded : -1) < (b.used ? b.last_decoded : -1);
    });
  *slot = track{true, start + sps + error, i + 1, i, i, 1, i};
  // The subframe before may have been too weak to be found beside this one, or have begun a few samples before the
  // stream.
  const double before = start + error - sps;
  if (before > static_cast<double>(stream.first_tick()) - prefix_length)
    examine(std::max<std::int64_t>(stream.first_tick(), std::llround(before)), i - 1, {}, examined_before);
  return o.decoded;
}

// Takes the possible starts of one subframe's length at a time: those of known tracks first, then those that a search
// offers.
void monitor::impl::step_search(bool end) {
  while (search_at + search_window <= stream.end_tick() || (end && search_at < stream.end_tick())) {
    int decoded = 0;
    bool tracking = false;
    merge_tracks();
    for (track& t : tracks) {
      while (t.used && t.next_start < static_cast<double>(search_at + sps)) {
        tracking = true;
        decoded += follow(t) ? 1 : 0;
      }
    }
    std::array<std::span<const cf32>, max_rx_antennas> windows;
    for (int a = 0; a < config.n_antennas; ++a) windows[a] = stream.at(a, search_at, search_window);
    const auto antennas = std::span<const std::span<const cf32>>(windows).first(config.n_antennas);
    const bool scanning = n_searched++ % slss_scan_every_subframes < slss_heard_within_subframes;
    if (slss && !(tracking && (config.sync == sync_mode::slss ? !scanning : decoded > 0))) {
      for (const slss_candidate& c : slss->search(antennas)) {
        const double start = static_cast<double>(search_at) + c.start_samples;
        if (near_track(start, decoded > 0)) continue;
        decoded += try_candidate(start);
      }
    }
    if (prefix) {
      int tried = 0;
      float best_score = 0;
      for (const prefix_candidate& c : prefix->search(antennas)) {
        best_score = std::max(best_score, c.score);
        if (decoded > 0 && c.score < side_lobe * best_score) break;
        const double start = static_cast<double>(search_at) + c.start_samples;
        if (near_track(start, decoded > 0)) continue;
        if (fruitless > patience && tried >= hurried_candidates) break;
        ++tried;
        decoded += try_candidate(start);
      }
    }
    search_at += sps;
    // One subframe more, to look back from where an earlier transmitter's begins (try_candidate).
    const auto earliest = static_cast<std::int64_t>(std::ceil(prefix_length + most_late_samples(config.carrier)));
    stream.drop_before(std::min(search_at - sps - earliest, stream.end_tick()));
  }
}

void monitor::impl::step(bool end) {
  if (config.sync == sync_mode::aligned) {
    step_aligned(end);
  } else {
    step_search(end);
  }
}

// --- the object ---

monitor::monitor(std::unique_ptr<impl> p) : impl_(std::move(p)) {}
monitor::monitor(monitor&&) noexcept = default;
monitor& monitor::operator=(monitor&&) noexcept = default;
monitor::~monitor() = default;

result<monitor> monitor::make(const monitor_config& config) {
  const carrier_config& carrier = config.carrier;
  if (config.n_antennas < 1 || config.n_antennas > max_rx_antennas) return fail("n_antennas: 1 to 4 are accepted");
  auto rx = subframe_receiver::make({.carrier = carrier, .n_antennas = config.n_antennas});
  if (!rx) return tl::unexpected(rx.error());
  for (const int s : config.timing.absolute_subframes)
    if (s < 0 || s >= n_absolute_subframes) return fail("absolute_subframes: 0 to 10239 are accepted");
  if (config.pools.size() > max_monitor_pools)
    return fail("pools: at most " + std::to_string(max_monitor_pools) + " are accepted");
  // Without pools subframe numbers matter little, and one set of monitors keeps the layout that was learnt.
  std::vector<pool_monitors> pools(config.sync == sync_mode::aligned || config.pools.empty() ? 1 : numberings::most);
  for (pool_monitors& p : pools)
    if (auto ok = monitor_pools(config, p); !ok) return tl::unexpected(ok.error());
  auto p = std::make_unique<impl>(config, std::move(*rx), std::move(pools));
  if (config.sync != sync_mode::aligned) {
    auto search =
        slss_search::make({.carrier = carrier, .n_antennas = config.n_antennas, .max_cfo_hz = config.max_cfo_hz});
    if (!search) return tl::unexpected(search.error());
    p->search_window = search->window_samples();
    p->slss.emplace(std::move(*search));
  }
  if (config.sync == sync_mode::blind) {
    auto search = prefix_search::make({.carrier = carrier, .n_antennas = config.n_antennas});
    if (!search) return tl::unexpected(search.error());
    p->search_window = std::max<std::int64_t>(p->search_window, search->window_samples());
    p->prefix.emplace(std::move(*search));
  }
  return monitor(std::move(p));
}

std::span<const monitor_event> monitor::process(std::span<const cf32> samples, std::int64_t first_tick) {
  const std::array<std::span<const cf32>, 1> one{samples};
  return process(one, first_tick);
}

std::span<const monitor_event> monitor::process(std::span<const std::span<const cf32>> samples,
                                                std::int64_t first_tick) {
  impl& m = *impl_;
  m.sink.forget_released();
  if (std::ssize(samples) < m.config.n_antennas || samples[0].empty()) return {};
  if (m.stream.empty()) {
    m.stream.restart(first_tick);
    m.search_at = first_tick;
  } else if (first_tick != m.stream.end_tick()) {
    ++m.statistics.gaps;
    m.stream.pad();
    m.step(true);
    m.sink.release_all();
    m.stream.restart(first_tick);
    m.search_at = first_tick;
    for (track& t : m.tracks)
      if (t.used && t.next_start < static_cast<double>(first_tick)) {
        const double missed = std::ceil((static_cast<double>(first_tick) - t.next_start) / m.sps);
        t.next_start += missed * m.sps;
        t.next_index += static_cast<std::int64_t>(missed);
      }
  }
  m.statistics.samples += samples[0].size();
  std::size_t done = 0;
  while (done < samples[0].size()) {
    done += m.stream.append(samples, done, m.statistics.non_finite_samples);
    m.step(false);
  }
  m.sink.release_before(m.stream.first_tick());  // no later subframe begins before that
  return m.sink.released();
}

std::span<const monitor_event> monitor::finish() {
  impl& m = *impl_;
  m.sink.forget_released();
  if (m.stream.empty()) return {};
  m.stream.pad();
  m.step(true);
  m.sink.release_all();
  return m.sink.released();
}

void monitor::restart(std::int64_t first_subframe_sample) {
  impl& m = *impl_;
  m.buffers.clear();
  m.numbers.restart();
  if (m.watch) m.watch->forget();
  m.stream.clear();
  m.started = false;
  m.config.timing.first_subframe_sample = first_subframe_sample;
  m.next_stored = m.index = 0;
  m.last_absolute = -1;
  m.tracks = {};
  m.epoch = m.search_at = m.n_searched = 0;
  m.fruitless = 0;
}

const monitor_statistics& monitor::statistics() const { return impl_->statistics; }

}  // namespace prose::phy
