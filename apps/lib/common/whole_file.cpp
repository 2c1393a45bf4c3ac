#include "apps/lib/common/whole_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <utility>

#include "apps/lib/common/safe_file.h"

namespace prose::apps {
namespace fs = std::filesystem;
namespace {
std::atomic<unsigned> count{0};

bool names_a_file(const fs::path& name) {
  std::error_code ec;
  return name.has_filename() && name.filename() != "." && name.filename() != ".." && !fs::is_directory(name, ec);
}
}  // namespace

result<void> whole_file::failed(const char* what, int error_number) const {
  return fail(path_ + ": " + what + ": " + why_not_written(error_number));
}

result<void> whole_file::taken() const { return fail(path_ + ": exists; accepted: a name that is not in use"); }

result<void> whole_file::open_beside(mode_t mode) {
  // A short name: that of the target may be as long as names can be.
  const fs::path beside = fs::path(target_).parent_path() /
                          (".prose-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".part");
  working_ = beside.string();
  fd_ = file_descriptor(::open(working_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (!fd_) return fail(path_ + ": cannot be created: " + why_not_written(errno));
  beside_ = true;
  return {};
}

result<whole_file> whole_file::create(const std::string& path, mode_t mode) {
  whole_file d;
  d.path_ = d.target_ = path;
  d.is_new_ = true;
  if (!names_a_file(path)) return fail("'" + path + "': accepted is the name of a file");
  if (auto ok = refuse_dash(path); !ok) return tl::unexpected(ok.error());
  if (!is_absent(path)) return tl::unexpected(d.taken().error());
  if (auto ok = d.open_beside(mode); !ok) return tl::unexpected(ok.error());
  // Some file systems have permissions of their own.
  struct stat st {};
  if (::fstat(d.fd_.get(), &st) != 0) return tl::unexpected(d.failed("cannot be created", errno).error());
  if ((st.st_mode & 0666U & ~mode) != 0)
    return fail(path + ": others could read it there; accepted: a folder that keeps permissions");
  return d;
}

result<whole_file> whole_file::open(const std::string& path) {
  whole_file d;
  d.path_ = path;
  std::error_code ec;
  const fs::path name(path);
  if (!names_a_file(path)) return fail("'" + path + "': accepted is the name of a file");
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
  if (auto ok = d.open_beside(0666); !ok) return tl::unexpected(ok.error());
  if (exists) (void)::fchmod(d.fd_.get(), old.st_mode & 0777U);
  return d;
}

whole_file::whole_file(whole_file&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      working_(std::move(other.working_)),
      fd_(std::move(other.fd_)),
      beside_(std::exchange(other.beside_, false)),
      is_new_(other.is_new_) {}

whole_file::~whole_file() {
  if (beside_) ::unlink(working_.c_str());
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

bool whole_file::put_in_place() const {
  const char *from = working_.c_str(), *to = target_.c_str();
  if (!is_new_) return std::rename(from, to) == 0;
  if (::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return true;
  // Not every file system can do that; those that cannot have links.
  if ((errno != EINVAL && errno != ENOSYS) || ::link(from, to) != 0) return false;
  ::unlink(from);
  return true;
}

result<void> whole_file::commit() {
  if (!beside_) {
    if (::close(fd_.release()) != 0) return failed("cannot be completed", errno);
    return {};
  }
  // A disk may tell only now that it is full.
  if (::fsync(fd_.get()) != 0 && errno != EINVAL && errno != EROFS) return failed("cannot be completed", errno);
  if (::close(fd_.release()) != 0) return failed("cannot be completed", errno);
  if (!put_in_place()) return is_new_ && errno == EEXIST ? taken() : failed("cannot be replaced", errno);
  beside_ = false;
  return {};
}

}  // namespace prose::apps
