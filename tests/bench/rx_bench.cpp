// The receiver, stage by stage and for whole subframes. x_realtime counts 1 ms subframes.
#include <benchmark/benchmark.h>

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "phy/modem/grid_cache.h"
#include "phy/modem/pscch_search.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/modem/transmitter.h"
#include "phy/types/tbs.h"

namespace {

using namespace prose::phy;

std::vector<std::uint8_t> random_bits(std::mt19937& rng, int n) {
  std::vector<std::uint8_t> b(static_cast<std::size_t>(n));
  for (auto& x : b) x = static_cast<std::uint8_t>(rng() & 1U);
  return b;
}

struct scene {
  carrier_config carrier;
  std::vector<int> candidates;
  pssch_config grant;
  std::vector<cf32> samples;
};

/// One SCI and its PSSCH of n_pssch PRB at 20 dB, candidates every two PRBs.
scene make_scene(int n_prb, double rate_hz, int n_candidates, int n_pssch, int mcs) {
  scene s;
  s.carrier = *carrier_config::make(n_prb, cyclic_prefix::normal, transmission_mode::tm4, rate_hz);
  for (int i = 0; i < n_candidates; ++i) s.candidates.push_back(2 * i);
  std::mt19937 rng(1);
  auto tx = *transmitter::make({.carrier = s.carrier});
  const auto sci = random_bits(rng, sci_format1_bits);
  const auto p = *pssch_transport(transmission_mode::tm4, mcs, n_pssch);
  s.grant = {.prb_start = 2,
             .n_prb = n_pssch,
             .tbs = p.tbs,
             .modulation_order = p.modulation_order,
             .n_x_id = sci_crc(sci),
             .n_ssf = 3};
  const auto payload = random_bits(rng, p.tbs);
  const transmission list[] = {{pscch_transmission{{0, 3}, sci}}, {pssch_transmission{s.grant, payload}}};
  s.samples.resize(s.carrier.samples_per_subframe());
  (void)tx.transmit(list, s.samples);
  std::normal_distribution<float> g(0.0F, std::sqrt(0.01F / 2));
  for (auto& x : s.samples) x += cf32(g(rng), g(rng));
  return s;
}

void realtime(benchmark::State& state) {
  state.counters["x_realtime"] =
      benchmark::Counter(1e-3 * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void whole_subframe(benchmark::State& state, int n_prb, double rate_hz, int n_candidates, int n_pssch, int mcs) {
  const scene s = make_scene(n_prb, rate_hz, n_candidates, n_pssch, mcs);
  auto rx = *subframe_receiver::make({.carrier = s.carrier});
  soft_buffer buffer;
  std::vector<std::uint8_t> payload(static_cast<std::size_t>(s.grant.tbs));
  bool ok = true;
  for (auto _ : state) {
    rx.load(s.samples);
    const auto found = rx.find_pscch(s.candidates);
    ok = ok && found.size() == 1;
    if (found.empty()) break;
    buffer.reset(s.grant.tbs);
    const auto t = rx.decode_pssch(s.grant, hints_of(found[0].signal), buffer, payload);
    ok = ok && t.crc_ok;
  }
  if (!ok) state.SkipWithError("nothing decoded");
  realtime(state);
}
BENCHMARK_CAPTURE(whole_subframe, prb50_20_candidates_pssch8_mcs5, 50, 11.52e6, 20, 8, 5);
BENCHMARK_CAPTURE(whole_subframe, prb50_20_candidates_pssch48_mcs11, 50, 15.36e6, 20, 48, 11);
BENCHMARK_CAPTURE(whole_subframe, prb100_40_candidates_pssch8_mcs5, 100, 30.72e6, 40, 8, 5);
BENCHMARK_CAPTURE(whole_subframe, prb100_40_candidates_pssch96_mcs11, 100, 30.72e6, 40, 96, 11);

void rx_load(benchmark::State& state, int n_prb, double rate_hz) {
  const scene s = make_scene(n_prb, rate_hz, 1, 8, 5);
  auto rx = *subframe_receiver::make({.carrier = s.carrier});
  for (auto _ : state) benchmark::DoNotOptimize(rx.load(s.samples));
  realtime(state);
}
BENCHMARK_CAPTURE(rx_load, prb50, 50, 15.36e6);
BENCHMARK_CAPTURE(rx_load, prb100, 100, 30.72e6);

void scfdma_demodulate(benchmark::State& state, int n_prb, double rate_hz, double cfo_hz) {
  const scene s = make_scene(n_prb, rate_hz, 1, 8, 5);
  subframe_samples in(s.carrier);
  std::copy(s.samples.begin(), s.samples.end(), in.body().begin());
  scfdma_demodulator demodulator(s.carrier);
  resource_grid grid(s.carrier);
  for (auto _ : state) {
    demodulator.demodulate(in, 0, cfo_hz, 1.0F, grid);
    benchmark::DoNotOptimize(grid.all().data());
  }
  realtime(state);
}
BENCHMARK_CAPTURE(scfdma_demodulate, prb50, 50, 15.36e6, 0.0);
BENCHMARK_CAPTURE(scfdma_demodulate, prb100, 100, 30.72e6, 0.0);
BENCHMARK_CAPTURE(scfdma_demodulate, prb100_cfo, 100, 30.72e6, 300.0);

void pscch_metrics(benchmark::State& state) {
  const scene s = make_scene(50, 15.36e6, 20, 8, 5);
  std::vector<subframe_samples> in(1, subframe_samples(s.carrier));
  std::copy(s.samples.begin(), s.samples.end(), in[0].body().begin());
  grid_cache grids(s.carrier, 1);
  grids.begin_subframe(1.0F);
  const auto& g = grids.get(in, 0, 0);
  const pscch_search search(s.carrier);
  for (auto _ : state)
    for (const int prb : s.candidates) benchmark::DoNotOptimize(search.find(g.antennas, prb, 0.0F));
  realtime(state);
}
BENCHMARK(pscch_metrics);

void pscch_search_noise(benchmark::State& state, int n_prb, double rate_hz, int n_candidates) {
  scene s = make_scene(n_prb, rate_hz, n_candidates, 8, 5);
  std::mt19937 rng(2);
  std::normal_distribution<float> g;
  for (auto& x : s.samples) x = {g(rng), g(rng)};
  auto rx = *subframe_receiver::make({.carrier = s.carrier});
  for (auto _ : state) {
    rx.load(s.samples);
    benchmark::DoNotOptimize(rx.find_pscch(s.candidates));
  }
  realtime(state);
}
BENCHMARK_CAPTURE(pscch_search_noise, prb50, 50, 15.36e6, 20);
BENCHMARK_CAPTURE(pscch_search_noise, prb100, 100, 30.72e6, 40);

void pscch_decode(benchmark::State& state) {
  const scene s = make_scene(50, 15.36e6, 20, 8, 5);
  auto rx = *subframe_receiver::make({.carrier = s.carrier});
  rx.load(s.samples);
  for (auto _ : state) benchmark::DoNotOptimize(rx.decode_pscch(0));
  realtime(state);
}
BENCHMARK(pscch_decode);

void pssch_metric(benchmark::State& state, int n_pssch) {
  const scene s = make_scene(100, 30.72e6, 20, n_pssch, 5);
  auto rx = *subframe_receiver::make({.carrier = s.carrier});
  rx.load(s.samples);
  for (auto _ : state) benchmark::DoNotOptimize(rx.pssch_dmrs_metric(s.grant));
  realtime(state);
}
BENCHMARK_CAPTURE(pssch_metric, prb8, 8);
BENCHMARK_CAPTURE(pssch_metric, prb96, 96);

void pssch_decode(benchmark::State& state, int n_pssch, int mcs) {
  const scene s = make_scene(100, 30.72e6, 20, n_pssch, mcs);
  auto rx = *subframe_receiver::make({.carrier = s.carrier});
  rx.load(s.samples);
  soft_buffer buffer;
  std::vector<std::uint8_t> payload(static_cast<std::size_t>(s.grant.tbs));
  for (auto _ : state) {
    buffer.reset(s.grant.tbs);
    benchmark::DoNotOptimize(rx.decode_pssch(s.grant, {}, buffer, payload));
  }
  realtime(state);
}
BENCHMARK_CAPTURE(pssch_decode, prb8_mcs5, 8, 5);
BENCHMARK_CAPTURE(pssch_decode, prb48_mcs11, 48, 11);
BENCHMARK_CAPTURE(pssch_decode, prb96_mcs20, 96, 20);

void psbch_and_slss(benchmark::State& state) {
  const auto carrier = *carrier_config::make(50, cyclic_prefix::normal, transmission_mode::tm4, 15.36e6);
  auto tx = *transmitter::make({.carrier = carrier});
  std::mt19937 rng(1);
  const auto mib = random_bits(rng, 48);
  const transmission t{psbch_transmission{169, mib}};
  std::vector<cf32> x(static_cast<std::size_t>(carrier.samples_per_subframe()));
  (void)tx.transmit({&t, 1}, x);
  auto rx = *subframe_receiver::make({.carrier = carrier});
  for (auto _ : state) {
    rx.load(x);
    const auto id = rx.detect_slss();
    if (!rx.decode_psbch(id.n_sl_id).detected) state.SkipWithError("no MIB");
  }
  realtime(state);
}
BENCHMARK(psbch_and_slss);

}  // namespace
