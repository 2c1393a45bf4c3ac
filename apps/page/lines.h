// Octets to lines. A line that is not complete waits for its rest; one that is too long is passed over and counted.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace prose::page {

class line_splitter {
public:
  explicit line_splitter(std::size_t most_octets) : most_(most_octets) {}

  template <class Take>
  void add(std::string_view octets, Take&& take) {
    while (!octets.empty()) {
      const auto end = octets.find('\n');
      const auto part = octets.substr(0, end);
      if (held_.size() + part.size() > most_) {
        too_long_ += skipping_ ? 0 : 1;
        skipping_ = true;
        held_.clear();
      }
      if (!skipping_) held_.append(part);
      if (end == std::string_view::npos) return;
      if (!skipping_ && !held_.empty()) take(std::string_view(held_));
      held_.clear();
      skipping_ = false;
      octets.remove_prefix(end + 1);
    }
  }
  void forget() {
    held_.clear();
    skipping_ = false;
  }
  std::uint64_t too_long() const { return too_long_; }

private:
  std::size_t most_;
  std::string held_;
  bool skipping_ = false;
  std::uint64_t too_long_ = 0;
};

}  // namespace prose::page
