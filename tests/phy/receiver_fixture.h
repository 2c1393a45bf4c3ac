// Shared by the receiver's tests: third-party recordings, and our transmitter through noise and simple channels.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <complex>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "common/hex.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"
#include "prose_test_paths.h"

namespace prose::phy::test {

struct recording {
  std::string name;
  carrier_config carrier;
  nlohmann::json expected;
  std::vector<cf32> samples;
  std::vector<cf32> subframe(int index) const {
    const int size = carrier.samples_per_subframe();
    std::vector<cf32> out(static_cast<std::size_t>(size));
    const long first = expected["first_subframe_sample"].get<long>() + static_cast<long>(index) * size;
    for (int i = 0; i < size; ++i)
      if (first + i >= 0 && first + i < static_cast<long>(samples.size())) out[i] = samples[first + i];
    return out;
  }
};

inline std::vector<recording> recordings() {
  namespace fs = std::filesystem;
  std::vector<recording> out;
  for (const char* folder : {"recorded", "generated_a", "generated_b"}) {
    const fs::path dir = fs::path(PROSE_SHARED_IQ) / folder;
    if (!fs::exists(dir)) continue;
    for (const auto& entry : fs::directory_iterator(dir)) {
      const std::string file = entry.path().string();
      const std::string suffix = ".expected.json";
      if (!file.ends_with(suffix)) continue;
      recording r;
      std::ifstream(file) >> r.expected;
      const auto& c = r.expected["carrier"];
      const auto carrier =
          carrier_config::make(c["n_prb"], c["cp"] == "extended" ? cyclic_prefix::extended : cyclic_prefix::normal,
                               static_cast<transmission_mode>(c["transmission_mode"].get<int>()), c["sample_rate_hz"]);
      if (!carrier) continue;
      r.carrier = *carrier;
      r.name = entry.path().filename().string();
      r.name.resize(r.name.size() - suffix.size());
      std::ifstream data(file.substr(0, file.size() - suffix.size()) + ".sigmf-data", std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(data)), std::istreambuf_iterator<char>());
      r.samples.resize(bytes.size() / sizeof(cf32));
      std::copy_n(bytes.data(), r.samples.size() * sizeof(cf32), reinterpret_cast<char*>(r.samples.data()));
      out.push_back(std::move(r));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

inline std::string hex_of(std::span<const std::uint8_t> bits) {
  std::vector<std::uint8_t> bytes((bits.size() + 7) / 8);
  for (std::size_t i = 0; i < bits.size(); ++i)
    bytes[i / 8] = static_cast<std::uint8_t>(bytes[i / 8] | (bits[i] << (7 - i % 8)));
  return to_hex(bytes);
}

class random_source {
public:
  explicit random_source(std::uint64_t seed) : rng_(seed) {}
  std::vector<std::uint8_t> bits(int n) {
    std::vector<std::uint8_t> b(static_cast<std::size_t>(n));
    for (auto& x : b) x = static_cast<std::uint8_t>(rng_() & 1U);
    return b;
  }
  cf32 gauss(float variance) {
    const float s = std::sqrt(variance / 2);
    return {s * normal_(rng_), s * normal_(rng_)};
  }
  /// Complex noise of this variance a sample.
  void add_noise(std::span<cf32> x, float variance) {
    for (auto& v : x) v += gauss(variance);
  }
  int integer(int below) { return static_cast<int>(rng_() % static_cast<std::uint64_t>(below)); }
  double uniform(double low, double high) { return std::uniform_real_distribution<double>(low, high)(rng_); }
  std::mt19937_64& engine() { return rng_; }

private:
  std::mt19937_64 rng_;
  std::normal_distribution<float> normal_;
};

inline void rotate(std::span<cf32> x, double cfo_hz, double rate_hz, double phase = 0) {
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] *= cf32(std::polar(1.0, phase + 2 * std::numbers::pi * cfo_hz / rate_hz * static_cast<double>(i)));
}

/// A tapped delay line of TS 36.104 annex B.2 with Rayleigh taps (Jakes Doppler, 16 sinusoids each), unit mean power
/// gain.
struct fading_profile {
  std::vector<double> delay_ns;
  std::vector<double> power_db;
  double doppler_hz;
};
inline fading_profile epa5() { return {{0, 30, 70, 90, 110, 190, 410}, {0, -1, -2, -3, -8, -17.2, -20.8}, 5}; }
inline fading_profile eva(double doppler_hz) {
  return {{0, 30, 150, 310, 370, 710, 1090, 1730, 2510}, {0, -1.5, -1.4, -3.6, -0.6, -9.1, -7, -12, -16.9}, doppler_hz};
}
inline std::vector<cf32> fade(std::span<const cf32> x, const fading_profile& p, double rate_hz, random_source& rng) {
  std::vector<cf32> y(x.size());
  double total = 0;
  for (const double db : p.power_db) total += std::pow(10, db / 10);
  for (std::size_t t = 0; t < p.delay_ns.size(); ++t) {
    const auto delay = static_cast<std::size_t>(std::lround(p.delay_ns[t] * 1e-9 * rate_hz));
    const double amplitude = std::sqrt(std::pow(10, p.power_db[t] / 10) / total);
    constexpr int n_waves = 16;
    std::array<cf32, n_waves> wave;
    std::array<cf32, n_waves> step;
    for (std::size_t w = 0; w < n_waves; ++w) {
      wave[w] = rng.gauss(static_cast<float>(1.0 / n_waves));
      step[w] = cf32(std::polar(
          1.0, 2 * std::numbers::pi * p.doppler_hz * std::cos(rng.uniform(0, 2 * std::numbers::pi)) / rate_hz));
    }
    for (std::size_t i = 0; i < x.size(); ++i) {
      cf32 g{};
      for (std::size_t w = 0; w < n_waves; ++w) {
        g += wave[w];
        wave[w] *= step[w];
      }
      if (i + delay < y.size()) y[i + delay] += static_cast<float>(amplitude) * g * x[i];
    }
  }
  return y;
}

/// Noise variance a sample that gives Es/N0 on resource elements of unit power: with the unitary DFT both scales are
/// the same.
inline float noise_variance(double snr_db) { return static_cast<float>(std::pow(10.0, -snr_db / 10)); }

}  // namespace prose::phy::test
