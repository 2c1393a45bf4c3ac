#include "phy/modem/v2x_monitor.h"

#include <algorithm>
#include <cmath>

#include "phy/modem/band_watch.h"
#include "phy/modem/reception/thresholds.h"
#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

/// TS 36.331 SL-CommResourcePoolV2X: numSubchannel and sizeSubchannel.
constexpr std::array<int, 7> subchannel_counts{1, 3, 5, 8, 10, 15, 20};
constexpr std::array<int, 19> subchannel_sizes{4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 25, 30, 48, 50, 72, 75, 96, 100};

/// Room for the hypotheses of one SCI; what does not fit is left out. Chosen, not derived.
constexpr std::size_t most_hypotheses = 4096;

// Power of a PRB. Chosen, not derived.
constexpr double over_quietest = 2.0;   ///< over that of the quietest PRB (3 dB), or nothing is there
constexpr double below_mean = 1e-3;     ///< of the mean of all PRBs (-30 dB), or it is leakage
constexpr double over_neighbour = 2.0;  ///< over that of a neighbour (3 dB), or an allocation may go on there

// DMRS metrics (reception/thresholds.h). Chosen, not derived.
constexpr float worth_measuring_known = 0.6F;  ///< of the best known layout's metric, for another known one
constexpr float worth_measuring = 0.3F;        ///< of a known layout's clear metric, for unknown ones
constexpr float worth_decoding = 0.5F;  ///< of the best metric; a shorter allocation inside a longer one shows its part
constexpr float alike_steps = 20.0F;    ///< metrics within a twentieth of the best are no different

}  // namespace

v2x_monitor::v2x_monitor(const carrier_config& carrier, std::optional<v2x_pool> pool)
    : carrier_(carrier), pool_(std::move(pool)) {
  for (int p = 0; p + 2 <= carrier.n_prb; ++p) all_prbs_.push_back(p);
  hypotheses_.reserve(most_hypotheses);
  unexplained_.reserve(all_prbs_.size());
}

int v2x_monitor::examine(const subframe_view& sf, soft_buffers& buffers) {
  if (pool_) return pairs_.examine(sf, buffers, *pool_);
  return search_pscch(sf, buffers, all_prbs_);
}

int v2x_monitor::examine_unexplained(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs) {
  unexplained_.clear();
  for (std::size_t i = 0; i + 1 < prbs.size(); ++i)
    if (prbs[i + 1] == prbs[i] + 1) unexplained_.push_back(prbs[i]);
  return search_pscch(sf, buffers, unexplained_);
}

int v2x_monitor::search_pscch(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs) {
  const auto found = pairs_.find(sf, prbs);
  bool learnt = false;
  for (std::size_t i = 0; i < found.size(); ++i) {
    decoded_[i] = receive_unknown(sf, buffers, found[i]);
    learnt = learnt || decoded_[i];
  }
  // The layout that one transmission showed may be the one that another needs.
  for (std::size_t i = 0; learnt && i < found.size(); ++i) {
    int unused = 0;
    if (!decoded_[i] && search_layout(sf, buffers, found[i], unused)) pairs_.count_decoded(sf, found[i]);
  }
  return std::ssize(found);
}

// The fields depend on the layout, which the transport block may settle; the SCI's event still comes before the
// block's.
bool v2x_monitor::receive_unknown(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci) {
  sci_event e;
  e.rx = sf.at(sci.signal);
  e.format = 1;
  e.prb = sci.config.prb;
  e.cyclic_shift = sci.config.cyclic_shift;
  int n_subchannels = 0;
  for (const auto& c : confirmed_)
    if (c.count > 0 && n_subchannels == 0) n_subchannels = c.l.n_subchannels;
  e.n_subchannels = n_subchannels;
  e.fields = unpack_sci_format1(sci.payload(), n_subchannels == 0 ? 1 : n_subchannels);
  if (sf.out.add(e, sci.payload())) {
    ++sf.statistics.sci;
    pairs_.count_announced(sf, sci, std::get<sci_format1>(e.fields));
  }
  if (sf.watch != nullptr) sf.watch->explain(e.prb, 2);
  const bool decoded = search_layout(sf, buffers, sci, n_subchannels);
  if (decoded) pairs_.count_decoded(sf, sci);
  return decoded;
}

void v2x_monitor::measure(const subframe_view& sf, const pscch_result& sci, hypothesis& h, float at_least) {
  h.metric = pairs_.measure(sf, sci, h.pssch, nullptr, at_least);
}

// --- layouts ---

void v2x_monitor::confirm(const layout& l) {
  confirmed* slot = &confirmed_[0];
  for (confirmed& c : confirmed_) {
    if (c.count > 0 && c.l == l) {
      ++c.count;
      return;
    }
    if (c.count < slot->count) slot = &c;
  }
  *slot = {l, 1};
}

