// Frames as annotations of the recording they were heard in, so that other tools show them over its spectrogram.
#pragma once

#include <optional>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "phy/io/sigmf_annotation.h"
#include "phy/io/sigmf_meta.h"

namespace prose::apps {

/// Of SigMF's annotations, those that prose-sniffer made.
inline constexpr const char* annotations_generator = "prose-sniffer";

/// An annotation covers the subframe and the resource blocks of its frame, as far as its recording's bandwidth goes;
/// the recording's ends are for fit_annotations(). Its texts consist of numbers and hexadecimal: nothing that was sent
/// is shown as text.
class frame_annotations {
public:
  /// captures: of the recording, in order; tell the frequency that a sample was received at.
  frame_annotations(const phy::carrier_config& carrier, std::vector<phy::sigmf_capture> captures)
      : carrier_(carrier), captures_(std::move(captures)) {}
  /// Another capture of the recording, behind the others.
  void add(phy::sigmf_capture c) { captures_.push_back(std::move(c)); }
  void add(const captured_frame& f);
  /// Of the frames added.
  std::vector<phy::sigmf_annotation> take() { return std::move(kept_); }
  std::uint64_t n_left_out() const { return n_left_out_; }

  /// Some 600 octets of metadata each, at most: with them the metadata stays below the 64 MiB that sigmf_reader takes.
  static constexpr std::size_t most = 80'000;

private:
  phy::carrier_config carrier_;
  std::vector<phy::sigmf_capture> captures_;
  std::vector<phy::sigmf_annotation> kept_;
  std::uint64_t n_left_out_ = 0;
};

}  // namespace prose::apps
