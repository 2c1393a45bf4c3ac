// Reads what the page shows, in a thread of its own: the look socket, the control socket, the events of sniffer and
// UEs, the report. Gives it to the browsers, and their actions to the demo.
#pragma once

#include <sys/stat.h>

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/page/file_tail.h"
#include "apps/page/line_socket.h"
#include "apps/page/page_state.h"
#include "apps/page/stream_hub.h"

namespace prose::page {

struct sources {
  std::string look, events, verdict, control;            ///< empty: there is none
  std::vector<std::pair<std::string, std::string>> ues;  ///< name and file of its events
};

class gatherer {
public:
  /// The hub must outlive it.
  gatherer(const sources& s, stream_hub& hub);
  ~gatherer();
  gatherer(const gatherer&) = delete;
  gatherer& operator=(const gatherer&) = delete;

  /// Answers every action that waits, and reads no more.
  void stop();
  /// A new browser, with what it begins with. Null: there are as many as there may be.
  std::shared_ptr<stream_client> subscribe();
  struct answer {
    int status = 200;   ///< of HTTP
    std::string error;  ///< one line; empty: it was done
  };
  /// Asks the demo for an action and waits for its answer.
  answer ask(std::string_view body);

private:
  void run();
  void wait_for_input();
  void read_sockets(double now_s);
  void read_files(double now_s);
  void read_verdict();
  void on_control(std::string_view line, double now_s);
  void control_left();

  sources sources_;
  stream_hub& hub_;
  std::mutex mutex_;  ///< of all below
  std::condition_variable answered_;
  page_state state_;
  line_socket look_, control_;
  file_tail sniffer_;
  std::vector<std::pair<std::string, file_tail>> ues_;
  std::map<std::uint64_t, std::optional<answer>> asked_;  ///< nothing: not answered yet
  std::uint64_t next_ask_ = 1;
  struct stat verdict_ {};
  double files_s_ = -1e9, connect_s_ = -1e9;
  apps::file_descriptor wake_;
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace prose::page
