// A file that appears whole or not at all. It is written under a temporary name in the same folder; commit() gives it
// its own name. A file that had this name before stays until then.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "apps/lib/common/file_descriptor.h"
#include "common/result.h"

namespace prose::apps {

/// Devices, pipes, /dev/stdout and the like are written in place, as they come. A symbolic link stays and its target is
/// replaced. An error names the path that was given.
class whole_file {
public:
  static result<whole_file> open(const std::string& path);
  /// A new file; an error if a file of this name exists, now or when commit() is called. It is made with the
  /// permissions `mode`, less those that the umask takes.
  static result<whole_file> create(const std::string& path, mode_t mode);
  whole_file(whole_file&& other) noexcept;
  whole_file& operator=(whole_file&&) = delete;
  ~whole_file();  ///< deletes the temporary file if commit() was not called or failed

  result<void> write(std::span<const std::uint8_t> bytes);
  /// Octets that were written before; not for pipes.
  result<void> write_at(std::uint64_t position, std::span<const std::uint8_t> bytes);
  const std::string& path() const { return path_; }
  /// For a program that writes it in our place.
  int descriptor() const { return fd_.get(); }
  /// Writes everything to the disk and gives the file its name. After an error the file of before is unchanged.
  result<void> commit();

private:
  whole_file() = default;
  result<void> failed(const char* what, int error_number) const;
  result<void> open_beside(mode_t mode);
  result<void> taken() const;
  bool put_in_place() const;

  std::string path_, target_, working_;
  file_descriptor fd_;
  bool beside_ = false;  ///< the file has its temporary name
  bool is_new_ = false;
};

}  // namespace prose::apps
