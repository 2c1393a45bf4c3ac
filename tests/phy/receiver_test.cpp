// The one-subframe receiver: subframes of other implementations' recordings with their parameters given, then our own
// transmitter through noise, offsets and interference.
#include "phy/modem/subframe_receiver.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "phy/modem/transmitter.h"
#include "tests/phy/receiver_fixture.h"

using namespace prose::phy;
using namespace prose::phy::test;

namespace {

subframe_receiver make_receiver(const carrier_config& c, int n_antennas = 1) {
  auto r = subframe_receiver::make({.carrier = c, .n_antennas = n_antennas});
  EXPECT_TRUE(r.has_value());
  return std::move(*r);
}

}  // namespace

TEST(recordings, every_frame_with_its_parameters_given) {
  const auto all = recordings();
  if (all.empty()) GTEST_SKIP() << "no recordings at " << PROSE_SHARED_IQ;
  for (const auto& r : all) {
    SCOPED_TRACE(r.name);
    auto rx = make_receiver(r.carrier);
    std::map<std::string, soft_buffer> buffers;
    std::map<std::string, bool> done;
    std::uint32_t last_id = 0;
    for (const auto& f : r.expected["frames"]) {
      if (f.value("optional", false)) continue;
      const std::string channel = f["channel"];
      const int index = f["index"];
      const std::string hex = f["hex"];
      rx.load(r.subframe(index));
      SCOPED_TRACE(channel + " of subframe " + std::to_string(index));
      if (channel == "PSBCH") {
        const auto id = rx.detect_slss();
        EXPECT_TRUE(id.detected) << id.metric;
        EXPECT_EQ(id.n_sl_id, f["n_sl_id"].get<int>());
        const auto mib = rx.decode_psbch(f["n_sl_id"]);
        EXPECT_TRUE(mib.detected) << "agreement " << mib.agreement << " metric " << mib.dmrs_metric << " snr "
                                  << mib.signal.snr_db;
        EXPECT_EQ(hex_of(mib.payload()), hex);
      } else if (channel == "PSCCH") {
        const int prb = f["prb"];
        bool found = false;
        for (const auto& sci : rx.find_pscch({&prb, 1})) {
          found = found || hex_of(sci.payload()) == hex;
          last_id = is_v2x(r.carrier.tm) ? sci.crc : unpack_sci_format0(sci.payload(), r.carrier.n_prb).group_destination_id;
          if (hex_of(sci.payload()) == hex && f["cyclic_shift"].is_number()) {
            EXPECT_EQ(sci.config.cyclic_shift, f["cyclic_shift"].get<int>());
          }
        }
        const auto d = rx.decode_pscch(prb);
        EXPECT_TRUE(found) << "crc " << d.crc_ok << " agreement " << d.agreement << " metric " << d.dmrs_metric << " snr "
                           << d.signal.snr_db << " cfo " << d.signal.cfo_hz << " timing " << d.signal.timing_offset_samples;
      } else if (channel == "PSSCH" || channel == "PSDCH") {
        const int tbs = channel == "PSSCH" ? f["tbs"].get<int>() : discovery_message_bits;
        auto& buffer = buffers.try_emplace(channel + hex, tbs).first->second;
        if (buffer.tbs() != tbs) buffer.reset(tbs);
        std::vector<std::uint8_t> bits(static_cast<std::size_t>(tbs));
        transport_result t;
        if (channel == "PSSCH") {
          pssch_config c{.prb_start = f["prb_start"], .n_prb = f["n_prb"], .tbs = tbs, .modulation_order = f["modulation_order"],
                         .rv = f["rv"].is_number() ? f["rv"].get<int>() : 0, };
          // Where the file does not say: what the SCI decoded before says.
          c.n_x_id = f["n_x_id"].is_number() ? f["n_x_id"].get<std::uint32_t>() : last_id;
          if (f["n_ssf"].is_number()) {
            c.n_ssf = f["n_ssf"];
          } else {
            float best = -1;
            for (int n = 0; n < 10; ++n) {
              auto trial = c;
              trial.n_ssf = n;
              const float metric = rx.pssch_dmrs_metric(trial);
              if (metric > best) c.n_ssf = n;
              best = std::max(best, metric);
            }
          }
          c.last_symbol_rate_matched = f.contains("fields") && f["fields"].value("transmission_format", 0) == 1;
          t = rx.decode_pssch(c, {}, buffer, bits);
        } else {
          const int prb = f["prb"].is_array() ? f["prb"][0].get<int>() : f["prb"].get<int>();
          t = rx.decode_psdch({prb, f["rv"]}, buffer, bits);
        }
        const bool ok = t.crc_ok && hex_of(bits) == hex;
        done[channel + hex] = done[channel + hex] || ok;
        if (!ok)
          std::printf("%s %s index %d: crc %d metric %.2f snr %.1f cfo %.0f timing %.2f\n", r.name.c_str(), channel.c_str(), index,
                      t.crc_ok, t.dmrs_metric, t.signal.snr_db, t.signal.cfo_hz, t.signal.timing_offset_samples);
      }
    }
    for (const auto& [key, ok] : done) EXPECT_TRUE(ok) << key.substr(0, 40);
  }
}
