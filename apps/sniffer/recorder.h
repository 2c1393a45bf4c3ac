// Keeps the samples of a capture as a SigMF recording.
#pragma once

#include <memory>

#include "apps/lib/common/sha512.h"
#include "apps/lib/listen/settings.h"
#include "apps/sniffer/frame_annotations.h"
#include "phy/io/sigmf_reader.h"
#include "phy/io/sigmf_writer.h"

namespace prose::apps {

class recorder {
public:
  /// source: the recording that is read, from its beginning, again and again with --loop; outlives this. Null: a radio.
  /// Null where safe_file.h only looks.
  static result<std::unique_ptr<recorder>> open(const sniffer_settings& s, const phy::carrier_config& carrier,
                                                int n_antennas, const phy::sigmf_reader* source);
  /// sigmf_meta::prose; kept where it was told, or something was decoded with it.
  void tell_carrier(const std::string& text, bool told) {
    carrier_ = text;
    if (told) writer_->set_prose(text);
  }
  /// False once nothing more can be kept.
  bool add(std::span<const std::span<const phy::cf32>> samples, std::int64_t first_tick, bool gap_before);
  /// A frame that was decoded: an annotation of the recording.
  void add(const captured_frame& f) {
    frames_->add(f);
    decoded_ = true;
  }
  std::uint64_t n_left_out() const { return frames_->n_left_out(); }
  /// The first thing that went wrong, or nothing.
  result<void> finish();
  std::uint64_t n_clipped() const { return writer_->n_clipped(); }

private:
  void follow_frequency();

  sha512 digest_;
  const phy::sigmf_reader* source_ = nullptr;
  std::unique_ptr<phy::sigmf_writer> writer_;
  std::optional<frame_annotations> frames_;
  std::optional<double> frequency_hz_;  ///< of the source's latest samples
  std::string path_, trouble_, carrier_;
  bool decoded_ = false;
};

}  // namespace prose::apps
