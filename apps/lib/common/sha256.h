// SHA-256 of what a report names: files, and scripts in a page's policy.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>

namespace prose::apps {

class sha256 {
public:
  sha256();
  ~sha256();
  sha256(sha256&&) noexcept;
  sha256& operator=(sha256&&) noexcept;
  void add(std::span<const std::uint8_t> bytes);
  /// Call once.
  std::array<std::uint8_t, 32> finish();

private:
  struct state;
  std::unique_ptr<state> s_;
};

}  // namespace prose::apps
