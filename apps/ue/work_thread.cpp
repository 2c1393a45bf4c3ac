#include "apps/ue/work_thread.h"

#include <utility>

namespace prose::apps {

work_thread::work_thread() : thread_([this] { run(); }) {}

work_thread::~work_thread() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void work_thread::submit(std::shared_ptr<security::set_up_work> w) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(w));
  }
  changed_.notify_one();
}

void work_thread::run() {
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [&] { return stop_ || !waiting_.empty(); });
    if (stop_) return;
    const auto w = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    w->run(dh_);
    lock.lock();
  }
}

}  // namespace prose::apps
