#include "phy/io/sample_format.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

namespace prose::phy {
static_assert(std::endian::native == std::endian::little, "samples are read as they lie in memory");

void unpack_samples(const std::uint8_t* in, sigmf_datatype type, std::span<const std::span<cf32>> out, std::size_t at,
                    std::size_t n) {
  const std::size_t step = bytes_per_sample(type);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t c = 0; c < out.size(); ++c) {
      const std::uint8_t* p = in + (i * out.size() + c) * step;
      if (type == sigmf_datatype::cf32_le) {
        float v[2];
        std::memcpy(v, p, sizeof v);
        out[c][at + i] = {v[0], v[1]};
      } else {
        std::int16_t v[2];
        std::memcpy(v, p, sizeof v);
        out[c][at + i] = {static_cast<float>(v[0]) / 32768.0F, static_cast<float>(v[1]) / 32768.0F};
      }
    }
}

pack_report pack_samples(std::span<const std::span<const cf32>> in, std::size_t at, std::size_t n, sigmf_datatype type,
                         std::uint8_t* out) {
  pack_report report;
  std::uint8_t* p = out;
  for (std::size_t i = at; i < at + n; ++i)
    for (const auto& channel : in) {
      const float v[2] = {channel[i].real(), channel[i].imag()};
      if (type == sigmf_datatype::cf32_le) {
        std::memcpy(p, v, sizeof v);
        p += sizeof v;
        continue;
      }
      std::int16_t q[2];
      bool clipped = false;
      for (int k = 0; k < 2; ++k) {
        const float x = std::isnan(v[k]) ? 0.0F : std::round(v[k] * 32768.0F);
        clipped = clipped || std::isnan(v[k]) || x > 32767.0F || x < -32768.0F;
        q[k] = static_cast<std::int16_t>(std::clamp(x, -32768.0F, 32767.0F));
      }
      report.n_clipped += clipped ? 1 : 0;
      std::memcpy(p, q, sizeof q);
      p += sizeof q;
    }
  report.n_bytes = static_cast<std::size_t>(p - out);
  return report;
}

}  // namespace prose::phy
