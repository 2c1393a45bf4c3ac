#include "phy/radio/rate_bridge.h"

#include <liquid/liquid.h>

#include <algorithm>
#include <cassert>
#include <cmath>

namespace prose::phy {
namespace {

constexpr unsigned largest_ratio_term = 256;
constexpr unsigned least_semi_length = 12;
constexpr float stop_band_db = 70.0F;
constexpr float relative_bandwidth = 0.45F;  // of the lower rate; LTE carriers occupy at most 0.39

}  // namespace

struct rate_bridge::impl {
  rresamp_crcf q = nullptr;
  unsigned interp = 1;
  unsigned decim = 1;
  unsigned semi_length = 1;  // delay in input samples; a multiple of decim, so that it is whole in output samples too
  std::vector<cf32> padded;
  ~impl() {
    if (q != nullptr) rresamp_crcf_destroy(q);
  }
};

rate_bridge::rate_bridge(std::unique_ptr<impl> i) : impl_(std::move(i)) {}
rate_bridge::rate_bridge(rate_bridge&&) noexcept = default;
rate_bridge& rate_bridge::operator=(rate_bridge&&) noexcept = default;
rate_bridge::~rate_bridge() = default;

result<rate_bridge> rate_bridge::make(double from_hz, double to_hz) {
  auto i = std::make_unique<impl>();
  const double ratio = to_hz / from_hz;
  for (unsigned d = 1; d <= largest_ratio_term && i->q == nullptr; ++d) {
    const double p = std::round(ratio * d);
    if (p < 1 || p > largest_ratio_term || std::abs(p / d - ratio) > 1e-9 * ratio) continue;
    i->interp = static_cast<unsigned>(p);
    i->decim = d;
    i->semi_length = d * ((least_semi_length + d - 1) / d);
    const float bandwidth = relative_bandwidth * std::min(1.0F, static_cast<float>(ratio));
    i->q = rresamp_crcf_create_kaiser(i->interp, d, i->semi_length, bandwidth, stop_band_db);
    if (i->q != nullptr) {
      // liquid keeps the energy of a sample; a stream must keep its amplitude.
      float scale = 1.0F;
      rresamp_crcf_get_scale(i->q, &scale);
      rresamp_crcf_set_scale(i->q, scale * std::sqrt(static_cast<float>(ratio)));
    }
  }
  if (i->q == nullptr)
    return fail("cannot resample " + std::to_string(from_hz) + " Hz to " + std::to_string(to_hz) +
                " Hz: accepted are ratios of integers up to " + std::to_string(largest_ratio_term));
  return rate_bridge(std::move(i));
}

unsigned rate_bridge::interp() const { return impl_->interp; }
unsigned rate_bridge::decim() const { return impl_->decim; }
void rate_bridge::reset() { rresamp_crcf_reset(impl_->q); }

void rate_bridge::run(std::span<const cf32> in, std::span<cf32> out) {
  assert(in.size() % impl_->decim == 0 && out.size() * impl_->decim == in.size() * impl_->interp);
  auto* src = const_cast<cf32*>(in.data());  // liquid takes no const
  for (std::size_t k = 0; k < in.size() / impl_->decim; ++k)
    rresamp_crcf_execute(impl_->q, src + k * impl_->decim, out.data() + k * impl_->interp);
}

std::int64_t rate_bridge::delay_out() const {
  return static_cast<std::int64_t>(impl_->semi_length) * impl_->interp / impl_->decim;
}

void rate_bridge::run_burst(std::span<const cf32> in, std::vector<cf32>& out) {
  const std::size_t d = impl_->decim;
  const std::size_t wanted = (in.size() * impl_->interp + d - 1) / d;
  const std::size_t blocks = (in.size() + 2 * impl_->semi_length + d - 1) / d;
  impl_->padded.assign(blocks * d, cf32{});
  std::copy(in.begin(), in.end(), impl_->padded.begin());
  out.resize(blocks * impl_->interp);
  reset();
  run(impl_->padded, out);
  out.erase(out.begin(), out.begin() + delay_out());
  out.resize(wanted);
}

}  // namespace prose::phy
