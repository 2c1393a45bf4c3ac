#include "phy/modem/v2x_monitor.h"

#include <algorithm>
#include <cmath>

#include "phy/modem/band_watch.h"
#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

// TS 36.331 SL-CommResourcePoolV2X: numSubchannel and sizeSubchannel.
constexpr std::array<int, 7> subchannel_counts{1, 3, 5, 8, 10, 15, 20};
constexpr std::array<int, 19> subchannel_sizes{4, 5, 6, 8, 9, 10, 12, 15, 16, 18, 20, 25, 30, 48, 50, 72, 75, 96, 100};

/// DMRS energy share below which an allocation is taken for absent. A wrong sequence explains about one part in the number of
/// REs; few REs scatter more.
float least_metric(const pssch_config& c) { return std::max(0.08F, 6.0F / static_cast<float>(c.n_prb * subcarriers_per_prb * 4)); }

/// Bits that one subframe carries, the punctured last symbol left out.
int sent_bits(const pssch_config& c) { return c.n_prb * subcarriers_per_prb * 9 * c.modulation_order; }

}  // namespace

v2x_monitor::v2x_monitor(const carrier_config& carrier, std::optional<v2x_pool> pool)
    : carrier_(carrier), pool_(std::move(pool)), payload_(max_transport_block_bits) {
  for (int p = 0; p + 2 <= carrier.n_prb; ++p) all_prbs_.push_back(p);
  hypotheses_.reserve(4096);
  beside_.reserve(all_prbs_.size());
}

int v2x_monitor::examine(const subframe_view& sf, soft_buffers& buffers, signal_estimate& strongest) {
  const std::span<const int> prbs = !pool_              ? std::span<const int>(all_prbs_)
                                    : sf.absolute < 0 ? pool_->pscch_prbs()
                                                      : pool_->pscch_candidates(sf.absolute);
  return search_pscch(sf, buffers, prbs, strongest);
}

int v2x_monitor::examine_beside(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs, signal_estimate& strongest) {
  beside_.clear();
  for (std::size_t i = 0; i + 1 < prbs.size(); ++i)
    if (prbs[i + 1] == prbs[i] + 1) beside_.push_back(prbs[i]);
  return search_pscch(sf, buffers, beside_, strongest);
}

void v2x_monitor::count(const subframe_view& sf, const sci_format1& sci, bool decoded) {
  if (sci.retransmission_index == 1 && sci.time_gap != 0)
    for (announced& a : announced_) {
      // Where the pool's subframes are not known the gap may be longer than it says, and stored subframes may have holes.
      const auto gap = sf.index - a.index;
      if (a.index < 0 || gap < 1 || gap > 20 * sci.time_gap || a.sci.mcs != sci.mcs || a.sci.priority != sci.priority || a.sci.time_gap != sci.time_gap ||
          a.sci.resource_reservation != sci.resource_reservation || a.sci.transmission_format != sci.transmission_format)
        continue;
      if (decoded && !a.decoded) ++sf.statistics.blocks_decoded;
      a.index = -1;
      return;
    }
  ++sf.statistics.blocks_announced;
  if (decoded) ++sf.statistics.blocks_decoded;
  if (sci.retransmission_index == 0 && sci.time_gap != 0) announced_[next_announced_++ % announced_.size()] = {sf.index, sci, decoded};
}

int v2x_monitor::search_pscch(const subframe_view& sf, soft_buffers& buffers, std::span<const int> prbs, signal_estimate& strongest) {
  if (prbs.empty()) return 0;
  sf.statistics.pscch_candidates += prbs.size();
  const auto found = sf.rx.find_pscch(prbs);
  std::size_t n = 0;
  for (const pscch_result& r : found)
    if (n < found_.size() && sf.credible(r.signal)) found_[n++] = r;
  bool learnt = false;
  for (std::size_t i = 0; i < n; ++i) {
    if (i == 0 || found_[i].signal.power_db > strongest.power_db) strongest = found_[i].signal;
    decoded_[i] = receive(sf, buffers, found_[i]);
    learnt = learnt || decoded_[i];
  }
  // What one transmission showed of the layout may be what another one lacked.
  for (std::size_t i = 0; learnt && !pool_ && i < n; ++i) {
    int unused = 0;
    if (!decoded_[i]) search_layout(sf, buffers, found_[i], unused);
  }
  return static_cast<int>(n);
}

