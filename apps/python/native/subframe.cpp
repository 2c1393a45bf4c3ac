// One subframe in: phy/modem/subframe_receiver.h.
#include <pybind11/stl.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "apps/python/native/channels.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/types/mib_sl.h"

namespace prose::python {
namespace {

struct soft_bits {
  explicit soft_bits(int tbs) : buffer(checked(tbs)) { buffer.reset(tbs); }
  static int checked(int tbs) {
    if (tbs < 16 || tbs > phy::max_transport_block_bits)
      throw prose_error("tbs " + std::to_string(tbs) + ": accepted: 16 to " +
                        std::to_string(phy::max_transport_block_bits));
    return tbs;
  }
  phy::soft_buffer buffer;
  bool busy = false;
};

phy::signal_hints hints_from(const py::object& hints) {
  if (hints.is_none()) return {};
  if (!py::isinstance(hints, python_class("prose.channels", "Signal")))
    throw py::type_error("hints: accepted: Signal or None");
  const phy::signal_hints h{attribute<float>(hints, "cfo_hz"), attribute<float>(hints, "timing_offset_samples")};
  if (!(std::abs(*h.cfo_hz) <= 15e3F) || !(std::abs(*h.timing_offset_samples) <= phy::max_fft_size))
    throw prose_error("hints: accepted: cfo_hz within 15000, timing_offset_samples within 2048");
  return h;
}

py::object to_python(const phy::signal_estimate& s) {
  return python_class("prose.channels", "Signal")(s.snr_db, s.power_db, s.noise_db, s.cfo_hz, s.timing_offset_samples);
}

/// What a decoder gave.
struct outcome {
  bool crc_ok = false, detected = false;
  std::span<const std::uint8_t> bits;
  float dmrs_metric = 0;
  const phy::signal_estimate& signal;
  int iterations = 0;
  std::uint16_t crc = 0;
};

py::object decoded(const py::object& channel, const outcome& o) {
  return python_class("prose.channels", "Decoded")(channel, o.crc_ok, o.detected, o.bits.size(), packed(o.bits),
                                                   o.dmrs_metric, to_python(o.signal), o.iterations, o.crc,
                                                   prose::python::to_python(o.signal.symbols));
}

py::object decoded(const phy::pscch_result& r) {
  return decoded(python_class("prose.channels", "Pscch")(r.config.prb, r.config.cyclic_shift),
                 {r.crc_ok, r.detected, r.detected ? r.payload() : std::span<const std::uint8_t>(), r.dmrs_metric,
                  r.signal, 0, r.crc});
}

class subframe_receiver {
public:
  subframe_receiver(const phy::carrier_config& carrier, int n_antennas, int max_turbo_iterations)
      : rx_(take(phy::subframe_receiver::make({carrier, n_antennas, max_turbo_iterations}))), all_prbs_(carrier.n_prb) {
    std::iota(all_prbs_.begin(), all_prbs_.end(), 0);
  }

  const phy::carrier_config& carrier() const { return rx_.config().carrier; }
  int n_antennas() const { return rx_.config().n_antennas; }

  py::object load(const py::object& samples) {
    const in_use guard(busy_);
    const auto antennas = antennas_of(samples);
    if (std::ssize(antennas) != n_antennas())
      throw prose_error("samples of " + std::to_string(antennas.size()) +
                        " antennas; accepted: " + std::to_string(n_antennas()));
    if (std::ssize(antennas[0]) != carrier().samples_per_subframe())
      throw prose_error(std::to_string(antennas[0].size()) +
                        " samples; accepted: " + std::to_string(carrier().samples_per_subframe()) + ", one subframe");
    phy::load_report r;
    {
      const py::gil_scoped_release released;
      r = rx_.load(antennas);
    }
    return python_class("prose.channels", "Load")(r.power_db, r.n_invalid_samples);
  }

  sample_array grid(int antenna, float cfo_hz) {
    const in_use guard(busy_);
    check_antenna(antenna);
    if (!(cfo_hz >= -15e3F && cfo_hz <= 15e3F)) throw prose_error("cfo_hz: accepted: -15000 to 15000");
    sample_array out({carrier().symbols_per_subframe(), carrier().n_subcarriers()});
    const std::span<phy::cf32> to(out.mutable_data(), static_cast<std::size_t>(out.size()));
    const py::gil_scoped_release released;
    rx_.copy_grid(antenna, cfo_hz, to);
    return out;
  }

  py::list find_pscch(const std::optional<std::vector<int>>& prbs) {
    const in_use guard(busy_);
    std::span<const phy::pscch_result> found;
    {
      const py::gil_scoped_release released;
      found = rx_.find_pscch(prbs ? *prbs : all_prbs_);
    }
    py::list out;
    for (const auto& r : found) out.append(decoded(r));
    return out;
  }

