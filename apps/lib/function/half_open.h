// Connections whose other end has not authenticated yet, by the block of addresses that they come from.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <string>

namespace prose::function {

class half_open_connections {
public:
  void add(const std::string& block, int fd) {
    by_block_[block].push_back(fd);
    ++size_;
  }
  void remove(const std::string& block, int fd) {
    const auto it = by_block_.find(block);
    if (it == by_block_.end()) return;
    size_ -= std::erase(it->second, fd);
    if (it->second.empty()) by_block_.erase(it);
  }
  std::size_t size() const { return size_; }
  std::optional<int> oldest_of(const std::string& block) const {
    const auto it = by_block_.find(block);
    return it == by_block_.end() ? std::nullopt : std::optional(it->second.front());
  }
  /// Of the block with the most of them.
  std::optional<int> oldest_of_heaviest() const {
    const auto it = std::max_element(by_block_.begin(), by_block_.end(),
                                     [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
    return it == by_block_.end() ? std::nullopt : std::optional(it->second.front());
  }

private:
  std::map<std::string, std::deque<int>> by_block_;  // oldest first
  std::size_t size_ = 0;
};

}  // namespace prose::function
