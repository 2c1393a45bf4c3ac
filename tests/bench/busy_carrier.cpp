// A recording of a busy carrier, for scripts/bench: so many users, each with a block every 100 ms on average, at places
// drawn at random, so that they meet as users that do not hear each other do. Each has its own power, carrier offset
// and delay. usage: busy_carrier RECORDING SCENE.json TM PRB USERS SUBFRAMES (of 1 ms); TM 2 or 4, PRB 50 or 100; the
// seed is fixed
//
// TM2: an SC period of 40 subframes, PSCCH in the first 8; two blocks of 5 PRB, each sent four times, in a fifth of the
// periods.
// TM4: sub-channels of 5 PRB from the lower edge; a block on two of them, sent twice, every 100 ms at a place that is
// kept for a second.
#include <algorithm>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstdlib>
#include <numbers>
#include <random>
#include <vector>

#include "phy/io/sigmf_writer.h"
#include "phy/modem/transmitter.h"
#include "phy/types/comm_pool.h"
#include "phy/types/v2x_pool.h"

namespace {
using namespace prose::phy;
using bits_t = std::vector<std::uint8_t>;

constexpr float mean_re_db = -30.0F, spread_db = 6.0F;  // of a user's resource elements
constexpr double snr_db = 20;                           // of the mean user
constexpr double most_cfo_hz = 250, most_delay_s = 3e-6;
constexpr int mcs = 7, sc_period = 40, block_prbs = 5, pattern = 36;  // TRPs from 36 on use 2 of 8 subframes
constexpr int interval = 100, kept_for = 10, subchannel_prbs = 5, block_subchannels = 2;
constexpr double share_of_periods = 0.2;
constexpr const char* pscch_bitmap = "1111111100000000000000000000000000000000";
constexpr const char* pssch_bitmap = "1111111111111111111111111111111111111111";
constexpr const char* v2x_bitmap = "11111111111111111111";

struct user {
  float power_db;
  double cfo_hz;
  int delay_samples;
};
/// What one user sends in one subframe. Empty: not there.
struct burst {
  int subframe, user;
  bits_t sci, block;
  std::optional<pscch_config> pscch;
  std::optional<pssch_config> pssch;
};

class town {
public:
  town(carrier_config c, int n_users, int n_subframes) : carrier_(c), n_subframes_(n_subframes) {
    std::uniform_real_distribution<double> unit(-1, 1);
    for (int u = 0; u < n_users; ++u)
      users_.push_back({mean_re_db + spread_db * static_cast<float>(unit(rng_)), most_cfo_hz * unit(rng_),
                        static_cast<int>(std::abs(unit(rng_)) * most_delay_s * carrier_.sample_rate_hz())});
  }
  void plan_tm2(const comm_pool& pool);
  void plan_tm4(const v2x_pool& pool);
  prose::result<void> write(const char* path);

private:
  int draw(int n) { return std::uniform_int_distribution<int>(0, n - 1)(rng_); }
  bits_t draw_bits(int n) {
    bits_t b(static_cast<std::size_t>(n));
    for (auto& x : b) x = static_cast<std::uint8_t>(rng_() & 1U);
    return b;
  }
  /// Adds a subframe's burst to what is on the air from `at` on.
  prose::result<void> add(transmitter& tx, const burst& b, std::span<cf32> at);

