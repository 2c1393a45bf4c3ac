#include "apps/function/audit_log.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <utility>

#include "apps/lib/common/log.h"
#include "apps/lib/common/safe_file.h"

namespace prose::function {
namespace {

constexpr double strangers_per_second = 1;

}  // namespace

apps::event now_event(const char* name) {
  return {name, std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count()};
}

result<audit_log> audit_log::open(const std::string& path, audit_rotation rotation) {
  audit_log log;
  log.path_ = path;
  if (path == "-") log.fd_ = STDOUT_FILENO;
  if (path.empty() || path == "-") return log;
  auto fd = apps::open_private_output(path, apps::output_mode::append);
  if (!fd) return fail("--audit " + fd.error().message);
  log.own_ = std::move(*fd);
  log.fd_ = log.own_.get();
  struct stat status {};
  if (::fstat(log.fd_, &status) == 0 && S_ISREG(status.st_mode) && !apps::own_descriptor(path)) {
    log.rotation_ = rotation;
    log.octets_ = static_cast<std::uint64_t>(status.st_size);
  }
  return log;
}

// No line is lost: until the new file is open the old one is written on, whatever its name.
void audit_log::rotate() {
  const auto name = [&](int n) { return n == 0 ? path_ : path_ + "." + std::to_string(n); };
  octets_ = 0;  // if anything fails, the next attempt is one file later
  for (int n = rotation_.files; n > 0; --n)
    if (::rename(name(n - 1).c_str(), name(n).c_str()) != 0 && errno != ENOENT) return;
  if (auto fd = apps::open_private_output(path_, apps::output_mode::append)) {
    own_ = std::move(*fd);
    fd_ = own_.get();
  }
}

bool audit_log::put(const std::string& text) {
  const std::string line = (broken_line_ ? "\n" : "") + text + "\n";
  if (rotates() && octets_ > 0 && octets_ + line.size() > rotation_.most_octets) rotate();
  const auto n = ::write(fd_, line.data(), line.size());
  if (n > 0) octets_ += static_cast<std::uint64_t>(n);
  if (n == static_cast<ssize_t>(line.size())) {
    broken_line_ = false;
    return true;
  }
  if (n > 0) broken_line_ = true;
  return false;
}

void audit_log::write(const apps::json_object& line) {
  if (fd_ < 0) return;
  if (lost_ > lost_told_) {
    apps::event gap = now_event("audit_lost");
    gap.add("lines", lost_ - lost_told_);
    if (put(gap.text())) lost_told_ = lost_;
  }
  if (!put(line.text()) && ++lost_ == 1) apps::log_error("--audit {}: cannot be written; serving goes on", path_);
}

void audit_log::tell_unlisted() {
  if (unlisted_ == 0) return;
  apps::event e = now_event("audit_unlisted");
  e.add("connections", std::exchange(unlisted_, 0));
  write(e);
}

void audit_log::write(const audit_record& r) {
  if (fd_ < 0) return;
  if (r.account.empty()) {
    if (!strangers_.take(strangers_per_second, std::chrono::steady_clock::now())) {
      ++unlisted_;
      return;
    }
    tell_unlisted();
  }
  apps::event e = now_event("audit");
  e.add("account", r.account).add("address", r.address).add("what", r.what);
  write(e);
}

void audit_log::finish() { tell_unlisted(); }

}  // namespace prose::function
