// Random IQ into the one-subframe receiver: the input's first octets choose carrier, rate, antennas and what is asked
// for, the rest is repeated as samples, raw floats (NaNs and infinities too) or small integers.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "phy/modem/subframe_receiver.h"

using namespace prose::phy;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 16) return 0;
  static std::map<int, subframe_receiver> receivers;
  static soft_buffer buffer(2000);
  const int n_prb = bandwidths_prb[data[0] % 3];  // the small ones: speed
  const auto tm = (data[1] & 1) != 0 ? transmission_mode::tm4 : transmission_mode::tm2;
  const auto cp = (data[1] & 2) != 0 && tm == transmission_mode::tm2 ? cyclic_prefix::extended : cyclic_prefix::normal;
  const double share = (data[1] & 4) != 0 ? 0.75 : 1.0;
  const int antennas = (data[1] & 8) != 0 ? 2 : 1;
  const int key = data[0] % 3 * 16 + data[1] % 16;
  auto found = receivers.find(key);
  if (found == receivers.end()) {
    auto made = subframe_receiver::make(
        {.carrier = *carrier_config::make(n_prb, cp, tm, share * standard_fft_size(n_prb) * 15e3),
         .n_antennas = antennas});
    if (!made) __builtin_trap();
    found = receivers.emplace(key, std::move(*made)).first;
  }
  subframe_receiver& rx = found->second;
  std::vector<cf32> x(static_cast<std::size_t>(rx.config().carrier.samples_per_subframe()));
  const std::uint8_t* body = data + 8;
  const std::size_t n = size - 8;
  for (std::size_t i = 0; i < x.size(); ++i) {
    float parts[2];
    if (data[2] % 2 == 0) {
      for (std::size_t p = 0; p < 2; ++p)
        parts[p] = static_cast<float>(static_cast<std::int8_t>(body[(2 * i + p) % n]));
    } else {
      std::uint8_t raw[8];
      for (std::size_t b = 0; b < 8; ++b) raw[b] = body[(8 * i + b) % n];
      std::memcpy(parts, raw, 8);
    }
    x[i] = {parts[0], parts[1]};
  }
  const std::span<const cf32> all[] = {x, std::span<const cf32>(x).first(x.size() / (1 + data[3] % 4))};
  rx.load(std::span<const std::span<const cf32>>(all).first(antennas));
  std::vector<int> prbs;
  for (int p = -1; p <= n_prb; ++p) prbs.push_back(p);
  (void)rx.find_pscch(prbs);
  float hint = 0;
  std::memcpy(&hint, data + 4, 4);
  (void)rx.decode_pscch(data[4], {}, {hint, hint});
  (void)rx.detect_slss();
  (void)rx.decode_psbch(data[5] * 2);
  pssch_config p{.prb_start = data[6] % 32,
                 .n_prb = data[7] % 32,
                 .tbs = 1 + data[8] * 7,
                 .modulation_order = 2 + 2 * (data[9] % 3),
                 .rv = data[10] % 4,
                 .n_x_id = static_cast<std::uint32_t>(data[11] * 257),
                 .n_ssf = data[12] % 10,
                 .last_symbol_rate_matched = data[13] % 2 == 1};
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(p.tbs));
  buffer.reset(p.tbs);
  (void)rx.pssch_dmrs_metric(p, {hint, {}});
  (void)rx.decode_pssch(p, {{}, hint}, buffer, bits);
  buffer.reset(discovery_message_bits);
  std::vector<std::uint8_t> message(discovery_message_bits);
  (void)rx.decode_psdch({data[6] % 32, data[10] % 4}, buffer, message);
  (void)rx.grid(0, hint);
  return 0;
}
