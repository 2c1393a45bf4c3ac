#include "apps/page/file_tail.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <vector>

namespace prose::page {

/// O_NONBLOCK: a pipe of that name is not waited for; only regular files are read.
bool file_tail::open() {
  apps::file_descriptor f(::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat is {};
  if (!f || fstat(f.get(), &is) != 0 || !S_ISREG(is.st_mode)) return false;
  file_ = std::move(f);
  at_ = 0;
  lines_.forget();
  return true;
}

bool file_tail::was_replaced() const {
  struct stat named {
  }, held{};
  if (stat(path_.c_str(), &named) != 0 || fstat(file_.get(), &held) != 0) return false;
  return named.st_dev != held.st_dev || named.st_ino != held.st_ino;
}

bool file_tail::read(const std::function<void(std::string_view)>& take) {
  if (!file_ && !open()) return false;
  struct stat is {};
  if (fstat(file_.get(), &is) == 0 && is.st_size < at_) {
    at_ = 0;
    lines_.forget();
  }
  std::vector<char> block(std::size_t{64} << 10U);
  for (std::size_t taken = 0; taken < most_at_once;) {
    const auto n = pread(file_.get(), block.data(), block.size(), at_);
    if (n <= 0) {
      // All of the old file comes first.
      if (n == 0 && was_replaced() && open()) return true;
      return false;
    }
    at_ += n;
    taken += static_cast<std::size_t>(n);
    lines_.add({block.data(), static_cast<std::size_t>(n)}, take);
  }
  return true;
}

}  // namespace prose::page
