// The monitor on TM2 and discovery of our own, nothing known but the carrier; and on several pools that share a
// carrier.
#include <array>
#include <optional>

#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

// TM2 without a known pool: two PSCCHs, then one or two blocks of four transmissions.
TEST(monitor_comm, blind_unknown_pool) {
  rng_t rng(6);
  tally sum;
  for (int i = 0; i < rounds(40); ++i) {
    const auto c = random_carrier(rng, false);
    comm_pool_config unknown;
    unknown.n_prb = c.n_prb;
    unknown.known = false;
    const auto pool = comm_pool::make(unknown);
    ASSERT_TRUE(pool);
    const int sps = c.samples_per_subframe();
    const int n_blocks = pick(rng, 1, 2);
    const int first = pick(rng, 0, 40000);
    air a(c, static_cast<std::size_t>(first + (2 + 4 * n_blocks) * sps + 4000), noise_for(c, 20), rng);
    const double cfo = real(rng, -3000, 3000);
    sci_format0 sci;
    std::optional<pssch_config> grant;
    while (!grant) {
      const int length = pick(rng, 1, c.n_prb);
      sci.resource_block_assignment =
          static_cast<std::uint16_t>(riv_encode(c.n_prb, pick(rng, 0, c.n_prb - length), length));
      sci.time_resource_pattern = 106;
      sci.mcs = static_cast<std::uint8_t>(pick(rng, 0, 20));
      sci.group_destination_id = static_cast<std::uint8_t>(pick(rng, 0, 255));
      grant = pool->pssch(sci, 0);
    }
    bits_t bits(static_cast<std::size_t>(sci_format0_bits(c.n_prb)));
    pack(sci, c.n_prb, bits);
    octet_set sci_sent{bits};
    octet_set tb_sent;
    for (int k = 0; k < 2; ++k) {
      const transmission list[] = {{pscch_transmission{{pick(rng, 0, c.n_prb - 1), 0}, bits}, 0.0F}};
      a.add(list, first + k * sps, cfo);
    }
    const int j0 = pick(rng, 0, 9);
    for (int b = 0; b < n_blocks; ++b) {
      const auto payload = random_bits(rng, grant->tbs);
      tb_sent.insert(payload);
      for (int t = 0; t < 4; ++t) {
        auto g = pool->pssch(sci, (j0 + 4 * b + t) % 10);
        g->rv = rv_order[t];
        const transmission list[] = {{pssch_transmission{*g, payload}, 0.0F}};
        a.add(list, first + (2 + 4 * b + t) * sps, cfo);
      }
    }
    monitor_config config;
    config.carrier = c;
    config.sync = sync_mode::blind;
    config.pools = {comm_pool_config{.known = false}};
    const auto h = listen(config, a.samples);
    tally t;
    t.count(sci_sent, h.sci);
    t.count(tb_sent, h.tb);
    if (verbose() && (t.found < t.expected || t.invented > 0))
      std::printf("%d: %d/%d, %d invented: %d PRB fft %d ext %d mcs %d prb %d+%d n_id %d tbs %d delay %d cfo %.0f\n", i,
                  t.found, t.expected, t.invented, c.n_prb, c.fft_size, c.cp == cyclic_prefix::extended, sci.mcs,
                  grant->prb_start, grant->n_prb, sci.group_destination_id, grant->tbs, first, cfo);
    sum.expected += t.expected;
    sum.found += t.found;
    sum.invented += t.invented;
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  EXPECT_GE(sum.share(), 0.95);
  EXPECT_EQ(sum.invented, 0);
}

// Discovery messages anywhere, nothing known but the carrier.
TEST(monitor_discovery, blind_anywhere) {
  rng_t rng(7);
  tally sum;
  for (int i = 0; i < rounds(30); ++i) {
    const auto c = random_carrier(rng, false);
    const int sps = c.samples_per_subframe();
    const int n = pick(rng, 1, 4);
    const int first = pick(rng, 0, 40000);
    air a(c, static_cast<std::size_t>(first + n * sps + 4000), noise_for(c, 15), rng);
    octet_set sent;
    for (int k = 0; k < n; ++k) {
      const int half = c.n_prb / 2;
      for (const int prb : {pick(rng, 0, half - 2), half + pick(rng, 0, c.n_prb - half - 2)}) {
        const auto payload = random_bits(rng, discovery_message_bits);
        sent.insert(payload);
        const transmission list[] = {{psdch_transmission{{prb, 0}, payload}, 0.0F}};
        a.add(list, first + k * sps, real(rng, -2000, 2000));
      }
    }
    monitor_config config;
    config.carrier = c;
    config.sync = sync_mode::blind;
    const auto h = listen(config, a.samples);
    tally t;
    t.count(sent, h.discovery);
    t.invented += static_cast<int>(h.sci.size() + h.tb.size() + h.mib.size());
    if (verbose() && (t.found < t.expected || t.invented > 0))
      std::printf("%d: %d/%d, %d invented: %d PRB fft %d ext %d\n", i, t.found, t.expected, t.invented, c.n_prb,
                  c.fft_size, c.cp == cyclic_prefix::extended);
    sum.expected += t.expected;
    sum.found += t.found;
    sum.invented += t.invented;
  }
  std::printf("%d of %d, %d invented\n", sum.found, sum.expected, sum.invented);
  EXPECT_GE(sum.share(), 0.95);
  EXPECT_EQ(sum.invented, 0);
}

// Two UEs that drew the same PSCCH resource: neither SCI is understood, what follows them is found all the same where
// their groups were heard before, and only there; a third UE's announced PSSCH beside it.
TEST(monitor_comm, pssch_of_a_known_group_without_its_sci) {
  rng_t rng(8);
  tally with, without;
  for (int i = 0; i < rounds(25); ++i) {
    const int n_prb = pick(rng, 0, 1) == 0 ? 25 : 50;
    const auto c =
        *carrier_config::make(n_prb, cyclic_prefix::normal, transmission_mode::tm2, standard_fft_size(n_prb) * 15e3);
    comm_pool_config config{.n_prb = n_prb,
                            .sc_period_subframes = 40,
                            .pscch = {(n_prb + 1) / 2, 0, n_prb - 1},
                            .subframe_bitmap = "11110000"};
    config.data =
        comm_pool_config::data_resources{{(n_prb + 1) / 2, 0, n_prb - 1}, 4, "111111111111111111111111111111111111"};
    const auto pool = *comm_pool::make(config);
    const int sps = c.samples_per_subframe();
    const int stranger = pick(rng, 0, 255);
    std::array<sci_format0, 3> ue;  // Their MCS stay, their places are drawn anew in every period.
    std::array<int, 3> length, start;
    for (std::size_t u = 0; u < ue.size(); ++u) {
      ue[u].mcs = static_cast<std::uint8_t>(pick(rng, 2, 9));
      ue[u].group_destination_id = static_cast<std::uint8_t>((stranger + 1 + 60 * static_cast<int>(u)) % 256);
    }
    monitor_config listening;
    listening.carrier = c;
    listening.sync = sync_mode::aligned;
    listening.pools = {config};
    for (int k = 0; k < 125; ++k) listening.timing.absolute_subframes.push_back(k);
    air a(c, static_cast<std::size_t>(121 * sps), noise_for(c, 18), rng);
    std::array<double, 3> cfo{real(rng, -2000, 2000), real(rng, -2000, 2000), real(rng, -2000, 2000)};
    octet_set announced, orphaned, foreign;
    for (int period = 0; period < 3; ++period) {
      // Side by side: each within a third of the carrier; or, of the sizes they had, without a gap between the first
      // two.
      const bool touching = period == 1 && pick(rng, 0, 1) == 0;
      for (std::size_t u = 0; u < ue.size(); ++u) {
        const int third = n_prb / 3;
        if (!touching) {
          do length[u] = pick(rng, 3, third - 1);
          while (!is_235(length[u]));
        }
        start[u] = touching && u == 1 ? start[0] + length[0]
                                      : static_cast<int>(u) * third + pick(rng, 0, third - 1 - length[u]);
        ue[u].resource_block_assignment = static_cast<std::uint16_t>(riv_encode(n_prb, start[u], length[u]));
        ue[u].time_resource_pattern = static_cast<std::uint8_t>(pick(rng, 36, 105));  // four subframes of eight
        // In period 1 the first two say nothing; in period 2 the second is of a group that was never heard.
        const bool silent = period == 1 ? u < 2 : period == 2 && u == 1;
        sci_format0 sci = ue[u];
        if (period == 2 && u == 1) sci.group_destination_id = static_cast<std::uint8_t>(stranger);
        bits_t bits(static_cast<std::size_t>(sci_format0_bits(n_prb)));
        pack(sci, n_prb, bits);
        for (int t = 0; t < 2 && !silent; ++t) {
          const auto place = pool.pscch_resource(static_cast<int>(u), t);
          const transmission list[] = {{pscch_transmission{{place.prb, 0}, bits}, 0.0F}};
          a.add(list, static_cast<std::int64_t>(period * 40 + place.subframe) * sps, cfo[u]);
        }
        bits_t payload;
        for (int k = 4; k < 40; ++k) {
          const auto occasion = pool.pssch_at(sci, period * 40 + k);
          if (!occasion) continue;
          if (occasion->transmission == 0) {
            payload = random_bits(rng, occasion->config.tbs);
            (silent ? period == 1 ? orphaned : foreign : announced).insert(payload);
          }
          const transmission list[] = {{pssch_transmission{occasion->config, payload}, 0.0F}};
          a.add(list, static_cast<std::int64_t>(period * 40 + k) * sps, cfo[u]);
        }
      }
    }
    const auto plain = listen(listening, a.samples);
    listening.unannounced = true;
    const auto h = listen(listening, a.samples);
    without.count(announced, plain.tb);
    octet_set all = announced;
    all.insert(orphaned.begin(), orphaned.end());
    with.count(all, h.tb);
    for (const auto& b : plain.tb) EXPECT_TRUE(h.tb.contains(b)) << "nothing is lost by looking";
    for (const auto& b : foreign) EXPECT_FALSE(h.tb.contains(b));
    if (verbose())
      for (const auto& b : all)
        if (!h.tb.contains(b))
          std::printf("%d: %d PRB, missed one of %zu bits%s\n", i, n_prb, b.size(),
                      orphaned.contains(b) ? " (no SCI)" : "");
  }
  std::printf("%d of %d, %d invented; %d of %d announced, %d invented without\n", with.found, with.expected,
              with.invented, without.found, without.expected, without.invented);
  EXPECT_EQ(without.found, without.expected);
  EXPECT_EQ(without.invented, 0);
  EXPECT_GE(with.share(), 0.99);
  EXPECT_EQ(with.invented, 0);
}
