#include "phy/radio/uhd_errors.h"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <uhd/utils/log.hpp>
#include <uhd/utils/log_add.hpp>
#include <utility>

#include "phy/radio/radio_setup.h"

namespace prose::phy {
namespace {

constexpr std::chrono::milliseconds longest_wait{100};
constexpr std::size_t most_kept = 16, most_shown = 3;

struct collector {
  std::mutex mutex;
  std::condition_variable came;
  struct entry {
    std::chrono::steady_clock::time_point at;
    std::string text;
  };
  std::deque<entry> last;  // the newest is number n_all - 1
  std::uint64_t n_all = 0;

  std::mutex tell_mutex;  // of its own, so that the function may ask for the errors
  std::map<std::uint64_t, std::function<void(const std::string&)>> tell;
  std::uint64_t tell_number = 0;

  void take(const uhd::log::logging_info& info) {
    if (info.verbosity < uhd::log::error) return;
    const std::string text = one_line((info.component + ": " + info.message).c_str());
    {
      const std::lock_guard lock(mutex);
      last.push_back({std::chrono::steady_clock::now(), text});
      if (last.size() > most_kept) last.pop_front();
      ++n_all;
      came.notify_all();
    }
    const std::lock_guard lock(tell_mutex);
    if (!tell.empty()) tell.rbegin()->second(text);
  }
};

// Never destroyed: UHD's thread may log while the process ends.
collector& the_collector() {
  static collector* const c = [] {
    auto* made = new collector;
    uhd::log::add_logger("prose", [made](const uhd::log::logging_info& info) { made->take(info); });
    return made;
  }();
  return *c;
}

}  // namespace

uhd_errors::uhd_errors(std::chrono::seconds before) {
  collector& c = the_collector();
  const std::lock_guard lock(c.mutex);
  from_ = c.n_all;
  if (before.count() == 0) return;
  const auto since = std::chrono::steady_clock::now() - before;
  from_ -= static_cast<std::uint64_t>(
      std::count_if(c.last.begin(), c.last.end(), [&](const auto& e) { return e.at >= since; }));
}

std::string uhd_errors::with_cause(const std::string& failure) const {
  const auto cause = text(longest_wait);
  return cause.empty() || failure.find(cause) != std::string::npos ? failure : failure + " (UHD: " + cause + ")";
}

std::string uhd_errors::text(std::chrono::milliseconds patience) const {
  collector& c = the_collector();
  std::unique_lock lock(c.mutex);
  c.came.wait_for(lock, patience, [&] { return c.n_all > from_; });
  std::deque<std::string> shown;
  for (std::size_t k = c.last.size() - std::min<std::uint64_t>(c.last.size(), c.n_all - from_); k < c.last.size(); ++k)
    if (const auto& t = c.last[k].text; std::find(shown.begin(), shown.end(), t) == shown.end()) shown.push_back(t);
  if (shown.size() > most_shown) shown.erase(shown.begin() + most_shown, shown.end());
  std::string all;
  for (const auto& s : shown) all += (all.empty() ? "" : "; ") + s;
  return all;
}

std::uint64_t tell_uhd_errors(std::function<void(const std::string&)> tell) {
  collector& c = the_collector();
  const std::lock_guard lock(c.tell_mutex);
  c.tell.emplace(++c.tell_number, std::move(tell));
  return c.tell_number;
}

void stop_telling_uhd_errors(std::uint64_t number) {
  collector& c = the_collector();
  const std::lock_guard lock(c.tell_mutex);
  c.tell.erase(number);
}

}  // namespace prose::phy
