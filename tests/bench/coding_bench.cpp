// Channel codes. Seeds are fixed; `Mbit/s` counts information bits (CRC included).
#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "phy/coding/control_code.h"
#include "phy/coding/transport_code.h"
#include "phy/coding/turbo_decoder.h"
#include "phy/coding/turbo_encoder.h"

namespace {

using namespace prose::phy;
using bits = std::vector<std::uint8_t>;

bits random_bits(std::size_t n) {
  std::mt19937_64 rng(1);
  bits b(n);
  for (auto& x : b) x = static_cast<std::uint8_t>(rng() & 1U);
  return b;
}
std::vector<llr> noisy(const bits& coded, double snr_db) {
  std::mt19937_64 rng(2);
  const double n0 = std::pow(10.0, -snr_db / 10.0);
  std::normal_distribution<double> noise(0.0, std::sqrt(n0 / 2));
  std::vector<llr> out(coded.size());
  for (std::size_t i = 0; i < coded.size(); ++i)
    out[i] = static_cast<float>(4.0 / n0 * ((coded[i] != 0 ? -1.0 : 1.0) + noise(rng)));
  return out;
}
void rate(benchmark::State& state, double bits_per_run) {
  state.counters["Mbit/s"] = benchmark::Counter(bits_per_run * 1e-6, benchmark::Counter::kIsIterationInvariantRate);
}
// Runs that fit into the 1 ms of a subframe.
void real_time(benchmark::State& state) {
  state.counters["x_realtime"] = benchmark::Counter(1e-3, benchmark::Counter::kIsIterationInvariantRate);
}

// The turbo decoder alone, a fixed number of full iterations: noise in, so that the CRC never stops it.
void coding_turbo_decoder(benchmark::State& state) {
  const qpp& q = qpp_at_least(static_cast<int>(state.range(0)));
  std::mt19937_64 rng(3);
  std::array<std::vector<std::int16_t>, 3> soft;
  for (auto& s : soft) {
    s.resize(static_cast<std::size_t>(q.k) + turbo_tail);
    for (auto& x : s) x = static_cast<std::int16_t>(static_cast<int>(rng() % 65) - 32);
  }
  turbo_decoder decoder;
  bits out(static_cast<std::size_t>(q.k));
  for (auto _ : state) {
    benchmark::DoNotOptimize(decoder.decode(q, {soft[0].data(), soft[1].data(), soft[2].data()}, crc24b,
                                            static_cast<int>(state.range(1)), out));
  }
  rate(state, q.k);
}
BENCHMARK(coding_turbo_decoder)->ArgNames({"K", "iterations"})->ArgsProduct({{40, 256, 512, 1024, 2048, 6144}, {4, 8}});

void coding_turbo_encoder(benchmark::State& state) {
  const qpp& q = qpp_at_least(static_cast<int>(state.range(0)));
  const std::size_t k = q.k;
  const bits in = random_bits(k);
  bits tail(4), p1(k + 4), p2(k + 4);
  for (auto _ : state) {
    turbo_encode(q, in, tail, p1, p2);
    benchmark::DoNotOptimize(p2.data());
  }
  rate(state, q.k);
}
BENCHMARK(coding_turbo_encoder)->ArgName("K")->Arg(256)->Arg(1024)->Arg(6144);

// Whole transport block, rate matching included. Rate 1/2; 10 dB needs one half iteration, 1.5 dB a few.
void coding_transport_decode(benchmark::State& state) {
  const std::size_t tbs = state.range(0);
  const transport_format f{static_cast<int>(tbs), 2, 0};
  transport_encoder encoder;
  transport_decoder decoder;
  soft_buffer buffer(static_cast<int>(tbs));
  const bits payload = random_bits(tbs);
  bits coded(2 * tbs), out(tbs);
  encoder.encode(f, payload, coded);
  const auto soft = noisy(coded, static_cast<double>(state.range(1)) / 10);
  int iterations = 0;
  for (auto _ : state) {
    buffer.reset(f.tbs);
    const auto r = decoder.decode(f, soft, buffer, out);
    if (!r.crc_ok) state.SkipWithError("not decoded");
    iterations = r.iterations;
  }
  state.counters["iterations"] = iterations;
  rate(state, static_cast<double>(tbs));
  real_time(state);
}
BENCHMARK(coding_transport_decode)->ArgNames({"tbs", "dB_x10"})->ArgsProduct({{712, 6120, 36696}, {15, 100}});

void coding_transport_encode(benchmark::State& state) {
  const std::size_t tbs = state.range(0);
  transport_encoder encoder;
  const bits payload = random_bits(tbs);
  bits coded(2 * tbs);
  for (auto _ : state) {
    encoder.encode({static_cast<int>(tbs), 2, 0}, payload, coded);
    benchmark::DoNotOptimize(coded.data());
  }
  rate(state, static_cast<double>(tbs));
  real_time(state);
}
BENCHMARK(coding_transport_encode)->ArgName("tbs")->Arg(712)->Arg(6120)->Arg(36696);

void coding_control_encode(benchmark::State& state) {
  const bits payload = random_bits(32);
  bits coded(480);
  for (auto _ : state) benchmark::DoNotOptimize(encode_control(payload, coded));
  real_time(state);
}
BENCHMARK(coding_control_encode);

// One PSCCH candidate of TM4: SCI format 1 (32 + 16 bits) in 480 soft bits; state.range(0): 0 noise only, 1 a good
// signal.
void coding_control_decode(benchmark::State& state) {
  const bits payload = random_bits(32);
  bits coded(480), out(32);
  encode_control(payload, coded);
  const auto soft = noisy(coded, state.range(0) != 0 ? 3.0 : -60.0);
  control_decoder decoder;
  for (auto _ : state) benchmark::DoNotOptimize(decoder.decode(soft, out));
  real_time(state);
}
BENCHMARK(coding_control_decode)->ArgName("signal")->Arg(0)->Arg(1);

}  // namespace
