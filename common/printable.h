// Makes untrusted text (from the air, a file, a server) safe for a terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace prose {

/// The text with `instead` for everything that a terminal takes as a command: the control codes of ASCII, and 0x80 to
/// 0x9f, alone or as U+0080 to U+009F in UTF-8. After a lead octet other than 0xc2 those are part of a letter. Also for
/// each octet of what begins a line or marks a direction: U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069.
/// With `tabs`, tabs stay.
inline std::string printable(std::string_view text, char instead = '?', bool tabs = false) {
  std::string out(text);
  std::uint8_t before = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto b = static_cast<std::uint8_t>(out[i]);
    const bool c0 = (b < 0x20 && !(tabs && b == '\t')) || b == 0x7f;
    const bool c1 = b >= 0x80 && b < 0xa0 && (before < 0x80 || before == 0xc2);
    if (c1 && before == 0xc2) out[i - 1] = instead;
    if (c0 || c1) out[i] = instead;
    const bool third = i >= 2 && text[i - 2] == '\xe2';
    const bool reorders = third && ((before == 0x80 && (b == 0x8e || b == 0x8f || (b >= 0xa8 && b <= 0xae))) ||
                                    (before == 0x81 && b >= 0xa6 && b <= 0xa9));
    if (reorders) out[i - 2] = out[i - 1] = out[i] = instead;
    if (before == 0xd8 && b == 0x9c) out[i - 1] = out[i] = instead;
    before = b;
  }
  return out;
}

}  // namespace prose
