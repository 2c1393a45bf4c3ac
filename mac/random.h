// Random numbers for scheduling decisions. They come from the streams of the security sublayer
// (security/random_streams.h), because others can observe every decision.
#pragma once

#include <array>
#include <cstdint>

#include "security/random_streams.h"

namespace prose::mac {

/// A stream for one decision. However much the decision draws (places may be taken, for instance), `from` moves on by
/// one draw, so that no later decision depends on it.
inline security::random_stream for_one_decision(security::random_port& from) {
  return security::random_stream(security::stream_key::make([&](auto out) { from.fill(out); }));
}

/// Uniform in [0, bound), bound >= 1.
inline int below(security::random_port& random, int bound) {
  return static_cast<int>(random.below(static_cast<std::uint32_t>(bound)));
}

inline bool chance(security::random_port& random, double p) {
  std::array<std::uint8_t, 8> b{};
  random.fill(b);
  std::uint64_t v = 0;
  for (const auto o : b) v = v << 8 | o;
  return static_cast<double>(v >> 11) * 0x1p-53 < p;
}

}  // namespace prose::mac
