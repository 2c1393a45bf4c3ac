#include "phy/types/discovery_pool.h"

#include <cassert>

namespace prose::phy {

result<discovery_pool> discovery_pool::make(const discovery_pool_config& c) {
  discovery_pool p;
  p.config_ = c;
  if (standard_fft_size(c.n_prb) == 0) return fail("n_prb: 6, 15, 25, 50, 75 or 100 is accepted");
  if (c.tdd_config < 0 || c.tdd_config > 7) return fail("tdd_config: 0..7 is accepted");
  if (c.disc_period_subframes < 40 || c.disc_period_subframes > n_absolute_subframes ||
      c.disc_period_subframes % 10 != 0)
    return fail("disc_period: a multiple of 10 from 40 to 10240 subframes is accepted");
  if (c.num_retx < 0 || c.num_retx > 3) return fail("num_retx: 0..3 is accepted");
  if (c.num_repetition < 1 || c.num_repetition > 50) return fail("num_repetition: 1..50 is accepted");
  if (c.offset_indicator < 0 || c.offset_indicator >= n_absolute_subframes)
    return fail("offset_indicator: 0..10239 is accepted");
  auto prbs = prbs_of(c.prb, c.n_prb, "pool");
  if (!prbs) return fail(prbs.error().message);
  p.prbs_ = std::move(*prbs);
  const auto bitmap = parse_subframe_bitmap(c.subframe_bitmap, "subframe_bitmap");
  if (!bitmap) return fail(bitmap.error().message);
  p.period_ = {c.offset_indicator, c.disc_period_subframes};

  // 14.3.3: the bitmap repeats over the first N_B N_R uplink subframes.
  p.index_of_offset_.assign(c.disc_period_subframes, -1);
  std::size_t i = 0;
  const std::size_t n = bitmap->size() * static_cast<std::size_t>(c.num_repetition);
  for (int s = 0; s < c.disc_period_subframes && i < n; ++s) {
    if (!is_uplink_subframe(c.tdd_config, c.offset_indicator + s)) continue;
    if ((*bitmap)[i++ % bitmap->size()] == 0) continue;
    p.index_of_offset_[s] = static_cast<std::int16_t>(p.offsets_.size());
    p.offsets_.push_back(s);
  }
  p.n_t_ = static_cast<int>(p.offsets_.size()) / (c.num_retx + 1);
  p.n_f_ = static_cast<int>(p.prbs_.size()) / 2;
  if (p.n_resources() == 0) return fail("subframe_bitmap, prb_num: the pool holds no resource");
  return p;
}

discovery_pool::place discovery_pool::place_of(int a1, int b1, int transmission) const {
  // 14.3.1: transmission j - 1 moves by floor(N_f / N_TX) pairs and one subframe.
  const int a = (transmission * (n_f_ / n_transmissions()) + a1) % n_f_;
  return {prbs_[2 * a], prbs_[2 * a + 1], offsets_[n_transmissions() * b1 + transmission]};
}

discovery_pool::place discovery_pool::resource(int n, int transmission) const {
  assert(n >= 0 && n < n_resources() && transmission >= 0 && transmission < n_transmissions());
  return place_of(n / n_t_, n % n_t_, transmission);
}

psdch_config discovery_pool::psdch(int n, int transmission) const {
  const auto p = resource(n, transmission);
  return {.prb = p.prb, .rv = rv_order[transmission], .prb_second = p.prb_second};
}

int discovery_pool::n_candidates(int absolute_subframe) const {
  const auto where = locate(absolute_subframe);
  if (!where) return 0;
  const int l = index_of_offset_[where->offset];
  return l >= 0 && l / n_transmissions() < n_t_ ? n_f_ : 0;
}

discovery_pool::candidate discovery_pool::candidate_at(int absolute_subframe, int index) const {
  const auto where = locate(absolute_subframe);
  assert(where && index >= 0 && index < n_f_);
  const int l = index_of_offset_[where->offset];
  const int transmission = l % n_transmissions();
  const int n = index * n_t_ + l / n_transmissions();
  return {psdch(n, transmission), n, transmission};
}

int discovery_pool::type2b_resource(const type2b_config& c, int i) const {
  assert(i >= 0);
  int a = c.prb_index % n_f_;
  int b = c.sf_index % n_t_;
  for (int period = 1; period <= i; ++period) {
    const int next_a = ((c.n2 + period) % 10 + (a + n_f_ * b) / n_t_) % n_f_;
    const int next_b = (c.n1 + c.n3 * a + n_f_ * b) % n_t_;
    a = next_a;
    b = next_b;
  }
  return a * n_t_ + b;
}

}  // namespace prose::phy
