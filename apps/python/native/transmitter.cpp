// The waveform of any channel: phy/modem/transmitter.h.
#include "phy/modem/transmitter.h"

#include <algorithm>
#include <list>

#include "apps/python/native/channels.h"
#include "phy/coding/transport_code.h"
#include "phy/types/mib_sl.h"

namespace prose::python {
namespace {

class transmitter {
public:
  transmitter(const phy::carrier_config& carrier, float pscch_boost_db, float ssss_db)
      : tx_(take(phy::transmitter::make({carrier, pscch_boost_db, ssss_db}))) {}

  const phy::carrier_config& carrier() const { return tx_.config().carrier; }

  sample_array transmit(const py::iterable& transmissions) {
    const in_use guard(busy_);
    std::list<std::vector<std::uint8_t>> payloads;  // what the transmissions point to
    std::vector<phy::transmission> list;
    for (const auto& t : transmissions) list.push_back(transmission_of(t, payloads));
    sample_array out(carrier().samples_per_subframe());
    const std::span<phy::cf32> samples(out.mutable_data(), static_cast<std::size_t>(out.size()));
    result<void> sent;
    {
      const py::gil_scoped_release released;
      sent = tx_.transmit(list, samples);
    }
    take(std::move(sent));
    return out;
  }

private:
  phy::transmission transmission_of(const py::handle& t, std::list<std::vector<std::uint8_t>>& payloads) const {
    if (!py::isinstance(t, python_class("prose.channels", "Transmission")))
      throw py::type_error("transmissions: accepted: Transmission");
    const auto channel = channel_of(t.attr("channel"));
    const auto data = attribute<py::bytes>(t, "data");
    const auto bits = [&](int n, const char* what) -> std::span<const std::uint8_t> {
      return payloads.emplace_back(unpacked(data, n, what));
    };
    phy::transmission out{phy::psbch_transmission{}, attribute<float>(t, "re_power_db")};
    if (!(out.re_power_db >= -200 && out.re_power_db <= 200))
      throw prose_error("re_power_db: accepted: -200 to 200 dB");
    if (const auto* p = std::get_if<psbch_identity>(&channel))
      out.what = phy::psbch_transmission{p->n_sl_id, bits(phy::mib_sl_bits(carrier().tm), "PSBCH")};
    else if (const auto* c = std::get_if<phy::pscch_config>(&channel))
      out.what = phy::pscch_transmission{
          *c,
          bits(phy::is_v2x(carrier().tm) ? phy::sci_format1_bits : phy::sci_format0_bits(carrier().n_prb), "PSCCH")};
    else if (const auto* s = std::get_if<phy::pssch_config>(&channel))
      out.what = phy::pssch_transmission{*s, bits(tbs_of(*s), "PSSCH")};
    else
      out.what =
          phy::psdch_transmission{std::get<phy::psdch_config>(channel), bits(phy::discovery_message_bits, "PSDCH")};
    return out;
  }
  static int tbs_of(const phy::pssch_config& c) {
    if (c.tbs < 16 || c.tbs > phy::max_transport_block_bits)
      throw prose_error("PSSCH tbs " + std::to_string(c.tbs) + ": accepted: 16 to " +
                        std::to_string(phy::max_transport_block_bits));
    return c.tbs;
  }

  phy::transmitter tx_;
  bool busy_ = false;
};

}  // namespace

void bind_transmitter(py::module_& m) {
  py::class_<transmitter>(m, "Transmitter", "One subframe out: a list of transmissions becomes samples.")
      .def(py::init<const phy::carrier_config&, float, float>(), "carrier"_a, py::kw_only(),
           "pscch_boost_db"_a = phy::v2x_pscch_boost_db, "ssss_db"_a = 0.0F,
           "pscch_boost_db: power density of PSCCH over that of PSSCH in TM3/4. ssss_db: SSSS relative to PSSS.")
      .def_property_readonly("carrier", &transmitter::carrier, py::return_value_policy::copy)
      .def(
          "transmit", &transmitter::transmit, "transmissions"_a,
          "The samples of one subframe, complex64 of shape (samples_per_subframe,): an iterable of Transmission, which "
          "add up where they overlap. The array is the caller's.");
  m.def(
      "re_power_db", &phy::re_power_db, "carrier"_a, "power_db"_a, "n_subcarriers"_a,
      "Transmission.re_power_db for a mean sample power (0 dB: full scale) in a symbol that uses so many subcarriers.");
}

}  // namespace prose::python
