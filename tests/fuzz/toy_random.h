// Randomness for two worlds that are to be the same but for one thing, as tests/noninterference/exact_random.h, from
// SplitMix64: every stream and every generator of ephemeral keys comes from one seed, its label and the peer alone.
// Nothing here is secret.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>

#include "security/crypto/hash.h"
#include "security/ports.h"

namespace prose::security::test {

class toy_random final : public random_port {
public:
  explicit toy_random(std::uint64_t seed) : seed_(seed), own_(begin(0, nullptr)) {}
  void fill(bytes_span out) override { own_.fill(out); }
  std::unique_ptr<random_port> stream(const stream_label& label) override {
    return std::make_unique<generator>(begin(256U + static_cast<unsigned>(label.purpose), label.peer));
  }
  random_port& ephemerals_for(const public_key& peer) override {
    return ephemerals_.try_emplace(peer, begin(1, &peer)).first->second;
  }

private:
  class generator final : public random_port {
  public:
    explicit generator(std::uint64_t state) : state_(state) {}
    void fill(bytes_span out) override {
      for (std::size_t i = 0; i < out.size(); ++i) {
        if (i % 8 == 0) next();
        out[i] = static_cast<std::uint8_t>(drawn_ >> (8 * (i % 8)));
      }
    }

  private:
    void next() {
      std::uint64_t z = state_ += 0x9e3779b97f4a7c15;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
      z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
      drawn_ = z ^ (z >> 31);
    }
    std::uint64_t state_, drawn_ = 0;
  };
  std::uint64_t begin(unsigned label, const public_key* peer) const {
    std::array<std::uint8_t, 32> out{};
    const std::array<std::uint8_t, 3> what{static_cast<std::uint8_t>(label), static_cast<std::uint8_t>(label >> 8),
                                           peer != nullptr};
    std::array<std::uint8_t, 8> seed{};
    for (std::size_t i = 0; i < 8; ++i) seed[i] = static_cast<std::uint8_t>(seed_ >> (8 * i));
    crypto::digest(crypto::hash::sha256, {seed, what, peer != nullptr ? bytes_view(peer->octets) : bytes_view{}}, out);
    std::uint64_t v = 0;
    for (std::size_t i = 0; i < 8; ++i) v = v << 8 | out[i];
    return v;
  }

  std::uint64_t seed_;
  generator own_;
  std::map<public_key, generator> ephemerals_;
};

}  // namespace prose::security::test
