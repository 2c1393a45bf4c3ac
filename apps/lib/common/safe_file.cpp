#include "apps/lib/common/safe_file.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <deque>
#include <optional>
#include <utility>

namespace prose::apps {
namespace {

constexpr mode_t rights_of_others = 07177;  // any but reading and writing by the owner
constexpr int most_links = 40;              // as Linux follows

std::string errno_text() { return std::strerror(errno); }
std::string octal(mode_t mode) {
  char text[8];
  std::snprintf(text, sizeof text, "%04o", static_cast<unsigned>(mode & 07777));
  return text;
}
bool ours(const struct stat& st) { return st.st_uid == ::geteuid() || st.st_uid == 0; }
std::string strangers(const std::string& path, const struct stat& st, const char* what) {
  return path + ": " + what + " that belongs to user " + std::to_string(st.st_uid) +
         "; accepted: one's own or root's (chown)";
}

result<void> check_private(const std::string& path, const struct stat& st) {
  if (!S_ISREG(st.st_mode)) return fail(path + ": not a regular file; accepted: one with mode 0600 or 0400");
  if (!ours(st)) return fail(strangers(path, st, "a secret"));
  if ((st.st_mode & rights_of_others) != 0)
    return fail(path + ": a secret with mode " + octal(st.st_mode) + "; accepted: 0600 or 0400 (chmod 600 " + path +
                ")");
  return {};
}

/// The user's own group, as with a umask of 002: it has the user's name, and nobody else is in it.
bool is_private_group(uid_t owner, gid_t group) {
  std::array<char, 16384> user_text{}, group_text{};
  passwd user{}, *user_found = nullptr;
  struct group of {
  }, *group_found = nullptr;
  if (::getpwuid_r(owner, &user, user_text.data(), user_text.size(), &user_found) != 0 || user_found == nullptr ||
      user.pw_gid != group)
    return false;
  if (::getgrgid_r(group, &of, group_text.data(), group_text.size(), &group_found) != 0 || group_found == nullptr)
    return false;
  if (std::strcmp(of.gr_name, user.pw_name) != 0) return false;
  for (char** member = of.gr_mem; member != nullptr && *member != nullptr; ++member)
    if (std::strcmp(*member, user.pw_name) != 0) return false;
  return true;
}

bool others_may_write(const struct stat& st) {
  return (st.st_mode & S_IWOTH) != 0 || ((st.st_mode & S_IWGRP) != 0 && !is_private_group(st.st_uid, st.st_gid));
}

enum class accept { files, files_and_streams };

result<void> check_trusted(const std::string& path, const struct stat& st, accept what) {
  const bool device = S_ISCHR(st.st_mode);  // /dev/null may be written by all, and gives nothing of it
  if (!S_ISREG(st.st_mode) && (what == accept::files || !(device || S_ISFIFO(st.st_mode))))
    return fail(path + ": not a regular file");
  if (!ours(st)) return fail(strangers(path, st, "a file"));
  if (!device && others_may_write(st))
    return fail(path + ": others may write it (mode " + octal(st.st_mode) + "); accepted: only its owner (chmod go-w " +
                path + ")");
  return {};
}

/// May somebody else put another file in place of what the path names here? In a sticky directory only the entry's
/// owner may.
std::optional<std::string> weakness(const std::string& directory, const struct stat& st) {
  if (!ours(st)) return strangers(directory, st, "a directory on the way of a symbolic link");
  const bool sticky = (st.st_mode & S_ISVTX) != 0;
  if (!sticky && others_may_write(st))
    return directory + ": a directory on the way of a symbolic link that others may write (mode " + octal(st.st_mode) +
           "); accepted: only its owner (chmod go-w " + directory + "), or no link";
  return std::nullopt;
}

struct place {
  file_descriptor directory;  // O_PATH
  std::string name;           // in it; may not exist
  std::string path;           // for errors
};

/// Follows the path link by link, without ever letting the kernel follow one: each step is taken from an open
/// directory. Directories are judged only if a link was met: a plain path is judged by what lies at its end.
result<place> walk(const std::string& path) {
  std::deque<std::string> ahead;
  const auto push_front = [&](const std::string& text) {
    std::size_t at = text.size();
    while (at > 0) {
      const auto slash = text.rfind('/', at - 1);
      const auto begin = slash == std::string::npos ? 0 : slash + 1;
      if (begin < at) ahead.push_front(text.substr(begin, at - begin));
      at = slash == std::string::npos ? 0 : slash;
    }
  };
  push_front(path);
  if (path.empty() || ahead.empty()) return fail("'" + path + "': no file");
  if (path.front() != '/') {
    std::array<char, PATH_MAX> here{};
    if (::getcwd(here.data(), here.size()) == nullptr) return fail(path + ": the working directory: " + errno_text());
    push_front(here.data());
  }
  place p{file_descriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC)), {}, "/"};
  struct stat st {};
  if (!p.directory || ::fstat(p.directory.get(), &st) != 0) return fail(path + ": " + errno_text());
  std::optional<std::string> weak = weakness(p.path, st);
  int links = 0;
  while (true) {
    const std::string name = ahead.front();
    ahead.pop_front();
    const std::string full = p.path + (p.path.back() == '/' ? "" : "/") + name;
    file_descriptor at(::openat(p.directory.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!at) {
      if (errno != ENOENT || !ahead.empty()) return fail(path + ": " + errno_text());
      p.name = name;
      break;
    }
    if (::fstat(at.get(), &st) != 0) return fail(path + ": " + errno_text());
    if (S_ISLNK(st.st_mode)) {
      if (++links > most_links) return fail(path + ": too many symbolic links");
      if (!ours(st) && !weak) weak = strangers(full, st, "a symbolic link");
      std::array<char, PATH_MAX> target{};
      const auto n = ::readlinkat(at.get(), "", target.data(), target.size() - 1);
      if (n <= 0) return fail(path + ": " + errno_text());
      push_front(target.data());
      if (ahead.empty()) return fail(path + ": not a regular file");
      if (target[0] == '/') {
        p.directory = file_descriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
        p.path = "/";
      }
      continue;
    }
    if (ahead.empty()) {
      p.name = name;
      break;
    }
    if (!S_ISDIR(st.st_mode)) return fail(path + ": " + std::strerror(ENOTDIR));
    if (!weak) weak = weakness(full, st);
    p.directory = std::move(at);
    p.path = full;
  }
  p.path += (p.path.back() == '/' ? "" : "/") + p.name;
  if (links > 0 && weak) return fail(path + ": " + *weak);
  return p;
}

result<std::string> read_all(int fd, const std::string& path, std::size_t most) {
  std::string text;
  std::array<char, 4096> buffer;
  const auto wipe = [&] {
    volatile char* p = buffer.data();
    for (std::size_t i = 0; i < buffer.size(); ++i) p[i] = 0;
  };
  struct stat st {};
  if (::fstat(fd, &st) == 0 && st.st_size > 0)
    text.reserve(std::min(most, static_cast<std::size_t>(st.st_size)) + buffer.size());
  for (;;) {
    const auto n = ::read(fd, buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(path + ": " + errno_text());
    if (n == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(n));
    if (text.size() > most) return fail(path + ": larger than " + std::to_string(most) + " octets");
  }
  wipe();
  return text;
}

result<void> write_all(int fd, std::string_view text, const std::string& path, bool to_disk = true) {
  while (!text.empty()) {
    const auto n = ::write(fd, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(path + ": cannot be written: " + why_not_written(errno));
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  if (to_disk && ::fsync(fd) != 0) return fail(path + ": cannot be written: " + why_not_written(errno));
  return {};
}

std::pair<std::string, std::string> split(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return {".", path};
  return {path.substr(0, slash + 1), path.substr(slash + 1)};
}

/// A file that nobody had a name for before, beside `name`.
struct temporary {
  file_descriptor fd;
  std::string name;
};
result<temporary> make_temporary(int directory, const std::string& name, const std::string& path) {
  for (int tries = 0; tries < 8; ++tries) {
    std::uint64_t r = 0;
    if (::getrandom(&r, sizeof r, 0) != sizeof r) return fail(path + ": no randomness from the kernel");
    char suffix[32];
    std::snprintf(suffix, sizeof suffix, ".new-%016llx", static_cast<unsigned long long>(r));
    temporary t{file_descriptor(::openat(directory, (name + suffix).c_str(),
                                         O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600)),
                name + suffix};
    if (t.fd) {
      if (::fchmod(t.fd.get(), 0600) == 0) return t;
      const std::string why = errno_text();
      ::unlinkat(directory, t.name.c_str(), 0);
      return fail(path + ": cannot be written: " + why);
    }
    if (errno != EEXIST) break;
  }
  return fail(path + ": cannot be written: " + errno_text());
}

/// Whether a file of this name can be put there, as far as its folder tells.
result<void> check_place(int directory, const std::string& name, const std::string& path) {
  struct stat st {};
  if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
    return fail(path + (S_ISLNK(st.st_mode) ? ": a symbolic link; accepted: the file itself" : ": not a regular file"));
  if (looks_only() && ::faccessat(directory, ".", W_OK | X_OK, AT_EACCESS) != 0)
    return fail(path + ": cannot be written: " + errno_text());
  return {};
}

result<void> replace_at(int directory, const std::string& name, std::string_view text, const std::string& path) {
  if (auto ok = check_place(directory, name, path); !ok || looks_only()) return ok;
  auto made = make_temporary(directory, name, path);
  if (!made) return tl::unexpected(made.error());
  auto ok = write_all(made->fd.get(), text, path);
  if (ok && ::renameat(directory, made->name.c_str(), directory, name.c_str()) != 0)
    ok = fail(path + ": cannot be written: " + errno_text());
  if (!ok) {
    ::unlinkat(directory, made->name.c_str(), 0);
    return ok;
  }
  const file_descriptor folder(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) (void)::fsync(folder.get());
  return {};
}

result<file_descriptor> open_directory(const std::string& folder, const std::string& path) {
  file_descriptor d(::open(folder.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!d) return fail(path + ": cannot be written: " + errno_text());
  return d;
}

/// Whether a new file can be made; `before` begins the error.
result<void> check_new(const std::string& path, const std::string& before) {
  if (::faccessat(AT_FDCWD, split(path).first.c_str(), W_OK | X_OK, AT_EACCESS) == 0) return {};
  return fail(before + errno_text());
}

result<std::string> read_trusted(const std::string& path, std::size_t most, accept what) {
  const auto at = walk(path);
  if (!at) return tl::unexpected(at.error());
  // A pipe is waited for; of files that answer at once none is.
  const int waits = what == accept::files ? O_NONBLOCK : 0;
  const file_descriptor fd(
      ::openat(at->directory.get(), at->name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | waits));
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0) return fail(path + ": " + errno_text());
  if (auto ok = check_trusted(path, st, what); !ok) return tl::unexpected(ok.error());
  return read_all(fd.get(), path, most);
}

bool only_looks = false;

}  // namespace

void look_only() { only_looks = true; }
bool looks_only() { return only_looks; }

std::optional<int> own_descriptor(const std::string& path) {
  if (path == "/dev/stdin") return 0;
  if (path == "/dev/stdout") return 1;
  if (path == "/dev/stderr") return 2;
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    int fd = 0;
    if (path.rfind(folder, 0) != 0) continue;
    const char* end = path.data() + path.size();
    if (const auto r = std::from_chars(path.data() + folder.size(), end, fd); r.ec == std::errc{} && r.ptr == end)
      return fd;
  }
  return std::nullopt;
}

result<file_descriptor> own_output(int fd, const std::string& path) {
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0) return fail(path + ": cannot be written: " + errno_text());
  if ((flags & O_ACCMODE) == O_RDONLY) return fail(path + ": cannot be written: it is open for reading only");
  file_descriptor copy(::fcntl(fd, F_DUPFD_CLOEXEC, 3));
  if (!copy) return fail(path + ": cannot be written: " + errno_text());
  return copy;
}

result<file_descriptor> open_private_file(const std::string& path, int flags) {
  file_descriptor fd(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno == ELOOP) return fail(path + ": a symbolic link; accepted: the file itself, with mode 0600 or 0400");
  struct stat st {};
  if (!fd || ::fstat(fd.get(), &st) != 0) return fail(path + ": " + errno_text());
  if (auto ok = check_private(path, st); !ok) return tl::unexpected(ok.error());
  return fd;
}

result<std::string> read_private_file(const std::string& path, std::size_t most) {
  const auto fd = open_private_file(path, O_RDONLY);
  if (!fd) return tl::unexpected(fd.error());
  return read_all(fd->get(), path, most);
}

result<std::string> read_trusted_file(const std::string& path, std::size_t most) {
  return read_trusted(path, most, accept::files);
}

result<std::string> read_configuration_file(const std::string& path, std::size_t most) {
  if (!own_descriptor(path)) return read_trusted(path, most, accept::files_and_streams);
  const file_descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return fail(path + ": " + errno_text());
  return read_all(fd.get(), path, most);
}

bool is_absent(const std::string& path) {
  struct stat st {};
  return ::lstat(path.c_str(), &st) != 0 && errno == ENOENT;
}

result<void> refuse_dash(const std::string& path) {
  if (path != "-") return {};
  return fail("-: standard output is not accepted here; accepted: the name of a file (./- for one that is called so)");
}

result<void> create_private_file(const std::string& path, std::string_view text) {
  if (auto ok = refuse_dash(path); !ok) return ok;
  if (looks_only()) return is_absent(path) ? check_new(path, path + ": ") : fail(path + ": " + std::strerror(EEXIST));
  const file_descriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return fail(path + ": " + errno_text());
  auto ok =
      ::fchmod(fd.get(), 0600) == 0 ? write_all(fd.get(), text, path) : result<void>(fail(path + ": " + errno_text()));
  if (!ok) ::unlink(path.c_str());
  return ok;
}

result<void> replace_private_file(const std::string& path, std::string_view text) {
  if (auto ok = refuse_dash(path); !ok) return ok;
  const auto [folder, name] = split(path);
  const auto directory = open_directory(folder, path);
  if (!directory) return tl::unexpected(directory.error());
  return replace_at(directory->get(), name, text, path);
}

result<void> replace_trusted_file(const std::string& path, std::string_view text) {
  if (auto ok = refuse_dash(path); !ok) return ok;
  const auto at = walk(path);
  if (!at) return tl::unexpected(at.error());
  return replace_at(at->directory.get(), at->name, text, path);
}

result<void> check_replaceable(const std::string& path) {
  if (auto ok = refuse_dash(path); !ok) return ok;
  const auto [folder, name] = split(path);
  const auto directory = open_directory(folder, path);
  if (!directory) return tl::unexpected(directory.error());
  if (auto ok = check_place(directory->get(), name, path); !ok || looks_only()) return ok;
  const auto probe = make_temporary(directory->get(), name, path);
  if (!probe) return tl::unexpected(probe.error());
  ::unlinkat(directory->get(), probe->name.c_str(), 0);
  return {};
}

namespace {

/// What is there already and takes no output.
std::optional<std::string> unfit_for_output(const std::string& path, const struct stat& st) {
  if (S_ISLNK(st.st_mode)) return path + ": a symbolic link; accepted: the file itself";
  if (S_ISDIR(st.st_mode)) return path + ": cannot be created: " + std::strerror(EISDIR);
  if ((S_ISREG(st.st_mode) || S_ISFIFO(st.st_mode)) && !ours(st))
    return strangers(path, st, S_ISFIFO(st.st_mode) ? "a pipe" : "a file");
  return std::nullopt;
}

std::string too_open(const std::string& path, const struct stat& st) {
  return path + ": others may read it (mode " + octal(st.st_mode) + "); accepted: 0600 (chmod 600 " + path + ")";
}

/// open_private_output() of who only looks.
result<file_descriptor> look_at_output(const std::string& path, output_mode mode) {
  struct stat st {};
  if (::lstat(path.c_str(), &st) != 0) {
    if (errno != ENOENT) return fail(path + ": cannot be created: " + errno_text());
    if (auto ok = check_new(path, path + ": cannot be created: "); !ok) return tl::unexpected(ok.error());
  } else {
    if (auto unfit = unfit_for_output(path, st)) return fail(*unfit);
    if (mode == output_mode::append && S_ISREG(st.st_mode) && (st.st_mode & rights_of_others) != 0)
      return fail(too_open(path, st));
    if (::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) != 0)
      return fail(path + ": cannot be written: " + errno_text());
  }
  return file_descriptor(::open("/dev/null", O_WRONLY | O_CLOEXEC));
}

}  // namespace

