// A recording or an array to events: apps/lib/listen/capture.h, with the verdict and a capture file beside it.
#include <pybind11/stl.h>

#include <deque>
#include <memory>
#include <optional>

#include "apps/lib/capture/pcap_sink.h"
#include "apps/lib/listen/hearing_of.h"
#include "apps/lib/listen/settings.h"
#include "apps/python/native/array_source.h"
#include "apps/python/native/kept_event.h"
#include "apps/python/native/verdict.h"

namespace prose::python {
namespace {

constexpr std::size_t most_known_octets = 1U << 20;

/// What is asked for, as Python gives it.
struct request {
  py::object source, scene;
  std::string carrier, sync;
  std::vector<std::string> pools;
  std::optional<double> sample_rate_hz;
  bool report_failed = false, judge = false;
  double duration_s = 0, epoch_s = 0;
  int loop = 1;
  py::object pcap, keylog;
  std::vector<py::object> compromised;
  std::vector<py::bytes> known_plaintexts;
  std::vector<std::string> names;
};

/// recorded: what the recording says, for an empty name.
apps::listen_sync sync_of(const std::string& name, const std::string& recorded = {}) {
  using enum apps::listen_sync;
  if (name.empty()) return recorded.empty() ? slss : sync_of(recorded);
  if (name == "slss") return slss;
  if (name == "aligned") return aligned;
  if (name == "blind") return blind;
  if (name == "gnss") return gnss;
  throw prose_error("sync '" + name + "': accepted: slss, aligned, blind, gnss");
}

apps::scene scene_of(const request& r) {
  apps::scene s;
  if (py::isinstance<py::dict>(r.scene)) {
    const auto text = py::module_::import("json").attr("dumps")(r.scene).cast<std::string>();
    s = take(apps::parse_scene(text, "scene"));
  } else if (!r.scene.is_none()) {
    s = take(apps::load_scene(path_of(r.scene)));
  }
  if (!r.carrier.empty()) take(apps::apply_carrier_text(r.carrier, "carrier", s));
  if (!r.pools.empty()) s.pools.clear();
  for (const auto& p : r.pools) take(apps::apply_pool_text(p, "pools", s));
  if (s.file.empty()) s.file = "scene";
  return s;
}

apps::verdict_options wanted_of(const request& r) {
  apps::verdict_options o;
  const auto long_enough = [](std::size_t n, const char* what) {
    if (n < apps::shortest_wanted_string)
      throw prose_error(std::string(what) + ": shorter than " + std::to_string(apps::shortest_wanted_string) +
                        " octets, which random octets hold too");
  };
  std::size_t total = 0;
  for (const auto& p : r.known_plaintexts) {
    const auto text = static_cast<std::string_view>(p);
    long_enough(text.size(), "known_plaintexts");
    if ((total += text.size()) > most_known_octets) throw prose_error("known_plaintexts: more than 1 MiB in all");
    o.known_plaintexts.emplace_back(text.begin(), text.end());
  }
  for (const auto& n : r.names) long_enough(n.size(), "names");
  o.names = r.names;
  auto stolen = std::make_shared<std::vector<apps::stolen_file>>();
  for (const auto& path : r.compromised) stolen->push_back(take(apps::load_stolen_state(path_of(path))));
  if (!stolen->empty()) o.compromised = std::move(stolen);
  o.utc_at_zero_s = r.epoch_s;
  return o;
}

class receiver {
public:
  explicit receiver(const request& r) {
    if (!(r.duration_s >= 0 && r.duration_s <= 1e9)) throw prose_error("duration_s: accepted: 0 to 1e9");
    if (r.loop < 1 || r.loop > 1'000'000) throw prose_error("loop: accepted: 1 to 1000000");
    if (!r.keylog.is_none() && r.pcap.is_none()) throw prose_error("keylog: it serves pcap, which is not given");
    const bool judge = r.judge || !r.compromised.empty() || !r.known_plaintexts.empty() || !r.names.empty();
    apps::capture_options options;
    options.report_failed_tbs = r.report_failed;
    options.duration_s = r.duration_s;
    options.search_beside = judge;
    options.tell_odd_samples = false;  // there is no log; the statistics have them
    auto scene = scene_of(r);
    if (py::isinstance<py::array>(r.source))
      open_array(r, scene, std::move(options));
    else
      open_recording(r, std::move(scene), std::move(options));
    if (judge) {
      auto wanted = wanted_of(r);
      wanted.on_search = [this](const apps::search_progress&) {
        const py::gil_scoped_acquire held;
        return !(interrupted_ = interrupted_ || PyErr_CheckSignals() != 0);
      };
      analysis_.emplace(std::move(wanted));
    }
    // Last: opening empties it.
    if (!r.pcap.is_none())
      pcap_.emplace(take(
          apps::pcap_sink::open(path_of(r.pcap), r.keylog.is_none() ? std::string() : path_of(r.keylog), r.epoch_s)));
    run_->begin({observer()});
  }
  receiver(const receiver&) = delete;  // the observer holds its address
  receiver& operator=(const receiver&) = delete;

