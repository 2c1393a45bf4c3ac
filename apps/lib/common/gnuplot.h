// Pictures by gnuplot, which is fed through a pipe.
#pragma once

#include <sys/types.h>

#include <cstdio>
#include <span>
#include <string>
#include <string_view>

#include "apps/lib/common/whole_file.h"
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
  explicit gnuplot(whole_file picture) : picture_(std::move(picture)) {}
  bool wait();
  whole_file picture_;
  std::FILE* commands_ = nullptr;
  std::FILE* errors_ = nullptr;
  pid_t child_ = -1;
};

}  // namespace prose::apps
