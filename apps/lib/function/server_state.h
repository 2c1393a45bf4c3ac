// What the server's two files share: server.cpp has the connections, server_requests.cpp the requests and answers.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "apps/lib/common/file_descriptor.h"
#include "apps/lib/function/address.h"
#include "apps/lib/function/application_port.h"
#include "apps/lib/function/half_open.h"
#include "apps/lib/function/message.h"
#include "apps/lib/function/proxy_protocol.h"
#include "apps/lib/function/server.h"
#include "apps/lib/function/token_bucket.h"
#include "security/crypto/x25519.h"

namespace prose::function {

using clock_type = std::chrono::steady_clock;
using time_point = clock_type::time_point;

inline time_point after(double seconds) {
  return clock_type::now() + std::chrono::duration_cast<clock_type::duration>(std::chrono::duration<double>(seconds));
}

struct connection {
  connection(apps::file_descriptor f, const socket_address& from, tls_connection t, double handshake_s)
      : fd(std::move(f)), address(from.text()), block(from.block()), tls(std::move(t)), deadline(after(handshake_s)) {}
  apps::file_descriptor fd;
  std::string address, block;
  tls_connection tls;
  bool handshake_writes = false;  // the handshake continues when the socket can be written
  bool established = false;
  std::int64_t session = 0;  // its number in a store that is shared
  std::string account;
  std::string name;  // once registered
  hello greeting;
  std::optional<security::ephemeral_private_key> ephemeral;
  frame_reader in{max_request_bytes};
  bool mid_frame = false;
  bool held_back = false;  // requests wait until it has taken its answers
  std::string out;
  std::optional<changes_request> waiting;
  time_point deadline;  // of what it is doing now; then it is closed (a long poll: answered)
};

/// A user's connections share one budget.
struct account_state {
  std::deque<int> connections;  // oldest first
  token_bucket requests, packets;
  int fetched_requests = 0, fetched_packets = 0;  // of the budget over all instances, and not yet used
};

/// A connection from a balancer, before its header.
struct proxied_connection {
  apps::file_descriptor fd;
  socket_address from;
  proxy_header_reader header;
  time_point deadline;
};

struct server::state {
  server_config config;
  std::function<void(const audit_record&)> audit;
  tls_context tls;
  std::unique_ptr<store> db;
  std::optional<security::pre_shared_key> kd_secret;
  apps::file_descriptor listener, epoll, wake;
  int port = 0;
  security::random_port& random;
  security::crypto::mbedtls_x25519 dh{random};
  std::unordered_map<int, std::unique_ptr<connection>> connections;
  std::map<int, proxied_connection> proxied;
  std::unordered_map<std::int64_t, int> sessions;  // of a shared store: number -> connection
  std::int64_t last_session = 0;
  bool store_told = true;  // whether the log says that the store is there
  std::map<std::string, int> per_block;
  half_open_connections half_open;
  std::unordered_multimap<std::string, int> waiting;  // user name -> connection
  std::unordered_map<std::string, account_state> accounts;
  std::unordered_map<std::string, int> data_to;  // user name -> the connection that polled last takes the user's data
  std::map<std::string, std::deque<int>> handshakes;  // by address block, those that can go on
  std::string last_shaken;
  std::optional<time_point> accept_again;
  time_point tell_descriptors_again{};
  application_port application;
  server_counters counters;
  std::vector<int> again;  // connections to serve without waiting for the socket
  std::string server_name;
  std::optional<error> failure;
  std::atomic<bool> stopping{false}, reloading{false};  // told by `wake`

  state(server_config c, security::random_port& r, std::function<void(const audit_record&)> a, tls_context t,
        std::unique_ptr<store> d)
      : config(std::move(c)), audit(std::move(a)), tls(std::move(t)), db(std::move(d)), random(r) {}

  // server.cpp
  void log(const connection& c, const std::string& what) const;
  void watch(const connection& c, int operation);
  void close(int fd);
  bool make_room(const std::string& block);
  bool free_descriptor();
  void accept_all();
  void admit(apps::file_descriptor fd, const socket_address& from);
  void pause_accepting();
  void resume_accepting();
  void queue_handshake(const connection& c);
  void shake_hands();
  void limit_user(connection& c);
  void wake_up() noexcept;
  void woken();
  void expire();
  void turn(int fd);
  // False: close the connection.
  bool proceed(connection& c);
  bool read_requests(connection& c);
  bool write_answers(connection& c);

  // server_shared.cpp
  void watch_store();
  void tend_store();
  void end_sessions();
  bool enter(connection& c);  // false: close the connection
  void leave(connection& c);
  bool take(const std::string& account, budget kind, time_point now);
  void await_header(apps::file_descriptor fd, const socket_address& from);
  bool read_header(int fd);
  void expire_headers(time_point now);

  // server_requests.cpp
  void stop_waiting(connection& c);
  void queue(connection& c, const answer& a);
  void greet(connection& c);
  void send_data(connection& c, std::vector<std::uint8_t> octets);
  void take_datagrams();
  void answer_waiting(int fd);
  void wake_changed();
  void wake_all();
  // False: close the connection.
  bool give_up(const error& e);
  bool close_others(const connection& c);
  bool handle(connection& c, const std::string& message);
  bool finish(connection& c, const result<refusal>& r, const std::string& what);
  bool serve(connection& c, const register_request& r);
  bool serve(connection& c, const grant_request& r);
  bool serve(connection& c, const withdraw_request& r);
  bool serve(connection& c, const list_request&);
  bool serve(connection& c, const changes_request& r);
  bool no_answer(connection& c);
  bool serve(connection& c, const data_request& r);
  bool serve(connection& c, const kd_request& r);
};

}  // namespace prose::function
