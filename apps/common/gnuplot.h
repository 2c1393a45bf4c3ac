// Pictures by gnuplot, which is fed through a pipe: no temporary files.
#pragma once

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace prose::apps {

class gnuplot {
 public:
  /// Draws a PNG of this size in pixels.
  static result<gnuplot> png(const std::string& path, int width, int height);
  gnuplot(gnuplot&& other) noexcept;
  gnuplot& operator=(gnuplot&&) = delete;
  ~gnuplot();

  void command(std::string_view text);
  /// The octets of an inline "binary" data block.
  void binary(std::span<const float> values);
  /// Waits for gnuplot; an error when it failed.
  result<void> finish();
  /// Text as a gnuplot string constant, markup and quotes disarmed.
  static std::string quoted(std::string_view text);

 private:
  gnuplot(std::FILE* pipe, std::string path) : pipe_(pipe), path_(std::move(path)) {}
  std::FILE* pipe_;
  std::string path_;
};

}  // namespace prose::apps
