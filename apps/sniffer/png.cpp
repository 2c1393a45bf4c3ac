#include "apps/sniffer/png.h"

#include <algorithm>
#include <cassert>
#include <string_view>

namespace prose::apps {
namespace {
using octets = std::vector<std::uint8_t>;

void put32(octets& o, std::uint32_t v) {
  for (int s = 24; s >= 0; s -= 8) o.push_back(static_cast<std::uint8_t>(v >> s));
}

std::uint32_t crc32(std::span<const std::uint8_t> b) {
  std::uint32_t c = 0xffffffffU;
  for (const auto x : b) {
    c ^= x;
    for (int i = 0; i < 8; ++i) c = (c >> 1) ^ ((c & 1U) != 0 ? 0xedb88320U : 0U);
  }
  return ~c;
}

void put_chunk(octets& png, std::string_view type, std::span<const std::uint8_t> data) {
  put32(png, static_cast<std::uint32_t>(data.size()));
  const std::ptrdiff_t begin = png.size();
  png.insert(png.end(), type.begin(), type.end());
  png.insert(png.end(), data.begin(), data.end());
  put32(png, crc32(std::span(png).subspan(begin)));
}

/// A zlib stream (RFC 1950) of stored blocks.
octets stored(std::span<const std::uint8_t> raw) {
  octets z{0x78, 0x01};
  constexpr std::size_t most = 65535;
  for (std::size_t at = 0; at < raw.size() || at == 0; at += most) {
    const auto n = std::min(most, raw.size() - at);
    z.push_back(at + n == raw.size() ? 1 : 0);
    for (const auto v : {n, ~n})
      z.push_back(static_cast<std::uint8_t>(v)), z.push_back(static_cast<std::uint8_t>(v >> 8));
    const auto part = raw.subspan(at, n);
    z.insert(z.end(), part.begin(), part.end());
  }
  std::uint32_t a = 1, b = 0;
  for (const auto x : raw) {
    a = (a + x) % 65521;
    b = (b + a) % 65521;
  }
  put32(z, b << 16 | a);
  return z;
}
}  // namespace

octets indexed_png(int width, int height, std::span<const std::uint8_t> pixels, std::span<const rgb, 256> palette) {
  assert(width > 0 && height > 0 &&
         pixels.size() == static_cast<std::size_t>(width) * static_cast<std::size_t>(height));
  octets png{0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  octets header;
  put32(header, static_cast<std::uint32_t>(width));
  put32(header, static_cast<std::uint32_t>(height));
  for (const int v : {8, 3, 0, 0, 0})
    header.push_back(static_cast<std::uint8_t>(v));  // 8 bits, palette, deflate, no filter, not interlaced
  put_chunk(png, "IHDR", header);
  octets colours;
  for (const auto& c : palette) colours.insert(colours.end(), c.begin(), c.end());
  put_chunk(png, "PLTE", colours);
  octets raw;
  const std::size_t row = width;
  for (std::size_t at = 0; at < pixels.size(); at += row) {
    raw.push_back(0);  // row filter: none
    raw.insert(raw.end(), pixels.begin() + at, pixels.begin() + (at + row));
  }
  put_chunk(png, "IDAT", stored(raw));
  put_chunk(png, "IEND", {});
  return png;
}

const std::array<rgb, 256>& heat_palette() {
  static const auto palette = [] {
    constexpr std::array<std::array<double, 3>, 6> stops{
        {{12, 12, 40}, {45, 45, 120}, {30, 110, 140}, {40, 165, 110}, {150, 205, 60}, {253, 231, 90}}};
    std::array<rgb, 256> p{};
    for (std::size_t i = 0; i < 256; ++i) {
      const double at = static_cast<double>(i) / 255 * (stops.size() - 1);
      const auto s = std::min(static_cast<std::size_t>(at), stops.size() - 2);
      for (std::size_t c = 0; c < 3; ++c)
        p[i][c] =
            static_cast<std::uint8_t>(stops[s][c] + (at - static_cast<double>(s)) * (stops[s + 1][c] - stops[s][c]));
    }
    return p;
  }();
  return palette;
}

std::string base64(std::span<const std::uint8_t> o) {
  constexpr char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((o.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < o.size(); i += 3) {
    const auto n = std::min<std::size_t>(3, o.size() - i);
    std::uint32_t v = 0;
    for (std::size_t k = 0; k < 3; ++k) v = v << 8 | (k < n ? o[i + k] : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= n ? digits[v >> (18 - 6 * k) & 63U] : '=';
  }
  return out;
}

}  // namespace prose::apps
