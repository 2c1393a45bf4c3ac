// Secrets: move-only, wiped, one type per purpose.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <span>
#include <utility>

namespace prose::security {

/// Overwrites memory in a way that the compiler may not drop.
void wipe(std::span<std::uint8_t> octets) noexcept;
/// Compares in time that depends on the lengths only.
[[nodiscard]] bool equal_constant_time(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) noexcept;

/// N secret octets that serve the purpose named by Tag. A secret of one purpose cannot become one of another except
/// through `derive` (keys.h), which only compiles for the steps the design names. No copy, no ==, no printing; wiped
/// when it dies or moves away. expose() belongs next to the calls into the cryptographic library, nowhere else.
template <class Tag, std::size_t N>
class secret {
public:
  static constexpr std::size_t octets = N;

  explicit secret(std::span<const std::uint8_t, N> from) { std::copy(from.begin(), from.end(), value_.begin()); }
  /// Builds the value in place: fill(std::span<std::uint8_t, N>).
  template <class Fill>
  static secret make(Fill&& fill) {
    secret s;
    std::forward<Fill>(fill)(std::span<std::uint8_t, N>(s.value_));
    return s;
  }
  secret(secret&& o) noexcept : value_(o.value_) { wipe(o.value_); }
  secret& operator=(secret&& o) noexcept {
    if (this != &o) {
      value_ = o.value_;
      wipe(o.value_);
    }
    return *this;
  }
  secret(const secret&) = delete;
  secret& operator=(const secret&) = delete;
  ~secret() { wipe(value_); }

  std::span<const std::uint8_t, N> expose() const { return value_; }

  friend bool operator==(const secret&, const secret&) = delete;
  friend std::ostream& operator<<(std::ostream&, const secret&) = delete;

private:
  secret() = default;
  std::array<std::uint8_t, N> value_{};
};

}  // namespace prose::security
