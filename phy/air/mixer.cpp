#include "phy/air/mixer.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>

#include "phy/air/air_link.h"

namespace prose::phy::air {
namespace {

constexpr double tick_rate = static_cast<double>(ticks_per_second);

double from_db(double db) { return std::pow(10.0, db / 20.0); }

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b != 0 && (a ^ b) < 0 ? 1 : 0); }

bool matches(const name_text& pattern, std::string_view name) {
  const std::string_view p = to_string_view(pattern);
  return p == "*" || p == name;
}

cf32 turn(double turns) {
  const double angle = 2 * std::numbers::pi * (turns - std::floor(turns));
  return {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))};
}

}  // namespace

path_params resolve_path(const air_settings& s, std::string_view from, std::string_view to) {
  path_params p;
  // A device does not hear itself unless a rule says so by name: a cable or a leak.
  p.blocked = from == to;
  for (std::uint32_t i = 0; i < s.n_pair_rules; ++i) {
    const pair_rule& r = s.pair_rules[i];
    if (!matches(r.from, from) || !matches(r.to, to)) continue;
    if (from == to && (to_string_view(r.from) == "*" || to_string_view(r.to) == "*")) continue;
    if (from == to) p.blocked = 0;
    if (r.fields & field_gain) p.gain_db = r.params.gain_db;
    if (r.fields & field_delay) p.delay_s = r.params.delay_s;
    if (r.fields & field_cfo) p.cfo_hz = r.params.cfo_hz;
    if (r.fields & field_drift) p.drift_ppm = r.params.drift_ppm;
    if (r.fields & field_doppler) p.doppler_hz = r.params.doppler_hz;
    if (r.fields & field_fading) p.fading = r.params.fading;
    if (r.fields & field_burst_loss) p.burst_loss = r.params.burst_loss;
    if (r.fields & field_blocked) p.blocked = r.params.blocked;
  }
  return p;
}

node_rule resolve_node(const air_settings& s, std::string_view name) {
  node_rule n;
  for (std::uint32_t i = 0; i < s.n_node_rules; ++i) {
    const node_rule& r = s.node_rules[i];
    if (!matches(r.name, name)) continue;
    if (r.fields & field_noise) n.noise_dbfs = r.noise_dbfs;
    if (r.fields & field_clock) n.clock_ppm = r.clock_ppm;
  }
  return n;
}

struct receiver_mixer::path {
  int slot = 0;
  std::uint32_t generation = 0;
  name_text name{};
  path_params params;
  double clock_ppm = 0.0;  // of the transmitter relative to the receiver
  float gain = 1.0F;
  std::int64_t delay_ticks = 0;
  std::optional<fading_channel> fading;
  std::vector<std::int64_t> tap_delays;  // in receiver's samples
  std::int64_t longest_tap = 0;
  int fading_period = block;
  std::uint64_t cursor = 0;

  double rotation_hz = std::numeric_limits<double>::quiet_NaN();
  std::unique_ptr<rotation_table> table = std::make_unique<rotation_table>();

  std::unique_ptr<interpolator> filter;
  std::int64_t filter_ticks_per_sample = 0;
  double filter_offset_hz = 0.0;

  std::uint64_t loss_key = 0;
  /// Whether the burst that starts at this tick of the transmitter is lost: always the same answer for one seed and
  /// pair.
  bool loses(std::int64_t tick) const {
    return params.burst_loss > 0.0 &&
           static_cast<double>(mix64(loss_key ^ static_cast<std::uint64_t>(tick)) >> 11) * 0x1p-53 < params.burst_loss;
  }

  double drift_ppm() const { return params.drift_ppm + clock_ppm; }

