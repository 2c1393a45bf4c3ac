// Lock-step air time. `now` moves to the least of what the streaming receivers have read plus their lead, what open
// bursts have written, and the wall pacer. Whoever relaxes a limit moves the clock; the hub is not in the way of
// samples.
#pragma once

#include <cstdint>

#include "phy/air/shm_layout.h"

namespace prose::phy::air {

std::int64_t wall_ns();

/// The shared robust mutex. A process killed while it held it leaves values that are each valid, so the next owner
/// carries on.
class air_lock {
public:
  explicit air_lock(air_memory& m);
  ~air_lock();
  air_lock(const air_lock&) = delete;
  air_lock& operator=(const air_lock&) = delete;

private:
  air_memory& m_;
};

/// Moves `now` as far as the limits allow and wakes whoever waited for that.
void advance(air_memory& m);

/// Sleeps until air time reaches `target`, the wall deadline passes, or somebody rings the slot. Returns air time.
std::int64_t wait_for_air_time(air_memory& m, wait_slot& slot, std::int64_t target, std::int64_t wall_deadline_ns);

/// After a receiver has mixed: wakes transmitters that wait for room in their rings.
void wake_ring_waiters(air_memory& m);
/// At the end of the air.
void wake_everybody(air_memory& m);

}  // namespace prose::phy::air
