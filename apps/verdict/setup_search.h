// Do stolen static and ephemeral keys open the messages of set-ups, and what keys follow from those? The handshake is the product's own.
#pragma once

#include <vector>

#include "apps/verdict/code_search.h"

namespace prose::apps {

/// KD_0 of a link.
struct learnt_root {
  std::string name;
  key32 root;
  security::suite suite_used;
  std::uint16_t kd_sess_id;
};

class setup_search {
 public:
  setup_search(const stolen_keys& keys, const kept_capture& capture, search_watch& watch) : keys_(keys), capture_(capture), watch_(watch) {}
  /// Each request in its recognised slot; those that no token of a stolen identity told, in each slot of `others`.
  bool run(const std::vector<recognised_request>& recognised, std::optional<slot_span> others);

  /// Requests, commands and completes that open. A stolen identity is one of the two, so they are its own.
  const std::vector<opened_link>& opened() const { return opened_; }
  const std::vector<learnt_root>& roots() const { return roots_; }

 private:
  struct table;
  void try_request(table& t, const kept_setup& r, security::slot_t slot);
  void note(const kept_setup& m, const std::string& with);
  void learn(const kept_setup& r, const security::handshake_secrets& s, const std::string& with);

  const stolen_keys& keys_;
  const kept_capture& capture_;
  search_watch& watch_;
  std::set<const kept_setup*> opened_messages_;
  std::vector<opened_link> opened_;
  std::vector<learnt_root> roots_;
};

}  // namespace prose::apps
