// The server's audit log: JSON Lines, append only.
#pragma once

#include <cstdint>
#include <string>

#include "apps/lib/common/events.h"
#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/function/server.h"
#include "apps/lib/function/token_bucket.h"
#include "common/result.h"

namespace prose::function {

/// One thread. A line that cannot be written (full disk) does not end the service: it is counted, and the log reports
/// the gap as soon as it can be written again. Of connections that did not authenticate one a second is logged, with
/// the number of those left out.
class audit_log {
public:
  /// "-" is standard output, "" nothing. A file is made with mode 0600 and never emptied.
  static result<audit_log> open(const std::string& path);
  audit_log(audit_log&&) = default;
  audit_log& operator=(audit_log&&) = default;
  void write(const audit_record& r);
  void write(const apps::json_object& line);
  /// Logs what was left out and not reported yet.
  void finish();
  /// Lines that could not be written, all in all.
  std::uint64_t lost() const { return lost_; }

private:
  audit_log() = default;
  bool put(const std::string& text);
  void tell_unlisted();
  apps::file_descriptor own_;
  int fd_ = -1;
  bool broken_line_ = false;  // the last one was written in part
  std::uint64_t lost_ = 0, lost_told_ = 0, unlisted_ = 0;
  token_bucket strangers_;
};

}  // namespace prose::function
