// A recording as a transmitter needs it: one channel, at the device's rate, piece after piece with the device tick of
// each.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "apps/lib/common/sample_power.h"
#include "phy/io/sigmf_reader.h"
#include "phy/radio/rate_bridge.h"

namespace prose::apps {

struct feed_piece {
  std::int64_t tick = 0;               ///< of the first sample, from the recording's first one, at the device's rate
  std::span<const phy::cf32> samples;  ///< valid until the next call
};

/// Each capture segment is resampled by itself (silence before and after), so that gaps between segments keep their
/// length.
class recording_feed {
public:
  /// scale: factor on the samples. The reader must outlive the feed.
  /// Samples [begin, end) of the recording.
  static result<recording_feed> make(phy::sigmf_reader& reader, std::size_t channel, double device_rate_hz,
                                     double scale, std::int64_t begin, std::int64_t end);

  /// The next piece, empty at the end. Pieces are in order and do not overlap.
  result<std::optional<feed_piece>> next();
  result<void> rewind();
  /// Device ticks from the first sample to after the last one.
  std::int64_t length() const { return length_; }
  /// Samples beyond full scale, which the device clips, and samples that were not finite, which count as zero.
  std::uint64_t n_clipped() const { return n_clipped_; }
  std::uint64_t n_non_finite() const { return n_non_finite_; }
  /// What was read: warns of samples that cannot be what the metadata says. The feed does so itself within a second.
  sample_watch& watch() { return *watch_; }

private:
  recording_feed() = default;
  std::int64_t to_device(std::int64_t ticks) const;
  void condition(std::span<phy::cf32> samples);
  void begin_segment(std::int64_t tick);
  feed_piece end_segment();
  std::span<phy::cf32> resample(std::span<phy::cf32> got);
  feed_piece append(std::span<phy::cf32> made);

  phy::sigmf_reader* reader_ = nullptr;
  std::size_t channel_ = 0;
  float scale_ = 1;
  std::int64_t begin_ = 0, end_ = 0;  ///< samples of the recording
  std::int64_t first_ = 0, length_ = 0, interp_ = 1, decim_ = 1;
  std::optional<phy::rate_bridge> bridge_;
  std::vector<std::vector<phy::cf32>> block_;
  std::vector<phy::cf32> in_, out_;  ///< of the bridge
  bool in_segment_ = false;
  std::int64_t segment_tick_ = 0;  ///< device tick of the segment's first sample
  std::int64_t segment_in_ = 0, segment_out_ = 0, to_drop_ = 0, next_recording_tick_ = 0;
  std::int64_t last_end_ = 0;
  std::uint64_t n_clipped_ = 0, n_non_finite_ = 0;
  std::optional<sample_watch> watch_;
};

}  // namespace prose::apps
