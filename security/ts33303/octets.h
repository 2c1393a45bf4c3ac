// Words as octets, most significant first, and words that are wiped.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "security/secret.h"

namespace prose::security::ts33303 {

constexpr std::uint32_t load32(std::span<const std::uint8_t> b) {
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}
constexpr void store32(std::uint32_t v, std::span<std::uint8_t> out) {
  for (std::size_t i = 0; i < 4; ++i) out[i] = static_cast<std::uint8_t>(v >> (24 - 8 * i));
}

template <class Word>
void wipe_word(Word& word) {
  wipe({reinterpret_cast<std::uint8_t*>(&word), sizeof word});
}
template <class Word, std::size_t N>
void wipe_words(std::array<Word, N>& words) {
  for (auto& w : words) wipe_word(w);
}

}  // namespace prose::security::ts33303
