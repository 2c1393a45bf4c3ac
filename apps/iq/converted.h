// What convert writes: a raw file, a SigMF recording or a SigMF archive, whole or not at all.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/lib/common/sha512.h"
#include "apps/lib/common/whole_file.h"
#include "phy/io/sigmf_meta.h"
#include "phy/types/cf32.h"

namespace prose::apps {

/// Metadata as it is in `text`, with this datatype and digest. rate_hz, frequency_hz: set where the recording says
/// none; 0: not known. What describes only the old data file (core:dataset, core:trailing_bytes) goes.
result<std::string> with_datatype(const std::string& text, const std::string& file, phy::sigmf_datatype type,
                                  const std::string& sha512, double rate_hz, double frequency_hz);

class converted {
public:
  static result<converted> open(const std::string& path, phy::sigmf_datatype type);
  result<void> write(std::span<const std::span<const phy::cf32>> in);
  /// metadata gives the text for a digest; it is not asked for a raw file.
  result<void> finish(const std::function<result<std::string>(const std::string& sha512)>& metadata);

  std::int64_t n_samples() const { return n_samples_; }
  std::uint64_t n_clipped() const { return n_clipped_; }

private:
  explicit converted(whole_file data) : data_(std::move(data)) {}
  result<void> finish_archive(const std::string& meta);

  whole_file data_;  ///< the raw file, the data of a recording, the archive
  std::optional<whole_file> meta_;
  std::string archive_stem_;  ///< empty: no archive
  phy::sigmf_datatype type_ = phy::sigmf_datatype::cf32_le;
  bool is_raw_ = false;
  sha512 digest_;
  std::vector<std::uint8_t> block_;
  std::uint64_t n_bytes_ = 0, n_clipped_ = 0;
  std::int64_t n_samples_ = 0;
};

}  // namespace prose::apps
