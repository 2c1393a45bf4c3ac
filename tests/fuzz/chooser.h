// Takes decisions from a fuzzer's octets, so that a target can build input of the right structure. When the octets are
// used up every choice is 0.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace prose::fuzz {

class chooser {
public:
  explicit chooser(std::span<const std::uint8_t> octets) : octets_(octets) {}
  bool done() const { return octets_.empty(); }
  std::uint8_t octet() {
    if (octets_.empty()) return 0;
    const std::uint8_t o = octets_.front();
    octets_ = octets_.subspan(1);
    return o;
  }
  /// 0 to n - 1; n is at most 65536.
  std::size_t below(std::size_t n) {
    const std::size_t high = n > 256 ? octet() : 0;
    return (high << 8 | octet()) % n;
  }
  bool flag() { return (octet() & 1) != 0; }
  template <class List>
  const auto& one_of(const List& list) {
    return list[below(std::size(list))];
  }
  std::string text(std::size_t most) {
    std::string s(below(most + 1), ' ');
    for (auto& c : s) c = static_cast<char>(octet());
    return s;
  }

private:
  std::span<const std::uint8_t> octets_;
};

}  // namespace prose::fuzz