  py::object next() {
    const in_use guard(busy_);
    opened();
    while (waiting_.empty() && !ended_) {
      advance();
      check_signals();
    }
    if (waiting_.empty()) throw py::stop_iteration();
    const auto e = std::move(waiting_.front());
    waiting_.pop_front();
    return to_python(e);
  }

  py::object judged() {
    const in_use guard(busy_);
    opened();
    if (!analysis_) throw prose_error("no verdict was asked for; accepted: judge=True");
    interrupted_ = false;
    apps::verdict v;
    {
      const py::gil_scoped_release released;
      analysis_->heard(apps::hearing_of(run_->totals()));
      v = analysis_->judge();
    }
    if (interrupted_) throw py::error_already_set();
    return to_python(v);
  }

  void close() {
    const in_use guard(busy_);
    waiting_.clear();
    run_.reset();
    pcap_.reset();
    analysis_.reset();
    array_ = py::none();
  }
  bool closed() const { return !run_; }
  const phy::carrier_config& carrier() const { return opened().carrier(); }
  int n_antennas() const { return opened().n_antennas(); }
  std::string assumed() const { return assumed_; }
  std::string remark() const { return remark_; }
  py::object statistics() {
    const in_use guard(busy_);
    const auto t = opened().totals();
    return to_python(kept_event(kept_statistics{t.statistics, t.t_end_s}));
  }
  std::pair<std::uint64_t, std::uint64_t> pcap_records() {
    const in_use guard(busy_);
    opened();
    if (!pcap_) throw prose_error("no capture file was asked for; accepted: pcap=PATH");
    return {pcap_->n_records(), pcap_->n_opened()};
  }

private:
  const apps::capture& opened() const {
    if (!run_) throw py::value_error("I/O operation on a closed receiver");
    return *run_;
  }
  void open_array(const request& r, const apps::scene& scene, apps::capture_options options) {
    if (!r.sample_rate_hz) throw prose_error("sample_rate_hz: must be given with an array");
    if (r.loop != 1) throw prose_error("loop: is for recordings");
    options.sync = sync_of(r.sync);
    array_ = r.source;
    auto antennas = antennas_of(array_);
    if (antennas[0].empty()) throw prose_error("samples: there are none");
    const auto n = static_cast<std::int64_t>(antennas[0].size());
    auto samples = std::make_unique<array_source>(std::move(antennas), *r.sample_rate_hz);
    run_.emplace(take(apps::capture::make(std::move(samples), n, "samples", scene, std::move(options), assumed_)));
  }
  void open_recording(const request& r, apps::scene scene, apps::capture_options options) {
    const auto path = path_of(r.source);
    const bool has_timing = !r.scene.is_none();
    const py::gil_scoped_release released;
    auto reader = take(phy::sigmf_reader::open(path, {.rate_hz = r.sample_rate_hz.value_or(0)}));
    auto recorded = apps::carrier_from(reader->meta(), reader->meta_path(), remark_);
    if (options.search_beside && !scene.n_prb && apps::is_narrower(recorded, reader->sample_rate_hz())) {
      remark_ = apps::narrower_remark(reader->meta_path());
      recorded = {};
    }
    options.sync = sync_of(r.sync, recorded.sync);
    scene = apps::filled_in(std::move(scene), recorded.known, has_timing);
    run_.emplace(take(apps::capture::make(std::make_unique<apps::file_source>(std::move(reader), r.loop), scene,
                                          std::move(options), assumed_)));
  }
  /// Runs without the GIL, so it touches nothing of Python.
  apps::capture_observer observer() {
    apps::capture_observer o;
    o.frame = [this](const phy::monitor_event& e, const apps::captured_frame& f) {
      waiting_.emplace_back(kept_frame{e, f});
      if (analysis_) analysis_->add(f);
      if (pcap_)
        if (auto ok = pcap_->add(f); !ok) trouble_ = "pcap " + ok.error().message;
      return trouble_.empty();
    };
    o.gap = [this](const apps::stream_gap& g) {
      waiting_.emplace_back(g);
      return true;
    };
    return o;
  }
  /// A block of samples; after the last one, what ends the stream.
  void advance() {
    result<bool> more = true;
    {
      const py::gil_scoped_release released;
      more = run_->advance(no_writer_);
      if (more && !*more) finish();
    }
    if (!more) ended_ = true;
    if (!more) throw prose_error(more.error().message);
    if (!trouble_.empty()) {
      ended_ = true;
      throw prose_error(trouble_);
    }
  }
  void finish() {
    ended_ = true;
    const auto done = run_->end(no_writer_);
    if (!done) trouble_ = done.error().message;
    if (done) waiting_.emplace_back(kept_statistics{done->statistics, done->t_end_s});
    if (pcap_ && trouble_.empty())
      if (auto ok = pcap_->finish(); !ok) trouble_ = "pcap " + ok.error().message;
  }

