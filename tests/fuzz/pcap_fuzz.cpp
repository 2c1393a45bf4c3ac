// Frames of any content and any measured values into a capture file, with a key log that fits nothing: whatever the air
// says must be written or counted.
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "apps/lib/capture/pcap_sink.h"

namespace {
struct cursor {
  const std::uint8_t* data;
  std::size_t size, at = 0;
  template <class T>
  T take() {
    T v{};
    const std::size_t n = size - at < sizeof v ? size - at : sizeof v;
    std::memcpy(&v, data + at, n);
    at += n;
    return v;
  }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::apps;
  auto sink = pcap_sink::open("/dev/null", "");
  if (!sink) std::abort();
  cursor c{data, size};
  while (c.at < size) {
    captured_frame f;
    f.kind = static_cast<frame_kind>(c.take<std::uint8_t>() & 3U);
    const auto flags = c.take<std::uint8_t>();
    f.crc_ok = (flags & 1U) != 0;
    f.repetition = (flags & 2U) != 0;
    f.time_s = c.take<float>();
    f.snr_db = c.take<float>();
    f.cfo_hz = c.take<float>();
    f.absolute_subframe = c.take<std::int16_t>();
    f.prb_start = c.take<std::int8_t>();
    f.n_prb = c.take<std::int8_t>();
    f.tbs = c.take<std::int16_t>();
    f.mcs = c.take<std::int8_t>();
    f.rv = c.take<std::int8_t>();
    f.modulation_order = c.take<std::int8_t>();
    f.n_x_id = c.take<std::uint32_t>();
    f.n_sl_id = c.take<std::int16_t>();
    if ((flags & 4U) != 0) f.sci = prose::phy::sci_format1{};
    const auto n = c.take<std::uint8_t>();
    for (int i = 0; i < n && c.at < size; ++i) f.octets.push_back(c.take<std::uint8_t>());
    f.n_bits = (flags & 8U) != 0 ? c.take<std::int16_t>() : static_cast<int>(f.octets.size()) * 8;
    if (!sink->add(f)) std::abort();  // /dev/null takes everything
  }
  return 0;
}
