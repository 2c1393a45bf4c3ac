// Plain transcriptions of TS 36.212 5.1 used to check the fast code: matrices with NULL bits as the text has them,
// encoders bit by bit, a floating-point log-MAP turbo decoder. Written separately from phy/coding and slow on purpose.
#pragma once

#include <cstdint>
#include <vector>

namespace prose::phy::reference {

using bits = std::vector<std::uint8_t>;
inline constexpr int null_bit = 2;
using symbols = std::vector<int>;  // 0, 1 or null_bit

bits crc(const bits& in, const std::vector<int>& exponents);
std::vector<symbols> conv_encode(const bits& c);
std::vector<symbols> turbo_encode(const symbols& c, int f1, int f2);
/// Circular buffer w of 5.1.4.1 / 5.1.4.2 and the bits selected from it.
bits rate_match_turbo(const std::vector<symbols>& d, int e, int rv);
bits rate_match_conv(const std::vector<symbols>& d, int e);
/// The whole of PSSCH coding: CRC24A, segmentation, turbo code, rate matching, concatenation.
bits encode_transport(const bits& payload, int g, int q_m, int rv);
bits encode_control(const bits& payload, int e);

/// Log-MAP with exact Jacobian logarithms over the whole block, natural LLRs, no scaling. Returns the decisions after
/// every iteration.
std::vector<bits> log_map_decode(const std::vector<std::vector<double>>& llr, int f1, int f2, int iterations);

/// Exact maximum-likelihood decoding of the tail-biting code: one Viterbi search for each of the 64 start states. llr:
/// d(0), d(1), d(2) of n bits each.
bits ml_conv_decode(const std::vector<std::vector<double>>& llr);

}  // namespace prose::phy::reference