bool v2x_monitor::receive(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci) {
  sci_event e;
  e.rx = sf.at(sci.signal);
  e.format = 1;
  e.prb = sci.config.prb;
  e.cyclic_shift = sci.config.cyclic_shift;
  if (pool_) {
    e.n_subchannels = pool_->config().n_subchannels;
    e.fields = unpack_sci_format1(sci.payload(), e.n_subchannels);
    const bool told = sf.out.add(e, sci.payload());
    if (told) ++sf.statistics.sci;
    if (sf.watch != nullptr) sf.watch->explain(e.prb, 2);
    const bool decoded = receive_known(sf, buffers, sci, *pool_);
    if (told) count(sf, std::get<sci_format1>(e.fields), decoded);
    return decoded;
  }
  // The fields depend on the layout, which the transport block may settle; the SCI's event still comes before the block's.
  int n_subchannels = 0;
  for (const auto& c : confirmed_)
    if (c.count > 0 && n_subchannels == 0) n_subchannels = c.l.n_subchannels;
  e.n_subchannels = n_subchannels;
  e.fields = unpack_sci_format1(sci.payload(), n_subchannels == 0 ? 1 : n_subchannels);
  const bool told = sf.out.add(e, sci.payload());
  if (told) ++sf.statistics.sci;
  if (sf.watch != nullptr) sf.watch->explain(e.prb, 2);
  const bool decoded = search_layout(sf, buffers, sci, n_subchannels);
  if (told) count(sf, std::get<sci_format1>(e.fields), decoded);
  return decoded;
}

int v2x_monitor::expected_n_ssf(const subframe_view& sf) const {
  if (pool_ && sf.absolute >= 0 && pool_->knows_subframes()) return pool_->n_ssf(sf.absolute);
  // Where every subframe is in the pool the numbers simply go on: a guess worth trying first.
  if (n_ssf_index_ >= 0) return static_cast<int>(((sf.index - n_ssf_index_ + n_ssf_seen_) % 10 + 10) % 10);
  return -1;
}

void v2x_monitor::measure(const subframe_view& sf, const pscch_result& sci, hypothesis& h, float at_least) {
  const signal_hints hints = hints_of(sci.signal);
  // The likely values first; a metric that no wrong sequence reaches ends the search.
  const int expected = expected_n_ssf(sf);
  const float decisive = h.pssch.n_prb < 3 ? 0.6F : 0.35F;
  const bool known = expected >= 0 && pool_ && pool_->knows_subframes() && sf.absolute >= 0;
  std::array<int, 12> order;
  std::size_t n_order = 0;
  if (expected >= 0) order[n_order++] = expected;
  if (n_ssf_index_ >= 0) order[n_order++] = n_ssf_seen_;
  for (int n = 0; n < 10; ++n) order[n_order++] = n;
  int best = 0;
  float best_metric = -1;
  unsigned done = 0;
  for (std::size_t i = 0; i < n_order; ++i) {
    if ((done >> order[i]) & 1U) continue;
    done |= 1U << order[i];
    h.pssch.n_ssf = order[i];
    if (!sf.rx.pssch_plausible(h.pssch, hints, at_least)) continue;
    const float m = sf.rx.pssch_dmrs_metric(h.pssch, hints);
    if (m > best_metric) {
      best_metric = m;
      best = order[i];
    }
    if (m > decisive || (known && i == 0 && m > 2.0F * least_metric(h.pssch))) break;
  }
  h.pssch.n_ssf = best;
  h.metric = best_metric;
}

