// The capture files that pcap_writer makes, read again as captured frames.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "apps/lib/capture/captured_frame.h"
#include "common/result.h"

namespace prose::apps {

/// One capture file. Records of other kinds than those of pcap_writer are passed over. One thread.
class pcap_reader {
public:
  /// Also with libpcap's older resolution of microseconds. An error for files that are no capture of LINKTYPE 252.
  static result<pcap_reader> open(const std::string& path);
  /// The same from an open file, which it closes. `path` is for messages.
  static result<pcap_reader> read(std::FILE* file, const std::string& path);
  pcap_reader(pcap_reader&&) noexcept;
  pcap_reader& operator=(pcap_reader&&) noexcept;
  ~pcap_reader();

  /// The next SL-SCH PDU, MIB-SL or discovery message; empty at the end. What a capture file does not hold keeps its
  /// default: SNR, sample, n_x_id (so that the 8 LSB of DST are zero in TM1/2). An error where the file is cut.
  result<std::optional<captured_frame>> next();

private:
  struct state;
  explicit pcap_reader(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::apps
