// Files that look like samples to who does not look: archives, sound files, texts, pointers to files that are
// elsewhere.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace prose::phy {

inline constexpr std::size_t container_head_bytes = 512;

/// What a file is that begins like this ("a WAV file"), empty when nothing speaks against samples. head: the first
/// octets, at most container_head_bytes are looked at.
std::string_view container_of(std::span<const std::uint8_t> head);

}  // namespace prose::phy