bool v2x_monitor::receive_known(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const v2x_pool& pool) {
  const int n = pool.config().n_subchannels;
  hypothesis h;
  h.from = {n, pool.config().size_subchannel, pool.config().adjacent, -1, -1};
  h.sci = unpack_sci_format1(sci.payload(), n);
  const auto grant = pool.pssch(h.sci, sci.config.prb, sci.crc, 0);
  const auto where = pool.allocation_of(h.sci, sci.config.prb);
  if (!grant || !where) return false;
  h.pssch = *grant;
  h.length = where->n_subchannels;
  if (sf.watch != nullptr) sf.watch->explain(h.pssch.prb_start, h.pssch.n_prb);
  measure(sf, sci, h);
  if (h.metric < least_metric(h.pssch)) return false;
  return decode(sf, buffers, sci, h, where->first_subchannel, where->has_other ? where->other_first_subchannel : -1);
}

v2x_monitor::pending* v2x_monitor::first_transmission(const subframe_view& sf, const sci_format1& sci, int length, int n_prb,
                                                      int own_subchannel) {
  if (sci.retransmission_index == 0 || sci.time_gap == 0) return nullptr;
  const int k = pool_ && sf.absolute >= 0 ? pool_->index_of(sf.absolute) : -1;
  pending* best = nullptr;
  for (pending& p : pending_) {
    if (!p.used || p.index >= sf.index) continue;
    const sci_format1& a = p.sci;
    if (a.mcs != sci.mcs || a.priority != sci.priority || a.resource_reservation != sci.resource_reservation ||
        a.time_gap != sci.time_gap || a.transmission_format != sci.transmission_format || p.length != length || p.n_prb != n_prb)
      continue;
    if (own_subchannel >= 0 && p.other_subchannel >= 0 && p.other_subchannel != own_subchannel) continue;
    if (k >= 0 && p.pool_index >= 0) {
      const int set = pool_->set_size();
      if ((k - p.pool_index + set) % set != sci.time_gap) continue;
    } else if (sf.index - p.index > 20 * sci.time_gap) {
      // Without the pool's subframes the gap is only known to be no shorter; stored subframes may have holes.
      continue;
    }
    if (best == nullptr || p.index > best->index) best = &p;
  }
  return best;
}

bool v2x_monitor::decode(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, const hypothesis& h,
                         int own_subchannel, int other_subchannel) {
  const signal_hints hints = hints_of(sci.signal);
  const auto payload = std::span(payload_).first(static_cast<std::size_t>(h.pssch.tbs));
  pending* first = first_transmission(sf, h.sci, h.length, h.pssch.n_prb, own_subchannel);
  const bool beyond_capacity = h.pssch.tbs + 24 > sent_bits(h.pssch);
  transport_result r;
  int transmissions = 1;
  bool tried = false;
  if (first != nullptr && !first->decoded && first->tbs == h.pssch.tbs) {
    if (soft_buffer* b = buffers.get(first->loan, sf.index)) {
      r = sf.rx.decode_pssch(h.pssch, hints, *b, payload);
      transmissions = 2;
      tried = true;
      if (r.crc_ok) {
        first->decoded = true;
        buffers.give_back(first->loan);
      }
    }
  }
  soft_buffers::loan loan;
  const bool expects_second = h.sci.retransmission_index == 0 && h.sci.time_gap != 0;
  if (!r.crc_ok && (!beyond_capacity || expects_second)) {
    loan = buffers.borrow(h.pssch.tbs, sf.index, sf.statistics.soft_buffers_evicted);
    r = sf.rx.decode_pssch(h.pssch, hints, *buffers.get(loan, sf.index), payload);
    transmissions = 1;
    tried = true;
  }
  if (expects_second) {
    pending* slot = &pending_[0];
    for (pending& p : pending_) {
      if (!p.used) {
        slot = &p;
        break;
      }
      if (p.index < slot->index) slot = &p;
    }
    buffers.give_back(slot->loan);
    *slot = {true, sf.index, pool_ && sf.absolute >= 0 ? pool_->index_of(sf.absolute) : -1, h.sci, h.length, h.pssch.n_prb,
             other_subchannel, h.pssch.tbs, r.crc_ok, loan};
    if (r.crc_ok) buffers.give_back(slot->loan);
  } else {
    buffers.give_back(loan);
  }
  if (!tried) return false;
  if (r.crc_ok) {
    if (sf.watch != nullptr) sf.watch->explain(h.pssch.prb_start, h.pssch.n_prb);
    n_ssf_index_ = sf.index;
    n_ssf_seen_ = h.pssch.n_ssf;
  }
  tb_event e;
  e.rx = sf.at(r.signal);
  e.prb_start = h.pssch.prb_start;
  e.n_prb = h.pssch.n_prb;
  e.tbs = h.pssch.tbs;
  e.mcs = h.sci.mcs;
  e.modulation_order = h.pssch.modulation_order;
  e.rv = h.pssch.rv;
  e.n_transmissions = transmissions;
  e.n_x_id = h.pssch.n_x_id;
  e.n_ssf = h.pssch.n_ssf;
  e.crc_ok = r.crc_ok;
  if (r.crc_ok) {
    e.repetition = recent_.seen(payload);
    if (sf.out.add(e, payload)) ++sf.statistics.tb_ok;
  } else {
    ++sf.statistics.tb_failed;
    if (sf.report_failed_tbs && pool_) sf.out.add(e, {});
  }
  return r.crc_ok;
}

