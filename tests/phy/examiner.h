// One subframe at a time, as a monitor would show it, to tests in which subframes are examined more than once. Own
// transmitter.
#pragma once

#include "phy/modem/comm_monitor.h"
#include "phy/modem/reception/psdch_combiner.h"
#include "phy/modem/reception/tm4_pairs.h"
#include "phy/modem/v2x_monitor.h"
#include "tests/phy/monitor_fixture.h"

namespace prose::phy {

struct examiner {
  carrier_config carrier;
  subframe_receiver rx;
  transmitter tx;
  event_sink sink{16};  ///< subframes that begin so close to each other (samples) are one
  monitor_statistics statistics;
  std::vector<cf32> samples;
  heard got;
  std::vector<int> combined;  ///< transmissions of each block and message
  bool report_failed = false;
  std::uint64_t told_failed = 0;

  explicit examiner(const carrier_config& c)
      : carrier(c),
        rx(*subframe_receiver::make({.carrier = c})),
        tx(*transmitter::make({.carrier = c})),
        samples(static_cast<std::size_t>(c.samples_per_subframe())) {}

  void send(std::span<const transmission> list, double noise_power, rng_t& rng) {
    ASSERT_TRUE(tx.transmit(list, samples));
    std::normal_distribution<float> g(0.0F, static_cast<float>(std::sqrt(noise_power / 2)));
    for (cf32& v : samples) v += cf32(g(rng), g(rng));
  }
  template <class F>
  void examine(int index, bool trial, F f, int samples_later = 0) {
    const auto loaded = rx.load(samples);
    const std::int64_t start = static_cast<std::int64_t>(index) * carrier.samples_per_subframe() + samples_later;
    f(subframe_view{rx, sink, statistics, start, index, index, report_failed, trial, loaded.power_db});
  }
  void take() {
    sink.release_all();
    const auto events = sink.released();
    got.take(events);
    for (const auto& e : events) {
      if (const auto* t = std::get_if<tb_event>(&e)) {
        if (t->crc_ok) combined.push_back(t->n_transmissions);
        if (!t->crc_ok) ++told_failed;
      }
      if (const auto* d = std::get_if<discovery_event>(&e)) combined.push_back(d->n_transmissions);
    }
    sink.forget_released();
  }
};

/// A block of TM4 and its two transmissions.
struct block_of_two {
  static constexpr int gap = 3, first = 20;
  static constexpr int too_much_for_one = 22;  ///< MCS beyond the capacity of one transmission
  int mcs = too_much_for_one;
  carrier_config carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm4, 7.68e6);
  v2x_pool pool = *v2x_pool::make(
      {.n_prb = 25, .size_subchannel = 5, .n_subchannels = 5, .subframe_bitmap = "11111111111111111111"});
  bits_t payload{};

  void send(examiner& x, int transmission, const bits_t& bits, rng_t& rng, double snr_db = 30) const {
    const sci_format1 sci{.frequency_location = pool.frequency_location(0, 3),
                          .time_gap = gap,
                          .mcs = static_cast<std::uint8_t>(mcs),
                          .retransmission_index = static_cast<std::uint8_t>(transmission)};
    bits_t coded(sci_format1_bits);
    pack(sci, 5, coded);
    const int prb = pool.pscch_prbs()[0];
    const auto grant = *pool.pssch(sci, prb, sci_crc(coded), pool.n_ssf(first + transmission * gap));
    const prose::phy::transmission list[] = {{pscch_transmission{{prb, 0}, coded}}, {pssch_transmission{grant, bits}}};
    x.send(list, noise_for(carrier, snr_db), rng);
  }
  int tbs() const {
    const sci_format1 sci{.frequency_location = pool.frequency_location(0, 3), .mcs = static_cast<std::uint8_t>(mcs)};
    return pool.pssch(sci, pool.pscch_prbs()[0], 0, 0)->tbs;
  }
};

/// A period of TM2: an SCI, and blocks of four transmissions, heard with the pool or without.
struct grant_of_tm2 {
  static constexpr double clear_snr_db = 30;
  static constexpr double snr_db = 0;          ///< one transmission is not enough, two or three are
  static constexpr double spoilt_snr_db = -3;  ///< the DMRS show it, it does not decode
  carrier_config carrier = *carrier_config::make(25, cyclic_prefix::normal, transmission_mode::tm2, 7.68e6);
  comm_pool pool = *comm_pool::make(
      {.n_prb = 25,
       .sc_period_subframes = 80,
       .pscch = {13, 0, 24},
       .subframe_bitmap = "11110000",
       .data = comm_pool_config::data_resources{{13, 0, 24}, 8, "111111111111111111111111111111111111111111111111"}});
  comm_pool known;  ///< what the receiver is told
  sci_format0 sci{.time_resource_pattern = 40, .mcs = 9, .group_destination_id = 17};

  explicit grant_of_tm2(bool pool_known) : known(pool) {
    sci.resource_block_assignment = static_cast<std::uint16_t>(riv_encode(25, 4, 10));
    if (!pool_known) known = *comm_pool::make({.n_prb = 25, .known = false});
  }
  int tbs() const { return pool.pssch(sci, 0)->tbs; }
  int sci_at() const { return pool.pscch_resource(0, 0).subframe; }
  void send_sci(examiner& x, rng_t& rng) const {
    bits_t bits(static_cast<std::size_t>(sci_format0_bits(25)));
    pack(sci, 25, bits);
    const transmission list[] = {{pscch_transmission{{pool.pscch_resource(0, 0).prb, 0}, bits}}};
    x.send(list, noise_for(carrier, clear_snr_db), rng);
  }
  void send_block(examiner& x, int n, const bits_t& payload, double at_snr_db, rng_t& rng) const {
    const auto occasion = *pool.pssch_at(sci, pool.pssch_subframe(sci.time_resource_pattern, n));
    const transmission list[] = {{pssch_transmission{occasion.config, payload}}};
    x.send(list, noise_for(carrier, at_snr_db), rng);
  }
  template <class F>
  void send_period(examiner& x, rng_t& rng, F examine) const {
    send_sci(x, rng);
    examine(sci_at());
    bits_t payload;
    for (int n = 0; n < pool.n_pssch_transmissions(sci.time_resource_pattern); ++n) {
      if (n % 4 == 0) payload = random_bits(rng, tbs());
      send_block(x, n, payload, snr_db, rng);
      examine(pool.pssch_subframe(sci.time_resource_pattern, n));
    }
  }
};

}  // namespace prose::phy