  // NOT 3GPP: a clock that is off for ever would leave the ring; the delay goes to and fro within drift_span_s instead.
  // What one of two devices hears later and later the other hears earlier and earlier, or no follower could align with
  // its reference.
  std::int64_t delay_at(std::int64_t tick) const {
    if (drift_ppm() == 0.0) return delay_ticks;
    const double moved = drift_ppm() * 1e-6 * static_cast<double>(tick) / tick_rate / drift_span_s;
    const double saw = std::abs(moved - 2.0 * std::floor(moved / 2.0 + 0.5));
    return delay_ticks + std::llround((drift_ppm() < 0.0 ? -saw : saw) * drift_span_s * tick_rate);
  }

  const interpolator& filter_for(std::int64_t tx_ticks, std::int64_t rx_ticks, double offset_hz) {
    if (!filter || filter_ticks_per_sample != tx_ticks || filter_offset_hz != offset_hz) {
      filter = std::make_unique<interpolator>(tick_rate / static_cast<double>(tx_ticks),
                                              tick_rate / static_cast<double>(rx_ticks), offset_hz);
      filter_ticks_per_sample = tx_ticks;
      filter_offset_hz = offset_hz;
    }
    return *filter;
  }

  bool on_grid(std::int64_t tx_ticks, std::int64_t rx_ticks, double offset_hz) const {
    return tx_ticks == rx_ticks && drift_ppm() == 0.0 && delay_ticks % rx_ticks == 0 &&
           std::abs(offset_hz) * static_cast<double>(rx_ticks) < 0.02 * tick_rate;
  }
};

/// Samples by position, in a ring (mask) or a plain array (mask all ones).
struct receiver_mixer::source {
  const cf32* samples;
  std::uint64_t position;
  std::uint64_t mask;
};

receiver_mixer::receiver_mixer(air_memory& memory, int slot)
    : memory_(memory),
      slot_(slot),
      noise_(memory.settings.seed, to_string_view(memory.nodes[slot].name)),
      noise_dbfs_(resolve_node(memory.settings, to_string_view(memory.nodes[slot].name)).noise_dbfs),
      adc_(memory.settings.adc_bits) {}

receiver_mixer::~receiver_mixer() = default;

void receiver_mixer::start(std::int64_t ticks_per_sample) {
  ticks_per_sample_ = ticks_per_sample;
  paths_.clear();
  seen_membership_ = ~0U;
}

void receiver_mixer::refresh(const rx_tuning& tuning) {
  tuning_ = tuning;
  rx_gain_ = static_cast<float>(from_db(tuning.gain_db));
  const std::uint32_t membership = memory_.membership.load();
  if (membership == seen_membership_) return;
  seen_membership_ = membership;
  const air_settings& settings = memory_.settings;
  const std::string_view me = to_string_view(memory_.nodes[slot_].name);
  std::erase_if(paths_, [&](const auto& p) {
    const node_slot& n = memory_.nodes[p->slot];
    return n.state == node_state::free || n.generation != p->generation;
  });
  for (std::uint64_t bits = memory_.active.load(); bits != 0; bits &= bits - 1) {
    const int slot = std::countr_zero(bits);
    const node_slot& n = memory_.nodes[slot];
    if (n.state == node_state::free ||
        std::any_of(paths_.begin(), paths_.end(), [&](const auto& p) { return p->slot == slot; }))
      continue;
    auto p = std::make_unique<path>();
    p->slot = slot;
    p->generation = n.generation;
    p->name = n.name;
    p->params = resolve_path(settings, to_string_view(n.name), me);
    p->clock_ppm =
        slot == slot_ ? 0.0
                      : resolve_node(settings, to_string_view(n.name)).clock_ppm - resolve_node(settings, me).clock_ppm;
    p->gain = static_cast<float>(from_db(p->params.gain_db));
    p->loss_key = mix64(settings.seed + 1) ^ (hash_name(to_string_view(n.name)) * 5) ^ hash_name(me);
    p->delay_ticks = std::llround(p->params.delay_s * tick_rate);
    const double sample_s = static_cast<double>(ticks_per_sample_) / tick_rate;
    if (p->params.fading != fading_profile::none) {
      const std::uint64_t key = mix64(settings.seed) ^ (hash_name(to_string_view(n.name)) * 3) ^ hash_name(me);
      p->fading.emplace(p->params.fading, p->params.doppler_hz, key);
      for (int t = 0; t < p->fading->n_taps(); ++t)
        p->tap_delays.push_back(std::llround(p->fading->delay_s(t) / sample_s));
      p->longest_tap = *std::max_element(p->tap_delays.begin(), p->tap_delays.end());
      // The taps stand still for a period in which they turn by no more than 0.01 rad.
      while (p->fading_period > group &&
             2 * std::numbers::pi * p->params.doppler_hz * p->fading_period * sample_s > 0.01)
        p->fading_period /= 2;
    }
    const std::uint64_t count = n.segment_count.load();
    p->cursor = count > max_segments - segment_slack ? count - (max_segments - segment_slack) : 0;
    paths_.push_back(std::move(p));
  }
  std::sort(paths_.begin(), paths_.end(), [](const auto& a, const auto& b) {
    const int c = to_string_view(a->name).compare(to_string_view(b->name));
    return c != 0 ? c < 0 : a->slot < b->slot;
  });
}

