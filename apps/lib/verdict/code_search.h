// Whose announcements, queries, responses, requests and commands do pair keys recognise, and of which slot?
#pragma once

#include <bitset>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "apps/lib/verdict/kept_capture.h"
#include "apps/lib/verdict/search_watch.h"
#include "apps/lib/verdict/stolen_keys.h"

namespace prose::apps {

struct slot_span {
  security::slot_t first = 0, last = 0;
  std::uint64_t size() const { return std::uint64_t{last} - first + 1; }
};

/// A request whose token a pair key made.
struct recognised_request {
  const kept_setup* request;
  security::slot_t t;
};

class code_search {
public:
  /// In so few slots, or where own codes told the clock, tokens are tried without a look at the rendezvous ID.
  static constexpr std::uint64_t narrow_slots = 4096;

  code_search(const kept_capture& capture, slot_span slots, search_watch& watch);
  /// What one direction's keys make in each slot. False once the search is to end.
  bool try_direction(const stolen_keys::direction& d);

  /// Trials of a direction.
  double cost() const;
  slot_span slots() const { return slots_; }
  /// Of the slots, those in which a message that was heard then may have been sent.
  slot_span slots_near(double time_s) const;
  bool narrow() const { return clock_known_ || slots_.size() <= narrow_slots; }
  std::size_t own_recognised() const { return n_own_; }
  const std::vector<recognised_request>& requests() const { return recognised_requests_; }
  std::vector<recognised_marks> found() const;

private:
  void narrow_to_clock();
  void note(const char* kind, const stolen_keys::direction& d, security::slot_t t, std::uint64_t frame);
  bool try_requests(const stolen_keys::direction& d, security::slot_t t);
  /// Requests heard while this slot may have been the sender's, by the clock that own codes told; all of them where
  /// none did.
  std::span<const kept_setup* const> requests_near(security::slot_t t) const;

  const kept_capture& capture_;
  slot_span slots_;
  search_watch& watch_;
  std::bitset<256> lsbs_;
  std::vector<security::discovery_type> types_;
  std::multimap<std::uint32_t, const kept_setup*> requests_, commands_;  // by DST
  std::vector<const kept_setup*> by_time_;                               // requests
  double first_s_ = 0, last_s_ = 0;
  double least_offset_s_ = 1e18, most_offset_s_ = -1e18;  // slot minus time, of own codes
  bool clock_known_ = false;
  std::size_t n_own_ = 0;
  std::set<const void*> taken_;
  std::vector<recognised_request> recognised_requests_;
  std::map<std::tuple<bool, std::string, std::string>, recognised_marks> found_;
};

}  // namespace prose::apps
