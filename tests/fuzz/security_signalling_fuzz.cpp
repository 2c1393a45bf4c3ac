// What a permitted peer may say inside the protection: messages sealed on LCID 30 under the link's own keys (Accept,
// Keepalive, Release, Rekeying Request and Response, and what is none of them). Each: how, length, octets. No crash, no
// sealed octet out of a link that is gone, and where both ends still have the link, they understand each other once
// they are left alone.
#include <cstdlib>

#include "security/link.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/security/security_world.h"

using namespace prose::security;
using namespace prose::security::test;

namespace {

toy_dh dh;

class pair_of_ues {
public:
  pair_of_ues() {
    for (std::size_t i : {0U, 1U}) ues_[i]->knows(*ues_[1 - i]);
    world_.ues = {ues_[0].get(), ues_[1].get()};
    if (!world_.link_up(*ues_[0], *ues_[1])) std::abort();
  }
  prose::security::link* at(std::size_t who) {
    const auto& all = ues_[who]->security->links().state();
    return all.empty() ? nullptr : all.begin()->second.live.get();
  }
  /// As if the program of `from` had been replaced by one that says what it likes.
  void say(std::size_t from, bytes_view message) {
    auto* l = at(from);
    if (l == nullptr || message.size() > max_sdu_octets) return;
    frame f{from, lcid_pc5s_protected, 0, 0, std::vector<std::uint8_t>(message.size() + record_overhead_octets)};
    const auto s = l->current.chain.seal(f.lcid, sdu_type::pc5s, message, world_.now, f.octets);
    if (!s) return;
    f.src = s->src;
    f.dst = s->dst;
    ues_[1 - from]->hear(f, world_.now);
  }
  /// The genuine rekeying request of `from`, changed by `delta`.
  void rekey(std::size_t from, bytes_view delta) {
    if (at(from) == nullptr || !ues_[from]->security->links().rekey(at(from)->id, world_.now, ues_[from]->pending))
      return;
    ues_[from]->pending.pop_back();
    const auto r = at(from)->rekeying->handshake->request();
    std::vector<std::uint8_t> m(r.begin(), r.end());
    for (std::size_t i = 0; i < std::min(m.size(), delta.size()); ++i) m[i] ^= delta[i];
    say(from, m);
  }
  /// The genuine answer that `from` gave last, changed by `delta`.
  void answer(std::size_t from, bytes_view delta) {
    if (at(from) == nullptr || !at(from)->staged) return;
    auto m = at(from)->staged->answer;
    for (std::size_t i = 0; i < std::min(m.size(), delta.size()); ++i) m[i] ^= delta[i];
    say(from, m);
  }
  void hold_back(bool yes) {
    if (yes) {
      for (auto& u : ues_) u->pending.clear();
    } else {
      world_.settle();
    }
  }
  void pass(time_ms ms) { world_.pass(ms, 500); }
  void check() {
    if (at(0) == nullptr || at(1) == nullptr) return;
    pass(12'000);
    if (at(0) == nullptr || at(1) == nullptr)
      return;  // a Release, or one end was told that the other speaks under other keys
    for (std::size_t i : {0U, 1U}) {
      const auto before = ues_[1 - i]->inbox.size();
      if (!world_.send(*ues_[i], at(i)->id, {1, 2, 3})) std::abort();
      if (ues_[1 - i]->inbox.size() != before + 1) std::abort();
    }
  }

private:
  std::array<std::unique_ptr<ue>, 2> ues_{std::make_unique<ue>("john", 1, ue_config{}, std::nullopt, &dh),
                                          std::make_unique<ue>("peter", 2, ue_config{}, std::nullopt, &dh)};
  air world_;
};

/// Types that travel inside records, with their lengths.
constexpr std::array<std::pair<message_type, std::size_t>, 7> known{
    {{message_type::direct_communication_accept, accept_octets},
     {message_type::keepalive, keepalive_octets},
     {message_type::keepalive_ack, keepalive_octets},
     {message_type::release_accept, release_accept_octets},
     {message_type::rekeying_request, rekeying_request_octets},
     {message_type::rekeying_response, rekeying_response_octets},
     {message_type::release, release_octets}}};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  pair_of_ues pair;
  for (std::size_t i = 0, n = 0; i + 2 <= size && n < 24; ++n) {
    const std::uint8_t how = data[i];
    const std::size_t length = std::min<std::size_t>(data[i + 1], size - i - 2);
    const bytes_view text{data + i + 2, length};
    i += 2 + length;
    const std::size_t who = how & 1;
    switch (how / 2 % 8) {
      case 0:
        pair.say(who, text);
        break;
      case 1:
      case 2: {
        std::vector<std::uint8_t> m(text.begin(), text.end());
        const auto& [type, octets] = known[length == 0 ? 0 : text[0] % known.size()];
        m.resize(octets);
        m[0] = static_cast<std::uint8_t>(type);
        pair.say(who, m);
        break;
      }
      case 3:
        pair.rekey(who, text);
        break;
      case 4:
        pair.answer(who, text);
        break;
      case 5:
        pair.hold_back(true);
        break;
      case 6:
        pair.hold_back(false);
        break;
      default:
        pair.pass(500 * (1 + length));
        break;
    }
  }
  pair.check();
  return 0;
}
