// What UHD logs as errors. Its drivers log the cause of a failure and throw something general.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace prose::phy {

/// Errors of this process that were logged after the object was made, or up to `before` earlier. Any thread.
class uhd_errors {
public:
  explicit uhd_errors(std::chrono::seconds before = {});
  /// "COMPONENT: message; ...", at most three different ones, as one line; empty if none came. UHD logs from a thread
  /// of its own: the first is waited for so long.
  std::string text(std::chrono::milliseconds patience = {}) const;
  /// The text of a failure with what came; waits 0.1 s for it.
  std::string with_cause(const std::string& failure) const;

private:
  std::uint64_t from_;
};

/// Called with every error that comes later, one after the other, from UHD's thread; of several functions the newest.
/// The number that it returns ends it. The function must not call these two.
std::uint64_t tell_uhd_errors(std::function<void(const std::string&)> tell);
/// Returns when the function is not at work and is not called any more.
void stop_telling_uhd_errors(std::uint64_t number);

}  // namespace prose::phy
