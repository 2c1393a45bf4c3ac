#include "phy/coding/control_code.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

#include "phy/coding/conv.h"
#include "phy/coding/crc.h"
#include "phy/coding/rate_match.h"

namespace prose::phy {
namespace {

constexpr std::size_t max_bits = max_control_payload_bits + control_crc_bits;
static_assert(max_bits <= conv_max_bits);

}  // namespace

std::uint16_t encode_control(std::span<const std::uint8_t> payload, std::span<std::uint8_t> coded) {
  assert(payload.size() <= max_control_payload_bits);
  std::array<std::uint8_t, max_bits> bits{};
  const std::size_t n = std::min<std::size_t>(payload.size(), max_control_payload_bits);
  for (std::size_t i = 0; i < n; ++i) bits[i] = payload[i] & 1U;
  const std::uint32_t crc = crc_bits(crc16, payload.first(n));
  put_crc(crc16, crc, std::span(bits).subspan(n, control_crc_bits));
  const std::size_t d = n + control_crc_bits;

  std::array<std::uint8_t, 3 * max_bits> streams{};
  conv_encode(std::span(bits).first(d), std::span(streams).first(3 * d));
  const conv_circular_buffer buffer = make_conv_circular_buffer(static_cast<int>(d));
  std::array<std::uint8_t, 3 * max_bits> selected{};
  for (std::size_t i = 0; i < 3 * d; ++i) selected[i] = streams[buffer.order[i]];
  circular_copy<std::uint8_t>(std::span<const std::uint8_t>(selected).first(3 * d), 0, coded);
  return static_cast<std::uint16_t>(crc);
}

struct control_decoder::state {
  int d = 0;  // block size that `buffer` is for
  conv_circular_buffer buffer;
};

control_decoder::control_decoder() : s_(std::make_unique<state>()) {}
control_decoder::~control_decoder() = default;
control_decoder::control_decoder(control_decoder&&) noexcept = default;
control_decoder& control_decoder::operator=(control_decoder&&) noexcept = default;

control_decode control_decoder::decode(std::span<const llr> coded, std::span<std::uint8_t> payload) noexcept {
  control_decode result;
  std::fill(payload.begin(), payload.end(), std::uint8_t{0});
  if (payload.size() > max_control_payload_bits) return result;
  const std::size_t d = payload.size() + control_crc_bits;
  if (s_->d != static_cast<int>(d)) {
    s_->buffer = make_conv_circular_buffer(static_cast<int>(d));
    s_->d = static_cast<int>(d);
  }
  const conv_circular_buffer& buffer = s_->buffer;

  // Combine repetitions, then put the streams into order.
  std::array<float, 3 * max_bits> combined{};
  circular_add(coded, 0, std::span(combined).first(3 * d));
  float total = 0;
  float inputs = 0;
  double squares = 0;
  for (const float x : coded) {
    const float v = std::abs(safe_llr(x));
    inputs += v;
    squares += static_cast<double>(v) * v;
  }
  std::size_t received = 0;
  for (std::size_t i = 0; i < 3 * d; ++i) {
    total += std::abs(combined[i]);
    received += combined[i] != 0.0F ? 1U : 0U;
  }
  // Erasures decode as zeros, and the word of zeros passes the CRC: silence, or less than one bit received a bit, is no
  // message.
  if (!(total > 1e-20F) || received < d) return result;
  constexpr float target_mean = 32;
  const float scale = target_mean * static_cast<float>(3 * d) / total;
  std::array<std::int16_t, 3 * max_bits> soft{};
  constexpr float limit = conv_soft_limit;
  for (std::size_t i = 0; i < 3 * d; ++i)
    soft[buffer.order[i]] = static_cast<std::int16_t>(std::lrint(std::clamp(combined[i] * scale, -limit, limit)));

  std::array<std::uint8_t, max_bits> bits{};
  conv_decode(std::span<const std::int16_t>(soft).first(3 * d), std::span(bits).first(d));
  std::copy_n(bits.begin(), payload.size(), payload.begin());
  for (std::size_t i = payload.size(); i < d; ++i) result.crc = static_cast<std::uint16_t>((result.crc << 1) | bits[i]);
  result.crc_ok = crc_bits(crc16, payload) == result.crc;

  std::array<std::uint8_t, 3 * max_bits> word{};
  conv_encode(std::span<const std::uint8_t>(bits).first(d), std::span(word).first(3 * d));
  float agreed = 0;
  for (std::size_t i = 0; i < 3 * d; ++i) agreed += word[buffer.order[i]] != 0 ? -combined[i] : combined[i];
  result.agreement = agreed / inputs;
  result.effective_bits = squares > 0 ? static_cast<float>(static_cast<double>(inputs) * inputs / squares) : 0.0F;
  return result;
}

}  // namespace prose::phy
