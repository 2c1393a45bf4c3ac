// Two synchronisation references that do not know of each other on one carrier: each numbers its subframes for itself,
// and where pools lie follows from that; with the same subframe boundaries (both on GNSS time, or one left the other)
// and with others, the second heard long after the first. And a reference beside a UE that comes later.
#include "tests/phy/monitor_fixture.h"

using namespace prose::phy;

namespace {

/// Sends its MIB every 40 subframes, and a message in every third resource of its discovery pool, from first_subframe
/// to the end.
struct reference {
  int n_sl_id, offset;  ///< absolute number of subframe 0
  int shift_samples, first_subframe;
  double cfo_hz;
  octet_set messages{};
  int n_mib = 0;
};

void send(air& a, rng_t& rng, reference& r, const discovery_pool& pool, int n_subframes) {
  const int sps = a.carrier.samples_per_subframe();
  const auto on_air = [&](int k, const transmission& t) {
    const transmission list[] = {t};
    a.add(list, static_cast<std::int64_t>(k) * sps + r.shift_samples, r.cfo_hz);
  };
  for (int k = r.first_subframe; k < n_subframes; ++k) {
    const int absolute = (r.offset + k) % 10240;
    if (absolute % 40 == 17) {
      mib_sl mib;
      mib.n_prb = a.carrier.n_prb;
      mib.direct_frame_number = static_cast<std::uint16_t>(absolute / 10);
      mib.direct_subframe_number = static_cast<std::uint8_t>(absolute % 10);
      bits_t bits(static_cast<std::size_t>(mib_sl_bits(a.carrier.tm)));
      pack(mib, bits);
      on_air(k, {psbch_transmission{r.n_sl_id, bits}, 0.0F});
      ++r.n_mib;
      continue;
    }
    const auto where = pool.locate(absolute);
    if (!where) continue;
    for (int n = 0; n < pool.n_resources(); n += 3)
      if (pool.resource(n, 0).subframe == where->offset) {
        const auto payload = random_bits(rng, discovery_message_bits);
        on_air(k, {psdch_transmission{pool.psdch(n, 0), payload}, 0.0F});
        r.messages.insert(payload);
      }
  }
}

int heard_of(const octet_set& sent, const octet_set& heard) {
  return static_cast<int>(std::count_if(sent.begin(), sent.end(), [&](const bits_t& m) { return heard.contains(m); }));
}

}  // namespace

TEST(monitor_references, two_numberings_at_once) {
  rng_t rng(31);
  const auto carrier = *carrier_config::make(15, cyclic_prefix::normal, transmission_mode::tm2, 3.84e6);
  const discovery_pool_config config{.n_prb = 15,
                                     .disc_period_subframes = 320,
                                     .num_repetition = 8,
                                     .prb = {8, 0, 14},
                                     .subframe_bitmap = std::string(38, '0') + "11"};
  const auto pool = *discovery_pool::make(config);
  const int sps = carrier.samples_per_subframe();
  struct {
    int shift_samples, late;
  } const cases[] = {{0, 0}, {6, 0}, {1700, 0}, {1700, 300}};
  for (const auto& x : cases) {
    const int n_subframes = 300 + (x.late > 0 ? 1600 : 700);
    air a(carrier, static_cast<std::size_t>((n_subframes + 1) * sps), noise_for(carrier, 20), rng);
    const int first = pick(rng, 0, 10239);
    reference one{77, first, 100, 0, real(rng, -1000, 1000)};
    // Neither MIBs nor pools of the two coincide.
    reference two{200, (first + 40 * pick(rng, 0, 200) + 11) % 10240, 100 + x.shift_samples, x.late,
                  real(rng, -1000, 1000)};
    send(a, rng, one, pool, n_subframes);
    send(a, rng, two, pool, n_subframes);
    const auto h = listen({.carrier = carrier, .sync = sync_mode::slss, .timing = {}, .pools = {config}}, a.samples);
    const int got[] = {heard_of(one.messages, h.discovery), heard_of(two.messages, h.discovery)};
    std::printf("apart by %d samples, the second from subframe %d: %d of %zu and %d of %zu messages\n", x.shift_samples,
                x.late, got[0], one.messages.size(), got[1], two.messages.size());
    ASSERT_GT(one.messages.size(), 50U);
    ASSERT_GT(two.messages.size(), 50U);
    // The first messages may come before the first MIB.
    EXPECT_GE(got[0], 0.9 * static_cast<double>(one.messages.size()));
    EXPECT_GE(got[1], (x.late > 0 ? 0.5 : 0.9) * static_cast<double>(two.messages.size()));
    for (const auto& m : h.discovery) EXPECT_TRUE(one.messages.contains(m) || two.messages.contains(m));
  }
}

// A reference that sends every 160 subframes (the longest period), and a TM4 UE 12 us later in all the others.
TEST(monitor_references, a_busy_late_ue_does_not_hide_the_reference) {
  rng_t rng(32);
  const auto carrier = *carrier_config::make(15, cyclic_prefix::normal, transmission_mode::tm4, 3.84e6);
  const v2x_pool_config config{.n_prb = 15, .size_subchannel = 5, .n_subchannels = 3, .start_prb = 0};
  const auto pool = *v2x_pool::make(config);
  constexpr int n_subframes = 680, slss_period = 160, slss_at = 20;
  const int sps = carrier.samples_per_subframe();
  const int late = static_cast<int>(std::lround(12e-6 * carrier.sample_rate_hz()));
  air a(carrier, static_cast<std::size_t>((n_subframes + 1) * sps), noise_for(carrier, 20), rng);
  heard sent;
  for (int k = 0; k < n_subframes; ++k) {
    const std::int64_t start = static_cast<std::int64_t>(k) * sps;
    if (k % slss_period == slss_at) {
      const mib_sl mib{.n_prb = carrier.n_prb,
                       .direct_frame_number = static_cast<std::uint16_t>(k / 10),
                       .direct_subframe_number = static_cast<std::uint8_t>(k % 10)};
      bits_t bits(static_cast<std::size_t>(mib_sl_bits(carrier.tm)));
      pack(mib, bits);
      const transmission list[] = {{psbch_transmission{77, bits}, 0.0F}};
      a.add(list, start, 300);
      sent.mib.insert({77, bits});
      continue;
    }
    const sci_format1 sci{.frequency_location = pool.frequency_location(0, 3), .mcs = 5};
    bits_t bits(sci_format1_bits);
    pack(sci, config.n_subchannels, bits);
    const int prb = pool.pscch_prbs()[0];
    const auto grant = *pool.pssch(sci, prb, sci_crc(bits), k % 10);
    const auto payload = random_bits(rng, grant.tbs);
    const transmission list[] = {{pscch_transmission{{prb, 0}, bits}, 0.0F},
                                 {pssch_transmission{grant, payload}, 0.0F}};
    a.add(list, start + late, -200);
    sent.tb.insert(payload);
  }
  const auto h = listen({.carrier = carrier, .sync = sync_mode::slss, .timing = {}, .pools = {config}}, a.samples);
  EXPECT_EQ(h.mib, sent.mib);
  // Those before the first SLSS are not looked for.
  EXPECT_GE(std::ssize(h.tb), std::ssize(sent.tb) - slss_at);
}
