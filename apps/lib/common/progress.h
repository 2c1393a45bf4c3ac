// A progress bar on a terminal's stderr; nothing where stderr is no terminal.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace prose::apps {

/// stderr is a terminal that can draw over what it drew: TERM is neither empty nor "dumb".
bool draws_on_terminal();

class progress_bar {
public:
  explicit progress_bar(std::string title);
  ~progress_bar();
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;
  /// done: 0..1, or negative where the end is not known. Draws at most ten times a second.
  void update(double done, std::string_view note = {});

private:
  std::string title_;
  bool terminal_, drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace prose::apps
