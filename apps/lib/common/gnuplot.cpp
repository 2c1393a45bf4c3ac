#include "apps/lib/common/gnuplot.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

extern char** environ;

namespace prose::apps {
namespace {

/// A PNG ends with an empty chunk IEND; what a full disk cuts does not. What is no regular file cannot be looked at.
bool whole_png(int fd) {
  constexpr std::array<unsigned char, 12> end{0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xAE, 0x42, 0x60, 0x82};
  std::array<unsigned char, end.size()> last{};
  struct stat st {};
  if (::fstat(fd, &st) != 0) return false;
  if (!S_ISREG(st.st_mode)) return true;
  return st.st_size > static_cast<off_t>(end.size()) &&
         ::pread(fd, last.data(), last.size(), st.st_size - static_cast<off_t>(end.size())) ==
             static_cast<ssize_t>(last.size()) &&
         last == end;
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
  std::string first, rest;
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20) continue;
    // gnuplot takes a doubled quote at the beginning for an empty text: such quotes become a text of their own.
    std::string& to = c == '\'' && rest.empty() ? first : rest;
    to += c;
    if (c == '\'' && &to == &rest) to += c;
  }
  return (first.empty() ? "" : '"' + first + "\".") + "'" + rest + "'";
}

result<gnuplot> gnuplot::png(const std::string& path, int width, int height) {
  auto picture = whole_file::open(path);
  if (!picture) return tl::unexpected(picture.error());
  gnuplot g(std::move(*picture));
  g.errors_ = std::tmpfile();
  std::array<int, 2> pipe{};
  if (g.errors_ == nullptr || ::pipe2(pipe.data(), O_CLOEXEC) != 0)
    return fail(path + ": cannot be drawn: " + errno_text());
  // The picture comes out of standard output, so that no name is part of a command; -d: no start files of the user's.
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_adddup2(&files, pipe[0], 0);
  posix_spawn_file_actions_adddup2(&files, g.picture_.descriptor(), 1);
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
  g.command("set terminal pngcairo noenhanced size " + std::to_string(width) + "," + std::to_string(height) +
            " font 'DejaVu Sans,10'");
  return g;
}

gnuplot::gnuplot(gnuplot&& other) noexcept
    : picture_(std::move(other.picture_)),
      commands_(std::exchange(other.commands_, nullptr)),
      errors_(std::exchange(other.errors_, nullptr)),
      child_(std::exchange(other.child_, -1)) {}

gnuplot::~gnuplot() {
  wait();
  if (errors_ != nullptr) std::fclose(errors_);
}

void gnuplot::command(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), commands_);
  std::fputc('\n', commands_);
}

void gnuplot::binary(std::span<const float> values) {
  std::fwrite(values.data(), sizeof(float), values.size(), commands_);
}

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
  if (!wait() || !whole_png(picture_.descriptor())) {
    const std::string said = first_line(errors_);
    return fail(picture_.path() + ": gnuplot made no picture" +
                (said.empty() ? std::string("; is the disk full?") : ": " + said));
  }
  return picture_.commit();
}

}  // namespace prose::apps
