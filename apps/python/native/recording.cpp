// Samples of a SigMF recording: phy/io/sigmf_reader.h.
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "apps/python/native/convert.h"
#include "phy/io/sigmf_reader.h"

namespace prose::python {
namespace {

class recording {
public:
  recording(const py::object& path, std::optional<double> sample_rate_hz) {
    const auto name = path_of(path);
    phy::sigmf_open_options options;
    options.rate_hz = sample_rate_hz.value_or(0);
    options.rate_required = false;
    const py::gil_scoped_release released;
    reader_ = take(phy::sigmf_reader::open(name, options));
  }

  const phy::sigmf_reader& reader() const {
    if (!reader_) throw py::value_error("I/O operation on a closed recording");
    return *reader_;
  }
  void close() {
    const in_use guard(busy_);
    reader_.reset();
  }
  bool closed() const { return !reader_; }

  sample_array read(std::int64_t start, std::optional<std::int64_t> count) {
    const in_use guard(busy_);
    const std::int64_t all = reader().n_samples();
    if (start < 0 || start > all)
      throw prose_error("start " + std::to_string(start) + ": accepted: 0 to " + std::to_string(all));
    if (count && *count < 0) throw prose_error("count " + std::to_string(*count) + ": accepted: 0 or more");
    const std::int64_t n = std::min(count.value_or(all), all - start);
    const int n_antennas = reader_->n_antennas();
    sample_array out({static_cast<py::ssize_t>(n_antennas), static_cast<py::ssize_t>(n)});
    if (n == 0) return out;
    std::vector<std::span<phy::cf32>> to;
    for (int a = 0; a < n_antennas; ++a) to.emplace_back(out.mutable_data(a, 0), static_cast<std::size_t>(n));
    const std::int64_t got = fill(start, to);
    if (got < n)
      throw prose_error(reader_->data_path() + ": ends after " + std::to_string(start + got) + " samples instead of " +
                        std::to_string(all));
    return out;
  }

private:
  /// Straight into the array, a block at a time so that Ctrl-C is noticed. Gives the number of samples that were there.
  std::int64_t fill(std::int64_t start, const std::vector<std::span<phy::cf32>>& to) {
    constexpr std::size_t block = std::size_t{1} << 20;
    std::vector<std::span<phy::cf32>> part(to.size());
    std::size_t at = 0;
    bool end = false;
    take(reader_->seek(start));
    while (at < to[0].size() && !end) {
      const std::size_t n = std::min(block, to[0].size() - at);
      for (std::size_t a = 0; a < to.size(); ++a) part[a] = to[a].subspan(at, n);
      result<phy::read_status> status;
      {
        const py::gil_scoped_release released;
        status = reader_->read(part);
      }
      const auto s = take(std::move(status));
      at += s.n_samples;
      end = s.end;
      check_signals();
    }
    return static_cast<std::int64_t>(at);
  }

  std::unique_ptr<phy::sigmf_reader> reader_;
  bool busy_ = false;
};

}  // namespace

void bind_recording(py::module_& m) {
  py::class_<recording>(m, "Recording", "The samples of a SigMF recording. A context manager that closes it.")
      .def(py::init<const py::object&, std::optional<double>>(), "path"_a, "sample_rate_hz"_a = py::none(),
           "path: FILE.sigmf-meta, or an archive FILE.sigmf. sample_rate_hz: of a recording that does not say it.")
      .def_property_readonly("sample_rate_hz", [](const recording& r) { return r.reader().sample_rate_hz(); })
      .def_property_readonly("n_samples", [](const recording& r) { return r.reader().n_samples(); })
      .def_property_readonly("n_antennas", [](const recording& r) { return r.reader().n_antennas(); })
      .def_property_readonly("datatype",
                             [](const recording& r) { return std::string(name_of(r.reader().meta().datatype)); })
      .def_property_readonly("frequency_hz",
                             [](const recording& r) { return r.reader().meta().captures.front().frequency_hz; })
      .def_property_readonly("description", [](const recording& r) { return r.reader().meta().description; })
      .def_property_readonly("closed", &recording::closed)
      .def(
          "tick_of",
          [](const recording& r, std::int64_t sample) {
            if (sample < 0 || sample > r.reader().n_samples())
              throw prose_error("sample " + std::to_string(sample) + ": accepted: 0 to " +
                                std::to_string(r.reader().n_samples()));
            return r.reader().tick_of(sample);
          },
          "sample"_a, "The device time of a sample, in samples: gaps count.")
      .def("read", &recording::read, "start"_a = 0, "count"_a = py::none(),
           "Samples from `start` on, complex64 of shape (n_antennas, count); fewer at the end. Samples of several "
           "capture "
           "segments follow one another. The array is the caller's.")
      .def("close", &recording::close)
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](recording& r, const py::args&) { r.close(); });
}

}  // namespace prose::python