std::int64_t receiver_mixer::lookahead_ticks(const rx_tuning& tuning) {
  refresh(tuning);
  std::int64_t most = 0;
  for (const auto& p : paths_) {
    const node_slot& n = memory_.nodes[p->slot];
    const std::int64_t tx_ticks = n.tx_ticks_per_sample.load();
    const double offset = n.tx_freq_hz.load() - tuning.freq_hz;
    if (tx_ticks == 0 || p->params.blocked || p->on_grid(tx_ticks, ticks_per_sample_, offset)) continue;
    if (std::abs(offset) >=
        (tick_rate / static_cast<double>(tx_ticks) + tick_rate / static_cast<double>(ticks_per_sample_)) / 2)
      continue;
    const std::int64_t half = p->filter_for(tx_ticks, ticks_per_sample_, offset).n_taps() / 2;
    const auto early = static_cast<std::int64_t>(p->drift_ppm() < 0.0 ? drift_span_s * tick_rate : 0.0);
    most = std::max(most, half * tx_ticks - p->delay_ticks + early);
  }
  return most + (most > 0 ? ticks_per_sample_ : 0);
}

void receiver_mixer::mix(std::int64_t first, std::size_t n, const rx_tuning& tuning, cf32* out) {
  refresh(tuning);
  const std::int64_t end = first + static_cast<std::int64_t>(n);
  const float noise = static_cast<float>(from_db(noise_dbfs_)) * rx_gain_;
  for (std::int64_t at = first; at < end;) {
    const std::int64_t block_first = at & ~std::int64_t{block - 1};
    const std::int64_t stop = std::min(end, block_first + block);
    const std::int64_t from = at & ~std::int64_t{group - 1};
    const std::int64_t to = (stop + group - 1) & ~std::int64_t{group - 1};
    float* acc = acc_.data() + 2 * (from - block_first);
    bool heard = noise > 0.0F;
    if (heard)
      noise_.fill(from, static_cast<int>(to - from) / group, noise, acc);
    else
      std::memset(acc, 0, static_cast<std::size_t>(to - from) * sizeof(cf32));
    for (const auto& p : paths_) heard = add_path(*p, block_first, from, to) || heard;
    const std::size_t count = stop - at;
    if (heard)
      adc_.run(reinterpret_cast<const cf32*>(acc_.data()) + (at - block_first), out, count);
    else
      std::memset(static_cast<void*>(out), 0, count * sizeof(cf32));
    out += count;
    at = stop;
  }
}