  py::object decode_pscch(int prb, std::optional<int> cyclic_shift, const py::object& hints) {
    const in_use guard(busy_);
    const bool v2x = phy::is_v2x(carrier().tm);
    check_prbs(prb, v2x ? 2 : 1);
    if (cyclic_shift && (v2x ? *cyclic_shift < 0 || *cyclic_shift > 9 || *cyclic_shift % 3 != 0 : *cyclic_shift != 0))
      throw prose_error("cyclic_shift " + std::to_string(*cyclic_shift) +
                        (v2x ? ": accepted: 0, 3, 6, 9" : ": accepted: 0"));
    const auto known = hints_from(hints);
    phy::pscch_result r;
    {
      const py::gil_scoped_release released;
      r = rx_.decode_pscch(prb, cyclic_shift, known);
    }
    return decoded(r);
  }

  py::object decode_psbch(int n_sl_id, const py::object& hints) {
    const in_use guard(busy_);
    if (n_sl_id < 0 || n_sl_id >= phy::n_slss_ids)
      throw prose_error("n_sl_id " + std::to_string(n_sl_id) + ": accepted: 0 to 335");
    const auto known = hints_from(hints);
    phy::psbch_result r;
    {
      const py::gil_scoped_release released;
      r = rx_.decode_psbch(n_sl_id, known);
    }
    return decoded(
        python_class("prose.channels", "Psbch")(n_sl_id),
        {r.crc_ok, r.detected, r.detected ? r.payload() : std::span<const std::uint8_t>(), r.dmrs_metric, r.signal});
  }

  py::object decode_pssch(const py::object& channel, soft_bits* buffer, const py::object& hints) {
    const in_use guard(busy_);
    const auto c = pssch_of(channel);
    soft_bits::checked(c.tbs);
    check_prbs(c.prb_start, c.n_prb);
    const bool v2x = phy::is_v2x(carrier().tm);
    if (!phy::is_235(c.n_prb)) throw prose_error("n_prb " + std::to_string(c.n_prb) + ": accepted: 2^a 3^b 5^c");
    if (c.modulation_order != 2 && c.modulation_order != 4 && c.modulation_order != 6)
      throw prose_error("modulation_order " + std::to_string(c.modulation_order) + ": accepted: 2, 4, 6");
    if (c.n_ssf < 0 || c.n_ssf > 9) throw prose_error("n_ssf " + std::to_string(c.n_ssf) + ": accepted: 0 to 9");
    if (c.n_x_id > (v2x ? 0xFFFFU : 0xFFU)) throw prose_error("n_x_id " + std::to_string(c.n_x_id) + " is too large");
    if (c.last_symbol_rate_matched && !v2x) throw prose_error("transmission format 1 exists only in TM3/4");
    return decode_block(channel, c.tbs, c.rv, buffer, hints,
                        [&](auto&... rest) { return rx_.decode_pssch(c, rest...); });
  }

  py::object decode_psdch(const py::object& channel, soft_bits* buffer, const py::object& hints) {
    const in_use guard(busy_);
    const auto c = psdch_of(channel);
    check_prbs(c.prb, 1);
    check_prbs(c.second(), 1);
    if (c.second() == c.prb) throw prose_error("prb_second: accepted: another PRB, or -1");
    return decode_block(channel, phy::discovery_message_bits, c.rv, buffer, hints,
                        [&](const phy::signal_hints& known, phy::soft_buffer& to, std::span<std::uint8_t> payload) {
                          return rx_.decode_psdch(c, to, payload, known);
                        });
  }

  py::object detect_slss() {
    const in_use guard(busy_);
    phy::slss_result r;
    {
      const py::gil_scoped_release released;
      r = rx_.detect_slss();
    }
    if (!r.detected) return py::none();
    return python_class("prose.channels", "Slss")(r.n_sl_id, r.metric, r.second_metric, to_python(r.signal));
  }

