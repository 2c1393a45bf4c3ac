#include "apps/town/ground.h"

#include <algorithm>
#include <cmath>

#include "phy/dsp/random.h"

namespace prose::apps::town {
namespace {

struct place {
  double x, y;
};

/// Places in square cells, so that only those of the nearest nine are compared.
class cells {
public:
  cells(const std::vector<place>& places, double side_m, double reach_m)
      : places_(places), side_m_(side_m), across_(std::clamp(static_cast<int>(side_m / reach_m), 1, 1024)) {
    in_.resize(static_cast<std::size_t>(across_) * across_);
    for (std::size_t i = 0; i < places.size(); ++i)
      in_[cell(index(places[i].x), index(places[i].y))].push_back(static_cast<std::uint32_t>(i));
  }

  template <class F>
  void near(const place& p, F&& f) const {
    // Of fewer than three cells across, each once.
    const int reach = across_ < 3 ? 0 : 1, all = across_ < 3 ? across_ : 3;
    for (int dx = 0; dx < all; ++dx)
      for (int dy = 0; dy < all; ++dy)
        for (const auto i : in_[cell(index(p.x) + dx - reach, index(p.y) + dy - reach)]) f(i, distance(p, places_[i]));
  }

private:
  int index(double v) const { return std::min(static_cast<int>(v / side_m_ * across_), across_ - 1); }
  std::size_t cell(int x, int y) const {
    return static_cast<std::size_t>((x + across_) % across_) * across_ + (y + across_) % across_;
  }
  double distance(const place& a, const place& b) const {
    const auto apart = [&](double v) { return std::min(std::abs(v), side_m_ - std::abs(v)); };
    return std::hypot(apart(a.x - b.x), apart(a.y - b.y));
  }
  const std::vector<place>& places_;
  double side_m_;
  int across_;
  std::vector<std::vector<std::uint32_t>> in_;
};

}  // namespace

ground::ground(const ground_config& c, int n, std::uint64_t seed) {
  phy::simulation_rng rng(phy::hash64(seed ^ 0x67726F756E64ULL));
  std::vector<place> places;
  for (int i = 0; i < n; ++i) {
    const double x = c.side_m * rng.uniform();
    places.push_back({x, c.side_m * rng.uniform()});
  }
  places.push_back({c.side_m / 2, c.side_m / 2});
  const double reach_m =
      c.equal ? c.side_m : 100 * std::pow(10.0, (c.snr_100m_db - c.lowest_snr_db) / (10 * c.exponent));
  const cells all(places, c.side_m, reach_m);
  first_.push_back(0);
  for (int i = 0; i < n; ++i) {
    const auto from = static_cast<std::ptrdiff_t>(all_.size());
    all.near(places[i], [&](std::uint32_t other, double d) {
      if (static_cast<int>(other) == i) return;
      const double law = c.snr_100m_db - 10 * c.exponent * std::log10(std::max(d, 1.0) / 100);
      const double snr_db = c.equal ? c.highest_snr_db : std::min(law, c.highest_snr_db);
      if (snr_db >= c.lowest_snr_db) all_.push_back({other, static_cast<float>(std::pow(10.0, snr_db / 10))});
    });
    std::sort(all_.begin() + from, all_.end(), [](const hearer& a, const hearer& b) { return a.who < b.who; });
    first_.push_back(all_.size());
  }
  first_.push_back(all_.size());
}

}  // namespace prose::apps::town