// True when anything was added.
bool receiver_mixer::add_path(path& p, std::int64_t block_first, std::int64_t from, std::int64_t to) {
  if (p.params.blocked) return false;
  const node_slot& n = memory_.nodes[p.slot];
  const std::uint64_t count = n.segment_count.load(std::memory_order_acquire);
  bool heard = false;
  const std::int64_t start_tick = block_first * ticks_per_sample_;
  for (std::uint64_t i = p.cursor; i < count; ++i) {
    const segment& s = n.segments[i % max_segments];
    const std::int64_t first = s.first_index.load(std::memory_order_relaxed);
    const std::int64_t length = s.length.load(std::memory_order_acquire);
    const std::int64_t tx_ticks = s.ticks_per_sample;
    const std::int64_t span = memory_.settings.keep_ticks + filter_span_samples / 2 * tx_ticks;
    // A segment with a successor is complete; one whose last echo is past is never looked at again.
    if (i == p.cursor && i + 1 < count && (first + length) * tx_ticks + span < start_tick) {
      ++p.cursor;
      continue;
    }
    if (first * tx_ticks - span > to * ticks_per_sample_) break;
    if (length == 0 || (first + length) * tx_ticks + span < start_tick) continue;
    if (p.loses(first * tx_ticks)) continue;
    const double offset = s.freq_hz - tuning_.freq_hz;
    if (std::abs(offset) >=
        (tick_rate / static_cast<double>(tx_ticks) + tick_rate / static_cast<double>(ticks_per_sample_)) / 2)
      continue;
    const double rotation = p.params.cfo_hz + p.clock_ppm * 1e-6 * s.freq_hz + offset;
    if (rotation != p.rotation_hz) {
      p.rotation_hz = rotation;
      p.table->fill(2 * std::numbers::pi * rotation * static_cast<double>(ticks_per_sample_) / tick_rate);
    }
    add_segment(p, s, block_first, from, to);
    heard = true;
  }
  return heard;
}

void receiver_mixer::add_segment(path& p, const segment& s, std::int64_t block_first, std::int64_t from,
                                 std::int64_t to) {
  const std::int64_t tx_ticks = s.ticks_per_sample;
  const std::int64_t first = s.first_index.load(std::memory_order_relaxed);
  const std::int64_t length = s.length.load(std::memory_order_acquire);
  const auto& ring = memory_.rings[p.slot];
  const std::uint64_t ring_position = s.ring_position.load(std::memory_order_relaxed);
  const double offset = s.freq_hz - tuning_.freq_hz;
  if (p.on_grid(tx_ticks, ticks_per_sample_, offset)) {
    const std::int64_t delay = p.delay_ticks / ticks_per_sample_;
    add_taps(p, s, {ring.data(), ring_position, ring_samples - 1}, first + delay, first + delay + length, block_first,
             from, to);
    return;
  }
  // Bring the transmitter's samples onto the receiver's grid first.
  const interpolator& filter = p.filter_for(tx_ticks, ticks_per_sample_, offset);
  const std::int64_t taps = filter.n_taps();
  const std::int64_t lo = from - p.longest_tap;
  std::int64_t used_first = to;
  std::int64_t used_end = lo;
  resampled_.assign(to - lo, cf32{});
  constexpr std::int64_t still = 64;  // the delay stands still for so many samples
  for (std::int64_t k = lo; k < to;) {
    const std::int64_t piece = k & ~(still - 1);
    const std::int64_t stop = std::min(to, piece + still);
    const std::int64_t delay = p.delay_at(piece * ticks_per_sample_);
    const std::int64_t w_first = floor_div(k * ticks_per_sample_ - delay, tx_ticks) - (taps / 2 - 1);
    const std::int64_t w_end = floor_div((stop - 1) * ticks_per_sample_ - delay, tx_ticks) + taps / 2 + 1;
    const std::int64_t have_first = std::max(w_first, first);
    const std::int64_t have_end = std::min(w_end, first + length);
    if (have_first < have_end) {
      window_.assign(w_end - w_first, cf32{});
      for (std::int64_t i = have_first; i < have_end; ++i)
        window_[i - w_first] = ring[(ring_position + static_cast<std::uint64_t>(i - first)) & (ring_samples - 1)];
      for (std::int64_t i = k; i < stop; ++i) {
        const std::int64_t place = i * ticks_per_sample_ - delay;
        const std::int64_t whole = floor_div(place, tx_ticks);
        const double fraction = static_cast<double>(place - whole * tx_ticks) / static_cast<double>(tx_ticks);
        resampled_[i - lo] = filter.at(&window_[whole - (taps / 2 - 1) - w_first], fraction);
      }
      used_first = std::min(used_first, k);
      used_end = std::max(used_end, stop);
    }
    k = stop;
  }
  if (used_first < used_end)
    add_taps(p, s, {resampled_.data(), static_cast<std::uint64_t>(used_first - lo), ~std::uint64_t{0}}, used_first,
             used_end, block_first, from, to);
}

