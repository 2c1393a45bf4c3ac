// 128-EEA1, 2, 3 and 128-EIA1, 2, 3 (TS 33.401 annex B), keyed once. Lengths are in bits, first bit first, as there.
// Calls allocate nothing. Times and addresses depend on lengths only, but for EEA2 and EIA2 where mbedTLS has no AES
// instructions to use: its AES in software looks tables up by secret octets.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "security/ts33303/keys.h"

namespace prose::security::ts33303 {

/// What makes each keystream and each MAC another one (TS 33.401 B.1). Never the same twice with one key.
struct stream_inputs {
  std::uint32_t count = 0;
  std::uint8_t bearer = 0;  ///< 5 bits
  bool direction = false;
};

inline constexpr std::size_t mac_octets = 4;
using mac_i = std::array<std::uint8_t, mac_octets>;

class ciphering {
public:
  /// An unknown algorithm ends the program.
  ciphering(eea algorithm, const encryption_key& pek);
  ciphering(ciphering&&) noexcept;
  ciphering& operator=(ciphering&&) noexcept;
  ~ciphering();

  /// Ciphers and deciphers. in and out have the octets that `bits` need, else the program ends; they may be the same
  /// memory. Bits of the last octet beyond `bits` become 0.
  void apply(const stream_inputs& inputs, bytes_view in, std::size_t bits, bytes_span out) const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

class integrity {
public:
  /// EIA0 and unknown algorithms end the program.
  integrity(eia algorithm, const integrity_key& pik);
  integrity(integrity&&) noexcept;
  integrity& operator=(integrity&&) noexcept;
  ~integrity();

  /// `message` has the octets that `bits` need, else the program ends. Bits of the last octet beyond `bits` do not
  /// count.
  [[nodiscard]] mac_i mac(const stream_inputs& inputs, bytes_view message, std::size_t bits) const;
  /// Compares in constant time.
  [[nodiscard]] bool verify(const stream_inputs& inputs, bytes_view message, std::size_t bits,
                            std::span<const std::uint8_t, mac_octets> received) const;

private:
  struct state;
  std::unique_ptr<state> state_;
};

}  // namespace prose::security::ts33303
