#include "phy/types/sci.h"

#include <cassert>

#include "common/bits.h"

namespace prose::phy {
namespace {

constexpr int format1_fields_without_location = 3 + 4 + 4 + 5 + 1 + 1;

}  // namespace

int riv_bits(int n) {
  const int values = n * (n + 1) / 2;
  int bits = 0;
  while ((1 << bits) < values) ++bits;
  return bits;
}

std::uint32_t riv_encode(int n, int start, int length) {
  assert(length >= 1 && start >= 0 && start + length <= n);
  if (length - 1 <= n / 2) return static_cast<std::uint32_t>(n * (length - 1) + start);
  return static_cast<std::uint32_t>(n * (n - length + 1) + (n - 1 - start));
}

std::optional<riv_range> riv_decode(int n, std::uint32_t riv) {
  if (n < 1 || riv >= static_cast<std::uint32_t>(n * (n + 1) / 2)) return std::nullopt;
  const int a = static_cast<int>(riv) / n + 1;
  const int b = static_cast<int>(riv) % n;
  // Both forms share the number space: a pair that does not fit as (length, start) is the mirrored one.
  if (a + b <= n) return riv_range{b, a};
  return riv_range{n - 1 - b, n - a + 2};
}

int sci_format0_bits(int n_prb) { return 32 + riv_bits(n_prb); }

void pack(const sci_format0& sci, int n_prb, std::span<std::uint8_t> bits) {
  assert(bits.size() == static_cast<std::size_t>(sci_format0_bits(n_prb)));
  bit_writer w(bits);
  w.put(sci.frequency_hopping ? 1 : 0, 1);
  w.put(sci.resource_block_assignment, riv_bits(n_prb));
  w.put(sci.time_resource_pattern, 7);
  w.put(sci.mcs, 5);
  w.put(sci.timing_advance, 11);
  w.put(sci.group_destination_id, 8);
}

sci_format0 unpack_sci_format0(std::span<const std::uint8_t> bits, int n_prb) {
  bit_reader r(bits);
  sci_format0 s;
  s.frequency_hopping = r.get(1) != 0;
  s.resource_block_assignment = static_cast<std::uint16_t>(r.get(riv_bits(n_prb)));
  s.time_resource_pattern = static_cast<std::uint8_t>(r.get(7));
  s.mcs = static_cast<std::uint8_t>(r.get(5));
  s.timing_advance = static_cast<std::uint16_t>(r.get(11));
  s.group_destination_id = static_cast<std::uint8_t>(r.get(8));
  return s;
}

void pack(const sci_format1& sci, int n_subchannels, std::span<std::uint8_t> bits) {
  assert(bits.size() == static_cast<std::size_t>(sci_format1_bits));
  const int location = riv_bits(n_subchannels);
  bit_writer w(bits);
  w.put(sci.priority, 3);
  w.put(sci.resource_reservation, 4);
  w.put(sci.frequency_location, location);
  w.put(sci.time_gap, 4);
  w.put(sci.mcs, 5);
  w.put(sci.retransmission_index, 1);
  w.put(sci.transmission_format, 1);
  w.put(sci.reserved, sci_format1_bits - format1_fields_without_location - location);
}

sci_format1 unpack_sci_format1(std::span<const std::uint8_t> bits, int n_subchannels) {
  const int location = riv_bits(n_subchannels);
  bit_reader r(bits);
  sci_format1 s;
  s.priority = static_cast<std::uint8_t>(r.get(3));
  s.resource_reservation = static_cast<std::uint8_t>(r.get(4));
  s.frequency_location = static_cast<std::uint8_t>(r.get(location));
  s.time_gap = static_cast<std::uint8_t>(r.get(4));
  s.mcs = static_cast<std::uint8_t>(r.get(5));
  s.retransmission_index = static_cast<std::uint8_t>(r.get(1));
  s.transmission_format = static_cast<std::uint8_t>(r.get(1));
  s.reserved = static_cast<std::uint16_t>(r.get(sci_format1_bits - format1_fields_without_location - location));
  return s;
}

}  // namespace prose::phy
