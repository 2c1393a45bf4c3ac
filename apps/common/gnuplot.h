// Pictures by gnuplot, which is fed through a pipe.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "common/result.h"

namespace prose::apps {

class gnuplot {
 public:
  /// Draws a PNG of this size in pixels. A file appears, or replaces the old one, when finish() finds it complete.
  static result<gnuplot> png(const std::string& path, int width, int height);
  gnuplot(gnuplot&& other) noexcept;
  gnuplot& operator=(gnuplot&&) = delete;
  ~gnuplot();

  void command(std::string_view text);
  /// The octets of an inline "binary" data block.
  void binary(std::span<const float> values);
  /// Waits for gnuplot; an error, with its own first words, when it failed.
  result<void> finish();
  /// Text as a gnuplot string constant, markup and quotes disarmed.
  static std::string quoted(std::string_view text);

 private:
  explicit gnuplot(std::string path) : path_(std::move(path)), target_(path_) {}
  bool wait();
  std::string path_;
  std::string target_;  ///< what path_ leads to where it is a link
  std::string beside_;  ///< the picture until it is complete; empty: path_ is a device or a pipe
  std::FILE* commands_ = nullptr;
  std::FILE* picture_ = nullptr;
  std::FILE* errors_ = nullptr;
  pid_t child_ = -1;
};

}  // namespace prose::apps