  carrier_config carrier_;
  int n_subframes_;
  std::mt19937_64 rng_{20};
  std::vector<user> users_;
  std::vector<burst> bursts_;
  std::vector<cf32> own_;
};

void town::plan_tm2(const comm_pool& pool) {
  const int n_prb = carrier_.n_prb;
  for (int first = 0; first + sc_period <= n_subframes_; first += sc_period)
    for (int u = 0; u < std::ssize(users_); ++u) {
      if (std::uniform_real_distribution<double>(0, 1)(rng_) >= share_of_periods) continue;
      const int begin = draw(n_prb - block_prbs + 1), trp = pattern + draw(28),
                resource = draw(pool.n_pscch_resources());
      const sci_format0 sci{
          .resource_block_assignment = static_cast<std::uint16_t>(riv_encode(n_prb, begin, block_prbs)),
          .time_resource_pattern = static_cast<std::uint8_t>(trp),
          .mcs = mcs,
          .group_destination_id = static_cast<std::uint8_t>(u)};
      bits_t bits(static_cast<std::size_t>(sci_format0_bits(n_prb)));
      pack(sci, n_prb, bits);
      for (const int t : {0, 1}) {
        const auto place = pool.pscch_resource(resource, t);
        bursts_.push_back({first + place.subframe, u, bits, {}, pscch_config{place.prb, 0}, {}});
      }
      bits_t block;
      for (int k = first; k < first + sc_period; ++k)
        if (const auto o = pool.pssch_at(sci, k)) {
          if (o->transmission == 0) block = draw_bits(o->config.tbs);
          bursts_.push_back({k, u, {}, block, {}, o->config});
        }
    }
}

void town::plan_tm4(const v2x_pool& pool) {
  const int n = pool.config().n_subchannels;
  for (int u = 0; u < std::ssize(users_); ++u) {
    int place[2] = {}, gap = 0, until = 0;
    for (int k = draw(interval); k + 15 < n_subframes_; k += interval, --until) {
      if (until <= 0) {
        for (int& p : place) p = draw(n - block_subchannels + 1);
        gap = 1 + draw(15);
        until = kept_for;
      }
      bits_t block;
      for (const int t : {0, 1}) {
        const sci_format1 sci{.resource_reservation = 1,
                              .frequency_location = pool.frequency_location(place[1 - t], block_subchannels),
                              .time_gap = static_cast<std::uint8_t>(gap),
                              .mcs = mcs,
                              .retransmission_index = static_cast<std::uint8_t>(t)};
        bits_t bits(sci_format1_bits);
        pack(sci, n, bits);
        const int at = k + t * gap, prb = pool.pscch_prbs()[static_cast<std::size_t>(place[t])];
        const auto config = pool.pssch(sci, prb, sci_crc(bits), pool.n_ssf(at));
        if (!config) continue;
        if (block.empty()) block = draw_bits(config->tbs);
        bursts_.push_back({at, u, bits, block, pscch_config{prb, 3 * draw(4)}, config});
      }
    }
  }
}

prose::result<void> town::add(transmitter& tx, const burst& b, std::span<cf32> at) {
  const user& u = users_[static_cast<std::size_t>(b.user)];
  std::vector<transmission> list;
  if (b.pscch) list.push_back({pscch_transmission{*b.pscch, b.sci}, u.power_db});
  if (b.pssch) list.push_back({pssch_transmission{*b.pssch, b.block}, u.power_db});
  if (auto ok = tx.transmit(list, own_); !ok) return ok;
  const double step = 2 * std::numbers::pi * u.cfo_hz / carrier_.sample_rate_hz();
  const double begin = step * carrier_.samples_per_subframe() * b.subframe;
  cf32 turn(std::polar(1.0, begin));
  const cf32 each(std::polar(1.0, step));
  for (std::size_t i = 0; i < own_.size(); ++i, turn *= each)
    at[i + static_cast<std::size_t>(u.delay_samples)] += own_[i] * turn;
  return {};
}

prose::result<void> town::write(const char* path) {
  std::stable_sort(bursts_.begin(), bursts_.end(),
                   [](const auto& a, const auto& b) { return a.subframe < b.subframe; });
  auto tx = transmitter::make({.carrier = carrier_});
  if (!tx) return tl::unexpected(tx.error());
  auto out = sigmf_writer::make({.path = path,
                                 .datatype = sigmf_datatype::ci16_le,
                                 .sample_rate_hz = carrier_.sample_rate_hz(),
                                 .description = "made by busy_carrier of this project, not recorded"});
  if (!out) return tl::unexpected(out.error());
  const auto n = static_cast<std::size_t>(carrier_.samples_per_subframe());
  own_.resize(n);
  std::vector<cf32> air(2 * n);  // this subframe, and what is late into the next one
  std::normal_distribution<float> noise(
      0.0F, std::pow(10.0F, (mean_re_db - static_cast<float>(snr_db)) / 20) / std::numbers::sqrt2_v<float>);
  auto next = bursts_.begin();
  for (int k = 0; k < n_subframes_; ++k) {
    for (; next != bursts_.end() && next->subframe == k; ++next)
      if (auto ok = add(*tx, *next, air); !ok) return ok;
    for (std::size_t i = 0; i < n; ++i) air[i] += cf32(noise(rng_), noise(rng_));
    const std::span<const cf32> channels[] = {std::span(air).first(n)};
    const auto stop = (*out)->write(channels, static_cast<std::int64_t>(k) * static_cast<std::int64_t>(n));
    if (!stop) return tl::unexpected(stop.error());
    if (*stop != write_stop::none) return prose::fail("no room for the recording");
    std::copy(air.begin() + static_cast<std::ptrdiff_t>(n), air.end(), air.begin());
    std::fill(air.begin() + static_cast<std::ptrdiff_t>(n), air.end(), cf32{});
  }
  return (*out)->finish();
}

bool write_scene(const char* path, const carrier_config& c, const char* pool, int n_subframes) {
  std::FILE* f = std::fopen(path, "w");
  if (f == nullptr) return false;
  std::fprintf(
      f,
      "{\"carrier\": {\"n_prb\": %d, \"cp\": \"normal\", \"transmission_mode\": %d, \"sample_rate_hz\": %.0f},\n"
      " \"first_subframe_sample\": 0, \"samples_per_subframe\": %d,\n \"pool\": %s,\n \"absolute_subframes\": [",
      c.n_prb, static_cast<int>(c.tm), c.sample_rate_hz(), c.samples_per_subframe(), pool);
  for (int k = 0; k < n_subframes; ++k) std::fprintf(f, k == 0 ? "%d" : ", %d", k);
  std::fprintf(f, "]}\n");
  return std::fclose(f) == 0;
}

prose::result<void> make(char** arguments) {
  const int tm = std::atoi(arguments[3]), n_prb = std::atoi(arguments[4]), n_users = std::atoi(arguments[5]);
  const int n_subframes = std::atoi(arguments[6]);
  if ((tm != 2 && tm != 4) || (n_prb != 50 && n_prb != 100) || n_users < 1 || n_users > 255 ||
      n_subframes < sc_period || n_subframes > 10240)
    return prose::fail("accepted are TM 2 or 4, 50 or 100 PRB, 1 to 255 users, 40 to 10240 subframes");
  const auto carrier = carrier_config::make(n_prb, cyclic_prefix::normal, static_cast<transmission_mode>(tm),
                                            standard_fft_size(n_prb) * subcarrier_spacing_hz);
  if (!carrier) return tl::unexpected(carrier.error());
  town t(*carrier, n_users, n_subframes);
  char text[400];
  if (tm == 2) {
    const prb_range half{n_prb / 2, 0, n_prb - 1};
    const auto pool = comm_pool::make({.n_prb = n_prb,
                                       .sc_period_subframes = sc_period,
                                       .pscch = half,
                                       .subframe_bitmap = pscch_bitmap,
                                       .data = comm_pool_config::data_resources{half, 8, pssch_bitmap}});
    if (!pool) return tl::unexpected(pool.error());
    t.plan_tm2(*pool);
    std::snprintf(
        text, sizeof text,
        "{\"kind\": \"sl_comm\", \"mode\": \"tm2\", \"sc_period\": \"sf40\", \"prb_num\": %d, \"prb_start\": 0, "
        "\"prb_end\": %d, \"subframe_bitmap\": \"%s\", \"data\": {\"prb_num\": %d, \"prb_start\": 0, "
        "\"prb_end\": %d, \"offset_indicator\": 8, \"subframe_bitmap\": \"%s\"}}",
        half.prb_num, half.prb_end, pscch_bitmap, half.prb_num, half.prb_end, pssch_bitmap);
  } else {
    const auto pool = v2x_pool::make({.n_prb = n_prb,
                                      .size_subchannel = subchannel_prbs,
                                      .n_subchannels = n_prb / subchannel_prbs,
                                      .subframe_bitmap = v2x_bitmap});
    if (!pool) return tl::unexpected(pool.error());
    t.plan_tm4(*pool);
    std::snprintf(text, sizeof text,
                  "{\"kind\": \"v2x\", \"size\": %d, \"count\": %d, \"start_prb\": 0, \"adjacent_pscch_pssch\": true, "
                  "\"sl_Subframe_r14\": \"%s\"}",
                  subchannel_prbs, n_prb / subchannel_prbs, v2x_bitmap);
  }
  if (auto ok = t.write(arguments[1]); !ok) return ok;
  if (!write_scene(arguments[2], *carrier, text, n_subframes)) return prose::fail("the scene cannot be written");
  return {};
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 7) {
    std::fprintf(stderr, "usage: busy_carrier RECORDING SCENE.json TM PRB USERS SUBFRAMES\n");
    return 2;
  }
  if (const auto ok = make(argv); !ok) {
    std::fprintf(stderr, "busy_carrier: %s\n", ok.error().message.c_str());
    return 1;
  }
}