  std::vector<int> symbols() {
    const auto last = demodulated();
    return {last.symbols.begin(), last.symbols.end()};
  }
  py::slice subcarriers() {
    const auto last = demodulated();
    return {last.first_subcarrier, last.first_subcarrier + last.n_subcarriers, 1};
  }
  sample_array equalised() {
    const auto last = demodulated();
    sample_array out({static_cast<int>(last.symbols.size()), last.n_subcarriers});
    for (int i = 0; i < std::ssize(last.symbols); ++i) std::ranges::copy(rx_.equalised(i), out.mutable_data(i));
    return out;
  }
  sample_array channel() {
    const auto last = demodulated();
    sample_array out({n_antennas(), static_cast<int>(last.symbols.size()), last.n_subcarriers});
    for (int a = 0; a < n_antennas(); ++a)
      for (int i = 0; i < std::ssize(last.symbols); ++i)
        rx_.copy_channel(a, i, {out.mutable_data(a, i), static_cast<std::size_t>(last.n_subcarriers)});
    return out;
  }

private:
  template <class Decode>
  py::object decode_block(const py::object& channel, int tbs, int rv, soft_bits* given, const py::object& hints,
                          Decode decode) {
    if (rv < 0 || rv > 3) throw prose_error("rv " + std::to_string(rv) + ": accepted: 0 to 3");
    const phy::signal_hints known = hints_from(hints);
    std::optional<soft_bits> own;
    if (given == nullptr) given = &own.emplace(tbs);
    if (given->buffer.tbs() != tbs)
      throw prose_error("buffer of " + std::to_string(given->buffer.tbs()) + " bits; accepted: " + std::to_string(tbs) +
                        ", the size of the block");
    const in_use buffer_guard(given->busy);
    std::vector<std::uint8_t> bits(tbs);
    std::span<std::uint8_t> payload = bits;
    phy::transport_result r;
    {
      const py::gil_scoped_release released;
      r = decode(known, given->buffer, payload);
    }
    return decoded(channel, {r.crc_ok, r.crc_ok, r.crc_ok ? payload : std::span<std::uint8_t>(), r.dmrs_metric,
                             r.signal, r.iterations});
  }
  void check_prbs(int first, int n) const {
    const int all = carrier().n_prb;
    if (n < 1 || n > all || first < 0 || first > all - n)
      throw prose_error(std::to_string(n) + " PRB from " + std::to_string(first) + " on do not fit " +
                        std::to_string(all) + " PRB");
  }
  void check_antenna(int antenna) const {
    if (antenna < 0 || antenna >= n_antennas())
      throw prose_error("antenna " + std::to_string(antenna) + ": accepted: 0 to " + std::to_string(n_antennas() - 1));
  }
  phy::subframe_receiver::demodulated demodulated() {
    if (busy_) throw std::runtime_error("the object is in use by another thread");
    const auto last = rx_.last();
    if (last.symbols.empty()) throw prose_error("nothing has been decoded in this subframe");
    return last;
  }

  phy::subframe_receiver rx_;
  std::vector<int> all_prbs_;
  bool busy_ = false;
};

}  // namespace

void bind_subframe(py::module_& m) {
  py::class_<soft_bits>(m, "SoftBuffer", "Soft bits of one transport block, in which its transmissions are combined.")
      .def(py::init<int>(), "tbs"_a)
      .def_property_readonly("tbs", [](const soft_bits& b) { return b.buffer.tbs(); })
      .def(
          "reset",
          [](soft_bits& b) {
            const in_use guard(b.busy);
            b.buffer.reset(b.buffer.tbs());
          },
          "Empties it for another block of the same size.");
  using rx = subframe_receiver;
  py::class_<rx>(m, "SubframeReceiver",
                 "One subframe in: grid, transmissions of every channel, and what is estimated of them. load() first.")
      .def(py::init<const phy::carrier_config&, int, int>(), "carrier"_a, py::kw_only(), "n_antennas"_a = 1,
           "max_turbo_iterations"_a = 8)
      .def_property_readonly("carrier", &rx::carrier, py::return_value_policy::copy)
      .def_property_readonly("n_antennas", &rx::n_antennas)
      .def("load", &rx::load, "samples"_a,
           "Takes the samples of one subframe, complex64 of shape (samples_per_subframe,) or (n_antennas, "
           "samples_per_subframe). Forgets the previous one.")
      .def("grid", &rx::grid, "antenna"_a = 0, "cfo_hz"_a = 0.0F,
           "The resource grid, complex64 of shape (symbols_per_subframe, n_subcarriers), freed of a carrier frequency "
           "offset. A unit resource element adds 1 / fft_size to the mean sample power. The array is the caller's.")
      .def("find_pscch", &rx::find_pscch, "prbs"_a = py::none(),
           "The PSCCHs that pass every check, searched from these first PRBs, or all.")
      .def("decode_pscch", &rx::decode_pscch, "prb"_a, "cyclic_shift"_a = py::none(), "hints"_a = py::none(),
           "The PSCCH at a PRB, whatever its DMRS look like. hints: the Signal of another channel of its transmitter.")
      .def("decode_psbch", &rx::decode_psbch, "n_sl_id"_a, "hints"_a = py::none(), "The PSBCH of this identity.")
      .def("decode_pssch", &rx::decode_pssch, "channel"_a, "buffer"_a = py::none(), "hints"_a = py::none(),
           "The block of a PSSCH, combined with what the SoftBuffer holds of it.")
      .def("decode_psdch", &rx::decode_psdch, "channel"_a, "buffer"_a = py::none(), "hints"_a = py::none(),
           "The discovery message of a PSDCH, combined likewise.")
      .def("detect_slss", &rx::detect_slss, "The identity of the SLSS in the subframe, or None.")
      .def("symbols", &rx::symbols, "Indices of the data symbols of what was decoded last.")
      .def("subcarriers", &rx::subcarriers, "Its subcarriers, as a slice of the grid's.")
      .def("equalised", &rx::equalised,
           "Its constellation: equalised and de-precoded modulation symbols of unit mean power, complex64 of shape "
           "(symbols, subcarriers).")
      .def("channel", &rx::channel,
           "Its channel: received over sent resource elements, complex64 of shape (n_antennas, symbols, subcarriers), "
           "for the grid of its carrier frequency offset.");
}

}  // namespace prose::python
