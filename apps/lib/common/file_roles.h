// Which files a run reads and which it writes: an output is never an input, and no two outputs are one file.
#pragma once

#include <string>
#include <vector>

#include "common/result.h"

namespace prose::apps {

/// A program names all its files and calls check() before it opens any output. Files are compared by inode, so that
/// links and other spellings are seen; what does not exist yet by its resolved path. "-" as an output is what standard
/// output is. Devices and empty names are nobody's file.
class file_roles {
public:
  /// `option`: what the user called it, e.g. "--iq".
  void reads(const std::string& option, const std::string& path) { add(option, path, false); }
  void writes(const std::string& option, const std::string& path) { add(option, path, true); }
  /// Both files of a SigMF recording: x.sigmf-meta, x.sigmf-data or x. One that is read may be in an archive, or have
  /// its data in a file of another name (core:dataset).
  void reads_recording(const std::string& option, const std::string& path);
  void writes_recording(const std::string& option, const std::string& path);
  result<void> check() const;

private:
  struct role {
    std::string option, given, path;  // given: "-" is /dev/stdout as path
    bool written;
  };
  void add(const std::string& option, const std::string& path, bool written);
  std::vector<role> roles_;
};

}  // namespace prose::apps
