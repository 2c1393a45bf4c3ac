// Between Python and C++: errors, sample arrays, dataclasses. Everything here needs the GIL.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/bits.h"
#include "common/result.h"
#include "phy/types/cf32.h"
#include "phy/types/sci.h"

namespace prose::python {

namespace py = pybind11;
using namespace py::literals;

/// Becomes prose.Error. The message is one line.
struct prose_error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

template <class T>
T take(result<T> r) {
  if (!r) throw prose_error(r.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*r);
}

/// Nobody else may use the object while a method of it runs without the GIL.
class in_use {
public:
  explicit in_use(bool& flag) : flag_(flag) {
    if (std::exchange(flag_, true)) throw std::runtime_error("the object is in use by another thread");
  }
  ~in_use() { flag_ = false; }
  in_use(const in_use&) = delete;
  in_use& operator=(const in_use&) = delete;

private:
  bool& flag_;
};

/// Ctrl-C and other signals: their Python handlers run, and what they raise is passed on.
inline void check_signals() {
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

using sample_array = py::array_t<phy::cf32>;
inline constexpr py::ssize_t most_antennas = 4;

/// The antennas of a complex64 array of shape (n,) or (n_antennas, n). Nothing is copied, so the array must outlive
/// them. TypeError: another type; ValueError: another shape, or samples that do not lie one after the other.
std::vector<std::span<const phy::cf32>> antennas_of(const py::handle& samples);

/// A path: str, bytes or os.PathLike.
std::string path_of(const py::handle& path);

/// A class of the package, as "events.TbEvent".
py::object python_class(const char* module, const char* name);

/// An attribute; TypeError with its name where it is of another type.
template <class T>
T attribute(const py::handle& object, const char* name) {
  py::object value = object.attr(name);
  try {
    return value.cast<T>();
  } catch (const py::cast_error&) {
    throw py::type_error(std::string(py::str(py::type::of(object).attr("__name__"))) + "." + name + ": " +
                         std::string(py::repr(value)) + " is not accepted");
  }
}

/// Packed octets of these bits.
py::bytes packed(std::span<const std::uint8_t> bits);
/// The reverse. ValueError unless `data` has the octets of so many bits, and zeros behind them.
std::vector<std::uint8_t> unpacked(const py::bytes& data, std::size_t n_bits, const char* what);

py::object to_python(const phy::sci_format0& f);
py::object to_python(const phy::sci_format1& f);
sample_array to_python(const phy::constellation_sample& s);

// --- the parts of the module ---
void bind_carrier(py::module_& m);
void bind_coding(py::module_& m);
void bind_transmitter(py::module_& m);
void bind_subframe(py::module_& m);
void bind_recording(py::module_& m);
void bind_receiver(py::module_& m);
void bind_pcap(py::module_& m);

}  // namespace prose::python
