// Do stolen static and ephemeral keys open the messages of set-ups and of rekeyings, and what keys follow from those?
// The handshake is the product's own.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "apps/lib/verdict/code_search.h"
#include "apps/lib/verdict/record_trials.h"

namespace prose::apps {

/// KD_0 of a link, or of a generation of it.
struct learnt_root {
  std::string name;
  key32 root;
  security::suite suite_used;
  std::uint16_t kd_sess_id;
};

class setup_search {
public:
  static constexpr std::size_t max_rekeyings = 10'000;

  setup_search(const stolen_keys& keys, const kept_capture& capture, search_watch& watch);
  /// Each request in its recognised slot; those that no token of a stolen identity told, in each slot that `others`
  /// gives for its time, if it is there.
  bool run(const std::vector<recognised_request>& recognised, const std::function<slot_span(double time_s)>& others);

  /// Takes what an opened record carried if it is a rekeying message that was not heard before.
  void hear(const carried_message& m);
  /// Tries what is new: rekeyings heard, answers to them, and roots learnt since the last time. Whatever was stolen may
  /// be the binding, or the KD_0 that the binding follows from.
  bool run_rekeyings();
  /// Rekeying messages beyond the limit.
  std::uint64_t left_out() const { return n_left_out_; }

  /// Requests, commands, completes and rekeying messages that open. A stolen identity is one of the two, so they are
  /// its own.
  const std::vector<opened_link>& opened() const { return opened_; }
  const std::vector<learnt_root>& roots() const { return roots_; }

private:
  struct table;
  struct tried {
    std::size_t answers = 0, bindings = 0;
  };
  using messages = std::vector<const kept_setup*>;
  void try_request(table& t, const kept_setup& r, const security::handshake_context& c, const messages& answers,
                   const std::string& bound_to);
  bool try_rekeying(const kept_setup& r, const messages& answers, std::size_t first_binding);
  void bind_roots();
  void note(const kept_setup& m, const std::string& with);
  void learn(const kept_setup& r, const security::handshake_secrets& s, const std::string& with);

  const stolen_keys& keys_;
  const kept_capture& capture_;
  search_watch& watch_;
  using ends = std::pair<std::uint32_t, std::uint32_t>;
  std::map<ends, messages> commands_, completes_;         // of the capture, by SRC and DST
  std::map<std::uint16_t, messages> rekeying_responses_;  // by sequence number
  std::set<const kept_setup*> opened_messages_;
  std::vector<opened_link> opened_;
  std::vector<learnt_root> roots_;
  std::deque<kept_setup> rekeyings_;  // requests and responses; their places stay
  std::set<std::string> heard_;
  std::map<const kept_setup*, tried> tried_;
  std::vector<stolen_keys::named> bindings_;
  std::size_t n_roots_bound_ = 0;  // of roots_, those that bindings_ has
  std::uint64_t n_left_out_ = 0;
};

}  // namespace prose::apps
