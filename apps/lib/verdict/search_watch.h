// Counts the trials of a key search, tells how far it is, and asks whether to go on.
#pragma once

#include <algorithm>

#include "apps/lib/verdict/verdict.h"

namespace prose::apps {

class search_watch {
public:
  search_watch(const std::function<bool(const search_progress&)>& look, std::uint64_t& trials)
      : look_(look), trials_(trials) {}

  /// A new part of the search, of about so many trials.
  void begin(const char* part, double expected) {
    now_.part = part;
    begun_ = trials_;
    expected_ = expected;
    ask();
  }
  /// False once the search is to end.
  bool count(std::uint64_t n = 1) {
    trials_ += n;
    since_ += n;
    if (since_ >= trials_between_looks) ask();
    return !stopped_;
  }
  void opened(std::size_t links) { now_.links_opened = links; }
  bool stopped() const { return stopped_; }

private:
  static constexpr std::uint64_t trials_between_looks = 4096;
  void ask() {
    since_ = 0;
    now_.trials = trials_;
    now_.done = expected_ > 0 ? std::min(1.0, static_cast<double>(trials_ - begun_) / expected_) : 0;
    if (look_ && !stopped_) stopped_ = !look_(now_);
  }
  const std::function<bool(const search_progress&)>& look_;
  std::uint64_t& trials_;
  search_progress now_;
  std::uint64_t begun_ = 0, since_ = 0;
  double expected_ = 0;
  bool stopped_ = false;
};

}  // namespace prose::apps
