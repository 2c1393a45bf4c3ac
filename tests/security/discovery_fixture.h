// Three UEs that discover each other: John is permitted to both others, and they only to him.
#pragma once

#include <gtest/gtest.h>

#include "tests/security/security_world.h"

namespace prose::security::test {

class discovery : public ::testing::Test {
protected:
  discovery() {
    config.discovery.answer_queries = true;
    john = std::make_unique<ue>("john", 41, config);
    peter = std::make_unique<ue>("peter", 42, config);
    mary = std::make_unique<ue>("mary", 43, config);
    john->knows(*peter);
    peter->knows(*john);
    john->knows(*mary);
    mary->knows(*john);
  }
  void at(slot_t t) {
    now = time_ms{t} * 1000;
    for (auto* u : {john.get(), peter.get(), mary.get()}) u->set_slot(t, now);
  }
  std::vector<discovery_pdu> announced(ue& u) {
    const auto a = u.security->discovery().announcements(now);
    return {a.begin(), a.end()};
  }
  std::optional<discovery_event> hear(ue& u, const discovery_pdu& d) { return u.security->discovery().receive(d, now); }
  std::vector<peer_heard> heard(ue& u, const std::vector<discovery_pdu>& list) {
    std::vector<peer_heard> out;
    for (const auto& d : list)
      if (const auto e = hear(u, d)) out.push_back(std::get<peer_heard>(*e));
    return out;
  }
  ue_config config;
  std::unique_ptr<ue> john, peter, mary;
  time_ms now = 0;
};

}  // namespace prose::security::test
