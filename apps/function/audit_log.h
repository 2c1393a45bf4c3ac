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

/// When the file is full it becomes FILE.1, FILE.1 becomes FILE.2, and so on; the oldest of `files` is deleted.
struct audit_rotation {
  std::uint64_t most_octets = 0;  ///< 0: never
  int files = 10;                 ///< beside FILE itself
};

/// An event of now, by the system's clock.
apps::event now_event(const char* name);

/// One thread. A line that cannot be written (full disk) does not end the service: it is counted, the first one is told
/// on standard error, and the log reports the gap as soon as it can be written again. Of connections that did not
/// authenticate one a second is logged, with the number of those left out.
class audit_log {
public:
  /// "-" is standard output, "" nothing. A file is made with mode 0600 and never emptied. What is no
  /// regular file, or was open already (/dev/stdout, /dev/fd/N), is not rotated.
  static result<audit_log> open(const std::string& path, audit_rotation rotation = {});
  audit_log(audit_log&&) = default;
  audit_log& operator=(audit_log&&) = default;
  void write(const audit_record& r);
  void write(const apps::json_object& line);
  /// Logs what was left out and not reported yet.
  void finish();
  /// Lines that could not be written, all in all.
  std::uint64_t lost() const { return lost_; }
  bool rotates() const { return rotation_.most_octets > 0; }

private:
  audit_log() = default;
  bool put(const std::string& text);
  void rotate();
  void tell_unlisted();
  apps::file_descriptor own_;
  int fd_ = -1;
  std::string path_;
  audit_rotation rotation_;
  std::uint64_t octets_ = 0;  // in the file
  bool broken_line_ = false;  // the last one was written in part
  std::uint64_t lost_ = 0, lost_told_ = 0, unlisted_ = 0;
  token_bucket strangers_;
};

}  // namespace prose::function
