// Every sidelink channel from one radio to another, and how many were decoded. Shared by the tests on the emulated air
// and on hardware.
#pragma once

#include <algorithm>
#include <cstdint>
#include <random>
#include <vector>

#include "phy/coding/transport_code.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/modem/transmitter.h"
#include "phy/radio/radio.h"
#include "phy/types/mib_sl.h"
#include "phy/types/sci.h"
#include "phy/types/tbs.h"

namespace prose::test {

struct channel_counts {
  int rounds = 0, psbch = 0, pscch = 0, pssch = 0, psdch = 0, wrong = 0;  ///< wrong: decoded, but not what was sent
  std::vector<float> cfo_hz, timing_samples;                              ///< of PSCCH
};

/// A round is four subframes: SLSS with PSBCH, PSCCH, PSSCH (beside its PSCCH in TM4), PSDCH. 25 PRB, 7.68 Msps, bursts
/// at -12 dB.
inline channel_counts exchange_all_channels(phy::radio& tx, phy::radio& rx, phy::transmission_mode tm, int rounds) {
  using namespace phy;
  channel_counts n;
  n.rounds = rounds;
  const auto carrier = carrier_config::make(25, cyclic_prefix::normal, tm, 7.68e6).value();
  auto out = transmitter::make({.carrier = carrier});
  auto in = subframe_receiver::make({.carrier = carrier});
  if (!out || !in) return n;
  const bool v2x = is_v2x(tm);
  const auto size = static_cast<std::int64_t>(carrier.samples_per_subframe());
  std::mt19937 random(7);
  const auto bits = [&](int count) {
    std::vector<std::uint8_t> b(static_cast<std::size_t>(count));
    for (auto& v : b) v = static_cast<std::uint8_t>(random() & 1U);
    return b;
  };
  struct round_data {
    std::vector<std::uint8_t> mib, sci, block, message;
    pssch_config pssch;
  };
  std::vector<round_data> sent;
  const std::int64_t start = (rx.now_tick().value() / size + 400) * size;
  std::vector<cf32> burst(static_cast<std::size_t>(size));
  const auto send = [&](std::int64_t subframe, std::vector<transmission> list) {
    if (!out->transmit(list, burst)) return;
    (void)tx.transmit(start + subframe * size, burst);
  };
  const pscch_config control{v2x ? 0 : 6, 0};
  for (int i = 0; i < rounds; ++i) {
    round_data d{bits(mib_sl_bits(tm)),
                 bits(v2x ? sci_format1_bits : sci_format0_bits(25)),
                 {},
                 bits(discovery_message_bits),
                 {}};
    d.pssch = {.prb_start = 2,
               .n_prb = 8,
               .tbs = tbs_of(8, 8),
               .modulation_order = 2,
               .rv = 0,
               .n_x_id = v2x ? sci_crc(d.sci) : 77U,
               .n_ssf = i % 10};
    d.block = bits(d.pssch.tbs);
    sent.push_back(d);
  }
  const auto send_round = [&](int i) {
    if (i >= rounds) return;
    const round_data& d = sent[i];
    const std::int64_t at = 4 * i;
    send(at, {{psbch_transmission{100 + i % 50, d.mib}, re_power_db(carrier, -12, 72)}});
    const transmission c{pscch_transmission{control, d.sci}, re_power_db(carrier, v2x ? -18 : -12, 12)};
    const transmission s{pssch_transmission{d.pssch, d.block}, re_power_db(carrier, -12, 96)};
    if (v2x) {
      send(at + 2, {c, s});
    } else {
      send(at + 1, {c});
      send(at + 2, {s});
    }
    send(at + 3, {{psdch_transmission{{.prb = 4}, d.message}, re_power_db(carrier, -12, 24)}});
  };
  if (!rx.start(start)) return n;
  send_round(0);
  send_round(1);
  soft_buffer buffer;
  const auto same = [&](std::span<const std::uint8_t> got, const std::vector<std::uint8_t>& want, int& count) {
    if (std::equal(got.begin(), got.end(), want.begin(), want.end()))
      ++count;
    else
      ++n.wrong;
  };
  for (int k = 0; k < 4 * rounds; ++k) {
    std::vector<cf32> x(static_cast<std::size_t>(size));
    for (std::size_t have = 0; have < x.size();) {
      const auto s = rx.read(std::span(x).subspan(have));
      if (!s || s->gap_before) return n;
      have += s->n_samples;
    }
    const round_data& d = sent[k / 4];
    if (k % 4 == 0) send_round(k / 4 + 2);  // a round ahead of what is being received
    in->load(x);
    signal_hints hints;
    if (k % 4 == 0) {
      const auto found = in->detect_slss();
      if (!found.detected) continue;
      if (found.n_sl_id != 100 + k / 4 % 50) ++n.wrong;
      const auto r = in->decode_psbch(found.n_sl_id, hints_of(found.signal));
      if (r.detected) same(r.payload(), d.mib, n.psbch);
    }
    if (k % 4 == (v2x ? 2 : 1)) {
      const int first[] = {control.prb};
      const auto found = in->find_pscch(first);
      if (!found.empty()) {
        same(found[0].payload(), d.sci, n.pscch);
        n.cfo_hz.push_back(found[0].signal.cfo_hz);
        n.timing_samples.push_back(found[0].signal.timing_offset_samples);
      }
    }
    if (k % 4 == 2) {
      std::vector<std::uint8_t> payload(static_cast<std::size_t>(d.pssch.tbs));
      buffer.reset(d.pssch.tbs);
      if (in->decode_pssch(d.pssch, hints, buffer, payload).crc_ok) same(payload, d.block, n.pssch);
    }
    if (k % 4 == 3) {
      std::vector<std::uint8_t> payload(discovery_message_bits);
      buffer.reset(discovery_message_bits);
      if (in->decode_psdch({.prb = 4}, buffer, payload).crc_ok) same(payload, d.message, n.psdch);
    }
  }
  rx.stop();
  return n;
}

}  // namespace prose::test
