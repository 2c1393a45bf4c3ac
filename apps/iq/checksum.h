// core:sha512 of a recording.
#pragma once

#include <cstdint>

#include "common/result.h"
#include "phy/io/sigmf_reader.h"

namespace prose::apps {

enum class checksum : std::uint8_t { absent, matches, differs };

/// Reads the whole data file if the metadata give a checksum. Capitals and blanks around it do not count. An error also
/// when it is stopped.
result<checksum> compare_checksum(const phy::sigmf_reader& r);

}  // namespace prose::apps
