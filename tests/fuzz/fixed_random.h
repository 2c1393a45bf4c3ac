// The same "random" octets in every run, so that an input that failed fails again.
#pragma once

#include <random>

#include "security/ports.h"

namespace prose::fuzz {

class fixed_random final : public security::random_port {
public:
  void fill(security::bytes_span out) override {
    for (auto& b : out) b = static_cast<std::uint8_t>(rng_());
  }

private:
  std::mt19937_64 rng_{7};
};

}  // namespace prose::fuzz
