#include "apps/ue/mark_keeper.h"

#include <algorithm>
#include <utility>

#include "apps/lib/common/log.h"
#include "apps/lib/keys/key_file.h"
#include "apps/ue/utc_source.h"

namespace prose::apps {
namespace {
constexpr std::int64_t retry_subframes = 1000;
}

void mark_keeper::keep() {
  const auto mark = slots().mark_to_store();
  if (!mark || clock_.subframe() < retry_at_subframe_) return;
  const auto ok = keys::write_mark(file_, *mark);
  if (ok) {
    slots().mark_stored(*mark);
    failure_reported_ = false;
    return;
  }
  retry_at_subframe_ = clock_.subframe() + retry_subframes;
  if (std::exchange(failure_reported_, true)) return;
  log_warning("{}; discovery is silent until it can be", ok.error().message);
  events_.write(events_.make("mark_unwritten").add("file", file_).add("reason", ok.error().message));
}

void mark_keeper::keep_last() {
  const auto& clock = slots();
  if (!clock.now()) return;
  const auto last = std::max(*clock.now(), clock.boot_mark().value_or(0));
  if (const auto ok = keys::write_mark(file_, last); !ok)
    log_warning("{}; the next start will be silent for up to 30 s", ok.error().message);
}

void mark_keeper::report_silence() {
  const auto& clock = slots();
  const auto now = clock.now();
  if (!now) return;
  if (clock.after_boot_mark(*now)) {
    if (!std::exchange(silent_, false)) return;
    log_info("the clock has passed the mark: no longer silent");
    events_.write(events_.make("silence_ended").add("file", file_));
    return;
  }
  if (std::exchange(silent_, true)) return;
  const auto mark = *clock.boot_mark();
  const auto text = silence_text(mark, *now, file_);
  // Up to 30 s are usual after a restart. More means a clock that is or was wrong, and may last for years.
  const bool ordinary = mark - *now <= 2 * security::slot_clock::mark_ahead_slots;
  log_at(ordinary ? severity::info : severity::warning, "{}{}", text,
         ordinary ? ""
                  : ". If the clock is right, wait, or make a new key pair and give the peers its public key; "
                    "without the file codes would repeat");
  events_.write(events_.make("silent")
                    .add("until", utc_text(static_cast<double>(mark) + 1))
                    .add("file", file_)
                    .add("clock", utc_text(*now))
                    .add("seconds", std::int64_t{mark} + 1 - *now));
}

double mark_keeper::silent_seconds() const {
  return silent_ ? static_cast<double>(*slots().boot_mark()) + 1 - *slots().now() : 0.0;
}

}  // namespace prose::apps
