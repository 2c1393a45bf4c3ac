#include "apps/bler/false_alarm.h"

#include <cmath>
#include <numeric>
#include <vector>

#include "apps/bler/campaign.h"
#include "phy/coding/transport_code.h"
#include "phy/dsp/random.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/types/tbs.h"

namespace prose::apps {
namespace {
using namespace phy;

class noise_listener {
public:
  static result<noise_listener> make(const false_alarm_config& c) {
    auto rx = subframe_receiver::make({.carrier = c.carrier});
    if (!rx) return tl::unexpected(rx.error());
    return noise_listener(c, std::move(*rx));
  }

  void subframe(std::int64_t number, bool everything, false_alarm_report& r) {
    simulation_rng rng(hash64(seed_ ^ hash64(static_cast<std::uint64_t>(number))));
    const double level_db = -60 + 80 * rng.uniform();
    std::fill(samples_.begin(), samples_.end(), cf32{});
    rng.add_noise(samples_, static_cast<float>(std::pow(10.0, level_db / 10)));
    rx_.load(samples_);
    ++r.subframes;
    r.pscch_candidates += static_cast<std::int64_t>(positions_.size());
    r.false_sci += static_cast<std::int64_t>(rx_.find_pscch(positions_).size());
    if (everything) others(rng, r);
  }

private:
  noise_listener(const false_alarm_config& c, subframe_receiver rx)
      : rx_(std::move(rx)),
        carrier_(c.carrier),
        seed_(c.seed),
        samples_(c.carrier.samples_per_subframe()),
        payload_(max_transport_block_bits) {
    const int last = carrier_.n_prb - (is_v2x(carrier_.tm) ? 1 : 0);
    for (int p = 0; p < last; ++p) positions_.push_back(p);
  }

  void others(simulation_rng& rng, false_alarm_report& r) {
    const auto slss = rx_.detect_slss();
    ++r.slss_searches;
    r.false_slss += slss.detected ? 1 : 0;
    ++r.psbch_tries;
    r.false_mib += rx_.decode_psbch(slss.n_sl_id).detected ? 1 : 0;

    pssch_config c;
    do c.n_prb = 1 + rng.below(carrier_.n_prb);
    while (!is_transform_size(c.n_prb));
    c.prb_start = rng.below(carrier_.n_prb - c.n_prb + 1);
    const auto t = *pssch_transport(carrier_.tm, rng.below(21), c.n_prb);
    c.tbs = t.tbs;
    c.modulation_order = t.modulation_order;
    c.n_x_id = static_cast<std::uint32_t>(rng.below(is_v2x(carrier_.tm) ? 65536 : 256));
    c.n_ssf = rng.below(10);
    soft_.reset(c.tbs);
    ++r.pssch_tries;
    r.false_tb += rx_.decode_pssch(c, {}, soft_, std::span(payload_).first(c.tbs)).crc_ok ? 1 : 0;

    if (is_v2x(carrier_.tm)) return;
    for (int prb = 0; prb + 1 < carrier_.n_prb; ++prb) {
      soft_.reset(discovery_message_bits);
      ++r.psdch_tries;
      r.false_discovery +=
          rx_.decode_psdch({prb, 0}, soft_, std::span(payload_).first(discovery_message_bits)).crc_ok ? 1 : 0;
    }
  }

  static bool is_transform_size(int n) {
    for (const int p : {2, 3, 5})
      while (n % p == 0) n /= p;
    return n == 1;
  }

  subframe_receiver rx_;
  carrier_config carrier_;
  std::uint64_t seed_;
  std::vector<cf32> samples_;
  std::vector<std::uint8_t> payload_;
  std::vector<int> positions_;
  soft_buffer soft_;
};

void add(false_alarm_report& sum, const false_alarm_report& r) {
  sum.subframes += r.subframes;
  sum.pscch_candidates += r.pscch_candidates;
  sum.false_sci += r.false_sci;
  sum.slss_searches += r.slss_searches;
  sum.false_slss += r.false_slss;
  sum.psbch_tries += r.psbch_tries;
  sum.false_mib += r.false_mib;
  sum.pssch_tries += r.pssch_tries;
  sum.false_tb += r.false_tb;
  sum.psdch_tries += r.psdch_tries;
  sum.false_discovery += r.false_discovery;
}

}  // namespace

result<false_alarm_report> count_false_alarms(const false_alarm_config& c) {
  std::vector<noise_listener> listeners;
  for (int t = 0; t < c.n_threads; ++t) {
    auto l = noise_listener::make(c);
    if (!l) return tl::unexpected(l.error());
    listeners.push_back(std::move(*l));
  }
  const int positions = c.carrier.n_prb - (is_v2x(c.carrier.tm) ? 1 : 0);
  const std::int64_t n = std::max((c.pscch_candidates + positions - 1) / positions, c.subframes);
  std::vector<false_alarm_report> reports(listeners.size());
  const std::int64_t own = n > c.rank ? (n - c.rank + c.n_ranks - 1) / c.n_ranks : 0;
  run_parallel(c.n_threads, own, [&](int thread, std::int64_t turn) {
    if (c.stop()) return;
    const std::size_t t = thread;
    const std::int64_t i = c.rank + turn * c.n_ranks;
    listeners[t].subframe(i, i < c.subframes, reports[t]);
    if (thread == 0) c.progress(static_cast<double>(i) / static_cast<double>(n));
  });
  false_alarm_report sum;
  for (const auto& r : reports) add(sum, r);
  return sum;
}

}  // namespace prose::apps
