#include "phy/coding/transport_code.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <vector>

#include "phy/coding/crc.h"
#include "phy/coding/qpp.h"
#include "phy/coding/rate_match.h"
#include "phy/coding/segmentation.h"
#include "phy/coding/turbo_decoder.h"
#include "phy/coding/turbo_encoder.h"

namespace prose::phy {
namespace {

constexpr std::size_t tb_crc_bits = 24;
constexpr std::size_t max_streams = max_code_block_bits + turbo_tail;

// Copies n bits of payload || crc from position `at`.
void copy_joined(std::span<const std::uint8_t> payload, std::span<const std::uint8_t> crc, std::size_t at,
                 std::size_t n, std::uint8_t* out) {
  for (std::size_t i = 0; i < n; ++i, ++at)
    out[i] = (at < payload.size() ? payload[at] : crc[at - payload.size()]) & 1U;
}

}  // namespace

// --- encoder --------------------------------------------------------------------------------------------------------

struct transport_encoder::state {
  std::array<std::uint8_t, max_streams> stream[3];
  std::array<std::uint8_t, 3 * max_streams> buffer;
};

transport_encoder::transport_encoder() : s_(std::make_unique<state>()) {}
transport_encoder::~transport_encoder() = default;
transport_encoder::transport_encoder(transport_encoder&&) noexcept = default;
transport_encoder& transport_encoder::operator=(transport_encoder&&) noexcept = default;

void transport_encoder::encode(const transport_format& format, std::span<const std::uint8_t> payload,
                               std::span<std::uint8_t> coded) noexcept {
  assert(format.tbs >= 0 && payload.size() == static_cast<std::size_t>(format.tbs) && format.modulation_order > 0);
  const segmentation seg = make_segmentation(format.tbs);
  std::array<std::uint8_t, tb_crc_bits> tb_crc{};
  put_crc(crc24a, crc_bits(crc24a, payload), tb_crc);

  std::size_t taken = 0;  // of payload and CRC
  std::size_t sent = 0;
  for (int r = 0; r < seg.n_blocks; ++r) {
    const qpp& q = qpp_at_least(seg.size(r));
    const std::size_t k = q.k;
    const auto filler = static_cast<std::size_t>(seg.filler_of(r));
    const std::size_t data = seg.data_bits(r);
    const std::span bits = std::span(s_->stream[0]).first(k);
    std::fill_n(bits.begin(), filler, std::uint8_t{0});
    copy_joined(payload, tb_crc, taken, data, bits.data() + filler);
    taken += data;
    if (seg.block_crc > 0) put_crc(crc24b, crc_bits(crc24b, bits.first(k - tb_crc_bits)), bits.last(tb_crc_bits));
    turbo_encode(q, bits, std::span(s_->stream[0]).subspan(k, turbo_tail),
                 std::span(s_->stream[1]).first(k + turbo_tail), std::span(s_->stream[2]).first(k + turbo_tail));

    const turbo_circular_buffer circle(q.k, seg.filler_of(r));
    circle.for_each([&](int entry, int stream, int index) { s_->buffer[entry] = s_->stream[stream][index]; });
    const auto e =
        static_cast<std::size_t>(block_coded_bits(seg, r, static_cast<int>(coded.size()), format.modulation_order));
    circular_copy<std::uint8_t>(std::span<const std::uint8_t>(s_->buffer).first(circle.size()),
                                static_cast<std::size_t>(circle.start(format.rv)), coded.subspan(sent, e));
    sent += e;
  }
  std::fill(coded.begin() + sent, coded.end(), std::uint8_t{0});
}

// --- soft buffer ----------------------------------------------------------------------------------------------------

struct soft_buffer::state {
  struct block {
    std::size_t soft_at = 0;  // in `soft`: the circular buffer without NULL bits
    std::size_t bits_at = 0;  // in `bits`
    bool decoded = false;
  };
  int max_tbs = 0;
  segmentation seg;
  std::size_t soft_used = 0, bits_used = 0;  // by the block
  std::vector<float> soft;
  std::vector<std::uint8_t> bits;  // decisions of the code blocks
  std::vector<block> blocks;
};

soft_buffer::soft_buffer(int max_tbs) : s_(std::make_unique<state>()) {
  s_->max_tbs = std::clamp(max_tbs, 0, max_transport_block_bits);
  // Room for any smaller block too: the filler is below 64 bits (or one block of 40).
  const segmentation largest = make_segmentation(s_->max_tbs);
  const std::size_t blocks = static_cast<std::size_t>(largest.n_blocks);
  const std::size_t bits = static_cast<std::size_t>(s_->max_tbs) + tb_crc_bits * (blocks + 1) + 64;
  s_->bits.resize(bits);
  s_->soft.resize(3 * (bits + turbo_tail * blocks));
  s_->blocks.resize(blocks);
  reset(0);
}
soft_buffer::~soft_buffer() = default;
soft_buffer::soft_buffer(soft_buffer&&) noexcept = default;
soft_buffer& soft_buffer::operator=(soft_buffer&&) noexcept = default;

void soft_buffer::reset(int tbs) noexcept {
  assert(tbs >= 0 && tbs <= s_->max_tbs);
  state& s = *s_;
  s.seg = make_segmentation(std::clamp(tbs, 0, s.max_tbs));
  std::size_t soft = 0;
  std::size_t bits = 0;
  for (int r = 0; r < s.seg.n_blocks; ++r) {
    const int k = s.seg.size(r);
    s.blocks[r] = {soft, bits, false};
    soft += static_cast<std::size_t>(3 * (k + turbo_tail) - 2 * s.seg.filler_of(r));
    bits += static_cast<std::size_t>(k);
  }
  s.soft_used = soft;
  s.bits_used = bits;
  std::fill_n(s.soft.begin(), soft, 0.0F);
}

void soft_buffer::copy(const soft_buffer& other) noexcept {
  const state& from = *other.s_;
  state& s = *s_;
  assert(from.seg.tbs <= s.max_tbs);
  s.seg = from.seg;
  s.soft_used = from.soft_used;
  s.bits_used = from.bits_used;
  std::copy_n(from.soft.begin(), s.soft_used, s.soft.begin());
  std::copy_n(from.bits.begin(), s.bits_used, s.bits.begin());
  std::copy_n(from.blocks.begin(), s.seg.n_blocks, s.blocks.begin());
}

int soft_buffer::tbs() const noexcept { return s_->seg.tbs; }

// --- decoder --------------------------------------------------------------------------------------------------------

struct transport_decoder::state {
  int max_iterations = 8;
  turbo_decoder turbo;
  alignas(64) std::array<std::int16_t, max_streams> stream[3];
  alignas(64) std::array<std::int16_t, 3 * max_streams> quantised;

