// Events of one call and the bits they point to. Both keep their storage from call to call.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "phy/modem/monitor.h"
#include "phy/modem/subframe_receiver.h"

namespace prose::phy {

class event_sink {
 public:
  event_sink() {
    events_.reserve(256);
    offsets_.reserve(256);
    bits_.reserve(std::size_t{1} << 18);
  }
  void clear() {
    events_.clear();
    offsets_.clear();
    bits_.clear();
  }
  template <class E>
  void add(E event, std::span<const std::uint8_t> bits) {
    offsets_.push_back(bits_.size());
    event.bits = {static_cast<const std::uint8_t*>(nullptr), 0};
    bits_.insert(bits_.end(), bits.begin(), bits.end());
    events_.emplace_back(std::move(event));
  }
  /// Valid until the next clear() or add().
  std::span<const monitor_event> events() {
    for (std::size_t i = 0; i < events_.size(); ++i) {
      const std::size_t end = i + 1 < offsets_.size() ? offsets_[i + 1] : bits_.size();
      std::visit([&](auto& e) { e.bits = {bits_.data() + offsets_[i], end - offsets_[i]}; }, events_[i]);
    }
    return events_;
  }

 private:
  std::vector<monitor_event> events_;
  std::vector<std::size_t> offsets_;
  std::vector<std::uint8_t> bits_;
};

/// The subframe that is being examined.
struct subframe_view {
  subframe_receiver& rx;
  event_sink& out;
  monitor_statistics& statistics;
  std::int64_t sample = 0;  ///< tick of its first sample
  std::int64_t index = 0;   ///< subframes since the start of the stream, for spans of time
  int absolute = -1;        ///< 0..10239, -1 where it is not known
  bool report_failed_tbs = false;
  bool trial = false;       ///< its start is a guess: what only looks like a transmission must leave no trace

  float power_db = 0;       ///< of all its samples
  /// Far below the strongest signal of the subframe there is only the rounding of the arithmetic, which may look like anything.
  bool credible(const signal_estimate& s) const {
    return s.power_db > power_db - 100.0F && (!trial || s.snr_db > least_trial_snr_db);
  }
  /// A guessed start cuts transmissions in the wrong place, and what is left of a strong one can pass for a weak one by chance: a
  /// CRC of 16 bits lets one in 65 536 through. The searches that guess need more than this themselves.
  static constexpr float least_trial_snr_db = 0.0F;

  reception at(const signal_estimate& s) const {
    return {sample, absolute, s.snr_db, s.power_db, s.cfo_hz, s.timing_offset_samples};
  }
};

}  // namespace prose::phy
