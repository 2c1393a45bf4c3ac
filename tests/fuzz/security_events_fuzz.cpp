// Three octets an event: two UEs live through set-ups of Model A and B, data, rekeying, loss, repetition, corruption,
// time, release, withdrawn and renewed permission, and reboots, in any order. No crash; nothing delivered that was not
// sent, and nothing twice.
#include <cstdlib>
#include <set>

#include "common/octet_order.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/security/security_world.h"

using namespace prose::security;
using namespace prose::security::test;

namespace {

toy_dh dh;

class story {
public:
  story() {
    config_.links.epochs.records = 4;
    config_.discovery.answer_queries = true;
    for (std::size_t i : {0U, 1U}) ues_[i] = std::make_unique<ue>(names[i], 1 + i, config_, std::nullopt, &dh);
    for (std::size_t i : {0U, 1U}) permit(i);
    on_air();
    world_.filter = [&](const frame& f) {
      held_.push_back(f);
      return std::vector<frame>{};
    };
  }

  void happens(std::uint8_t what, std::uint8_t a, std::uint8_t b) {
    const std::size_t who = a % 2;
    const auto link = link_of(who);
    ue& u = *ues_[who];
    switch (what % 14) {
      case 0:
        for (const auto& h : world_.discover(u)) (void)u.security->links().connect(h, world_.now, u.pending);
        break;
      case 1:
      case 2:
      case 3:
        if (!held_.empty()) {
          const std::size_t k = b % held_.size();
          const frame f = held_[k];
          if (what % 14 != 3) held_.erase(held_.begin() + k);
          ues_[1 - f.from]->hear(f, world_.now);
        }
        break;
      case 4:
        if (!held_.empty()) {
          frame f = held_[a % held_.size()];
          f.octets[b % f.octets.size()] ^= 1;
          if (ues_[1 - f.from]->hear(f, world_.now)) std::abort();
        }
        break;
      case 5:
        world_.pass(1 + 100 * b, 2000);
        break;
      case 6:
        if (link) {
          const std::vector<std::uint8_t> text{static_cast<std::uint8_t>(said_ >> 8), static_cast<std::uint8_t>(said_),
                                               b};
          ++said_;
          if (world_.send(u, *link, text)) sent_[who].insert(text);
        }
        break;
      case 7:
        if (link) (void)u.security->links().rekey(*link, world_.now, u.pending);
        break;
      case 8:
        if (link) (void)u.security->links().release(*link, world_.now, u.pending);
        break;
      case 9:
        ask(who);
        break;
      case 10: {
        const auto* p = peer_of(who);
        if (p != nullptr && !u.security->remove_peer(p->id, world_.now, u.pending)) std::abort();
        if (p != nullptr && link_of(who)) std::abort();
        break;
      }
      case 11:
        permit(who);
        break;
      case 12:
        reboot(who);
        break;
      default:
        while (!held_.empty()) {
          const frame f = held_.front();
          held_.erase(held_.begin());
          ues_[1 - f.from]->hear(f, world_.now);
          world_.settle();
        }
    }
    world_.settle();
    if (held_.size() > 64) held_.erase(held_.begin(), held_.begin() + 32);
    for (std::size_t from : {0U, 1U}) {
      auto& inbox = ues_[1 - from]->inbox;
      for (const auto& d : inbox)
        if (!sent_[from].contains(d.data) || !got_[from].insert(d.data).second) std::abort();
      inbox.clear();
    }
  }

private:
  static constexpr std::array<const char*, 2> names{"john", "peter"};
  const peer* peer_of(std::size_t who) { return ues_[who]->security->peers().find(std::string_view(names[1 - who])); }
  std::optional<link_id> link_of(std::size_t who) {
    const auto* p = peer_of(who);
    return p == nullptr ? std::nullopt : ues_[who]->security->links().link_with(p->id);
  }
  void permit(std::size_t who) {
    if (peer_of(who) == nullptr) ues_[who]->knows(*ues_[1 - who]);
  }
  void on_air() {
    world_.ues = {ues_[0].get(), ues_[1].get()};
    world_.set_slots();
  }
  /// Model B.
  void ask(std::size_t who) {
    const auto* p = peer_of(who);
    if (p == nullptr) return;
    ue& u = *ues_[who];
    const std::array<peer_id, 1> wanted{p->id};
    for (const auto& q : u.security->discovery().queries(wanted, world_.now)) {
      const auto heard = ues_[1 - who]->security->discovery().receive(q, world_.now);
      if (!heard) continue;
      if (ues_[1 - who]->security->discovery().receive(q, world_.now)) std::abort();  // a query is answered once
      const auto r = u.security->discovery().receive(std::get<query_heard>(*heard).response, world_.now);
      if (r) (void)u.security->links().connect(std::get<peer_heard>(*r), world_.now, u.pending);
    }
  }
  void reboot(std::size_t who) {
    const auto mark = ues_[who]->security->discovery().clock().now().value_or(0) + slot_clock::mark_ahead_slots;
    auto again = std::make_unique<ue>(names[who], 100 + ++reboots_, ues_[who]->security->peers().own_private(), config_,
                                      mark, &dh);
    const bool permitted = peer_of(who) != nullptr;
    ues_[who] = std::move(again);
    if (permitted) permit(who);
    on_air();
  }

  ue_config config_;
  std::array<std::unique_ptr<ue>, 2> ues_;
  air world_;
  std::vector<frame> held_;
  std::array<prose::octet_set, 2> sent_, got_;
  std::uint32_t said_ = 0;
  std::uint64_t reboots_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  story s;
  for (std::size_t i = 0; i + 2 < size && i < std::size_t{3} * 64; i += 3) s.happens(data[i], data[i + 1], data[i + 2]);
  return 0;
}