// --- layouts -----------------------------------------------------------------------------------------------------------------

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

// Adjacent: PSSCH begins two PRB above its PSCCH, whatever the sub-channel, so only its length is open.
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

// Power of each PRB of the subframe in the symbols that every channel uses.
void v2x_monitor::measure_power(const subframe_view& sf, float cfo_hz) {
  const resource_grid& g = sf.rx.grid(0, cfo_hz);
  double total = 0;
  double least = 1e300;
  for (int p = 0; p < carrier_.n_prb; ++p) {
    double sum = 0;
    for (const int l : {2, 3, 4, 5, 6, 7, 8, 9, 10, 11})
      for (int k = 0; k < subcarriers_per_prb; ++k)
        sum += std::norm(g.symbol(l)[static_cast<std::size_t>(p * subcarriers_per_prb + k)]);
    power_[static_cast<std::size_t>(p)] = sum;
    total += sum;
    least = std::min(least, sum);
  }
  power_floor_ = std::max(2.0 * least, 1e-3 * total / carrier_.n_prb);
}

// Not adjacent: PSSCH may begin anywhere. Confirmed layouts come first; else the power of the PRBs narrows it down: it begins where
// power rises and ends where it falls (`edges` 2), or, beside another transmission, one of the two (1).
void v2x_monitor::add_apart(const pscch_result& sci, int edges) {
  const auto at = [&](int p) { return p >= 0 && p < carrier_.n_prb ? power_[static_cast<std::size_t>(p)] : 0.0; };
  for (const int n : subchannel_counts) {
    const sci_format1 f = unpack_sci_format1(sci.payload(), n);
    const auto riv = riv_decode(n, f.frequency_location);
    if (!riv || 2 * n > carrier_.n_prb) continue;
    for (const int size : subchannel_sizes) {
      if (n * size > carrier_.n_prb) continue;
      const int length = largest_235(riv->length * size);
      for (int m = 0; m + riv->length <= n; ++m) {
        const int start_pscch = sci.config.prb - 2 * m;
        if (start_pscch < 0 || start_pscch + 2 * n > carrier_.n_prb) continue;
        for (int a = m * size; a - m * size + n * size <= carrier_.n_prb; ++a) {
          hypothesis h;
          h.from = {n, size, false, a - m * size, start_pscch};
          if (edges == 0) {
            if (weight(h.from) == 0) continue;
          } else {
            if (at(a) <= power_floor_ || at(a + length - 1) <= power_floor_) continue;
            const int seen = (at(a) > 2.0 * at(a - 1) ? 1 : 0) + (at(a + length - 1) > 2.0 * at(a + length) ? 1 : 0);
            if (seen != edges) continue;
          }
          h.sci = f;
          h.length = riv->length;
          h.pssch.prb_start = a;
          h.pssch.n_prb = length;
          add(h);
        }
      }
    }
  }
}

