// SHA-512 of recordings (core:sha512).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace prose::apps {

class sha512 {
public:
  sha512();
  ~sha512();
  sha512(sha512&&) noexcept;
  sha512& operator=(sha512&&) noexcept;
  void add(std::span<const std::uint8_t> bytes);
  /// Hexadecimal text; call once.
  std::string finish();

private:
  struct state;
  std::unique_ptr<state> s_;
};

}  // namespace prose::apps
