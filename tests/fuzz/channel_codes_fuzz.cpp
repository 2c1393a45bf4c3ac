// Both decoders on arbitrary shapes and soft bits, NaN and infinities included: no crash, decided bits only.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "phy/coding/control_code.h"
#include "phy/coding/transport_code.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::phy;
  static transport_decoder transport(4);
  static control_decoder control;
  static soft_buffer buffer(20000);
  if (size < 8) return 0;
  const int tbs = (data[0] | (data[1] << 8)) % 20001;
  const int q_m = 2 << (data[2] % 2);
  const int rv = data[3];
  const std::size_t n_control = data[4] % 60;  // beyond 48: refused
  const bool raw = (data[5] & 1) != 0;         // raw floats, or small integers
  const std::size_t repeat = 1 + static_cast<std::size_t>(data[6]) % 64;
  std::vector<llr> soft;
  for (std::size_t r = 0; r < repeat; ++r) {
    if (raw) {
      for (std::size_t i = 8; i + 4 <= size; i += 4) {
        float x = 0;
        std::memcpy(&x, data + i, 4);
        soft.push_back(x);
      }
    } else {
      for (std::size_t i = 8; i < size; ++i) soft.push_back(static_cast<float>(static_cast<std::int8_t>(data[i])));
    }
  }
  std::vector<std::uint8_t> out(std::max<std::size_t>(static_cast<std::size_t>(tbs), 64));
  const auto c = control.decode(soft, std::span(out).first(n_control));
  if (!std::isfinite(c.agreement) || std::abs(c.agreement) > 1.01F) std::abort();
  buffer.reset(tbs);
  const std::span payload = std::span(out).first(tbs);
  for (int i = 0; i < 2; ++i) {
    transport.decode({tbs, q_m, rv + i}, soft, buffer, payload);
    for (const auto b : payload)
      if (b > 1) std::abort();
  }
  return 0;
}
