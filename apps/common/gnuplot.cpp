#include "apps/common/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

extern char** environ;

namespace prose::apps {
namespace {

/// A PNG ends with an empty chunk IEND; what a full disk cuts does not.
bool whole_png(std::FILE* f) {
  constexpr std::array<unsigned char, 12> end{0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
  std::array<unsigned char, end.size()> last{};
  return std::fseek(f, -static_cast<long>(end.size()), SEEK_END) == 0 && std::fread(last.data(), 1, last.size(), f) == last.size() && last == end;
}

/// The first line that says something.
std::string first_line(std::FILE* f) {
  std::rewind(f);
  std::array<char, 400> line{};
  while (std::fgets(line.data(), static_cast<int>(line.size()), f) != nullptr) {
    std::string_view text = line.data();
    while (!text.empty() && (text.front() == ' ' || text.front() == '\n' || text.front() == '^')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
    if (!text.empty()) return std::string(text);
  }
  return {};
}

std::string errno_text() { return std::strerror(errno); }

}  // namespace

std::string gnuplot::quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) continue;
    out += c;
    if (c == '\'') out += c;
  }
  return out + "'";
}

result<gnuplot> gnuplot::png(const std::string& path, int width, int height) {
  gnuplot g(path);
  struct stat old {};
  const bool exists = ::stat(path.c_str(), &old) == 0;
  if (exists && !S_ISREG(old.st_mode)) {  // a device or a pipe takes the picture as it is
    g.picture_ = std::fopen(path.c_str(), "wbe");
    if (g.picture_ == nullptr) return fail(path + ": cannot be created: " + errno_text());
  } else {
    // Beside the file, whose name may be a link, and renamed when the picture is complete.
    if (exists) {
      if (char* real = ::realpath(path.c_str(), nullptr); real != nullptr) g.target_ = real, std::free(real);
      if (::access(g.target_.c_str(), W_OK) != 0) return fail(path + ": cannot be written: " + errno_text());
    }
    g.beside_ = g.target_ + ".XXXXXX";
    const int fd = ::mkostemp(g.beside_.data(), O_CLOEXEC);
    if (fd < 0) {
      g.beside_.clear();
      return fail(path + ": cannot be created: " + errno_text());
    }
    const mode_t mask = ::umask(0);
    ::umask(mask);
    ::fchmod(fd, exists ? old.st_mode & 07777 : 0666 & ~mask);
    g.picture_ = ::fdopen(fd, "w+b");
  }
  g.errors_ = std::tmpfile();
  std::array<int, 2> pipe{};
  if (g.picture_ == nullptr || g.errors_ == nullptr || ::pipe2(pipe.data(), O_CLOEXEC) != 0) return fail(path + ": cannot be created: " + errno_text());
  // The picture comes out of standard output, so that no name is part of a command; -d: no start files of the user's.
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, pipe[0], 0);
  posix_spawn_file_actions_adddup2(&files, ::fileno(g.picture_), 1);
  posix_spawn_file_actions_adddup2(&files, ::fileno(g.errors_), 2);
  char name[] = "gnuplot", plain[] = "-d";
  char* arguments[] = {name, plain, nullptr};
  const int refused = ::posix_spawnp(&g.child_, name, &files, nullptr, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  ::close(pipe[0]);
  g.commands_ = ::fdopen(pipe[1], "w");
  if (refused != 0) {
    g.child_ = -1;
    return fail(path + ": gnuplot cannot be started (apt-get install gnuplot-nox): " + std::strerror(refused));
  }
  g.command("set terminal pngcairo noenhanced size " + std::to_string(width) + "," + std::to_string(height) + " font 'DejaVu Sans,10'");
  return g;
}

gnuplot::gnuplot(gnuplot&& other) noexcept
    : path_(std::move(other.path_)), target_(std::move(other.target_)), beside_(std::move(other.beside_)), commands_(other.commands_),
      picture_(other.picture_), errors_(other.errors_), child_(other.child_) {
  other.commands_ = other.picture_ = other.errors_ = nullptr;
  other.beside_.clear();
  other.child_ = -1;
}

gnuplot::~gnuplot() {
  wait();
  for (std::FILE* f : {picture_, errors_})
    if (f != nullptr) std::fclose(f);
  if (!beside_.empty()) ::unlink(beside_.c_str());
}

void gnuplot::command(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), commands_);
  std::fputc('\n', commands_);
}

void gnuplot::binary(std::span<const float> values) { std::fwrite(values.data(), sizeof(float), values.size(), commands_); }

bool gnuplot::wait() {
  if (commands_ != nullptr) std::fclose(commands_);
  commands_ = nullptr;
  if (child_ < 0) return false;
  int status = 0;
  pid_t ended = 0;
  do ended = ::waitpid(child_, &status, 0);
  while (ended < 0 && errno == EINTR);
  child_ = -1;
  return ended >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

result<void> gnuplot::finish() {
  command("unset multiplot\nunset output\nexit");
  const bool good = wait();
  if (!good || (!beside_.empty() && !whole_png(picture_))) {
    const std::string said = first_line(errors_);
    return fail(path_ + ": gnuplot made no picture" + (said.empty() ? std::string("; is the disk full?") : ": " + said));
  }
  if (beside_.empty()) return {};
  if (::fsync(::fileno(picture_)) != 0 || ::rename(beside_.c_str(), target_.c_str()) != 0) return fail(path_ + ": cannot be written: " + errno_text());
  beside_.clear();
  return {};
}

}  // namespace prose::apps