result<file_descriptor> open_private_output(const std::string& path, output_mode mode) {
  const bool append = mode != output_mode::truncate;
  const int flags = O_WRONLY | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : 0);
  if (auto ok = refuse_dash(path); !ok) return tl::unexpected(ok.error());
  if (const auto own = own_descriptor(path)) return own_output(*own, path);
  if (looks_only()) return look_at_output(path, mode);
  for (int tries = 0; tries < 8; ++tries) {
    file_descriptor made(::open(path.c_str(), flags | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (made) {
      if (::fchmod(made.get(), 0600) != 0) return fail(path + ": " + errno_text());
      if (mode == output_mode::probe) ::unlink(path.c_str());
      return made;
    }
    if (errno != EEXIST) return fail(path + ": cannot be created: " + errno_text());
    struct stat st {};
    if (::lstat(path.c_str(), &st) != 0) continue;  // gone meanwhile
    if (auto unfit = unfit_for_output(path, st)) return fail(*unfit);
    if (!S_ISREG(st.st_mode) && !S_ISFIFO(st.st_mode)) {
      file_descriptor device(::open(path.c_str(), flags));
      if (!device) return fail(path + ": cannot be written: " + errno_text());
      return device;
    }
    if (S_ISFIFO(st.st_mode)) {
      if ((st.st_mode & rights_of_others) != 0 && ::chmod(path.c_str(), 0600) != 0)
        return fail(path + ": " + errno_text());
      if (mode == output_mode::probe) return file_descriptor();
      file_descriptor pipe(::open(path.c_str(), flags | O_NOFOLLOW));
      if (!pipe) return fail(path + ": cannot be written: " + errno_text());
      if (::fstat(pipe.get(), &st) != 0 || (st.st_mode & rights_of_others) != 0)
        return fail(path + ": others may read it; accepted: mode 0600");
      return pipe;
    }
    file_descriptor old(::open(path.c_str(), flags | O_NOFOLLOW | O_NONBLOCK));
    if (!old || ::fstat(old.get(), &st) != 0) return fail(path + ": cannot be written: " + errno_text());
    if (S_ISREG(st.st_mode) && ours(st) && (mode == output_mode::probe || (st.st_mode & rights_of_others) == 0)) {
      if (mode == output_mode::truncate && ::ftruncate(old.get(), 0) != 0)
        return fail(path + ": cannot be written: " + errno_text());
      return old;
    }
    if (append) return fail(too_open(path, st));
    // Who opened the old one could read what is written now: it is given up, and a new one takes the name.
    if (::unlink(path.c_str()) != 0 && errno != ENOENT)
      return fail(path + ": others may read it (mode " + octal(st.st_mode) +
                  "), and it cannot be replaced: " + errno_text());
  }
  return fail(path + ": others make and remove it at the same time");
}

result<void> check_openable(const std::string& path) {
  struct stat st {};
  const std::string before = path + ": cannot be created: ";
  if (::stat(path.c_str(), &st) != 0) return errno == ENOENT ? check_new(path, before) : fail(before + errno_text());
  if (S_ISDIR(st.st_mode)) return fail(before + std::strerror(EISDIR));
  return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0 ? result<void>() : fail(before + errno_text());
}

std::string why_not_written(int error_number) {
  switch (error_number) {
    case ENOSPC:
    case EFBIG:
    case EDQUOT:
      return "disk full";
    case EPIPE:
      return "its reader has left";
    default:
      return std::strerror(error_number);
  }
}

result<void> write_private_output(const std::string& path, std::string_view text) {
  struct stat st {};
  const bool exists = ::lstat(path.c_str(), &st) == 0;
  const bool is_file = exists ? S_ISREG(st.st_mode) && ours(st) : !own_descriptor(path);
  if (is_file && check_replaceable(path)) return replace_private_file(path, text);
  const auto fd = open_private_output(path, output_mode::truncate);
  if (!fd) return tl::unexpected(fd.error());
  return write_all(fd->get(), text, path, false);
}

std::string version_line(std::string_view kind, int version) {
  return std::string("# prose ").append(kind) + " " + std::to_string(version) + "\n";
}

result<int> version_of(std::string_view text, std::string_view kind, int newest, const std::string& path) {
  constexpr std::string_view start = "# prose ";
  if (text.substr(0, start.size()) != start) return 0;
  std::string_view line =
      text.substr(start.size(),
                  text.find('\n') == std::string_view::npos ? std::string_view::npos : text.find('\n') - start.size());
  const auto space = line.rfind(' ');
  int version = 0;
  if (space == std::string_view::npos || line.substr(0, space) != kind) return 0;  // some comment
  line.remove_prefix(space + 1);
  const auto r = std::from_chars(line.data(), line.data() + line.size(), version);
  if (r.ec != std::errc{} || r.ptr != line.data() + line.size() || version < 1)
    return fail(path + ":1: no version number; accepted: 1 to " + std::to_string(newest));
  if (version > newest)
    return fail(path + ":1: version " + std::to_string(version) + ", made by a newer program; accepted: up to " +
                std::to_string(newest));
  return version;
}

}  // namespace prose::apps
