// The host formats of UHD streams.
#pragma once

#include <cstddef>
#include <string>

#include "phy/types/cf32.h"

namespace prose::phy::air {

struct sample_format {
  const char* name;
  std::size_t bytes;
  bool native;  ///< fc32: no conversion
  void (*from_cf32)(const cf32* in, void* out, std::size_t n);
  void (*to_cf32)(const void* in, cf32* out, std::size_t n);
};

/// Null for a format that UHD does not know. Full scale is 1.0, 32768 or 128.
const sample_format* find_format(const std::string& name);

}  // namespace prose::phy::air
