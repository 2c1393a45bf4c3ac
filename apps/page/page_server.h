// HTTP: the page's files, the stream of events, actions. cpp-httplib does the protocol; only page_server.cpp includes
// it.
#pragma once

#include <memory>
#include <string>

#include "apps/page/access.h"
#include "apps/page/assets.h"
#include "apps/page/gatherer.h"
#include "apps/page/stream_hub.h"
#include "common/result.h"

namespace prose::page {

class page_server {
public:
  static constexpr std::size_t most_body_octets = std::size_t{128} << 10U;

  /// All must outlive it.
  page_server(access& a, const assets& files, gatherer& g, stream_hub& hub);
  ~page_server();
  /// port 0: any. Gives the port that it is.
  result<int> listen_on(const std::string& host, int port);
  /// Serves until stop(), which another thread may call at any time, before run() too.
  void run();
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace prose::page
