// The search for SLSS at low signal.
#include "phy/sync/slss_search.h"
#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

// Every identity at the least SNR that is promised, at an unknown place with an unknown carrier offset.
TEST(slss_search, identities_at_minus_3_db) {
  rng_t rng(8);
  for (const auto tm : {transmission_mode::tm2, transmission_mode::tm4}) {
    int missed = 0;
    int wrong = 0;
    for (int id = 0; id < n_slss_ids; ++id) {
      const int n_prb = bandwidths_prb[id % 3];
      const double rate = standard_fft_size(n_prb) * 15e3 * (id % 2 == 0 ? 1.0 : 0.75);
      const auto c = carrier_config::make(n_prb, cyclic_prefix::normal, tm, rate);
      ASSERT_TRUE(c);
      auto search = slss_search::make({.carrier = *c});
      ASSERT_TRUE(search);
      air a(*c, search->window_samples(), noise_for(*c, -3), rng);
      const auto bits = random_bits(rng, mib_sl_bits(tm));
      const transmission list[] = {{psbch_transmission{id, bits}, 0.0F}};
      const int start = pick(rng, 0, c->samples_per_subframe() - 1);
      const double cfo = real(rng, -5000, 5000);
      a.add(list, start, cfo);
      const auto found = search->search(a.samples);
      const bool hit = !found.empty() && found[0].n_sl_id == id &&
                       std::abs(found[0].start_samples - start) < 0.03 * c->fft_size &&
                       std::abs(found[0].cfo_hz - cfo) < 800;
      missed += hit ? 0 : 1;
      if (!hit && verbose())
        std::printf("id %d: %zu found, id %d start %+.1f cfo %+.0f psss %.2f ssss %.2f\n", id, found.size(),
                    found.empty() ? -1 : found[0].n_sl_id, found.empty() ? 0 : found[0].start_samples - start,
                    found.empty() ? 0 : found[0].cfo_hz - cfo, found.empty() ? 0 : found[0].psss_metric,
                    found.empty() ? 0 : found[0].ssss_metric);
      for (const auto& f : found) wrong += f.n_sl_id != id ? 1 : 0;
    }
    std::printf("TM%d: %d of %d missed, %d wrong\n", static_cast<int>(tm), missed, n_slss_ids, wrong);
    EXPECT_LE(missed, n_slss_ids / 10);
    EXPECT_LE(wrong, 3);
  }
}
