// One self-contained HTML page of a capture: verdict and evidence, spectrogram, constellation, frames. It refers to
// nothing outside itself, runs no script, and is well-formed XML; whatever comes from the air or from file names is
// escaped.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/verdict/verdict.h"
#include "apps/sniffer/waterfall.h"
#include "phy/types/cf32.h"

namespace prose::apps {

struct page_facts {
  std::string source;   ///< file or device
  std::string carrier;  ///< in words
  double sample_rate_hz = 0;
  double seconds = 0;        ///< of signal
  std::string transmitters;  ///< a table as text
};

class report_page {
public:
  /// max_kept: of the first frames, and as many of the last; at least what is shown.
  explicit report_page(std::size_t max_kept = default_kept)
      : max_kept_(std::max({max_kept, shown_first, shown_last})) {}
  void add_samples(std::span<const phy::cf32> block) { waterfall_.add(block); }
  void add(const captured_frame& f, const phy::constellation_sample& symbols);
  std::string html(const verdict& v, const page_facts& facts) const;

private:
  struct row {
    captured_frame frame;  ///< its octets cut to shown_octets
    std::size_t n_octets = 0;
    std::string who;
  };
  /// Bounds of the page: the first and the last frames are shown, and whatever the verdict names. Which that is shows
  /// only at the end, so that many more are kept (some 300 octets each); a named one that is not gets a row that says
  /// so.
  static constexpr std::size_t shown_first = 2000, shown_last = 2000, shown_octets = 48, max_points = 3000;
  static constexpr std::size_t default_kept = 8'192;

  void put_evidence(std::string& out, const verdict& v) const;
  void put_constellation(std::string& out) const;
  void put_frames(std::string& out, const verdict& v) const;

  struct point {
    phy::cf32 at;
    frame_kind kind;
  };
  std::size_t max_kept_;
  waterfall waterfall_;
  std::vector<row> first_;
  std::deque<row> last_;
  std::vector<point> points_;
  std::uint64_t n_frames_ = 0, n_points_ = 0;
};

/// For element content and quoted attributes. Octets outside printable ASCII become dots.
std::string escaped(std::string_view text);

}  // namespace prose::apps
