// Events in the order of their subframes, and the bits they point to. An event that an earlier one may still precede is
// held back. The storage is kept from call to call.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "phy/modem/events.h"

namespace prose::phy {

class event_sink {
public:
  /// same_start: subframes that begin so close to each other (samples) are one, seen from two starts.
  explicit event_sink(std::int64_t same_start = 0) : same_start_(same_start) {
    // A subframe's events and blocks; both grow if that is not enough. Chosen, not derived.
    entries_.reserve(256);
    events_.reserve(256);
    bits_.reserve(std::size_t{1} << 18);
  }
  /// Forgets the events that were released; those that are held back stay.
  void forget_released() {
    if (n_released_ == 0) return;
    // Bits lie in the order of arrival, events in the order of their samples.
    events_.clear();
    entries_.erase(entries_.begin(), entries_.begin() + n_released_);
    n_released_ = 0;
    if (entries_.empty()) {
      bits_.clear();
      return;
    }
    std::size_t from = bits_.size();
    for (const entry& e : entries_) from = std::min(from, e.offset);
    bits_.erase(bits_.begin(), bits_.begin() + from);
    for (entry& e : entries_) e.offset -= from;
  }
  /// A subframe of another start is examined: earliest() is that of its events from now on.
  void begin_subframe() { earliest_.reset(); }
  /// How late (samples) the earliest transmission came that was received in the subframe; nothing where there is none.
  std::optional<float> earliest() const { return earliest_; }
  /// Returns false if an equal event for this subframe was already added (by another pool, or from another start), or
  /// if a block failed that was decoded there, or failed there before. tell: false for an event that only counts.
  template <class E>
  bool add(E event, std::span<const std::uint8_t> bits, bool tell = true) {
    for (std::size_t i = n_released_; i < entries_.size(); ++i) {
      const entry& there = entries_[i];
      if (is_beside(there, event) && (!is_received(event) || std::ranges::equal(bits, bits_of(there)))) return false;
    }
    const float late = event.rx.timing_offset_samples;
    if (is_received(event)) earliest_ = std::min(earliest_.value_or(late), late);
    event.bits = std::span<const std::uint8_t>{};
    // Behind all whose subframe begins no later.
    const std::int64_t sample = event.rx.sample;
    auto at = entries_.end();
    while (at != entries_.begin() + n_released_ && sample_of(std::prev(at)->event) > sample) --at;
    entries_.insert(at, {monitor_event(std::move(event)), bits_.size(), bits.size(), tell});
    bits_.insert(bits_.end(), bits.begin(), bits.end());
    return true;
  }
  /// A block was decoded: removes the event that says it failed, from another start. Returns false if there is none.
  bool take_back_failed(const tb_event& decoded) {
    for (auto at = entries_.begin() + n_released_; at != entries_.end(); ++at) {
      if (!is_beside(*at, decoded) || std::get<tb_event>(at->event).crc_ok) continue;
      entries_.erase(at);
      return true;
    }
    return false;
  }
  /// Releases the events whose subframe begins before `tick`: no earlier one can follow.
  void release_before(std::int64_t tick) {
    while (n_released_ < entries_.size() && sample_of(entries_[n_released_].event) < tick) ++n_released_;
  }
  void release_all() { n_released_ = entries_.size(); }
  /// The events released since forget_released(). Valid until the next call of any member.
  std::span<const monitor_event> released() {
    events_.clear();
    for (std::size_t i = 0; i < n_released_; ++i) {
      const entry& e = entries_[i];
      if (!e.tell) continue;
      events_.push_back(e.event);
      std::visit([&](auto& v) { v.bits = {bits_.data() + e.offset, e.n_bits}; }, events_.back());
    }
    return events_;
  }

private:
  struct entry {
    monitor_event event;
    std::size_t offset = 0;
    std::size_t n_bits = 0;
    bool tell = true;
  };
  static std::int64_t sample_of(const monitor_event& e) {
    return std::visit([](const auto& v) { return v.rx.sample; }, e);
  }
  template <class E>
  static bool is_received(const E& e) {
    if constexpr (requires { e.crc_ok; }) return e.crc_ok;
    return true;
  }
  std::span<const std::uint8_t> bits_of(const entry& e) const { return std::span(bits_).subspan(e.offset, e.n_bits); }
  /// Of one subframe, at one place.
  template <class E>
  bool is_beside(const entry& there, const E& event) const {
    const E* other = std::get_if<E>(&there.event);
    return other != nullptr && std::abs(other->rx.sample - event.rx.sample) <= same_start_ && same_place(*other, event);
  }
  static bool same_place(const mib_sl_event& a, const mib_sl_event& b) { return a.n_sl_id == b.n_sl_id; }
  static bool same_place(const sci_event& a, const sci_event& b) {
    return a.prb == b.prb && a.cyclic_shift == b.cyclic_shift;
  }
  /// n_x_id tells two blocks apart that collide. Without resource blocks (n_prb 0) it is a block that failed wherever
  /// it was looked for.
  static bool same_place(const tb_event& a, const tb_event& b) {
    const bool same_prbs = a.n_prb == 0 || b.n_prb == 0 || (a.prb_start == b.prb_start && a.n_prb == b.n_prb);
    const bool same_rv = a.rv == b.rv || !a.crc_ok || !b.crc_ok;
    return same_prbs && same_rv && a.n_x_id == b.n_x_id;
  }
  static bool same_place(const discovery_event& a, const discovery_event& b) { return a.prb == b.prb; }

  std::int64_t same_start_;
  std::optional<float> earliest_;
  std::vector<entry> entries_;  ///< by sample; the first n_released_ are given out
  std::size_t n_released_ = 0;
  std::vector<monitor_event> events_;
  std::vector<std::uint8_t> bits_;
};

}  // namespace prose::phy
