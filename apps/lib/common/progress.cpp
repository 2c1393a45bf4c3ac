#include "apps/lib/common/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace prose::apps {

bool draws_on_terminal() {
  const char* term = std::getenv("TERM");
  return isatty(STDERR_FILENO) == 1 && term != nullptr && *term != '\0' && std::string_view(term) != "dumb";
}

progress_bar::progress_bar(std::string title)
    : title_(std::move(title)), terminal_(draws_on_terminal()), next_(std::chrono::steady_clock::now()) {}

progress_bar::~progress_bar() {
  if (drawn_) std::fprintf(stderr, "\r\033[K");
}

void progress_bar::update(double done, std::string_view note) {
  if (!terminal_) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  next_ = now + std::chrono::milliseconds(100);
  drawn_ = true;
  constexpr int width = 30;
  const std::string text(note);
  if (done < 0) {
    std::fprintf(stderr, "\r\033[K%s %s", title_.c_str(), text.c_str());
  } else {
    const int full = std::clamp(static_cast<int>(done * width), 0, width);
    const std::string bar =
        std::string(static_cast<std::size_t>(full), '#') + std::string(static_cast<std::size_t>(width - full), '.');
    std::fprintf(stderr, "\r\033[K%s [%s] %3.0f %% %s", title_.c_str(), bar.c_str(), std::clamp(done, 0.0, 1.0) * 100,
                 text.c_str());
  }
  std::fflush(stderr);
}

}  // namespace prose::apps