bool v2x_monitor::search_layout(const subframe_view& sf, soft_buffers& buffers, const pscch_result& sci, int& n_subchannels) {
  // Adjacent; apart by what is confirmed; apart by both edges of the power; by one.
  for (int stage = 0; stage < 4; ++stage) {
    hypotheses_.clear();
    if (stage == 0) {
      add_adjacent(sci);
    } else {
      if (stage == 2) measure_power(sf, sci.signal.cfo_hz);
      add_apart(sci, stage - 1);
    }
    // DMRS depend on the allocation alone: measure each once.
    std::sort(hypotheses_.begin(), hypotheses_.end(), [](const hypothesis& a, const hypothesis& b) {
      return a.pssch.prb_start != b.pssch.prb_start ? a.pssch.prb_start < b.pssch.prb_start : a.pssch.n_prb < b.pssch.n_prb;
    });
    // Layouts that led to blocks before come first. Where one of them fits well, others that do not come near it, and would be dropped below for
    // that, are not measured at all.
    float fits = 0;
    for (const hypothesis& known : hypotheses_) {
      if (weight(known.from) == 0) continue;
      hypothesis h = known;
      h.pssch.n_x_id = sci.crc;
      measure(sf, sci, h, 0.6F * fits);
      fits = std::max(fits, h.metric);
      if (fits > 0.5F) break;
    }
    const float at_least = fits > 0.5F ? 0.3F * fits : 0.0F;
    for (std::size_t i = 0; i < hypotheses_.size(); ++i) {
      hypothesis& h = hypotheses_[i];
      h.pssch.n_x_id = sci.crc;
      if (i > 0 && hypotheses_[i - 1].pssch.prb_start == h.pssch.prb_start && hypotheses_[i - 1].pssch.n_prb == h.pssch.n_prb) {
        h.metric = hypotheses_[i - 1].metric;
        h.pssch.n_ssf = hypotheses_[i - 1].pssch.n_ssf;
      } else {
        measure(sf, sci, h, at_least);
      }
    }
    std::erase_if(hypotheses_, [](const hypothesis& h) { return h.metric < least_metric(h.pssch); });
    if (hypotheses_.empty()) continue;
    float best = 0;
    for (const hypothesis& h : hypotheses_) best = std::max(best, h.metric);
    // A shorter allocation inside a longer one shows part of its metric; what is far below the best is not it.
    std::erase_if(hypotheses_, [&](const hypothesis& h) { return h.metric < 0.5F * best; });
    std::stable_sort(hypotheses_.begin(), hypotheses_.end(), [&](const hypothesis& a, const hypothesis& b) {
      const int ma = static_cast<int>(a.metric / best * 20.0F);  // a twentieth of the best is no difference
      const int mb = static_cast<int>(b.metric / best * 20.0F);
      if (ma != mb) return ma > mb;
      const int wa = weight(a.from);
      const int wb = weight(b.from);
      if (wa != wb) return wa > wb;
      return a.sci.reserved < b.sci.reserved;
    });
    // Several layouts lead to the same transmission; each distinct one is decoded once.
    std::array<pssch_config, 12> tried;
    std::size_t n_tried = 0;
    for (const hypothesis& candidate : hypotheses_) {
      hypothesis h = candidate;
      const auto transport = pssch_transport(transmission_mode::tm4, h.sci.mcs, h.pssch.n_prb, h.sci.transmission_format);
      if (!transport) continue;
      h.pssch.tbs = transport->tbs;
      h.pssch.modulation_order = transport->modulation_order;
      h.pssch.rv = h.sci.retransmission_index == 0 ? 0 : 2;
      h.pssch.last_symbol_rate_matched = h.sci.transmission_format == 1;
      if (std::find(tried.begin(), tried.begin() + static_cast<std::ptrdiff_t>(n_tried), h.pssch) !=
          tried.begin() + static_cast<std::ptrdiff_t>(n_tried))
        continue;
      if (n_tried == tried.size()) break;
      tried[n_tried++] = h.pssch;
      if (!decode(sf, buffers, sci, h, -1, -1)) continue;
      n_subchannels = h.from.n_subchannels;
      for (const hypothesis& other : hypotheses_)
        if (other.pssch.prb_start == h.pssch.prb_start && other.pssch.n_prb == h.pssch.n_prb && other.sci == h.sci)
          confirm(other.from);
      return true;
    }
    if (best > 0.5F) return false;  // the allocation is there, but not (yet) decodable
  }
  return false;
}

}  // namespace prose::phy
