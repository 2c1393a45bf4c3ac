#include "phy/radio/transmit_limits.h"

#include <algorithm>
#include <cmath>

#include "phy/radio/number.h"

namespace prose::phy {
namespace {

std::int64_t floor_div(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

result<std::optional<band_limit>> transmit_limits::band_for(double center_freq_hz, double occupied_hz,
                                                            double tx_gain_db) const {
  if (bands.empty()) return std::optional<band_limit>{};
  const double from = center_freq_hz - occupied_hz / 2, to = center_freq_hz + occupied_hz / 2;
  const auto band =
      std::find_if(bands.begin(), bands.end(), [&](const band_limit& b) { return b.from_hz <= from && to <= b.to_hz; });
  if (band == bands.end()) {
    std::string accepted;
    for (const auto& b : bands)
      accepted += (accepted.empty() ? "" : ", ") + b.name + " (" + number(b.from_hz) + " to " + number(b.to_hz) + ")";
    return fail("center_freq_hz " + number(center_freq_hz) + ": " + number(from) + " to " + number(to) +
                " Hz is in no band of tx_limits; accepted: " + accepted);
  }
  if (!std::isfinite(band->max_power_dbm)) return std::optional(*band);
  if (!power_dbm_at_gain_0)
    return fail("tx_limits: " + band->name +
                " limits the power, and power_dbm_at_gain_0 is not given; accepted: what was measured");
  const double most_db = band->max_power_dbm - *power_dbm_at_gain_0;
  if (tx_gain_db > most_db)
    return fail("tx_gain_db " + number(tx_gain_db) + ": " + number(*power_dbm_at_gain_0 + tx_gain_db) + " dBm in " +
                band->name + "; accepted: at most " + number(most_db) + ", which is " + number(band->max_power_dbm) +
                " dBm");
  return std::optional(*band);
}

duty_meter::duty_meter(double max_duty_cycle, double window_s, double rate_hz)
    : slot_ticks_(std::max<std::int64_t>(1, std::llround(std::ceil(window_s * rate_hz / n_slots)))),
      budget_ticks_(std::llround(std::floor(max_duty_cycle * window_s * rate_hz))) {}

bool duty_meter::take(std::int64_t start_tick, std::int64_t n) {
  const std::int64_t newest_start = newest_ ? *newest_ * slot_ticks_ : start_tick + leap_ticks_;
  if (newest_start - (start_tick + leap_ticks_) > n_slots * slot_ticks_) leap_ticks_ = newest_start - start_tick;
  duty_meter with = *this;
  if (!with.add(std::max(start_tick + leap_ticks_, newest_start), n)) return false;
  *this = with;
  return true;
}

void duty_meter::follow_leap(std::int64_t by_ticks) { leap_ticks_ -= by_ticks; }

bool duty_meter::add(std::int64_t start_tick, std::int64_t n) {
  while (n > 0) {
    const std::int64_t slot = floor_div(start_tick, slot_ticks_);
    const std::int64_t part = std::min(n, (slot + 1) * slot_ticks_ - start_tick);
    move_to(slot);
    const std::int64_t size = n_slots + 1;
    used_[static_cast<std::size_t>((slot % size + size) % size)] += part;
    total_ += part;
    if (total_ > budget_ticks_) return false;
    start_tick += part;
    n -= part;
  }
  return true;
}

void duty_meter::move_to(std::int64_t slot) {
  constexpr std::int64_t size = n_slots + 1;
  if (newest_ && slot - *newest_ < size) {
    for (std::int64_t k = *newest_ + 1; k <= slot; ++k) {
      auto& used = used_[static_cast<std::size_t>((k % size + size) % size)];
      total_ -= used;
      used = 0;
    }
  } else {
    used_.fill(0);
    total_ = 0;
  }
  newest_ = slot;
}

}  // namespace prose::phy
