#include "apps/python/native/verdict.h"

#include <pybind11/stl.h>

namespace prose::python {
namespace {

py::object octets(const apps::octet_sums& s) {
  return python_class("prose.verdict", "OctetSums")(s.heard, s.parsed, s.padding, s.cut, s.waiting, s.unexplained);
}

template <class Items, class Make>
py::list list_of(const Items& items, Make make) {
  py::list out;
  for (const auto& i : items) out.append(make(i));
  return out;
}

py::object finding(const apps::finding& f) {
  return python_class("prose.verdict", "Finding")(f.aspect, f.check, f.reason, f.frames);
}

}  // namespace

py::object to_python(const apps::verdict& v) {
  const auto figure = [](const apps::bounded_figure& f) {
    return python_class("prose.verdict", "Figure")(f.name, f.value, f.bound, f.at_least, f.holds(), f.part, f.whole);
  };
  const auto transmitter = [](const apps::transmitter_verdict& t) {
    return python_class("prose.verdict", "Transmitter")(t.who, name_of(t.outcome), t.reason, octets(t.octets),
                                                        t.exempt);
  };
  const auto doubt = [](const apps::doubt& d) {
    return python_class("prose.verdict", "Finding")("", d.check, d.reason, d.frames);
  };
  return python_class("prose.verdict", "Verdict")(
      "outcome"_a = name_of(v.outcome), "exit_status"_a = exit_status(v.outcome), "reason"_a = v.reason,
      "findings"_a = list_of(v.findings, finding), "remarks"_a = list_of(v.remarks, finding),
      "doubts"_a = list_of(v.doubts, doubt), "figures"_a = list_of(v.figures, figure),
      "transmitters"_a = list_of(v.transmitters, transmitter), "octets"_a = octets(v.octets),
      "exempt_octets"_a = v.exempt_octets, "trials"_a = v.trials, "text"_a = to_text(v), "json"_a = to_json(v));
}

}  // namespace prose::python
