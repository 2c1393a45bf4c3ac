#include "apps/python/native/convert.h"

#include <algorithm>
#include <string_view>

namespace prose::python {

std::vector<std::span<const phy::cf32>> antennas_of(const py::handle& samples) {
  if (!py::isinstance<sample_array>(samples)) {
    const bool array = py::isinstance<py::array>(samples);
    throw py::type_error(
        "samples: " + std::string(array ? py::str(samples.attr("dtype")) : py::repr(py::type::of(samples))) +
        " is not accepted; accepted: a numpy array of complex64");
  }
  const auto a = py::reinterpret_borrow<py::array>(samples);
  if (a.ndim() != 1 && a.ndim() != 2)
    throw py::value_error("samples: " + std::to_string(a.ndim()) +
                          " dimensions; accepted: (n_samples,) or (n_antennas, n_samples)");
  const bool one = a.ndim() == 1;
  const py::ssize_t n_antennas = one ? 1 : a.shape(0);
  if (n_antennas < 1 || n_antennas > most_antennas)
    throw prose_error("samples of " + std::to_string(n_antennas) + " antennas; accepted: 1 to " +
                      std::to_string(most_antennas));
  const py::ssize_t n = a.shape(one ? 0 : 1);
  if (n > 1 && a.strides(one ? 0 : 1) != sizeof(phy::cf32))
    throw py::value_error("samples: those of an antenna do not lie one after the other; use numpy.ascontiguousarray");
  const auto* first = static_cast<const std::uint8_t*>(a.data());
  if (reinterpret_cast<std::uintptr_t>(first) % alignof(phy::cf32) != 0 ||
      (!one && a.strides(0) % static_cast<py::ssize_t>(alignof(phy::cf32)) != 0))
    throw py::value_error("samples: not aligned; use numpy.ascontiguousarray on a copy");
  std::vector<std::span<const phy::cf32>> antennas;
  for (py::ssize_t i = 0; i < n_antennas; ++i)
    antennas.emplace_back(reinterpret_cast<const phy::cf32*>(first + (one ? 0 : i * a.strides(0))),
                          static_cast<std::size_t>(n));
  return antennas;
}

std::string path_of(const py::handle& path) {
  const auto text = py::module_::import("os").attr("fsencode")(path).cast<std::string>();
  if (text.find('\0') != std::string::npos) throw py::value_error("path: holds a zero octet");
  return text;
}

py::object python_class(const char* module, const char* name) { return py::module_::import(module).attr(name); }

py::bytes packed(std::span<const std::uint8_t> bits) {
  std::string out((bits.size() + 7) / 8, '\0');
  pack_bits(bits, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return py::bytes(out);
}

std::vector<std::uint8_t> unpacked(const py::bytes& data, std::size_t n_bits, const char* what) {
  const auto octets = static_cast<std::string_view>(data);
  const std::size_t n = (n_bits + 7) / 8;
  if (octets.size() != n)
    throw prose_error(std::string(what) + ": " + std::to_string(octets.size()) +
                      " octets of data; accepted: " + std::to_string(n) + ", for " + std::to_string(n_bits) + " bits");
  if (n_bits % 8 != 0 && (static_cast<std::uint8_t>(octets.back()) & (0xFFU >> (n_bits % 8))) != 0)
    throw prose_error(std::string(what) + ": the bits of the data behind the first " + std::to_string(n_bits) +
                      " are not zero");
  std::vector<std::uint8_t> bits(n_bits);
  unpack_bits({reinterpret_cast<const std::uint8_t*>(octets.data()), n}, bits);
  return bits;
}

py::object to_python(const phy::sci_format0& f) {
  return python_class("prose.events", "SciFormat0")(f.frequency_hopping ? 1 : 0, f.resource_block_assignment,
                                                    f.time_resource_pattern, f.mcs, f.timing_advance,
                                                    f.group_destination_id);
}

py::object to_python(const phy::sci_format1& f) {
  return python_class("prose.events", "SciFormat1")(f.priority, f.resource_reservation, f.frequency_location,
                                                    f.time_gap, f.mcs, f.retransmission_index, f.transmission_format,
                                                    f.reserved);
}

sample_array to_python(const phy::constellation_sample& s) {
  sample_array out(static_cast<py::ssize_t>(s.size()));
  std::copy(s.begin(), s.end(), out.mutable_data());
  return out;
}

}  // namespace prose::python
