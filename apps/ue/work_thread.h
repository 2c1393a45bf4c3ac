// A thread for the scalar multiplications of set-ups and rekeyings: some milliseconds each, which the radio's thread
// does not have.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>

#include "apps/lib/keys/system_random.h"
#include "security/crypto/x25519.h"
#include "security/link_work.h"
#include "security/ports.h"

namespace prose::apps {

/// In the order of submission. The link engine bounds what waits: two items a peer.
class work_thread final : public security::work_port {
public:
  work_thread();
  /// Ends after the item in hand; what waits is not done.
  ~work_thread() override;
  work_thread(const work_thread&) = delete;
  work_thread& operator=(const work_thread&) = delete;
  void submit(std::shared_ptr<security::set_up_work> w) override;

private:
  void run();
  keys::system_random random_;
  security::crypto::mbedtls_x25519 dh_{random_};  // one a thread: it is not safe for two
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<security::set_up_work>> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace prose::apps
