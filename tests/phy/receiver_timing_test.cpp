// Transmissions from 5 us before to 15 us after the start that is assumed (far away, or a badly timed peer): every
// channel, alone, at low SNR, and several transmitters in one subframe. Own transmitter; monitor_recordings_test has
// recordings.
#include <array>

#include "phy/modem/subframe_receiver.h"
#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

namespace {

constexpr std::array delays_us{-5.0, -3.5, -2.0, 0.0, 1.5,  2.6,  3.3,  4.3, 4.6,
                               5.0,  6.0,  7.0,  8.5, 10.0, 11.7, 13.4, 15.0};

carrier_config carrier_of(int n_prb, transmission_mode tm, cyclic_prefix cp, double share) {
  return *carrier_config::make(n_prb, cp, tm, share * standard_fft_size(n_prb) * 15e3);
}

/// What one transmitter sends in a subframe: an SCI with its block, SLSS with a MIB, or a discovery message.
struct sent {
  bits_t sci, block, mib, message;
  pscch_config control;
  pssch_config data;
  int n_sl_id = 0;
};

sent send_pair(rng_t& rng, const carrier_config& c, int mcs, int prb, int n_prb, int shift) {
  const bool v2x = is_v2x(c.tm);
  sent s;
  s.sci = random_bits(rng, v2x ? sci_format1_bits : sci_format0_bits(c.n_prb));
  s.control = {prb, v2x ? shift : 0};
  const auto p = *pssch_transport(c.tm, mcs, n_prb);
  s.data = {.prb_start = prb + (v2x ? 2 : 1),
            .n_prb = n_prb,
            .tbs = p.tbs,
            .modulation_order = p.modulation_order,
            .n_x_id = v2x ? sci_crc(s.sci) : 77U,
            .n_ssf = 4};
  s.block = random_bits(rng, p.tbs);
  return s;
}

void add(air& a, const sent& s, std::int64_t start, double cfo_hz, float power_db = 0) {
  if (!s.sci.empty()) {
    const transmission list[] = {{pscch_transmission{s.control, s.sci}, power_db},
                                 {pssch_transmission{s.data, s.block}, power_db}};
    a.add(list, start, cfo_hz);
  }
  if (!s.mib.empty()) {
    const transmission list[] = {{psbch_transmission{s.n_sl_id, s.mib}, power_db}};
    a.add(list, start, cfo_hz);
  }
  if (!s.message.empty()) {
    const transmission list[] = {{psdch_transmission{{0, 0}, s.message}, power_db}};
    a.add(list, start, cfo_hz);
  }
}

struct got {
  bool sci = false, block = false, mib = false, message = false;
};

got receive(subframe_receiver& rx, const air& a, std::int64_t start, const sent& s) {
  got g;
  rx.load(std::span(a.samples).subspan(start, a.carrier.samples_per_subframe()));
  static soft_buffer buffer;
  if (!s.sci.empty()) {
    signal_hints hints;
    for (const auto& r : rx.find_pscch({&s.control.prb, 1}))
      if (std::ranges::equal(s.sci, r.payload()) && r.config.cyclic_shift == s.control.cyclic_shift) {
        g.sci = true;
        hints = hints_of(r.signal);
      }
    buffer.reset(s.data.tbs);
    bits_t out(s.block.size());
    g.block = rx.decode_pssch(s.data, hints, buffer, out).crc_ok && out == s.block;
  }
  if (!s.mib.empty()) {
    const auto id = rx.detect_slss();
    const auto r = rx.decode_psbch(id.n_sl_id, hints_of(id.signal));
    g.mib = id.detected && id.n_sl_id == s.n_sl_id && r.detected && std::ranges::equal(s.mib, r.payload());
  }
  if (!s.message.empty()) {
    buffer.reset(discovery_message_bits);
    bits_t out(s.message.size());
    g.message = rx.decode_psdch({0, 0}, buffer, out).crc_ok && out == s.message;
  }
  return g;
}

sent send_mib(rng_t& rng, const carrier_config& c) {
  sent s;
  s.mib = random_bits(rng, mib_sl_bits(c.tm));
  s.n_sl_id = pick(rng, 0, 335);
  return s;
}
sent send_message(rng_t& rng) {
  sent s;
  s.message = random_bits(rng, discovery_message_bits);
  return s;
}

std::int64_t samples_of(const carrier_config& c, double us) { return std::llround(us * 1e-6 * c.sample_rate_hz()); }

}  // namespace

TEST(receiver_timing, every_channel_at_every_delay) {
  rng_t rng(31);
  for (const auto& c : {carrier_of(6, transmission_mode::tm4, cyclic_prefix::normal, 1),
                        carrier_of(50, transmission_mode::tm4, cyclic_prefix::normal, 0.75),
                        carrier_of(15, transmission_mode::tm2, cyclic_prefix::normal, 0.75),
                        carrier_of(25, transmission_mode::tm2, cyclic_prefix::normal, 1),
                        carrier_of(25, transmission_mode::tm2, cyclic_prefix::extended, 1)}) {
    auto rx = *subframe_receiver::make({.carrier = c});
    const std::int64_t start = c.samples_per_subframe();
    for (const double us : delays_us) {
      SCOPED_TRACE(std::to_string(c.n_prb) + " PRB, " + std::to_string(us) + " us");
      const double cfo_hz = real(rng, -3000, 3000);
      const auto heard = [&](const sent& s) {
        air a(c, 3 * start, noise_for(c, 25), rng);
        add(a, s, start + samples_of(c, us), cfo_hz);
        return receive(rx, a, start, s);
      };
      const auto pair = heard(send_pair(rng, c, 14, 0, c.n_prb == 6 ? 4 : 12, 3 * pick(rng, 0, 3)));
      EXPECT_TRUE(pair.sci);
      EXPECT_TRUE(pair.block);
      EXPECT_TRUE(heard(send_mib(rng, c)).mib);
      EXPECT_TRUE(heard(send_message(rng)).message);
    }
  }
}

