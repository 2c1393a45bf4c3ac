// The module prose._native. Its parts are in the other files; apps/python/prose has the Python side.
#include "apps/python/native/convert.h"

PYBIND11_MODULE(_native, m) {
  using namespace prose::python;
  m.doc() = "LTE sidelink: the compiled part of the package prose.";
  m.attr("__version__") = PROSE_VERSION;
  // The message of every error is one line: what is wrong, where, and what is accepted.
  py::register_exception<prose_error>(m, "Error", PyExc_ValueError).attr("__doc__") =
      "What a file, a configuration or samples have wrong. One line: what, where, and what is accepted.";
  bind_carrier(m);
  bind_coding(m);
  bind_transmitter(m);
  bind_subframe(m);
  bind_recording(m);
  bind_receiver(m);
  bind_pcap(m);
}
