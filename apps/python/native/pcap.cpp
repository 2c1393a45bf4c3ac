// Capture files and key logs: apps/lib/capture.
#include <pybind11/stl.h>

#include <deque>
#include <memory>
#include <optional>

#include "apps/lib/capture/link_opener.h"
#include "apps/lib/capture/pcap_reader.h"
#include "apps/python/native/convert.h"

namespace prose::python {
namespace {

struct opened_packet {
  double t_s = 0;
  std::uint64_t frame = 0;
  std::uint32_t src = 0, dst = 0;
  std::uint8_t lcid = 0, sdu_type = 0;
  std::string data;
};

class packets {
public:
  packets(apps::link_opener opener, apps::pcap_reader file) : opener_(std::move(opener)), file_(std::move(file)) {}
  packets(const packets&) = delete;
  packets& operator=(const packets&) = delete;

  py::object next() {
    const in_use guard(busy_);
    while (found_.empty() && !ended_) {
      advance();
      check_signals();
    }
    if (found_.empty()) throw py::stop_iteration();
    const auto p = std::move(found_.front());
    found_.pop_front();
    return python_class("prose.channels", "OpenedPacket")(p.t_s, p.frame, p.src, p.dst, p.lcid, p.sdu_type,
                                                          py::bytes(p.data));
  }

private:
  void advance() {
    std::optional<error> wrong;
    {
      const py::gil_scoped_release released;
      const auto frame = file_.next();
      if (!frame) wrong = frame.error();
      ended_ = !frame || !*frame;
      if (!ended_) open(**frame);
    }
    if (wrong) throw prose_error(wrong->message);
  }
  void open(const apps::captured_frame& f) {
    if (!f.crc_ok) return;
    opener_.add(f, [&](const apps::link_opener::opened& o) {
      found_.push_back({f.time_s, f.number, o.src, o.dst, o.lcid, o.sdu_type, {o.data.begin(), o.data.end()}});
    });
  }

  apps::link_opener opener_;
  apps::pcap_reader file_;
  std::deque<opened_packet> found_;
  bool ended_ = false, busy_ = false;
};

}  // namespace

void bind_pcap(py::module_& m) {
  py::class_<packets>(m, "PcapPackets",
                      "What a key log opens of a capture file that prose-sniffer --pcap or Receiver wrote: an iterator "
                      "of OpenedPacket.")
      .def(py::init([](const py::object& pcap, const py::object& keylog) {
             const auto pcap_path = path_of(pcap);
             const auto keylog_path = path_of(keylog);
             const py::gil_scoped_release released;
             auto opener = take(apps::link_opener::open(keylog_path));
             return std::make_unique<packets>(std::move(opener), take(apps::pcap_reader::open(pcap_path)));
           }),
           "pcap"_a, "keylog"_a)
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", &packets::next);
}

}  // namespace prose::python
