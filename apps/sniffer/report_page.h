// One self-contained HTML page of a capture: the verdict in words, its evidence, spectrogram, constellation, frames.
// Its looks are in apps/sniffer/page. It refers to nothing outside itself, and its policy lets the browser load nothing
// and run only its own script; whatever comes from the air or from file names is data of that script, which shows it as
// text.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/verdict/verdict.h"
#include "apps/sniffer/page_facts.h"
#include "apps/sniffer/waterfall.h"
#include "phy/types/cf32.h"

namespace prose::apps {

class report_page {
public:
  /// max_kept: of the first frames, and as many of the last.
  explicit report_page(std::size_t max_kept = default_kept) : max_kept_(std::max<std::size_t>(max_kept, 1)) {}
  void add_samples(std::span<const phy::cf32> block) { waterfall_.add(block); }
  void add(const captured_frame& f, const phy::constellation_sample& symbols);
  std::string html(const verdict& v, const page_facts& facts) const;

private:
  struct row {
    std::uint64_t number = 0;
    std::string text;  ///< row_of()
  };
  /// Symbols of one channel and modulation, a sample of them that is even over the capture.
  struct symbols_of {
    frame_kind kind;
    int bits;  ///< a symbol
    std::uint64_t n_seen = 0;
    std::vector<phy::cf32> kept;
  };
  /// Bounds of the page: some 300 octets each of the first and of the last frames. What the verdict names shows only at
  /// the end; a named one that is not kept gets a row that says so.
  static constexpr std::size_t default_kept = 50'000, max_points = 1500;

  std::string data(const verdict& v, const page_facts& facts) const;
  std::string points() const;
  std::string rows(const verdict& v) const;
  std::string picture() const;
  symbols_of& symbols_of_kind(const captured_frame& f);

  std::size_t max_kept_;
  waterfall waterfall_;
  std::vector<row> first_;
  std::deque<row> last_;
  std::vector<symbols_of> symbols_;
  std::uint64_t n_frames_ = 0;
};

}  // namespace prose::apps
