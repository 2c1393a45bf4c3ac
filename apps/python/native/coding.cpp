// Control information as octets, transport formats, resource indication values.
#include <pybind11/stl.h>

#include <array>
#include <tuple>

#include "apps/python/native/carrier.h"
#include "apps/python/native/convert.h"
#include "phy/modem/transmitter.h"
#include "phy/types/mib_sl.h"
#include "phy/types/tbs.h"

namespace prose::python {
namespace {

constexpr int most_prb = 110;

int count_of(int n, const char* what) {
  if (n < 1 || n > most_prb) throw prose_error(std::string(what) + " " + std::to_string(n) + ": accepted: 1 to 110");
  return n;
}

/// The attribute, if it fits into so many bits.
template <class T>
T field(const py::handle& object, const char* name, int width) {
  const auto v = attribute<std::int64_t>(object, name);
  if (v < 0 || v >= std::int64_t{1} << width)
    throw prose_error(std::string(name) + " " + std::to_string(v) + ": accepted: 0 to " +
                      std::to_string((std::int64_t{1} << width) - 1));
  return static_cast<T>(v);
}

py::bytes pack_sci(const py::object& sci, int n) {
  count_of(n, "n");
  if (py::isinstance(sci, python_class("prose.events", "SciFormat0"))) {
    phy::sci_format0 f;
    f.frequency_hopping = field<int>(sci, "frequency_hopping", 1) != 0;
    f.resource_block_assignment = field<std::uint16_t>(sci, "riv", phy::riv_bits(n));
    f.time_resource_pattern = field<std::uint8_t>(sci, "time_resource_pattern", 7);
    f.mcs = field<std::uint8_t>(sci, "mcs", 5);
    f.timing_advance = field<std::uint16_t>(sci, "timing_advance", 11);
    f.group_destination_id = field<std::uint8_t>(sci, "group_destination_id", 8);
    std::vector<std::uint8_t> bits(phy::sci_format0_bits(n));
    phy::pack(f, n, bits);
    return packed(bits);
  }
  if (!py::isinstance(sci, python_class("prose.events", "SciFormat1")))
    throw py::type_error("sci: accepted: SciFormat0 or SciFormat1");
  if (n > 20) throw prose_error("n " + std::to_string(n) + ": accepted: 1 to 20 sub-channels");
  phy::sci_format1 f;
  f.priority = field<std::uint8_t>(sci, "priority", 3);
  f.resource_reservation = field<std::uint8_t>(sci, "resource_reservation", 4);
  f.frequency_location = field<std::uint8_t>(sci, "riv", phy::riv_bits(n));
  f.time_gap = field<std::uint8_t>(sci, "time_gap", 4);
  f.mcs = field<std::uint8_t>(sci, "mcs", 5);
  f.retransmission_index = field<std::uint8_t>(sci, "retransmission_index", 1);
  f.transmission_format = field<std::uint8_t>(sci, "transmission_format", 1);
  constexpr int fields_without_riv = 18;
  f.reserved = field<std::uint16_t>(sci, "reserved", phy::sci_format1_bits - fields_without_riv - phy::riv_bits(n));
  std::array<std::uint8_t, phy::sci_format1_bits> bits{};
  phy::pack(f, n, bits);
  return packed(bits);
}

py::object unpack_sci(const py::bytes& data, int format, int n) {
  count_of(n, "n");
  if (format == 0)
    return to_python(phy::unpack_sci_format0(unpacked(data, phy::sci_format0_bits(n), "SCI format 0"), n));
  if (format != 1) throw prose_error("format " + std::to_string(format) + ": accepted: 0, 1");
  if (n > 20) throw prose_error("n " + std::to_string(n) + ": accepted: 1 to 20 sub-channels");
  return to_python(phy::unpack_sci_format1(unpacked(data, phy::sci_format1_bits, "SCI format 1"), n));
}

py::bytes pack_mib_sl(const py::object& mib, int tm) {
  const auto mode = mode_from(tm);
  phy::mib_sl f;
  f.n_prb = attribute<int>(mib, "n_prb");
  if (phy::standard_fft_size(f.n_prb) == 0)
    throw prose_error("n_prb " + std::to_string(f.n_prb) + ": accepted: 6, 15, 25, 50, 75, 100");
  f.tdd_config = field<std::uint8_t>(mib, "tdd_config", 3);
  f.direct_frame_number = field<std::uint16_t>(mib, "direct_frame_number", 10);
  f.direct_subframe_number = field<std::uint8_t>(mib, "direct_subframe_number", 4);
  if (f.direct_subframe_number > 9) throw prose_error("direct_subframe_number: accepted: 0 to 9");
  f.in_coverage = attribute<bool>(mib, "in_coverage");
  f.reserved = field<std::uint32_t>(mib, "reserved", phy::is_v2x(mode) ? 27 : 19);
  std::vector<std::uint8_t> bits(phy::mib_sl_bits(mode));
  phy::pack(f, bits);
  return packed(bits);
}

py::object transport(int tm, int mcs, int n_prb, int transmission_format) {
  if (mcs < 0 || mcs > 31) throw prose_error("mcs " + std::to_string(mcs) + ": accepted: 0 to 31");
  if (transmission_format != 0 && transmission_format != 1)
    throw prose_error("transmission_format " + std::to_string(transmission_format) + ": accepted: 0, 1");
  const auto f = phy::pssch_transport(mode_from(tm), mcs, count_of(n_prb, "n_prb"), transmission_format);
  if (!f) throw prose_error("mcs " + std::to_string(mcs) + ": not usable with this transmission format");
  return python_class("prose.channels", "TransportFormat")(f->modulation_order, f->tbs);
}

std::uint32_t riv_encode(int n, int start, int length) {
  count_of(n, "n");
  if (length < 1 || length > n || start < 0 || start > n - length)
    throw prose_error("start " + std::to_string(start) + ", length " + std::to_string(length) + ": not within " +
                      std::to_string(n));
  return phy::riv_encode(n, start, length);
}

std::tuple<int, int> riv_decode(int n, std::uint32_t riv) {
  const auto r = phy::riv_decode(count_of(n, "n"), riv);
  if (!r) throw prose_error("riv " + std::to_string(riv) + ": names no range of " + std::to_string(n));
  return {r->start, r->length};
}

}  // namespace

void bind_coding(py::module_& m) {
  m.def("pack_sci", &pack_sci, "sci"_a, "n"_a,
        "An SCI as the data of a Pscch. n: PRBs of the carrier (format 0) or sub-channels of the pool (format 1).");
  m.def("unpack_sci", &unpack_sci, "data"_a, "format"_a, "n"_a, "The reverse of pack_sci().");
  m.def(
      "sci_crc",
      [](const py::bytes& data, int bits) {
        if (bits < 1 || bits > phy::max_sci_bits)
          throw prose_error("bits " + std::to_string(bits) + ": accepted: 1 to " + std::to_string(phy::max_sci_bits));
        return phy::sci_crc(unpacked(data, bits, "SCI"));
      },
      "data"_a, "bits"_a = phy::sci_format1_bits, "The CRC of an SCI: n_ID^X of its PSSCH in TM3/4.");
  m.def("pack_mib_sl", &pack_mib_sl, "mib"_a, "tm"_a, "A MIB-SL as the data of a Psbch; in TM3/4 its V2X form.");
  m.def("pssch_transport", &transport, "tm"_a, "mcs"_a, "n_prb"_a, "transmission_format"_a = 0,
        "Modulation order and transport block size of an MCS (TS 36.213 14.1.1).");
  m.def("riv_encode", &riv_encode, "n"_a, "start"_a, "length"_a,
        "A contiguous range of n as a resource indication value (TS 36.213 8.1.1).");
  m.def("riv_decode", &riv_decode, "n"_a, "riv"_a, "The reverse: (start, length).");
}

}  // namespace prose::python
