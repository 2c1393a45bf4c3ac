// Who is on the air: a table that a terminal redraws, and a line now and then for a pipe. Written to standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/listen/settings.h"

namespace prose::apps {

/// Of a radio: how often its samples had to wait for processing, and whether that cost any. Empty if never.
std::string waiting_text(std::uint64_t times_full, std::uint64_t samples_lost);

class summary {
public:
  /// n_samples: of a recording, for its progress; nothing for a radio.
  summary(const sniffer_settings& s, const phy::carrier_config& carrier, std::optional<std::int64_t> n_samples);
  void add(const captured_frame& f);
  /// Called after each block; draws at most a few times a second.
  void tick(std::int64_t samples, std::uint64_t samples_lost, std::uint64_t blocks_failed);
  /// The last state, once more.
  void finish();
  /// The table as text.
  std::string text() const;
  /// The same for a terminal of so many columns: longer lines are cut, since one that wraps cannot be drawn over.
  std::string text(std::size_t columns) const;

private:
  struct transmitter {
    std::uint64_t frames = 0, octets = 0;
    double first_s = 0, last_s = 0;
    double power_db = 0, snr_db = 0, cfo_hz = 0, timing_samples = 0;  ///< running means over the last few frames
    std::uint64_t lost = 0;                                           ///< RLC PDUs missing between those heard
    std::map<std::uint8_t, std::uint8_t> next_sn;                     ///< of RLC UM, by LCID
  };
  void draw();
  static void count_lost(transmitter& t, const mac::sl_sch_pdu& pdu);
  double seconds() const { return static_cast<double>(samples_) / rate_hz_; }

  static constexpr std::size_t max_transmitters = 1000;  ///< IDs rotate: the one unheard longest is forgotten
  bool terminal_;
  double rate_hz_;
  std::optional<std::int64_t> n_samples_;
  std::map<std::string, transmitter> heard_;
  std::uint64_t mib_ = 0, sci_ = 0, blocks_ = 0, failed_ = 0, repeated_ = 0, discovery_ = 0, forgotten_ = 0, lost_ = 0;
  std::int64_t samples_ = 0;
  int drawn_lines_ = 0;
  std::chrono::steady_clock::time_point started_, next_;
};

}  // namespace prose::apps
