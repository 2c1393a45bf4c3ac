// Samples to and from octets as SigMF's datatypes lay them out: channels interleaved, I before Q, little endian.
#pragma once

#include <cstdint>
#include <span>

#include "phy/io/sigmf_meta.h"
#include "phy/types/cf32.h"

namespace prose::phy {

/// in: n frames; out[c][at .. at + n). ci16_le is scaled so that full scale (32768) becomes 1.
void unpack_samples(const std::uint8_t* in, sigmf_datatype type, std::span<const std::span<cf32>> out, std::size_t at,
                    std::size_t n);

struct pack_report {
  std::size_t n_bytes = 0;
  std::uint64_t n_clipped = 0;  ///< ci16_le: samples out of range (clipped) or NaN (0)
};
/// in[c][at .. at + n) to octets.
pack_report pack_samples(std::span<const std::span<const cf32>> in, std::size_t at, std::size_t n, sigmf_datatype type,
                         std::uint8_t* out);

}  // namespace prose::phy
