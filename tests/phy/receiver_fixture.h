// Shared by the receiver's tests: third-party recordings, and our transmitter through noise and simple channels.
#pragma once

#include <algorithm>
#include <cmath>
#include <complex>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numbers>
#include <random>
#include <string>
#include <vector>

#include "common/hex.h"
#include "phy/types/carrier.h"
#include "phy/types/cf32.h"

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
      if (first + i >= 0 && first + i < static_cast<long>(samples.size()))
        out[static_cast<std::size_t>(i)] = samples[static_cast<std::size_t>(first + i)];
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

/// Noise variance a sample that gives Es/N0 on resource elements of unit power: with the unitary DFT both scales are the same.
inline float noise_variance(double snr_db) { return static_cast<float>(std::pow(10.0, -snr_db / 10)); }

}  // namespace prose::phy::test
