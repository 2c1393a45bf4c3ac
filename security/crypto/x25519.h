#pragma once

#include <memory>

#include "security/ports.h"

namespace prose::security::crypto {

/// X25519 on mbedTLS. The random port only blinds the computation; results do not depend on it.
class mbedtls_x25519 final : public dh_port {
public:
  explicit mbedtls_x25519(random_port& blinding);
  ~mbedtls_x25519() override;
  std::optional<dh_output> agree(const static_private_key& own, const public_key& other) override;
  std::optional<dh_output> agree(const ephemeral_private_key& own, const public_key& other) override;
  public_key public_of(const static_private_key& own) override;
  public_key public_of(const ephemeral_private_key& own) override;

private:
  bool multiply(std::span<const std::uint8_t, 32> scalar, std::span<const std::uint8_t, 32> point,
                std::span<std::uint8_t, 32> out);
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace prose::security::crypto
