// Keeps the samples of a capture as a SigMF recording.
#pragma once

#include <memory>

#include "apps/lib/common/sha512.h"
#include "apps/lib/listen/settings.h"
#include "phy/io/sigmf_writer.h"

namespace prose::apps {

class recorder {
public:
  static result<std::unique_ptr<recorder>> open(const sniffer_settings& s, double rate_hz, int n_antennas);
  /// False once nothing more can be kept.
  bool add(std::span<const std::span<const phy::cf32>> samples, std::int64_t first_tick, bool gap_before);
  /// The first thing that went wrong, or nothing.
  result<void> finish();
  std::uint64_t n_clipped() const { return writer_->n_clipped(); }

private:
  sha512 digest_;
  std::unique_ptr<phy::sigmf_writer> writer_;
  std::string path_, trouble_;
};

}  // namespace prose::apps