  // Soft bits of one block to integers with a mean magnitude (of those that were received) that suits the turbo
  // decoder. The scale of each block is its own: nothing is assumed about the size of the soft bits. False where fewer
  // than `needed` bits were received, or nothing at all: the erasures would decode as zeros, and the word of zeros
  // passes every CRC.
  bool quantise(std::span<const float> soft, int needed) {
    float total = 0;
    float received = 0;
    for (const float x : soft) {
      total += std::abs(x);
      received += x != 0.0F ? 1.0F : 0.0F;
    }
    if (!(total > 1e-20F) || received < static_cast<float>(needed)) return false;
    const float scale = turbo_soft_mean * received / total;
    constexpr float limit = turbo_soft_limit;
    for (std::size_t i = 0; i < soft.size(); ++i) {
      float x = soft[i] * scale;
      x = x < limit ? x : limit;
      x = x > -limit ? x : -limit;
      quantised[i] = static_cast<std::int16_t>(x + (x < 0 ? -0.5F : 0.5F));
    }
    return true;
  }
};

transport_decoder::transport_decoder(int max_iterations) : s_(std::make_unique<state>()) {
  s_->max_iterations = std::max(1, max_iterations);
}
transport_decoder::~transport_decoder() = default;
transport_decoder::transport_decoder(transport_decoder&&) noexcept = default;
transport_decoder& transport_decoder::operator=(transport_decoder&&) noexcept = default;

transport_decode transport_decoder::decode(const transport_format& format, std::span<const llr> coded,
                                           soft_buffer& buffer, std::span<std::uint8_t> payload) noexcept {
  transport_decode result;
  soft_buffer::state& b = *buffer.s_;
  const segmentation& seg = b.seg;
  assert(format.tbs == seg.tbs && payload.size() == static_cast<std::size_t>(seg.tbs));
  if (format.tbs != seg.tbs || payload.size() != static_cast<std::size_t>(seg.tbs) || format.modulation_order <= 0) {
    std::fill(payload.begin(), payload.end(), std::uint8_t{0});
    return result;
  }

  bool all_decoded = true;
  std::size_t used = 0;
  for (int r = 0; r < seg.n_blocks; ++r) {
    soft_buffer::state::block& block = b.blocks[r];
    const qpp& q = qpp_at_least(seg.size(r));
    const int filler = seg.filler_of(r);
    const turbo_circular_buffer circle(q.k, filler);
    const std::span soft = std::span(b.soft).subspan(block.soft_at, circle.size());
    const auto e =
        static_cast<std::size_t>(block_coded_bits(seg, r, static_cast<int>(coded.size()), format.modulation_order));
    circular_add(coded.subspan(used, e), static_cast<std::size_t>(circle.start(format.rv)), soft);
    used += e;
    if (block.decoded) continue;

    const std::span bits = std::span(b.bits).subspan(block.bits_at, q.k);
    if (!s_->quantise(soft, q.k - filler)) {
      std::fill(bits.begin(), bits.end(), std::uint8_t{0});
      all_decoded = false;
      continue;
    }
    for (int i = 0; i < 2; ++i) std::fill_n(s_->stream[i].begin(), filler, static_cast<std::int16_t>(turbo_soft_limit));
    circle.for_each([&](int entry, int stream, int index) { s_->stream[stream][index] = s_->quantised[entry]; });
    const turbo_outcome outcome =
        s_->turbo.decode(q, {s_->stream[0].data(), s_->stream[1].data(), s_->stream[2].data()},
                         seg.block_crc > 0 ? crc24b : crc24a, s_->max_iterations, bits);
    block.decoded = outcome.crc_ok;
    all_decoded = all_decoded && outcome.crc_ok;
    result.iterations = std::max(result.iterations, outcome.iterations);
  }

  // Payload and CRC24A out of the blocks.
  std::array<std::uint8_t, tb_crc_bits> crc{};
  std::size_t at = 0;
  for (int r = 0; r < seg.n_blocks; ++r) {
    const std::uint8_t* bits = b.bits.data() + b.blocks[r].bits_at + seg.filler_of(r);
    for (int i = 0; i < seg.data_bits(r); ++i, ++at)
      (at < payload.size() ? payload[at] : crc[at - payload.size()]) = bits[i];
  }
  std::array<std::uint8_t, tb_crc_bits> expected{};
  put_crc(crc24a, crc_bits(crc24a, payload), expected);
  result.crc_ok = all_decoded && crc == expected;
  // Blocks that pass while the whole does not: one of them is wrong, so the next transmission decodes all of them anew.
  if (all_decoded && !result.crc_ok)
    for (auto& block : b.blocks) block.decoded = false;
  return result;
}

}  // namespace prose::phy
