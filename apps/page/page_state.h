// Everything that the page shows, brought together: what the sniffer, the UEs, the demo and the report tell becomes
// events for browsers. No I/O and no clock: lines and the time go in, events come out.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "apps/page/air_frame.h"
#include "apps/page/bounded_json.h"
#include "apps/page/link_book.h"

namespace prose::page {

/// One of Server-Sent Events.
struct page_event {
  std::string name;
  std::string data;  ///< JSON, one line
};

class page_state {
public:
  // What a browser that comes later still gets, the latest of each.
  static constexpr std::size_t most_frames = 1000, most_ue_events = 500, most_messages = 100;
  static constexpr std::size_t frames_an_event = 100;
  /// A frame waits so long for the UE's event that tells whose it is; a message for its frame.
  static constexpr double frame_wait_s = 0.2, message_wait_s = 3.0;

  using publish = std::function<void(const page_event&)>;
  page_state(std::vector<std::string> names, publish out);

  // Lines as they come. What is not understood is passed over.
  void on_look(std::string_view line);
  void on_sniffer(std::string_view line, double now_s);
  void on_ue(const std::string& name, std::string_view line);
  void on_control(std::string_view line, double now_s);
  void on_verdict(std::string_view text);
  void on_look_ended() { running_ = false; }
  void on_control_ended();
  /// now_s: of a clock that only goes forward. At least five times a second.
  void tick(double now_s, std::size_t clients);

  /// What a new browser begins with.
  std::vector<page_event> beginning() const;
  const std::vector<std::string>& actions() const { return actions_; }
  const std::vector<std::string>& names() const { return names_; }

private:
  struct waiting_frame {
    air_frame frame;
    double since_s;
  };
  struct waiting_message {
    json shown;
    double since_s;
  };
  struct opened_frame {
    std::string src, dst, text;
    double t_s;
    double id;  ///< below 0: not told
    bool is(const air_frame& f) const;
  };
  json hello() const;
  json status() const;
  void join(air_frame& f, json* update) const;
  void join_old_frames();
  void open(const opened_frame& o);
  void on_message(const json& m, double now_s);
  bool find_frame(json& message, bool last_try);
  void flush_frames(double now_s);
  void flush_messages(double now_s);
  void tell_ue_events();

  publish out_;
  std::vector<std::string> names_, actions_;
  link_book book_;
  json look_ = json::object(), verdict_;
  json weak_;
  int n_prb_ = 0;
  bool running_ = false, stolen_ = false, new_ids_ = false;
  std::uint64_t next_id_ = 0, dropped_ = 0;
  double t_s_ = 0, status_s_ = -1e9;
  std::size_t clients_ = 0;
  std::string told_status_;
  std::deque<waiting_frame> coming_;
  std::deque<air_frame> frames_;
  std::deque<json> ue_events_, messages_;
  json new_ue_events_ = json::array(), updates_ = json::array();
  std::deque<waiting_message> waiting_;
  std::deque<std::uint64_t> used_;  ///< frames that a message was found in
  std::deque<opened_frame> unopened_;
};

}  // namespace prose::page
