// The transmitter's stages. x_realtime: how many times faster than the 1 ms subframe on one core.
#include <benchmark/benchmark.h>

#include <random>
#include <vector>

#include "phy/channels/encoders.h"
#include "phy/dsp/gold.h"
#include "phy/modem/transmitter.h"
#include "phy/scfdma/dmrs.h"
#include "phy/scfdma/modulator.h"
#include "phy/types/pool.h"

namespace {

using namespace prose::phy;

std::vector<std::uint8_t> random_bits(int n) {
  std::mt19937 rng(1);
  std::vector<std::uint8_t> b(static_cast<std::size_t>(n));
  for (auto& x : b) x = rng() & 1U;
  return b;
}

carrier_config carrier(int n_prb, transmission_mode tm) {
  return {.n_prb = n_prb, .tm = tm, .fft_size = standard_fft_size(n_prb)};
}

void count_subframes(benchmark::State& state) {
  state.counters["x_realtime"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 1e-3, benchmark::Counter::kIsRate);
}

void tx_scfdma_modulate(benchmark::State& state) {
  const auto c = carrier(static_cast<int>(state.range(0)), transmission_mode::tm4);
  scfdma_modulator modulator(c);
  resource_grid grid(c);
  for (auto& v : grid.all()) v = {0.7F, -0.7F};
  std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
  for (auto _ : state) {
    modulator.modulate(grid, 0x1FFF, out);
    benchmark::DoNotOptimize(out.data());
  }
  count_subframes(state);
}
BENCHMARK(tx_scfdma_modulate)->Arg(6)->Arg(25)->Arg(50)->Arg(100);

// PSCCH and PSSCH over the whole band: arguments PRB and MCS.
void tx_subframe_v2x(benchmark::State& state) {
  const int n_prb = static_cast<int>(state.range(0));
  const auto c = carrier(n_prb, transmission_mode::tm4);
  auto tx = transmitter::make({.carrier = c}).value();
  const int allocated = largest_235(n_prb - 2);
  const auto t = pssch_transport(c.tm, static_cast<int>(state.range(1)), allocated).value();
  const auto sci = random_bits(32);
  const auto payload = random_bits(t.tbs);
  std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
  const transmission list[] = {{pscch_transmission{{.prb = 0}, sci}},
                               {pssch_transmission{{.prb_start = 2,
                                                    .n_prb = allocated,
                                                    .tbs = t.tbs,
                                                    .modulation_order = t.modulation_order,
                                                    .n_x_id = sci_crc(sci)},
                                                   payload}}};
  for (auto _ : state) {
    if (!tx.transmit(list, out)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(out.data());
  }
  count_subframes(state);
}
BENCHMARK(tx_subframe_v2x)->Args({50, 4})->Args({50, 20})->Args({100, 4})->Args({100, 20});

void tx_subframe_psbch(benchmark::State& state) {
  const auto c = carrier(50, transmission_mode::tm4);
  auto tx = transmitter::make({.carrier = c}).value();
  const auto mib = random_bits(48);
  std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
  const transmission list[] = {{psbch_transmission{169, mib}}};
  for (auto _ : state) {
    if (!tx.transmit(list, out)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(out.data());
  }
  count_subframes(state);
}
BENCHMARK(tx_subframe_psbch);

void tx_subframe_psdch(benchmark::State& state) {
  const auto c = carrier(50, transmission_mode::tm2);
  auto tx = transmitter::make({.carrier = c}).value();
  const auto message = random_bits(discovery_message_bits);
  std::vector<cf32> out(static_cast<std::size_t>(c.samples_per_subframe()));
  const transmission list[] = {{psdch_transmission{{.prb = 4}, message}}};
  for (auto _ : state) {
    if (!tx.transmit(list, out)) state.SkipWithError("refused");
    benchmark::DoNotOptimize(out.data());
  }
  count_subframes(state);
}
BENCHMARK(tx_subframe_psdch);

void tx_gold_bits(benchmark::State& state) {
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(state.range(0)));
  std::uint32_t c_init = 1;
  for (auto _ : state) {
    gold_bits(c_init++, bits);
    benchmark::DoNotOptimize(bits.data());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(tx_gold_bits)->Arg(480)->Arg(46080);

void tx_dmrs_subframe(benchmark::State& state) {
  std::vector<cf32> out(static_cast<std::size_t>(state.range(0) * 12));
  const auto p = pssch_dmrs(transmission_mode::tm4, 12345, 4);
  for (auto _ : state)
    for (int i = 0; i < 4; ++i) {
      dmrs_sequence(p, i, out);
      benchmark::DoNotOptimize(out.data());
    }
  count_subframes(state);
}
BENCHMARK(tx_dmrs_subframe)->Arg(10)->Arg(48)->Arg(96);

}  // namespace
