// Random and hostile samples through the engine of the sniffer: no crash, no growth of memory, nothing decoded from
// noise. PROSE_HOSTILE_SECONDS (wall time, default 20) and PROSE_HOSTILE_SEED select the run.
#include <gtest/gtest.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <limits>
#include <numbers>
#include <unistd.h>

#include "phy/dsp/random.h"
#include "phy/modem/monitor.h"
#include "phy/modem/transmitter.h"
#include "phy/types/tbs.h"

namespace prose::phy {
namespace {

std::int64_t environment(const char* name, std::int64_t otherwise) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoll(text, nullptr, 10) : otherwise;
}

double resident_mb() {
  std::ifstream f("/proc/self/statm");
  double total = 0, resident = 0;
  f >> total >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

int any_of(simulation_rng& rng, std::initializer_list<int> values) {
  return *(values.begin() + rng.below(static_cast<int>(values.size())));
}

std::string random_bitmap(simulation_rng& rng) {
  std::string s(static_cast<std::size_t>(4 + rng.below(37)), '0');
  for (auto& c : s) c = rng.below(2) == 0 ? '0' : '1';
  return s;
}

monitor_config random_config(simulation_rng& rng) {
  monitor_config c;
  const int tm = 1 + rng.below(4), n_prb = any_of(rng, {6, 6, 15, 25, 50, 100});
  const auto cp = tm <= 2 && rng.below(3) == 0 ? cyclic_prefix::extended : cyclic_prefix::normal;
  const double rate = standard_fft_size(n_prb) * subcarrier_spacing_hz * (rng.below(4) == 0 ? 0.75 : 1.0);
  c.carrier = *carrier_config::make(n_prb, cp, static_cast<transmission_mode>(tm), rate);
  c.n_antennas = 1 + rng.below(2);
  c.sync = static_cast<sync_mode>(rng.below(3));
  c.timing.first_subframe_sample = rng.below(3) == 0 ? rng.below(40'000) : 0;
  if (rng.below(2) == 0)
    for (int i = 0; i < 8; ++i) c.timing.absolute_subframes.push_back(rng.below(10'240));
  c.report_failed_tbs = rng.below(2) == 0;
  c.unannounced = rng.below(2) == 0;
  const int pool = rng.below(4);
  if (pool == 0) return c;
  if (is_v2x(c.carrier.tm)) {
    v2x_pool_config p;
    p.size_subchannel = any_of(rng, {4, 5, 6, 10, 20});
    p.n_subchannels = std::max(1, n_prb / p.size_subchannel);
    if (p.size_subchannel > n_prb) p.size_subchannel = n_prb;
    p.adjacent = rng.below(3) != 0 || 2 * p.n_subchannels > n_prb;
    if (rng.below(2) == 0) p.subframe_bitmap = random_bitmap(rng);
    c.pools.emplace_back(p);
  } else if (pool == 1) {
    comm_pool_config p;
    p.known = rng.below(2) == 0;
    p.sc_period_subframes = any_of(rng, {40, 60, 80, 320});
    p.pscch = {std::max(1, n_prb / 3), 0, n_prb - 1};
    p.subframe_bitmap = random_bitmap(rng);
    p.offset_indicator = rng.below(320);
    if (rng.below(2) == 0) p.data = {p.pscch, rng.below(40), random_bitmap(rng)};
    c.pools.emplace_back(p);
  } else {
    discovery_pool_config p;
    p.num_retx = rng.below(4);
    p.num_repetition = 1 + rng.below(5);
    p.prb = {std::max(2, n_prb / 3), 0, n_prb - 1};
    p.subframe_bitmap = random_bitmap(rng);
    c.pools.emplace_back(p);
  }
  return c;
}

/// What an attacker would send: right signals with random contents.
void hostile_transmission(transmitter& tx, const carrier_config& carrier, simulation_rng& rng, std::span<cf32> out) {
  std::vector<std::uint8_t> sci(
      static_cast<std::size_t>(is_v2x(carrier.tm) ? sci_format1_bits : sci_format0_bits(carrier.n_prb)));
  std::vector<std::uint8_t> mib(static_cast<std::size_t>(mib_sl_bits(carrier.tm))), message(discovery_message_bits),
      block;
  rng.bits(sci);
  rng.bits(mib);
  rng.bits(message);
  std::vector<transmission> all;
  const int what = rng.below(5);
  if (what == 0) all.push_back({psbch_transmission{rng.below(n_slss_ids), mib}});
  if (what == 1 || what == 3)
    all.push_back({pscch_transmission{{rng.below(carrier.n_prb - 1), is_v2x(carrier.tm) ? 3 * rng.below(4) : 0}, sci}});
  if (what == 2 && !is_v2x(carrier.tm))
    all.push_back({psdch_transmission{{rng.below(carrier.n_prb - 1), rng.below(4)}, message}});
  if (what >= 3) {
    pssch_config c;
    c.n_prb = any_of(rng, {1, 2, 3, 4, 5, 6});
    c.prb_start = rng.below(carrier.n_prb - c.n_prb + 1);
    const auto t = *pssch_transport(carrier.tm, rng.below(29), c.n_prb);
    c.tbs = t.tbs;
    c.modulation_order = t.modulation_order;
    c.rv = rng.below(4);
    c.n_x_id = sci_crc(sci);
    c.n_ssf = rng.below(10);
    block.resize(c.tbs);
    rng.bits(block);
    all.push_back({pssch_transmission{c, block}});
    (void)tx.transmit(all, out);
    return;
  }
  (void)tx.transmit(all, out);
}

/// One block of samples of a random kind. True when it may hold real transmissions.
bool fill(std::span<cf32> out, simulation_rng& rng, transmitter& tx, const carrier_config& carrier,
          std::vector<cf32>& subframe) {
  std::fill(out.begin(), out.end(), cf32{});
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  const auto amplitude = static_cast<float>(std::pow(10.0, -12 + 24 * rng.uniform()));
  switch (rng.below(10)) {
    case 0:
      return false;  // silence
    case 1:
      rng.add_noise(out, amplitude * amplitude);
      return false;
    case 2:  // any bit pattern is a sample
      for (auto& v : out) {
        const std::uint64_t bits = rng.next();
        float parts[2];
        std::memcpy(parts, &bits, sizeof parts);
        v = {parts[0], parts[1]};
      }
      return false;
    case 3:
      std::fill(out.begin(), out.end(), cf32{amplitude, -amplitude});
      return false;
    case 4: {  // a tone
      const double step = 2 * std::numbers::pi * rng.uniform();
      for (std::size_t i = 0; i < out.size(); ++i)
        out[i] = amplitude * cf32(std::polar(1.0, step * static_cast<double>(i)));
      return false;
    }
    case 5:  // impulses on noise
      rng.add_noise(out, 1e-4F);
      for (int i = 0; i < 20; ++i) out[rng.below(static_cast<int>(out.size()))] = 1e6F * rng.gaussian();
      return false;
    case 6:  // NaN and infinity on noise
      rng.add_noise(out, 1.0F);
      for (int i = 0; i < 50; ++i) out[rng.below(static_cast<int>(out.size()))] = {rng.below(2) == 0 ? nan : inf, 1};
      return false;
    case 7:  // largest and smallest numbers
      for (auto& v : out) v = rng.below(2) == 0 ? cf32{3e38F, -3e38F} : cf32{1e-42F, 1e-38F};
      return false;
    default: {  // transmissions with random contents, cut anywhere
      hostile_transmission(tx, carrier, rng, subframe);
      const std::size_t at = rng.below(2) == 0 ? 0 : rng.below(static_cast<int>(out.size()));
      for (std::size_t i = 0; i + at < out.size() && i < subframe.size(); ++i) out[i + at] = subframe[i];
      rng.add_noise(out, static_cast<float>(std::pow(10.0, -4 * rng.uniform())));
      return true;
    }
  }
}

TEST(hostile_iq, neither_crashes_nor_grows_nor_invents) {
  const auto seconds = environment("PROSE_HOSTILE_SECONDS", 20);
  const auto seed = static_cast<std::uint64_t>(environment("PROSE_HOSTILE_SEED", 1));
  std::printf("seed %llu, %lld s\n", static_cast<unsigned long long>(seed), static_cast<long long>(seconds));
  const auto start = std::chrono::steady_clock::now();
  const auto elapsed = [&] { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(); };
  simulation_rng rng(seed);
  double samples = 0, air_s = 0, warm_mb = 0, most_mb = 0;
  std::uint64_t runs = 0, refused = 0, events = 0, invented = 0, sci_of_noise = 0, candidates = 0;
  while (elapsed() < static_cast<double>(seconds)) {
    const auto config = random_config(rng);
    auto m = monitor::make(config);
    if (!m) {
      EXPECT_EQ(m.error().message.find('\n'), std::string::npos);
      ++refused;
      continue;
    }
    auto tx = transmitter::make({.carrier = config.carrier});
    ASSERT_TRUE(tx);
    ++runs;
    std::vector<cf32> subframe(static_cast<std::size_t>(config.carrier.samples_per_subframe()));
    const bool only_noise = rng.below(3) == 0;  // then nothing may be decoded at all
    std::int64_t tick = rng.below(3) == 0 ? static_cast<std::int64_t>(rng.next() >> 20) : 0;
    const auto take = [&](std::span<const monitor_event> list) {
      events += list.size();
      for (const auto& e : list) {
        if (const auto* tb = std::get_if<tb_event>(&e)) {
          ASSERT_TRUE(!tb->crc_ok || static_cast<int>(tb->bits.size()) == tb->tbs);
          if (!tb->crc_ok) continue;
        }
        const bool sci = std::holds_alternative<sci_event>(e);
        if (only_noise) ++(sci ? sci_of_noise : invented);
      }
    };
    for (int block = 0; block < 40 && elapsed() < static_cast<double>(seconds) + 5; ++block) {
      std::vector<std::vector<cf32>> x(static_cast<std::size_t>(config.n_antennas));
      const std::size_t n =
          rng.below(8) == 0 ? 1 + rng.below(100) : 1 + rng.below(2 * config.carrier.samples_per_subframe());
      std::vector<std::span<const cf32>> in;
      for (auto& a : x) {
        a.resize(n);
        if (only_noise)
          rng.add_noise(a, static_cast<float>(std::pow(10.0, -3 + 2 * rng.uniform())));
        else
          fill(a, rng, *tx, config.carrier, subframe);
        in.emplace_back(a);
      }
      take(m->process(in, tick));
      samples += static_cast<double>(n);
      air_s += static_cast<double>(n) / config.carrier.sample_rate_hz();
      tick += static_cast<std::int64_t>(n);
      if (rng.below(10) == 0) tick += rng.below(100'000);                 // samples were lost
      if (!only_noise && rng.below(50) == 0) tick -= rng.below(200'000);  // a clock that steps back
      if (!only_noise && rng.below(200) == 0) tick += std::int64_t{1} << 45;
    }
    take(m->finish());
    if (only_noise) candidates += m->statistics().pscch_candidates;
    const double now_mb = resident_mb();
    // After a fifth of the time every size of monitor has been seen.
    if (elapsed() < static_cast<double>(seconds) / 5) warm_mb = std::max(warm_mb, now_mb);
    most_mb = std::max(most_mb, now_mb);
  }
  std::printf(
      "%llu monitors (%llu configurations refused), %.1f s on the air, %.0f samples, %llu events; resident %.1f MB "
      "warm, %.1f MB at most\n",
      static_cast<unsigned long long>(runs), static_cast<unsigned long long>(refused), air_s, samples,
      static_cast<unsigned long long>(events), warm_mb, most_mb);
  EXPECT_GT(runs, 0U);
  EXPECT_GT(events, 0U) << "the hostile transmissions did not even reach the decoders";
  EXPECT_EQ(invented, 0U) << "blocks, MIBs or discovery messages from noise alone";
  EXPECT_EQ(sci_of_noise, 0U) << "SCIs from " << candidates << " candidates of noise alone";
  EXPECT_LT(most_mb, warm_mb + 40) << "memory grows";
}

}  // namespace
}  // namespace prose::phy
