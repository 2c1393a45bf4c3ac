#include "apps/page/gatherer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <chrono>

#include "apps/page/action.h"

namespace prose::page {
namespace {

constexpr int turn_ms = 50;  // files are read so often, and messages are sent that wait
constexpr double connect_interval_s = 0.5;
constexpr auto answer_time = std::chrono::seconds(30);
constexpr std::size_t most_asked = 4, most_report_octets = std::size_t{32} << 20U;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<std::string> names_of(const sources& s) {
  std::vector<std::string> names;
  for (const auto& u : s.ues) names.push_back(u.first);
  return names;
}

/// Empty where it is no regular file, too large, or not there.
std::string whole_text(const std::string& path) {
  const apps::file_descriptor f(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  struct stat is {};
  if (!f || fstat(f.get(), &is) != 0 || !S_ISREG(is.st_mode)) return {};
  if (static_cast<std::uint64_t>(is.st_size) > most_report_octets) return {};
  std::string text(static_cast<std::size_t>(is.st_size), '\0');
  const auto n = pread(f.get(), text.data(), text.size(), 0);
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  return text;
}

}  // namespace

gatherer::gatherer(const sources& s, stream_hub& hub)
    : sources_(s),
      hub_(hub),
      state_(names_of(s), [this](const page_event& e) { hub_.publish(e); }),
      look_(s.look),
      control_(s.control),
      sniffer_(s.events),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  for (const auto& [name, file] : s.ues) ues_.emplace_back(name, file_tail(file));
  thread_ = std::thread([this] { run(); });
}

gatherer::~gatherer() {
  stop();
  thread_.join();
}

void gatherer::stop() {
  stopping_ = true;
  eventfd_write(wake_.get(), 1);
}

std::shared_ptr<stream_client> gatherer::subscribe() {
  if (hub_.full()) return nullptr;
  const std::lock_guard lock(mutex_);
  return hub_.add(state_.beginning());
}

gatherer::answer gatherer::ask(std::string_view body) {
  std::unique_lock lock(mutex_);
  if (control_.descriptor() < 0 || stopping_) return {503, "no program takes actions now"};
  auto action = action_of(body, state_.actions(), state_.names());
  if (!action) return {400, action.error().message};
  if (asked_.size() >= most_asked) return {503, "too many actions wait for their answer"};
  const auto id = next_ask_++;
  (*action)["id"] = id;
  if (!control_.send(text_of(*action))) return {503, "the program that takes actions does not read them"};
  asked_[id] = std::nullopt;
  answered_.wait_for(lock, answer_time, [&] { return asked_[id].has_value() || stopping_; });
  const auto got = asked_[id].value_or(answer{504, "no answer"});
  asked_.erase(id);
  return got;
}

void gatherer::run() {
  while (!stopping_) {
    wait_for_input();
    const std::lock_guard lock(mutex_);
    const double now_s = seconds_now();
    if (now_s - connect_s_ >= connect_interval_s) {
      connect_s_ = now_s;
      look_.connect();
      control_.connect();
      read_verdict();
    }
    read_sockets(now_s);
    if (now_s - files_s_ < turn_ms / 1000.0) continue;
    files_s_ = now_s;
    read_files(now_s);
    state_.tick(now_s, hub_.size());
  }
  const std::lock_guard lock(mutex_);
  control_left();
}

/// Only this thread opens and closes what it waits for.
void gatherer::wait_for_input() {
  pollfd fds[3] = {{wake_.get(), POLLIN, 0}, {look_.descriptor(), POLLIN, 0}, {control_.descriptor(), POLLIN, 0}};
  poll(fds, 3, turn_ms);
}

void gatherer::read_sockets(double now_s) {
  if (look_.descriptor() >= 0 && !look_.read([&](std::string_view line) { state_.on_look(line); }))
    state_.on_look_ended();
  control_.flush();
  const bool had = control_.descriptor() >= 0;
  if (had && !control_.read([&](std::string_view line) { on_control(line, now_s); })) control_left();
}

void gatherer::read_files(double now_s) {
  for (auto& [name, file] : ues_) file.read([&, n = &name](std::string_view line) { state_.on_ue(*n, line); });
  if (!sniffer_.path().empty()) sniffer_.read([&](std::string_view line) { state_.on_sniffer(line, now_s); });
}

void gatherer::read_verdict() {
  struct stat is {};
  if (sources_.verdict.empty() || stat(sources_.verdict.c_str(), &is) != 0) return;
  const bool same = is.st_ino == verdict_.st_ino && is.st_size == verdict_.st_size &&
                    is.st_mtim.tv_sec == verdict_.st_mtim.tv_sec && is.st_mtim.tv_nsec == verdict_.st_mtim.tv_nsec;
  if (same) return;
  verdict_ = is;
  state_.on_verdict(whole_text(sources_.verdict));
}

void gatherer::on_control(std::string_view line, double now_s) {
  const auto o = object_of(line);
  if (o && !o->contains("control") && o->contains("id")) {
    const auto at = asked_.find(static_cast<std::uint64_t>(std::max(0.0, std::min(number_at(*o, "id"), 1e15))));
    if (at == asked_.end()) return;
    auto why = string_at(*o, "error", 500);
    if (why.empty()) why = "it was not done";
    at->second = true_at(*o, "ok") ? answer{} : answer{409, why};
    answered_.notify_all();
    return;
  }
  state_.on_control(line, now_s);
}

void gatherer::control_left() {
  for (auto& [id, got] : asked_)
    if (!got) got = answer{503, "the program that takes actions has left"};
  answered_.notify_all();
  state_.on_control_ended();
}

}  // namespace prose::page
