// A small PNG for pages: 256 colours, not compressed, so nothing but arithmetic is needed.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace prose::apps {

using rgb = std::array<std::uint8_t, 3>;

/// pixels: row after row, the top one first; pixels.size() == width * height.
std::vector<std::uint8_t> indexed_png(int width, int height, std::span<const std::uint8_t> pixels,
                                      std::span<const rgb, 256> palette);

/// Dark blue through green to yellow, of about even steps in brightness.
const std::array<rgb, 256>& heat_palette();

std::string base64(std::span<const std::uint8_t> octets);

}  // namespace prose::apps
