#include "apps/page/stream_hub.h"

#include <algorithm>

namespace prose::page {
namespace {
stream_client::text text_of(const page_event& e) {
  return std::make_shared<const std::string>("event: " + e.name + "\ndata: " + e.data + "\n\n");
}
}  // namespace

void stream_client::add(const text& t) {
  const std::lock_guard lock(mutex_);
  if (closed_) return;
  waiting_ += t->size();
  if (waiting_ > most_waiting) {
    closed_ = true;
    queue_.clear();
  } else {
    queue_.push_back(t);
  }
  some_.notify_one();
}

void stream_client::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  queue_.clear();
  some_.notify_one();
}

stream_client::text stream_client::next(bool& ended) {
  std::unique_lock lock(mutex_);
  some_.wait_for(lock, std::chrono::seconds(1), [this] { return closed_ || !queue_.empty(); });
  ended = closed_;
  if (closed_ || queue_.empty()) return nullptr;
  auto t = std::move(queue_.front());
  queue_.pop_front();
  waiting_ -= t->size();
  return t;
}

bool stream_client::closed() const {
  const std::lock_guard lock(mutex_);
  return closed_;
}

std::shared_ptr<stream_client> stream_hub::add(const std::vector<page_event>& beginning) {
  auto c = std::make_shared<stream_client>();
  for (const auto& e : beginning) c->add(text_of(e));
  const std::lock_guard lock(mutex_);
  if (closed_ || clients_.size() >= most_clients) return nullptr;
  clients_.push_back(c);
  return c;
}

void stream_hub::remove(const std::shared_ptr<stream_client>& c) {
  const std::lock_guard lock(mutex_);
  std::erase(clients_, c);
}

bool stream_hub::full() const { return size() >= most_clients; }

void stream_hub::publish(const page_event& e) {
  const std::lock_guard lock(mutex_);
  if (clients_.empty()) return;
  const auto t = text_of(e);
  for (const auto& c : clients_) c->add(t);
}

std::size_t stream_hub::size() const {
  const std::lock_guard lock(mutex_);
  return clients_.size();
}

void stream_hub::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  for (const auto& c : clients_) c->close();
}

}  // namespace prose::page
