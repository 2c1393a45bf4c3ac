// The 8-state trellis of the constituent encoders of the turbo code (TS 36.212 5.1.3.2.1). Bit 2 of a state is the
// newest register, bit 0 the oldest.
#pragma once

namespace prose::phy::trellis {

/// The bit that enters the register for input u: u + D^2 + D^3.
constexpr unsigned feedback(unsigned s, unsigned u) { return (u ^ (s >> 1) ^ s) & 1U; }
constexpr unsigned next(unsigned s, unsigned u) { return (feedback(s, u) << 2) | (s >> 1); }
/// 1 + D + D^3 applied to the register's input.
constexpr unsigned parity(unsigned s, unsigned u) { return (feedback(s, u) ^ (s >> 2) ^ s) & 1U; }
/// The input that makes the feedback bit 0.
constexpr unsigned terminating_input(unsigned s) { return ((s >> 1) ^ s) & 1U; }

}  // namespace prose::phy::trellis