// src_first .. src_end: where the source's samples lie on the receiver's grid without the echoes.
void receiver_mixer::add_taps(path& p, const segment& s, const source& src, std::int64_t src_first,
                              std::int64_t src_end, std::int64_t block_first, std::int64_t from, std::int64_t to) {
  const float amplitude = s.amplitude * p.gain * rx_gain_;
  const double block_s = static_cast<double>(block_first * ticks_per_sample_) / tick_rate;
  const cf32 base = amplitude * (p.rotation_hz == 0.0 ? cf32{1.0F} : turn(p.rotation_hz * block_s));
  if (!p.fading) {
    add_run(p, src, src_first, block_first, std::max(from, src_first), std::min(to, src_end), base);
    return;
  }
  for (std::int64_t k = from; k < to;) {
    const std::int64_t piece = k & ~std::int64_t{p.fading_period - 1};
    const std::int64_t stop = std::min(to, piece + p.fading_period);
    const double t =
        (static_cast<double>(piece) + p.fading_period / 2.0) * static_cast<double>(ticks_per_sample_) / tick_rate;
    for (int tap = 0; tap < p.fading->n_taps(); ++tap) {
      const std::int64_t delay = p.tap_delays[tap];
      const std::int64_t a = std::max(k, src_first + delay);
      const std::int64_t b = std::min(stop, src_end + delay);
      if (a < b) add_run(p, src, src_first + delay, block_first, a, b, base * p.fading->gain(tap, t));
    }
    k = stop;
  }
}

// acc[k] += source(k - src_first) * base * rotation(k) for from <= k < to. Whole groups go straight from the source,
// the others through a group padded with zeros, so that a sample's value does not depend on the cut.
void receiver_mixer::add_run(const path& p, const source& src, std::int64_t src_first, std::int64_t block_first,
                             std::int64_t from, std::int64_t to, cf32 base) {
  const bool rotating = p.rotation_hz != 0.0;
  const auto run = [&](std::int64_t k, const cf32* x, int n_groups) {
    const std::int64_t at = 2 * (k - block_first);
    if (rotating)
      add_rotated(acc_.data() + at, x, p.table->re.data() + at, p.table->im_alt.data() + at, n_groups, base);
    else
      add_scaled(acc_.data() + at, x, n_groups, base);
  };
  for (std::int64_t k = from; k < to;) {
    const std::uint64_t position = src.position + static_cast<std::uint64_t>(k - src_first);
    const std::uint64_t place = position & src.mask;
    const std::uint64_t contiguous = std::min<std::uint64_t>(
        static_cast<std::uint64_t>(to - k), src.mask - place + (src.mask == ~std::uint64_t{0} ? 0 : 1));
    if (k % group == 0 && contiguous >= group) {
      const int n_groups = static_cast<int>(contiguous / group);
      run(k, src.samples + place, n_groups);
      k += std::int64_t{n_groups} * group;
      continue;
    }
    const std::int64_t lane = k & (group - 1);
    const std::int64_t count = std::min<std::int64_t>(group - lane, to - k);
    alignas(64) std::array<cf32, group> padded{};
    for (std::int64_t i = 0; i < count; ++i)
      padded[lane + i] = src.samples[(position + static_cast<std::uint64_t>(i)) & src.mask];
    run(k - lane, padded.data(), 1);
    k += count;
  }
}

}  // namespace prose::phy::air
