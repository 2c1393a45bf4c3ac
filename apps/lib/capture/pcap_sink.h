// A capture file of everything that was received: MAC PDUs, MIBs, discovery messages, and with a key log the packets
// inside.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/capture/link_opener.h"
#include "apps/lib/capture/pcap_writer.h"

namespace prose::apps {

class pcap_sink {
public:
  /// keylog may be empty.
  static result<pcap_sink> open(const std::string& path, const std::string& keylog);
  /// Repetitions of a block are left out: what was sent once is shown once.
  result<void> add(const captured_frame& f);
  result<void> finish() { return writer_.finish(); }
  std::uint64_t n_records() const { return writer_.n_records(); }
  std::uint64_t n_opened() const { return opener_ ? opener_->n_opened() : 0; }
  bool bound_hit() const { return opener_ && opener_->bound_hit(); }

private:
  pcap_sink(pcap_writer w, std::optional<link_opener> o) : writer_(std::move(w)), opener_(std::move(o)) {}
  std::uint16_t number_of(std::uint32_t src);

  pcap_writer writer_;
  std::optional<link_opener> opener_;
  std::map<std::uint32_t, std::uint16_t> numbers_;  ///< of source L2 IDs, in the order of their appearance
};

}  // namespace prose::apps
