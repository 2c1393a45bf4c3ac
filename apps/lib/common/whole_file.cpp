#include "apps/lib/common/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "apps/lib/common/safe_file.h"

namespace prose::apps {
namespace fs = std::filesystem;
namespace {
std::atomic<unsigned> count{0};

}  // namespace

result<void> whole_file::failed(const char* what, int error_number) const {
  return fail(path_ + ": " + what + ": " + why_not_written(error_number));
}

result<whole_file> whole_file::open(const std::string& path) {
  whole_file d;
  d.path_ = path;
  std::error_code ec;
  const fs::path name(path);
  if (!name.has_filename() || name.filename() == "." || name.filename() == ".." || fs::is_directory(name, ec))
    return fail("'" + path + "': accepted is the name of a file");
  if (auto ok = refuse_dash(path); !ok) return tl::unexpected(ok.error());
  if (const auto own = own_descriptor(path)) {
    auto fd = own_output(*own, path);
    if (!fd) return tl::unexpected(fd.error());
    d.fd_ = std::move(*fd);
    return d;
  }
  struct stat old {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {
    d.fd_ = file_descriptor(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY));
    if (!d.fd_) return fail(path + ": cannot be written: " + std::strerror(errno));
    return d;
  }
  if (exists && ::access(path.c_str(), W_OK) != 0) return fail(path + ": cannot be written: " + std::strerror(errno));
  ec.clear();  // a file that is not there yet is no error
  d.target_ = exists ? fs::canonical(name, ec).string() : path;
  if (ec) return fail(path + ": cannot be written: " + ec.message());
  // A short name: that of the target may be as long as names can be.
  const fs::path beside = fs::path(d.target_).parent_path() /
                          (".prose-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".part");
  d.working_ = beside.string();
  d.fd_ = file_descriptor(::open(d.working_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  if (!d.fd_) return fail(path + ": cannot be created: " + why_not_written(errno));
  d.replaces_ = true;
  if (exists) (void)::fchmod(d.fd_.get(), old.st_mode & 0777U);
  return d;
}

whole_file::whole_file(whole_file&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      working_(std::move(other.working_)),
      fd_(std::move(other.fd_)),
      replaces_(std::exchange(other.replaces_, false)) {}

whole_file::~whole_file() {
  if (replaces_) ::unlink(working_.c_str());
}

result<void> whole_file::write(std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("cannot be written", errno);
    bytes = bytes.subspan(n);
  }
  return {};
}

result<void> whole_file::write_at(std::uint64_t position, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(position));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return failed("cannot be written", errno);
    bytes = bytes.subspan(n);
    position += static_cast<std::uint64_t>(n);
  }
  return {};
}

result<void> whole_file::commit() {
  if (!replaces_) {
    if (::close(fd_.release()) != 0) return failed("cannot be completed", errno);
    return {};
  }
  // A disk may tell only now that it is full.
  if (::fsync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) return failed("cannot be completed", errno);
  if (::close(fd_.release()) != 0) return failed("cannot be completed", errno);
  if (std::rename(working_.c_str(), target_.c_str()) != 0) return failed("cannot be replaced", errno);
  replaces_ = false;
  return {};
}

}  // namespace prose::apps
