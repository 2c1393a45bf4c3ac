#include "phy/types/v2x_pool.h"

#include <cassert>

#include "phy/types/carrier.h"
#include "phy/types/tbs.h"

namespace prose::phy {

int largest_235(int n) {
  while (n > 1 && !is_235(n)) --n;
  return n;
}

result<v2x_pool> v2x_pool::make(const v2x_pool_config& c) {
  v2x_pool p;
  p.config_ = c;
  if (standard_fft_size(c.n_prb) == 0) return fail("n_prb: 6, 15, 25, 50, 75 or 100 is accepted");
  if (c.n_subchannels < 1 || c.n_subchannels > 20) return fail("count: 1 to 20 sub-channels are accepted");
  const int least = c.adjacent ? 3 : 1;  // two PRBs of PSCCH and at least one of PSSCH
  if (c.size_subchannel < least || c.size_subchannel > c.n_prb)
    return fail("size: " + std::to_string(least) + " to " + std::to_string(c.n_prb) + " PRB are accepted");
  if (c.start_prb < 0 || c.start_prb + c.size_subchannel * c.n_subchannels > c.n_prb)
    return fail("start_prb: the sub-channels end beyond the carrier's " + std::to_string(c.n_prb) + " PRB");
  if (!c.adjacent && (c.start_prb_pscch < 0 || c.start_prb_pscch + 2 * c.n_subchannels > c.n_prb))
    return fail("start_prb_pscch_pool: the PSCCH pool ends beyond the carrier's " + std::to_string(c.n_prb) + " PRB");
  for (int m = 0; m < c.n_subchannels; ++m)  // 14.2.4
    p.pscch_prbs_.push_back(c.adjacent ? c.start_prb + m * c.size_subchannel : c.start_prb_pscch + 2 * m);
  if (c.tdd_config < 0 || c.tdd_config > 7) return fail("tdd_config: 0..7 is accepted");
  if (c.slss_period < 0 || c.slss_period > n_absolute_subframes || c.slss_offset < 0 ||
      c.slss_offset >= n_absolute_subframes)
    return fail("slss_period, slss_offset: 0 to 10239 subframes are accepted");
  if (c.offset_indicator < 0 || c.offset_indicator >= n_absolute_subframes)
    return fail("sl_OffsetIndicator_r14: 0 to 10239 is accepted");
  if (c.subframe_bitmap.empty()) return p;
  auto bitmap = parse_subframe_bitmap(c.subframe_bitmap, "sl_Subframe_r14");
  if (!bitmap) return fail(bitmap.error().message);
  p.bitmap_ = std::move(*bitmap);

  // 14.1.5: SLSS subframes and those that are not uplink leave first, then as many, evenly spread, as do not fill a
  // bitmap.
  std::vector<int> left;
  for (int s = c.offset_indicator; s < n_absolute_subframes; ++s) {
    const bool slss = c.slss_period > 0 && s % c.slss_period == c.slss_offset % c.slss_period;
    if (!slss && is_uplink_subframe(c.tdd_config, s)) left.push_back(s);
  }
  const auto n = static_cast<int>(left.size());
  p.n_reserved_ = n % static_cast<int>(p.bitmap_.size());
  std::vector<std::uint8_t> reserved(left.size(), 0);
  for (int m = 0; m < p.n_reserved_; ++m) reserved[m * n / p.n_reserved_] = 1;
  p.index_.assign(n_absolute_subframes, -1);
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (reserved[i] != 0) continue;
    p.index_[left[i]] = static_cast<std::int16_t>(p.subframes_.size());
    p.subframes_.push_back(left[i]);
  }
  if (p.subframes_.empty()) return fail("slss_period: no subframe is left for the pool");
  return p;
}

int v2x_pool::index_of(int s) const {
  if (index_.empty() || s < 0 || s >= n_absolute_subframes) return -1;
  return index_[s];
}

int v2x_pool::subframe_of(int k) const {
  assert(!subframes_.empty());
  const int n = set_size();
  return subframes_[(k % n + n) % n];
}

bool v2x_pool::contains(int s) const {
  if (!knows_subframes()) return true;
  const int k = index_of(s);
  return k >= 0 && bitmap_[static_cast<std::size_t>(k) % bitmap_.size()] != 0;
}

int v2x_pool::n_ssf(int s) const { return knows_subframes() && contains(s) ? index_of(s) % 10 : -1; }

std::span<const int> v2x_pool::pscch_candidates(int absolute_subframe) const {
  if (!contains(absolute_subframe)) return {};
  return pscch_prbs_;
}

std::optional<int> v2x_pool::subchannel_of_pscch(int prb) const {
  for (std::size_t m = 0; m < pscch_prbs_.size(); ++m)
    if (pscch_prbs_[m] == prb) return static_cast<int>(m);
  return std::nullopt;
}

std::optional<riv_range> v2x_pool::pssch_prbs(int first, int count) const {
  if (first < 0 || count < 1 || first + count > config_.n_subchannels) return std::nullopt;
  const int beta = config_.adjacent ? 2 : 0;  // 14.1.1.4C
  const int length = largest_235(count * config_.size_subchannel - beta);
  return riv_range{config_.start_prb + first * config_.size_subchannel + beta, length};
}

std::optional<v2x_pool::allocation> v2x_pool::allocation_of(const sci_format1& sci, int pscch_prb) const {
  const auto own = subchannel_of_pscch(pscch_prb);
  const auto riv = riv_decode(config_.n_subchannels, sci.frequency_location);
  if (!own || !riv || *own + riv->length > config_.n_subchannels) return std::nullopt;
  return allocation{.first_subchannel = *own,
                    .n_subchannels = riv->length,
                    .has_other = sci.time_gap != 0,
                    .other_first_subchannel = riv->start,
                    .other_distance = sci.retransmission_index == 0 ? sci.time_gap : -sci.time_gap};
}

std::optional<pssch_config> v2x_pool::pssch(const sci_format1& sci, int pscch_prb, std::uint16_t crc, int n_ssf) const {
  const auto a = allocation_of(sci, pscch_prb);
  if (!a) return std::nullopt;
  const auto range = pssch_prbs(a->first_subchannel, a->n_subchannels);
  if (!range) return std::nullopt;
  const auto transport = pssch_transport(transmission_mode::tm4, sci.mcs, range->length, sci.transmission_format);
  if (!transport) return std::nullopt;
  return pssch_config{.prb_start = range->start,
                      .n_prb = range->length,
                      .tbs = transport->tbs,
                      .modulation_order = transport->modulation_order,
                      .rv = rv_order[sci.retransmission_index == 0 ? 0 : 1],
                      .n_x_id = crc,
                      .n_ssf = n_ssf,
                      .last_symbol_rate_matched = sci.transmission_format == 1};
}

std::optional<int> v2x_pool::other_subframe(const allocation& a, int absolute_subframe) const {
  const int k = index_of(absolute_subframe);
  if (!a.has_other || k < 0) return std::nullopt;
  return subframe_of(k + a.other_distance);
}

std::uint8_t v2x_pool::frequency_location(int other_first, int count) const {
  return static_cast<std::uint8_t>(riv_encode(config_.n_subchannels, other_first, count));
}

}  // namespace prose::phy
