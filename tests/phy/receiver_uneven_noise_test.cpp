// Noise that is not even over the subframe (lost samples, steps of its power, impulses): few symbols then carry all the
// soft bits, and the best of all words agrees with few bits by chance. PSCCH must not be found in it.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "phy/dsp/random.h"
#include "phy/modem/subframe_receiver.h"

namespace prose::phy {
namespace {

void uneven_noise(simulation_rng& rng, std::vector<cf32>& x) {
  const int n = static_cast<int>(x.size());
  std::fill(x.begin(), x.end(), cf32{});
  const auto part = [&](int from, int to, double power) {
    rng.add_noise(std::span(x).subspan(from, to - from), static_cast<float>(power));
  };
  switch (rng.below(3)) {
    case 0: {  // the rest was lost
      const int cut = rng.below(n);
      rng.below(2) == 0 ? part(0, cut, 1) : part(cut, n, 1);
      break;
    }
    case 1: {  // a step
      const int cut = rng.below(n);
      part(0, cut, std::pow(10.0, -3 + 3 * rng.uniform()));
      part(cut, n, std::pow(10.0, -3 + 3 * rng.uniform()));
      break;
    }
    default:
      part(0, n, 1e-4);
      for (int i = 0; i < 20; ++i) x[rng.below(n)] = 1e3F * rng.gaussian();
  }
}

// One SCI in 10^6 candidates is what is allowed; the short run sees about 10^6.
TEST(receiver_uneven_noise, holds_no_sci) {
  const char* text = std::getenv("PROSE_UNEVEN_SUBFRAMES");
  const int n_subframes = text != nullptr ? std::atoi(text) : 4000;
  simulation_rng rng(31);
  long candidates = 0, found = 0;
  const auto run = [&](transmission_mode tm, cyclic_prefix cp) {
    const auto carrier = *carrier_config::make(25, cp, tm, 7.68e6);
    auto rx = subframe_receiver::make({.carrier = carrier});
    ASSERT_TRUE(rx);
    std::vector<int> prbs(static_cast<std::size_t>(25));
    std::iota(prbs.begin(), prbs.end(), 0);
    std::vector<cf32> x(static_cast<std::size_t>(carrier.samples_per_subframe()));
    long here = 0;
    for (int i = 0; i < n_subframes; ++i) {
      uneven_noise(rng, x);
      rx->load(x);
      here += static_cast<long>(rx->find_pscch(prbs).size());
      candidates += 25;
    }
    std::printf("TM%d %s prefix: %ld SCIs\n", static_cast<int>(tm), cp == cyclic_prefix::normal ? "normal" : "extended",
                here);
    found += here;
  };
  run(transmission_mode::tm2, cyclic_prefix::normal);
  run(transmission_mode::tm2, cyclic_prefix::extended);
  run(transmission_mode::tm4, cyclic_prefix::normal);
  EXPECT_EQ(found, 0) << "in " << candidates << " candidates";
}

}  // namespace
}  // namespace prose::phy
