#include "apps/python/native/carrier.h"

#include <pybind11/stl.h>

#include "apps/python/native/convert.h"

namespace prose::python {
namespace {

phy::carrier_config make_carrier(int prb, int tm, const std::string& cp, std::optional<double> sample_rate_hz) {
  const double rate = sample_rate_hz.value_or(phy::standard_fft_size(prb) * phy::subcarrier_spacing_hz);
  return take(phy::carrier_config::make(prb, prefix_from(cp), mode_from(tm), rate));
}

std::string to_text(const phy::carrier_config& c) {
  return "Carrier(prb=" + std::to_string(c.n_prb) + ", tm=" + std::to_string(static_cast<int>(c.tm)) + ", cp='" +
         (c.cp == phy::cyclic_prefix::normal ? "normal" : "extended") +
         "', sample_rate_hz=" + std::to_string(c.fft_size * 15) + "e3)";
}

}  // namespace

phy::cyclic_prefix prefix_from(const std::string& name) {
  if (name == "normal") return phy::cyclic_prefix::normal;
  if (name == "extended") return phy::cyclic_prefix::extended;
  throw prose_error("cp '" + name + "': accepted: normal, extended");
}

phy::transmission_mode mode_from(int tm) {
  if (tm < 1 || tm > 4) throw prose_error("tm " + std::to_string(tm) + ": accepted: 1 to 4");
  return static_cast<phy::transmission_mode>(tm);
}

void bind_carrier(py::module_& m) {
  py::class_<phy::carrier_config>(m, "Carrier", "The numbers of one sidelink carrier. Does not change.")
      .def(py::init(&make_carrier), "prb"_a = 50, "tm"_a = 4, "cp"_a = "normal", "sample_rate_hz"_a = py::none(),
           "prb: 6, 15, 25, 50, 75 or 100. tm: transmission mode, 1 to 4. cp: cyclic prefix, normal or (TM1/2) "
           "extended. sample_rate_hz: the LTE rate of the bandwidth, which is the default, or 3/4 of it.")
      .def_readonly("prb", &phy::carrier_config::n_prb)
      .def_property_readonly("tm", [](const phy::carrier_config& c) { return static_cast<int>(c.tm); })
      .def_property_readonly(
          "cp", [](const phy::carrier_config& c) { return c.cp == phy::cyclic_prefix::normal ? "normal" : "extended"; })
      .def_property_readonly("sample_rate_hz", &phy::carrier_config::sample_rate_hz)
      .def_readonly("fft_size", &phy::carrier_config::fft_size)
      .def_property_readonly("samples_per_subframe", &phy::carrier_config::samples_per_subframe)
      .def_property_readonly("symbols_per_subframe", &phy::carrier_config::symbols_per_subframe)
      .def_property_readonly("n_subcarriers", &phy::carrier_config::n_subcarriers)
      .def("__repr__", &to_text)
      .def("__eq__", [](const phy::carrier_config& a, const py::object& b) {
        return py::isinstance<phy::carrier_config>(b) && a == b.cast<phy::carrier_config>();
      });
}

}  // namespace prose::python
