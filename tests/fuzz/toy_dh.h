// A Diffie-Hellman that costs a microsecond, so that a fuzzer sees thousands of set-ups a second and not eighty: powers
// of 3 modulo 2^61 - 1 in the place of X25519. No security at all; what is fuzzed is everything around it.
#pragma once

#include <algorithm>

#include "security/ports.h"

namespace prose::security::test {

class toy_dh final : public dh_port {
public:
  std::optional<dh_output> agree(const static_private_key& own, const public_key& other) override {
    return agreed(own.expose(), other);
  }
  std::optional<dh_output> agree(const ephemeral_private_key& own, const public_key& other) override {
    return agreed(own.expose(), other);
  }
  public_key public_of(const static_private_key& own) override { return {octets(power(3, number(own.expose())))}; }
  public_key public_of(const ephemeral_private_key& own) override { return {octets(power(3, number(own.expose())))}; }

private:
  using u64 = std::uint64_t;
  static constexpr u64 p = (u64{1} << 61) - 1;
  static u64 number(bytes_view b) {
    u64 v = 0;
    for (std::size_t i = 0; i < 8; ++i) v = v << 8 | b[i];
    return v;
  }
  static std::array<std::uint8_t, 32> octets(u64 v) {
    std::array<std::uint8_t, 32> out{};
    for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<std::uint8_t>(v >> (56 - 8 * i));
    return out;
  }
  static u64 times(u64 a, u64 b) {
    __extension__ using u128 = unsigned __int128;
    return static_cast<u64>(static_cast<u128>(a) * b % p);
  }
  static u64 power(u64 base, u64 exponent) {
    u64 r = 1;
    for (base %= p; exponent != 0; exponent >>= 1, base = times(base, base))
      if ((exponent & 1) != 0) r = times(r, base);
    return r;
  }
  /// As X25519 does: nothing where the other side's value leaves no secret.
  static std::optional<dh_output> agreed(bytes_view own, const public_key& other) {
    const u64 v = power(number(other.octets), number(own));
    if (v <= 1) return std::nullopt;
    return dh_output(octets(v));
  }
};

}  // namespace prose::security::test