  py::object array_ = py::none();  // whose samples are read
  std::string assumed_, remark_;
  std::optional<apps::capture> run_;
  std::optional<apps::analysis> analysis_;
  std::optional<apps::pcap_sink> pcap_;
  apps::event_writer no_writer_;
  std::deque<kept_event> waiting_;
  std::string trouble_;
  bool ended_ = false, busy_ = false, interrupted_ = false;
};

}  // namespace

void bind_receiver(py::module_& m) {
  using names = std::vector<std::string>;
  py::class_<receiver>(m, "Receiver",
                       "A recording or an array of samples as events: an iterator of what is received, which works as "
                       "far as it is asked. A context manager that closes it.")
      .def(
          py::init([](py::object source, std::optional<double> sample_rate_hz, py::object scene, std::string carrier,
                      names pools, std::string sync, bool report_failed, double duration_s, int loop, bool judge,
                      std::vector<py::object> compromised, std::vector<py::bytes> known_plaintexts, names texts,
                      double epoch_s, py::object pcap, py::object keylog) {
            const request r{std::move(source),
                            std::move(scene),
                            std::move(carrier),
                            std::move(sync),
                            std::move(pools),
                            sample_rate_hz,
                            report_failed,
                            judge,
                            duration_s,
                            epoch_s,
                            loop,
                            std::move(pcap),
                            std::move(keylog),
                            std::move(compromised),
                            std::move(known_plaintexts),
                            std::move(texts)};
            return std::make_unique<receiver>(r);
          }),
          "source"_a, py::kw_only(), "sample_rate_hz"_a = py::none(), "scene"_a = py::none(), "carrier"_a = "",
          "pools"_a = names{}, "sync"_a = "", "report_failed"_a = false, "duration_s"_a = 0.0, "loop"_a = 1,
          "judge"_a = false, "compromised"_a = std::vector<py::object>{},
          "known_plaintexts"_a = std::vector<py::bytes>{}, "names"_a = names{}, "epoch_s"_a = 0.0,
          "pcap"_a = py::none(), "keylog"_a = py::none(),
          "source: the path of a SigMF recording, or complex64 samples of shape (n,) or (n_antennas, n) with their "
          "sample_rate_hz. They are not copied, and must not change meanwhile.\n\n"
          "The others are prose-sniffer's options: scene, carrier ('prb=50,tm=4'), pools ('kind=v2x,size=10,count=5'), "
          "sync (slss, aligned, blind, gnss), report_failed, duration_s, loop (recordings). scene is a path, or a dict "
          "of the same keys. What is not given is as the recording says, or slss and what `assumed` tells. judge: "
          "verdict() will be asked; compromised, known_plaintexts, names and epoch_s say what "
          "it looks for. pcap: a capture file is written, where keylog opens packets.")
      .def("__iter__", [](const py::object& self) { return self; })
      .def("__next__", &receiver::next)
      .def("verdict", &receiver::judged, "The verdict on what was received so far. judge=True must have been given.")
      .def_property_readonly("statistics", &receiver::statistics)
      .def_property_readonly("carrier", &receiver::carrier, py::return_value_policy::copy)
      .def_property_readonly("n_antennas", &receiver::n_antennas)
      .def_property_readonly("assumed", &receiver::assumed, "What nobody told of the carrier, in words.")
      .def_property_readonly("remark", &receiver::remark,
                             "Why what the recording says of its carrier was left out, or empty.")
      .def_property_readonly("pcap_records", &receiver::pcap_records,
                             "Records written to the capture file, and packets opened.")
      .def_property_readonly("closed", &receiver::closed)
      .def("close", &receiver::close)
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](receiver& r, const py::args&) { r.close(); });
}

}  // namespace prose::python