// One decibel above the SNR at which a tenth is lost within the prefix (phy/modem/README.md).
TEST(receiver_timing, costs_at_most_a_decibel) {
  constexpr int n = 60;
  // A tenth is lost there; of 60 more than 13 are with a probability below 0.003.
  constexpr int most_lost = 13;
  constexpr double allowed_db = 1;
  rng_t rng(32);
  for (const auto tm : {transmission_mode::tm4, transmission_mode::tm2}) {
    const auto c = carrier_of(25, tm, cyclic_prefix::normal, 0.75);
    const bool v2x = is_v2x(tm);
    auto rx = *subframe_receiver::make({.carrier = c});
    const std::int64_t start = c.samples_per_subframe();
    for (const double us : {-5.0, 4.6, 9.0, 15.0}) {
      int sci = 0, block = 0, mib = 0, message = 0;
      const auto heard = [&](const sent& s, double snr_db) {
        air a(c, 3 * start, noise_for(c, snr_db + allowed_db), rng);
        add(a, s, start + samples_of(c, us), real(rng, -1000, 1000));
        return receive(rx, a, start, s);
      };
      for (int i = 0; i < n; ++i) {
        sci += heard(send_pair(rng, c, 4, 0, 10, 3 * pick(rng, 0, 3)), v2x ? -4.4 : -0.8).sci ? 0 : 1;
        block += heard(send_pair(rng, c, 9, 0, 10, 3 * pick(rng, 0, 3)), v2x ? 4.4 : 2.7).block ? 0 : 1;
        mib += heard(send_mib(rng, c), v2x ? -5.3 : -5.3).mib ? 0 : 1;
        message += heard(send_message(rng), 2.5).message ? 0 : 1;
      }
      std::printf("TM%d, %g us: lost %d SCIs, %d blocks, %d MIBs, %d messages of %d\n", static_cast<int>(tm), us, sci,
                  block, mib, message, n);
      for (const int lost : {sci, block, mib, message}) EXPECT_LE(lost, most_lost);
    }
  }
}

// Four transmitters, 5 us early to 15 us late, in every subframe together, and each with an offset of its own.
TEST(receiver_timing, several_transmitters_in_one_subframe) {
  rng_t rng(33);
  const auto c = carrier_of(50, transmission_mode::tm4, cyclic_prefix::normal, 1);
  v2x_pool_config layout;
  layout.n_prb = 50;
  layout.size_subchannel = 10;
  layout.n_subchannels = 5;
  const auto pool = *v2x_pool::make(layout);
  const std::int64_t sps = c.samples_per_subframe();
  constexpr int n = 12;
  for (const auto mode : {sync_mode::aligned, sync_mode::slss, sync_mode::blind}) {
    air a(c, (n + 4) * sps, noise_for(c, 25), rng);
    const std::int64_t start = mode == sync_mode::aligned ? sps : 5000;
    octet_set scis, blocks;
    for (int k = 0; k < n; ++k) {
      if (mode == sync_mode::slss && k == 0) {
        add(a, send_mib(rng, c), start, 0);
        continue;
      }
      const std::array<double, 4> us{-4.9, 0, 7.3, 14.9};
      for (int u = 0; u < 4; ++u) {
        sci_format1 f;
        f.mcs = 5;
        f.priority = static_cast<std::uint8_t>(u);
        f.reserved = 0;
        f.frequency_location = static_cast<std::uint8_t>(riv_encode(5, u, 1));
        f.resource_reservation = static_cast<std::uint8_t>(k);
        sent s;
        s.sci.resize(sci_format1_bits);
        pack(f, 5, s.sci);
        s.control = {pool.pscch_prbs()[u], 0};
        s.data = *pool.pssch(f, s.control.prb, sci_crc(s.sci), k % 10);
        s.block = random_bits(rng, s.data.tbs);
        add(a, s, start + k * sps + samples_of(c, us[u]), 700.0 * u - 1000);
        scis.insert(s.sci);
        blocks.insert(s.block);
      }
    }
    monitor_config config;
    config.carrier = c;
    config.sync = mode;
    config.timing.first_subframe_sample = start;
    config.pools = {layout};
    tally sum;
    const auto h = listen(config, a.samples);
    sum.count(scis, h.sci);
    sum.count(blocks, h.tb);
    std::printf("mode %d: %d of %d, %d invented\n", static_cast<int>(mode), sum.found, sum.expected, sum.invented);
    EXPECT_EQ(sum.found, sum.expected);
    EXPECT_EQ(sum.invented, 0);
  }
}
