// Memory that a fuzz target sets back: what was prepared once is there again for every input at the price of a copy.
// All of `new` comes from here while it is on, so pointers stay good. Not with AddressSanitizer, which must see every
// allocation: there nothing is set back, and the caller prepares anew.
#pragma once

#include <cstddef>

namespace prose::fuzz::arena {

#if defined(__SANITIZE_ADDRESS__)
inline constexpr bool available = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
inline constexpr bool available = false;
#else
inline constexpr bool available = true;
#endif
#else
inline constexpr bool available = true;
#endif

void on();
void off();
/// Keeps what was allocated so far. Arrays (new[]) of before are not kept: in the product such memory is what a counter
/// says is empty.
void keep();
/// Everything as it was at keep(). Nothing allocated since may be used any more.
void set_back();
std::size_t kept_octets();

}  // namespace prose::fuzz::arena
