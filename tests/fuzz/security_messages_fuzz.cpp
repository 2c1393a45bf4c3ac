// Octets as a PC5-S message on LCID 28 and 29 and as a discovery message. First octet: for whom (a responder that has
// been asked or has a half-open link, an initiator that waits for its answer, a responder with a live link), whether
// the octets are the message or what is XORed onto the genuine one, whether type, length and sequence number are made
// to fit, whether the short token is made to fit, channel. Nothing but the genuine message takes effect, and it does;
// what carries no good token changes nothing at all.
#include <cstdlib>

#include "tests/fuzz/toy_dh.h"
#include "tests/security/engine_state.h"

using namespace prose::security;
using namespace prose::security::test;

namespace {

toy_dh dh;

enum kind { request, command, complete, complete_again };

/// John has asked Peter; Mary has a link with John, who answered her. `answered`: Peter has answered John.
struct stage {
  explicit stage(bool answered) {
    for (ue* u : {&peter, &mary}) {
      u->knows(john);
      john.knows(*u);
    }
    world.ues = {&mary, &john};
    if (!world.link_up(mary, john)) std::abort();
    for (const auto& f : world.captured)
      if (f.lcid == lcid_pc5s_security_mode && f.octets.size() == complete_octets) genuine[complete_again] = f;
    world.now = 1000;
    world.ues = {&john, &peter};
    for (const auto& h : world.discover(john)) (void)john.security->links().connect(h, world.now, john.pending);
    genuine[request] = next(john);
    t = world.slot();
    if (answered) {
      peter.hear(genuine[request], world.now);
      genuine[command] = next(peter);
    }
  }
  /// What it would say next. Random numbers come from fixed seeds, so another stage of the same kind says the same.
  static frame next(ue& u) {
    const auto m = std::get<send_message>(u.pending.at(0));
    u.pending.clear();
    return {0, m.lcid, m.src, m.dst, m.octets};
  }
  ue john{"john", 1, {}, std::nullopt, &dh}, peter{"peter", 2, {}, std::nullopt, &dh},
      mary{"mary", 3, {}, std::nullopt, &dh};
  air world;
  slot_t t = 0;
  std::array<frame, 4> genuine;
};

std::unique_ptr<stage> make(bool answered) {
  auto s = std::make_unique<stage>(answered);
  if (answered) {
    stage scout(true);
    scout.john.hear(scout.genuine[command], scout.world.now);
    s->genuine[complete] = stage::next(scout.john);
  }
  return s;
}

void make_token_fit(stage& s, kind k, frame& f) {
  if (k != request && k != command) return;
  const std::size_t n = k == request ? request_token_octets : command_token_octets;
  if (f.octets.size() < n) return;
  const auto covered = bytes_view(f.octets).first(f.octets.size() - n);
  const auto put = [&](const auto& token) { std::copy(token.begin(), token.end(), f.octets.end() - n); };
  if (k == request) {
    put(request_token(s.john.security->peers().find(std::string_view("peter"))->theirs, s.t, f.src, f.dst, covered));
  } else {
    put(command_token(s.peter.security->peers().find(std::string_view("john"))->ours, s.t, f.src, f.dst, covered));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static std::array<std::unique_ptr<stage>, 2> stages{make(false),
                                                      make(true)};  // as they are until something genuine comes
  const std::uint8_t how = data[0];
  const auto k = static_cast<kind>(how & 3);
  const bool delta = (how & 4) != 0, fit = (how & 8) != 0, token = (how & 16) != 0, other_channel = (how & 32) != 0;
  const bool answered = k != request;
  auto& s = stages[answered];
  const frame& g = s->genuine[k];
  frame f = g;
  f.octets.assign(data + 1, data + size);
  if (fit || delta) f.octets.resize(g.octets.size());
  if (delta)
    for (std::size_t i = 0; i < g.octets.size(); ++i) f.octets[i] ^= g.octets[i];
  if (fit) std::copy_n(g.octets.begin(), 3, f.octets.begin());
  if (token) make_token_fit(*s, k, f);
  if (other_channel) f.lcid = f.lcid == lcid_pc5s_unprotected ? lcid_pc5s_security_mode : lcid_pc5s_unprotected;

  ue& to = k == request || k == complete ? s->peter : s->john;
  const time_ms now = s->world.now + (k == complete_again ? 200 : 0);  // an Accept goes out at most once a period
  const bool genuine = f.octets == g.octets && !other_channel;
  frame fitted = f;
  make_token_fit(*s, k, fitted);
  const bool good_token = (k == request || k == command) && f.octets == fitted.octets;
  const auto before = engine_state(to, f.dst, now);
  const auto r = to.hear(f, now);
  if (r.has_value() != genuine) std::abort();
  if (to.pending.empty() == genuine) std::abort();
  if (genuine || good_token) {  // a good token costs one of three trials of a slot, or one of eight of an attempt
    s = make(answered);
  } else if (before != engine_state(to, f.dst, now)) {
    std::abort();
  }
  if (size >= discovery_octets) {
    discovery_pdu pdu{};
    std::copy_n(data, discovery_octets, pdu.begin());
    (void)stages[0]->john.security->discovery().receive(pdu, 0);
  }
  (void)read_message_header({data, size}, true);
  (void)read_message_header({data, size}, false);
  return 0;
}
