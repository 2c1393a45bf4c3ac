#include "phy/modem/pscch_candidates.h"

#include <algorithm>

#include "phy/modem/belief.h"

namespace prose::phy {
namespace {

/// A path that the common window shows this clearly lies in it: one at the other delay of the same phase slope is at
/// least 11 us outside and shows (1 - 11 / 66.7)^2 at most, give or take what leaks into 96 resource elements.
constexpr float clearly_here = 0.8F;
/// A PSCCH outside the common window must stand out by so much more: most of the delays lie there, and noise must not
/// be taken for a signal more often for it. It costs 0.8 dB. Chosen, not derived.
constexpr float more_outside = 1.2F;

}  // namespace

pscch_candidates::pscch_candidates(const carrier_config& c) : carrier_(c), search_(c), window_(c) {}

pscch_candidates::found pscch_candidates::find(const subframe& sf, int first_prb, float at_least) const noexcept {
  const auto in_grid = [&](double cfo_hz) {
    return found{search_.find(sf.grids.get(sf.samples, cfo_hz, 0).antennas, first_prb, at_least), cfo_hz};
  };
  const auto best = in_grid(sf.base_cfo_hz);
  if (sf.base_cfo_hz == 0) return best;
  // The offset of the strongest transmitter need not be this one's.
  const auto plain = in_grid(0);
  const auto metric = [](const found& f) { return std::ranges::max(f.peaks, {}, &pscch_search::peak::metric).metric; };
  return metric(plain) > metric(best) ? plain : best;
}

pscch_candidate pscch_candidates::candidate(const found& f, int shift) const {
  const auto& peak = f.peaks[shift];
  return {search_.shift_value(shift), search_.place_of(shift, peak.bin), peak.metric, 0, f.cfo_hz};
}

/// Measures a candidate in a window where its delay lies. False if it is not there.
bool pscch_candidates::look_closer(const subframe& sf, int first_prb, int shift, int bin,
                                   pscch_candidate& c) const noexcept {
  const double delay_samples = search_.delay_of(bin) * carrier_.fft_size;
  const float needed = more_outside * pscch_belief(carrier_.tm).dmrs_metric;
  const auto& there = sf.grids.get_symbols(sf.samples, c.cfo_hz, window_.place_for(delay_samples), search_.symbols());
  const auto peak = search_.find(there.antennas, first_prb, needed)[shift];
  c.metric = peak.metric;
  c.window = there.shift;
  return search_.in_window(peak.bin) && c.metric >= needed;
}

// What lies in the common window costs nothing more; another one is looked at only where the common one shows a path
// outside.
std::span<const pscch_candidate> pscch_candidates::at(const subframe& sf, int first_prb) noexcept {
  const float needed = pscch_belief(carrier_.tm).dmrs_metric;
  const auto f = find(sf, first_prb, needed);
  float clear = 0;  // what the common window shows best
  int clear_place = -1;
  for (int i = 0; i < search_.n_shifts(); ++i)
    if (search_.in_window(f.peaks[i].bin) && f.peaks[i].metric > std::max(clear, clearly_here)) {
      clear = f.peaks[i].metric;
      clear_place = search_.place_of(i, f.peaks[i].bin);
    }
  std::size_t n = 0;
  for (int i = 0; i < search_.n_shifts(); ++i) {
    const auto& peak = f.peaks[i];
    if (peak.metric < needed) continue;
    auto c = candidate(f, i);
    if (!search_.in_window(peak.bin) && (c.place == clear_place || !look_closer(sf, first_prb, i, peak.bin, c)))
      continue;
    candidates_[n++] = c;
  }
  std::sort(candidates_.begin(), candidates_.begin() + n,
            [](const auto& a, const auto& b) { return a.metric > b.metric; });
  return std::span(candidates_).first(n);
}

pscch_candidate pscch_candidates::best_at(const subframe& sf, int first_prb, std::optional<int> cyclic_shift) noexcept {
  const auto f = find(sf, first_prb, 0);
  int best = 0;
  for (int i = 0; i < search_.n_shifts(); ++i) {
    if (cyclic_shift && search_.shift_value(i) == *cyclic_shift) {
      best = i;
      break;
    }
    if (f.peaks[i].metric > f.peaks[best].metric) best = i;
  }
  auto c = candidate(f, best);
  if (!search_.in_window(f.peaks[best].bin)) look_closer(sf, first_prb, best, f.peaks[best].bin, c);
  return c;
}

}  // namespace prose::phy
