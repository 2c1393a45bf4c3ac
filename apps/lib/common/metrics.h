// Counters of a running program in Prometheus' text form, on a local port when asked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "common/result.h"

namespace prose::apps {

/// A page of metrics under construction.
class metrics_page {
public:
  /// `name` follows Prometheus' rules; labels as `peer="john"` or empty. A name's help and type come out once.
  void counter(std::string_view name, std::string_view help, std::uint64_t value, std::string_view labels = {});
  void gauge(std::string_view name, std::string_view help, double value, std::string_view labels = {});
  const std::string& text() const { return text_; }

private:
  void head(std::string_view name, std::string_view help, std::string_view type);
  std::string text_;
  std::string last_;
};

/// Serves the last page published to anyone who asks GET /metrics on 127.0.0.1:port, from a thread of its own. A slow
/// or silent client is dropped after a second; one client at a time.
class metrics_server {
public:
  /// port 0: any free one; -1: null, for nothing is served. The log has the address.
  static result<std::unique_ptr<metrics_server>> open(int port);
  ~metrics_server();
  int port() const;
  void publish(std::string page);

private:
  struct state;
  explicit metrics_server(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

}  // namespace prose::apps
