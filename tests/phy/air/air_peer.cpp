// A scripted radio user for the process tests: receives, sends a burst every so often at exact ticks, sleeps at random,
// and reports a hash of all it received. One JSON object on stdout at the end; "progress SECONDS" lines while it runs.
// With --hold-at it stands still there, and with it the air, until its standard input ends.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "phy/radio/radio.h"

using namespace prose::phy;

int main(int argc, char** argv) {
  radio_config config;
  double start_s = -1.0, hold_s = -1.0, hold_every_s = 0.0, seconds = 1.0, every_ms = 0.0, phase_ms = 0.0,
         lead_us = 500.0, stall_ms = 0.0;
  std::size_t burst = 1000, chunk = 4096;
  unsigned seed = 1;
  CLI::App app;
  app.add_option("--device", config.device_args);
  app.add_option("--rate", config.sample_rate_hz);
  app.add_option("--device-rate", config.device_rate_hz);
  app.add_option("--start", start_s, "device time at which reception starts; without it: at once");
  app.add_option("--hold-at", hold_s, "device time at which it reads no more until its standard input ends");
  app.add_option("--hold-every", hold_every_s,
                 "holds again so many seconds later; a line of its standard input ends each");
  app.add_option("--seconds", seconds);
  app.add_option("--every-ms", every_ms, "a burst every so often; 0: none");
  app.add_option("--phase-ms", phase_ms);
  app.add_option("--burst", burst, "samples");
  app.add_option("--chunk", chunk, "samples a read");
  app.add_option("--lead-us", lead_us, "bursts are handed over when the last sample read is so long before them");
  app.add_option("--stall-ms", stall_ms, "sleeps of 0..N ms after random reads");
  app.add_option("--seed", seed);
  CLI11_PARSE(app, argc, argv);
  const auto failed = [](const prose::error& e) {
    std::fprintf(stderr, "air_peer: %s\n", e.message.c_str());
    return 1;
  };
  auto opened = radio::open(config);
  if (!opened) return failed(opened.error());
  radio& r = **opened;
  const double rate = config.sample_rate_hz;
  const auto ticks = [&](double s) { return static_cast<std::int64_t>(std::llround(s * rate)); };
  const auto started = r.start(start_s < 0 ? std::nullopt : std::optional(ticks(start_s)));
  if (!started) return failed(started.error());
  const std::int64_t start = *started;
  std::printf("ready\n");
  std::fflush(stdout);

  std::mt19937 random(seed);
  std::vector<cf32> samples(burst);
  for (std::size_t i = 0; i < burst; ++i)
    samples[i] = std::polar(0.5F, 0.01F * static_cast<float>((seed + 3) * i % 10007));
  std::vector<cf32> in(chunk);
  std::uint64_t hash = 0xCBF29CE484222325ULL;
  double energy = 0.0;
  std::int64_t position = start, next_burst = every_ms > 0 ? start + ticks((every_ms + phase_ms) * 1e-3) : -1,
               last_progress = start;
  std::uint64_t late = 0, gaps = 0;
  const std::int64_t end = start + ticks(seconds);
  while (position < end) {
    const auto n = std::min<std::size_t>(chunk, static_cast<std::size_t>(end - position));
    const auto got = r.read(std::span<cf32>(in).first(n));
    if (!got) return failed(got.error());
    gaps += got->gap_before ? 1 : 0;
    for (std::size_t i = 0; i < got->n_samples; ++i) {
      std::uint64_t bits = 0;
      std::memcpy(&bits, &in[i], sizeof bits);
      hash = (hash ^ bits) * 0x100000001B3ULL;
      energy += std::norm(in[i]);
    }
    position = got->first_tick + static_cast<std::int64_t>(got->n_samples);
    if (hold_s >= 0 && position >= ticks(hold_s)) {
      std::printf("holds\n");
      std::fflush(stdout);
      int c = std::getchar();
      while (c != EOF && (c != '\n' || hold_every_s <= 0)) c = std::getchar();
      hold_s = c == EOF ? -1 : hold_s + hold_every_s;
    }
    if (stall_ms > 0 && random() % 8 == 0)
      std::this_thread::sleep_for(std::chrono::microseconds(random() % static_cast<unsigned>(stall_ms * 1000 + 1)));
    // The law under test: what is at least `lead` after the last sample read is never late.
    while (next_burst >= 0 && next_burst < end &&
           next_burst - ticks(lead_us * 1e-6) < position + static_cast<std::int64_t>(chunk)) {
      if (next_burst >= position + ticks(lead_us * 1e-6)) {
        const auto sent = r.transmit(next_burst, samples);
        if (!sent) return failed(sent.error());
        late += *sent == transmit_status::late ? 1 : 0;
      }
      next_burst += ticks(every_ms * 1e-3);
    }
    if (position - last_progress > ticks(0.05)) {
      last_progress = position;
      std::printf("progress %.3f\n", static_cast<double>(position) / rate);
      std::fflush(stdout);
    }
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  const radio_counters c = r.counters();
  std::printf(
      R"({"hash": "%016llx", "energy": %.6f, "bursts": %llu, "lates": %llu, "overflows": %llu, "underflows": %llu, "sequence_errors": %llu, "gaps": %llu})"
      "\n",
      static_cast<unsigned long long>(hash), energy, static_cast<unsigned long long>(c.bursts_sent),
      static_cast<unsigned long long>(c.lates), static_cast<unsigned long long>(c.overflows),
      static_cast<unsigned long long>(c.underflows), static_cast<unsigned long long>(c.sequence_errors),
      static_cast<unsigned long long>(gaps));
  return 0;
}
