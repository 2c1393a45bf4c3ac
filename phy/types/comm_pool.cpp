#include "phy/types/comm_pool.h"

#include <algorithm>
#include <cassert>
#include <numeric>

#include "phy/types/carrier.h"
#include "phy/types/tbs.h"
#include "phy/types/time_pattern.h"

namespace prose::phy {

result<comm_pool> comm_pool::make(const comm_pool_config& c) {
  comm_pool p;
  p.config_ = c;
  const std::size_t n_prb = c.n_prb;
  if (standard_fft_size(c.n_prb) == 0) return fail("n_prb: 6, 15, 25, 50, 75 or 100 is accepted");
  if (is_v2x(c.tm)) return fail("transmission_mode: an sl_comm pool needs 1 or 2");
  if (c.tdd_config < 0 || c.tdd_config > 7) return fail("tdd_config: 0..7 is accepted");
  if (c.hopping.n_subbands < 1 || c.hopping.n_subbands > 4) return fail("n_subbands: 1..4 is accepted");
  if (c.hopping.hopping_parameter < 0 || c.hopping.hopping_parameter > 504)
    return fail("hopping_parameter: 0..504 is accepted");
  if (c.hopping.rb_offset < 0 || c.hopping.rb_offset > 110) return fail("rb_offset: 0..110 is accepted");
  p.pssch_prbs_.resize(n_prb);
  std::iota(p.pssch_prbs_.begin(), p.pssch_prbs_.end(), 0);
  if (!c.known) {
    p.pscch_prbs_ = p.pssch_prbs_;
    return p;
  }
  if (c.sc_period_subframes < 40 || c.sc_period_subframes > 320 || c.sc_period_subframes % 10 != 0)
    return fail("sc_period: a multiple of 10 from 40 to 320 subframes is accepted");
  // SL-OffsetIndicator is "small" (0..319) or "large" (0..10239) (TS 36.331 6.3.8).
  if (c.offset_indicator < 0 || c.offset_indicator >= n_absolute_subframes)
    return fail("offset_indicator: 0..10239 is accepted");
  p.period_ = {c.offset_indicator, c.sc_period_subframes};
  auto prbs = prbs_of(c.pscch, c.n_prb, "pool");
  if (!prbs) return fail(prbs.error().message);
  p.pscch_prbs_ = std::move(*prbs);
  const auto bitmap = parse_subframe_bitmap(c.subframe_bitmap, "subframe_bitmap");
  if (!bitmap) return fail(bitmap.error().message);

  // 14.2.3: the bitmap covers the first N' uplink subframes of the period. Periods are multiples of a frame, so every
  // period has the same offsets.
  const auto uplink = [&](int offset) { return is_uplink_subframe(c.tdd_config, c.offset_indicator + offset); };
  std::size_t position = 0;
  for (int s = 0; s < c.sc_period_subframes && position < bitmap->size(); ++s) {
    if (!uplink(s)) continue;
    if ((*bitmap)[position++] != 0) p.pscch_offsets_.push_back(s);
  }
  if (p.pscch_offsets_.empty()) return fail("subframe_bitmap: at least one 1 is needed");

  if (c.data) {  // 14.1.3
    if (c.data->offset_indicator < 0 || c.data->offset_indicator >= c.sc_period_subframes)
      return fail("data offset_indicator: 0 to one less than sc_period is accepted");
    const auto data_bitmap = parse_subframe_bitmap(c.data->subframe_bitmap, "data subframe_bitmap");
    if (!data_bitmap) return fail(data_bitmap.error().message);
    auto data_prbs = prbs_of(c.data->prb, c.n_prb, "data pool");
    if (!data_prbs) return fail(data_prbs.error().message);
    p.pssch_prbs_ = std::move(*data_prbs);
    std::size_t j = 0;
    for (int s = c.data->offset_indicator; s < c.sc_period_subframes; ++s)
      if (uplink(s) && (*data_bitmap)[j++ % data_bitmap->size()] != 0) p.pssch_offsets_.push_back(s);
  } else {  // 14.1.4
    for (int s = p.pscch_offsets_.back() + 1; s < c.sc_period_subframes; ++s)
      if (uplink(s)) p.pssch_offsets_.push_back(s);
  }
  p.pssch_index_of_offset_.assign(c.sc_period_subframes, -1);
  for (std::size_t j = 0; j < p.pssch_offsets_.size(); ++j)
    p.pssch_index_of_offset_[p.pssch_offsets_[j]] = static_cast<int>(j);
  p.is_pscch_offset_.assign(c.sc_period_subframes, 0);
  for (const int s : p.pscch_offsets_) p.is_pscch_offset_[s] = 1;
  return p;
}

std::span<const int> comm_pool::pscch_candidates(int absolute_subframe) const {
  if (!config_.known) return pscch_prbs_;
  const auto where = locate(absolute_subframe);
  if (!where || is_pscch_offset_[where->offset] == 0) return {};
  return pscch_prbs_;
}

int comm_pool::n_pscch_resources() const {
  return static_cast<int>(pscch_prbs_.size() / 2) * static_cast<int>(pscch_offsets_.size());
}

comm_pool::pscch_place comm_pool::pscch_resource(int n, int transmission) const {
  assert(n >= 0 && n < n_pscch_resources() && (transmission == 0 || transmission == 1));
  const auto l = static_cast<int>(pscch_offsets_.size());
  int a = n / l;
  int b = n % l;
  if (transmission == 1) {  // 14.2.1.1, with a single subframe both transmissions share it
    b = l == 1 ? 0 : (n + 1 + (n / l) % (l - 1)) % l;
    a += static_cast<int>(pscch_prbs_.size() / 2);
  }
  return {pscch_prbs_[a], pscch_offsets_[b]};
}

std::optional<comm_pool::pscch_identity> comm_pool::identify_pscch(int absolute_subframe, int prb) const {
  if (!config_.known) return std::nullopt;
  const auto where = locate(absolute_subframe);
  if (!where) return std::nullopt;
  for (int n = 0; n < n_pscch_resources(); ++n)
    for (int t = 0; t < 2; ++t)
      if (pscch_resource(n, t) == pscch_place{prb, where->offset}) return pscch_identity{n, t};
  return std::nullopt;
}

int comm_pool::pssch_index(int absolute_subframe) const {
  if (!config_.known) return -1;
  const auto where = locate(absolute_subframe);
  return where ? pssch_index_of_offset_[where->offset] : -1;
}

int comm_pool::n_pssch_transmissions(int i_trp) const {
  const int n = n_trp(config_.tdd_config);
  const auto pattern = time_pattern(n, i_trp);
  if (!pattern) return 0;
  int count = 0;
  for (int j = 0; j < static_cast<int>(pssch_offsets_.size()); ++j) count += (*pattern >> (j % n)) & 1;
  return count / 4 * 4;
}

int comm_pool::pssch_subframe(int i_trp, int i) const {
  const int n = n_trp(config_.tdd_config);
  const auto pattern = time_pattern(n, i_trp);
  assert(pattern && i >= 0 && i < n_pssch_transmissions(i_trp));
  for (std::size_t j = 0; j < pssch_offsets_.size(); ++j)
    if (((*pattern >> (static_cast<int>(j) % n)) & 1) != 0 && i-- == 0) return pssch_offsets_[j];
  return -1;
}

std::optional<pssch_config> comm_pool::pssch(const sci_format0& sci, int n_ssf) const {
  const auto range = pssch_allocation(sci, config_.n_prb, static_cast<int>(pssch_prbs_.size()), config_.hopping, n_ssf);
  if (!range || !is_235(range->length)) return std::nullopt;
  const auto transport = pssch_transport(config_.tm, sci.mcs, range->length);
  if (!transport) return std::nullopt;
  // TM2 counts blocks of the pool (36.211 9.3.6); what the pool's gap would tear apart is no single-carrier allocation.
  const int first = pssch_prbs_[range->start];
  const int last = pssch_prbs_[range->start + range->length - 1];
  if (last - first + 1 != range->length) return std::nullopt;
  return pssch_config{.prb_start = first,
                      .n_prb = range->length,
                      .tbs = transport->tbs,
                      .modulation_order = transport->modulation_order,
                      .n_x_id = sci.group_destination_id,
                      .n_ssf = n_ssf};
}

std::optional<comm_pool::pssch_occasion> comm_pool::pssch_at(const sci_format0& sci, int absolute_subframe) const {
  const int j = pssch_index(absolute_subframe);
  const int n = n_trp(config_.tdd_config);
  const auto pattern = time_pattern(n, sci.time_resource_pattern);
  if (j < 0 || !pattern || ((*pattern >> (j % n)) & 1) == 0) return std::nullopt;
  int i = 0;
  for (int earlier = 0; earlier < j; ++earlier) i += (*pattern >> (earlier % n)) & 1;
  if (i >= n_pssch_transmissions(sci.time_resource_pattern))
    return std::nullopt;  // an incomplete last group is not sent
  auto grant = pssch(sci, j % 10);
  if (!grant) return std::nullopt;
  grant->rv = rv_order[i % 4];
  return pssch_occasion{*grant, i / 4, i % 4};
}

}  // namespace prose::phy