int v2x_monitor::weight(const layout& l) const {
  for (const confirmed& c : confirmed_)
    if (c.count > 0 && c.l == l) return c.count;
  return 0;
}

void v2x_monitor::add(const hypothesis& h) {
  if (hypotheses_.size() < hypotheses_.capacity()) hypotheses_.push_back(h);
}

// Adjacent: PSSCH begins two PRBs above its PSCCH, whatever the sub-channel, so only its length is unknown.
void v2x_monitor::add_adjacent(const pscch_result& sci) {
  const int prb = sci.config.prb;
  for (const int n : subchannel_counts) {
    const sci_format1 f = unpack_sci_format1(sci.payload(), n);
    const auto riv = riv_decode(n, f.frequency_location);
    if (!riv) continue;
    for (const int size : subchannel_sizes) {
      if (n * size > carrier_.n_prb) continue;
      // Some sub-channel m <= n - length must start here with the whole layout inside the carrier.
      bool fits = false;
      for (int m = 0; m + riv->length <= n && !fits; ++m) {
        const int start = prb - m * size;
        fits = start >= 0 && start + n * size <= carrier_.n_prb;
      }
      if (!fits) continue;
      const int length = riv->length * size - 2;
      if (length < 1) continue;
      hypothesis h;
      h.from = {n, size, true, -1, -1};
      h.sci = f;
      h.length = riv->length;
      h.pssch.prb_start = prb + 2;
      h.pssch.n_prb = largest_235(length);
      add(h);
    }
  }
}

