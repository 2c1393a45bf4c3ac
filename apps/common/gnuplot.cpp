#include "apps/common/gnuplot.h"

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace prose::apps {

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
  // gnuplot tells of an output that it cannot write only on its own stderr: try first.
  std::FILE* probe = std::fopen(path.c_str(), "wb");
  if (probe == nullptr) return fail(path + ": cannot be created: " + std::strerror(errno));
  std::fclose(probe);
  std::FILE* pipe = popen("gnuplot >/dev/null 2>&1", "w");
  if (pipe == nullptr) return fail(std::string("gnuplot cannot be started: ") + std::strerror(errno));
  gnuplot g(pipe, path);
  g.command("set terminal pngcairo noenhanced size " + std::to_string(width) + "," + std::to_string(height) +
            " font 'DejaVu Sans,10'");
  g.command("set output " + quoted(path));
  return g;
}

gnuplot::gnuplot(gnuplot&& other) noexcept : pipe_(other.pipe_), path_(std::move(other.path_)) { other.pipe_ = nullptr; }

gnuplot::~gnuplot() {
  if (pipe_ != nullptr) pclose(pipe_);
}

void gnuplot::command(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), pipe_);
  std::fputc('\n', pipe_);
}

void gnuplot::binary(std::span<const float> values) { std::fwrite(values.data(), sizeof(float), values.size(), pipe_); }

result<void> gnuplot::finish() {
  command("unset multiplot\nunset output\nexit");
  const bool failed = std::ferror(pipe_) != 0;
  pclose(pipe_);
  pipe_ = nullptr;
  std::error_code ec;
  const auto size = std::filesystem::file_size(path_, ec);
  if (failed || ec || size == 0) return fail(path_ + ": gnuplot made no picture; is gnuplot-nox installed?");
  return {};
}

}  // namespace prose::apps
