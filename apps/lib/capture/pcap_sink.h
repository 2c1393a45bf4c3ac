// A capture file of everything that was received: MAC PDUs, MIBs, discovery messages, and with a key log the packets
// inside.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/capture/link_opener.h"
#include "apps/lib/capture/pcap_writer.h"

namespace prose::apps {

class pcap_sink {
public:
  /// keylog may be empty. utc_at_zero_s: UTC at device time 0; 0: not known, records then have device time.
  static result<pcap_sink> open(const std::string& path, const std::string& keylog, double utc_at_zero_s = 0);
  /// Repetitions of a block are left out: what was sent once is shown once.
  result<void> add(const captured_frame& f);
  result<void> finish() { return writer_.finish(); }
  std::uint64_t n_records() const { return writer_.n_records(); }
  std::uint64_t n_opened() const { return opener_ ? opener_->n_opened() : 0; }
  bool bound_hit() const { return opener_ && opener_->bound_hit(); }

private:
  pcap_sink(pcap_writer w, std::optional<link_opener> o, double utc_at_zero_s)
      : writer_(std::move(w)), opener_(std::move(o)), utc_at_zero_ns_(std::llround(utc_at_zero_s * 1e9)) {}
  std::uint16_t number_of(std::uint32_t src);

  pcap_writer writer_;
  std::optional<link_opener> opener_;
  std::int64_t utc_at_zero_ns_;
  std::map<std::uint32_t, std::uint16_t> numbers_;  ///< of source L2 IDs, in the order of their appearance
};

}  // namespace prose::apps