// Power of each PRB, over the symbols that every channel uses.
void v2x_monitor::measure_power(const subframe_view& sf, float cfo_hz) {
  const resource_grid& g = sf.rx.grid(0, cfo_hz);
  double total = 0;
  double least = 1e300;
  for (int p = 0; p < carrier_.n_prb; ++p) {
    double sum = 0;
    for (const int l : {2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
      for (int k = 0; k < subcarriers_per_prb; ++k) sum += std::norm(g.symbol(l)[p * subcarriers_per_prb + k]);
    power_[p] = sum;
    total += sum;
    least = std::min(least, sum);
  }
  power_floor_ = std::max(over_quietest * least, below_mean * total / carrier_.n_prb);
}

// An allocation begins where power rises and ends where it falls. Returns at how many of its two ends this is so, -1
// where it has no power. Next to another transmission an end does not show.
int v2x_monitor::power_edges(int first, int n_prb) const {
  const auto at = [&](int p) { return p >= 0 && p < carrier_.n_prb ? power_[p] : 0.0; };
  const int last = first + n_prb - 1;
  if (at(first) <= power_floor_ || at(last) <= power_floor_) return -1;
  return (at(first) > over_neighbour * at(first - 1) ? 1 : 0) + (at(last) > over_neighbour * at(last + 1) ? 1 : 0);
}

// Not adjacent: PSSCH may begin anywhere. `edges` narrows it down: 0, layouts that are confirmed; 1 or 2, allocations
// with so many ends that the power shows.
void v2x_monitor::add_apart(const pscch_result& sci, int edges) {
  for (const int n : subchannel_counts) {
    const sci_format1 f = unpack_sci_format1(sci.payload(), n);
    const auto riv = riv_decode(n, f.frequency_location);
    if (!riv || 2 * n > carrier_.n_prb) continue;
    for (const int size : subchannel_sizes) {
      if (n * size > carrier_.n_prb) continue;
      hypothesis h;
      h.from = {n, size, false, -1, -1};
      h.sci = f;
      h.length = riv->length;
      h.pssch.n_prb = largest_235(riv->length * size);
      add_apart(sci, edges, h);
    }
  }
}

// Every place that such a layout may have.
void v2x_monitor::add_apart(const pscch_result& sci, int edges, hypothesis h) {
  const int n = h.from.n_subchannels;
  const int size = h.from.size;
  for (int m = 0; m + h.length <= n; ++m) {
    h.from.start_prb_pscch = sci.config.prb - 2 * m;
    if (h.from.start_prb_pscch < 0 || h.from.start_prb_pscch + 2 * n > carrier_.n_prb) continue;
    for (int a = m * size; a - m * size + n * size <= carrier_.n_prb; ++a) {
      h.from.start_prb = a - m * size;
      h.pssch.prb_start = a;
      if (edges == 0 ? weight(h.from) > 0 : power_edges(a, h.pssch.n_prb) == edges) add(h);
    }
  }
}

bool v2x_monitor::search_layout(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci,
                                int& n_subchannels) {
  // Adjacent; apart as confirmed; apart with one end that the power shows; with both.
  for (int stage = 0; stage < 4; ++stage) {
    hypotheses_.clear();
    if (stage == 0) {
      add_adjacent(sci);
    } else {
      if (stage == 2) measure_power(sf, sci.signal.cfo_hz);
      add_apart(sci, stage - 1);
    }
    measure_all(sf, sci);
    const float best = rank();
    if (hypotheses_.empty()) continue;
    if (decode_first(sf, buffers, sci, n_subchannels)) return true;
    if (best > clear_pssch_metric) return false;  // the allocation is there, but not (yet) decodable
  }
  return false;
}

// The metric depends on the allocation alone: each allocation is measured once.
void v2x_monitor::measure_all(const subframe_view& sf, const pscch_result& sci) {
  std::sort(hypotheses_.begin(), hypotheses_.end(), [](const hypothesis& a, const hypothesis& b) {
    return a.pssch.prb_start != b.pssch.prb_start ? a.pssch.prb_start < b.pssch.prb_start
                                                  : a.pssch.n_prb < b.pssch.n_prb;
  });
  // Layouts that led to blocks before come first. Where one of them is clearly there, others that do not come near it
  // are not measured at all: rank() would drop them.
  float known_metric = 0;
  for (const hypothesis& known : hypotheses_) {
    if (weight(known.from) == 0) continue;
    hypothesis h = known;
    h.pssch.n_x_id = sci.crc;
    measure(sf, sci, h, worth_measuring_known * known_metric);
    known_metric = std::max(known_metric, h.metric);
    if (known_metric > clear_pssch_metric) break;
  }
  const float at_least = known_metric > clear_pssch_metric ? worth_measuring * known_metric : 0.0F;
  for (std::size_t i = 0; i < hypotheses_.size(); ++i) {
    hypothesis& h = hypotheses_[i];
    h.pssch.n_x_id = sci.crc;
    if (i > 0 && hypotheses_[i - 1].pssch.prb_start == h.pssch.prb_start &&
        hypotheses_[i - 1].pssch.n_prb == h.pssch.n_prb) {
      h.metric = hypotheses_[i - 1].metric;
      h.pssch.n_ssf = hypotheses_[i - 1].pssch.n_ssf;
    } else {
      measure(sf, sci, h, at_least);
    }
  }
}

// Drops the hypotheses that are not worth decoding and puts the likeliest first. Returns the best metric.
float v2x_monitor::rank() {
  std::erase_if(hypotheses_, [](const hypothesis& h) { return h.metric < least_pssch_metric_tm4(h.pssch); });
  float best = 0;
  for (const hypothesis& h : hypotheses_) best = std::max(best, h.metric);
  std::erase_if(hypotheses_, [&](const hypothesis& h) { return h.metric < worth_decoding * best; });
  std::stable_sort(hypotheses_.begin(), hypotheses_.end(), [&](const hypothesis& a, const hypothesis& b) {
    const int ma = static_cast<int>(a.metric / best * alike_steps);
    const int mb = static_cast<int>(b.metric / best * alike_steps);
    if (ma != mb) return ma > mb;
    const int wa = weight(a.from);
    const int wb = weight(b.from);
    if (wa != wb) return wa > wb;
    return a.sci.reserved < b.sci.reserved;
  });
  return best;
}

// Decodes one hypothesis after the other until a block is right; its layouts are confirmed then.
bool v2x_monitor::decode_first(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci,
                               int& n_subchannels) {
  // Several layouts lead to the same transmission; each distinct one is decoded once. The number is chosen, not
  // derived.
  std::array<pssch_config, 12> tried;
  std::size_t n_tried = 0;
  for (const hypothesis& candidate : hypotheses_) {
    hypothesis h = candidate;
    const auto transport = pssch_transport(transmission_mode::tm4, h.sci.mcs, h.pssch.n_prb, h.sci.transmission_format);
    if (!transport) continue;
    h.pssch.tbs = transport->tbs;
    h.pssch.modulation_order = transport->modulation_order;
    h.pssch.rv = rv_order[h.sci.retransmission_index == 0 ? 0 : 1];
    h.pssch.last_symbol_rate_matched = h.sci.transmission_format == 1;
    if (std::find(tried.begin(), tried.begin() + n_tried, h.pssch) != tried.begin() + n_tried) continue;
    if (n_tried == tried.size()) break;
    tried[n_tried++] = h.pssch;
    if (!pairs_.decode(sf, buffers, sci, {h.sci, h.pssch, h.length}, nullptr)) continue;
    n_subchannels = h.from.n_subchannels;
    for (const hypothesis& other : hypotheses_)
      if (other.pssch.prb_start == h.pssch.prb_start && other.pssch.n_prb == h.pssch.n_prb && other.sci == h.sci)
        confirm(other.from);
    return true;
  }
  return false;
}

}  // namespace prose::phy
