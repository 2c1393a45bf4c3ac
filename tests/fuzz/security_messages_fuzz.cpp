// Every octet string as a PC5-S message on LCID 28 and 29, to a UE with an attempt, a half-open and a live link, and as a discovery
// message. First octet: which UE, channel and addresses. Nothing may take effect that was not sent by the other side.
#include "tests/security/security_world.h"

using namespace prose::security;
using namespace prose::security::test;

namespace {
struct stage {
  stage() {
    john.knows(peter);
    peter.knows(john);
    world.ues = {&john, &peter};
    const auto heard = world.discover(john);
    (void)john.security->links().connect(heard.at(0), world.now, john.pending);
    request = std::get<send_message>(john.pending.at(0));
    peter.hear({0, request.lcid, request.src, request.dst, request.octets}, world.now);
    command = std::get<send_message>(peter.pending.at(0));
  }
  ue john{"john", 1}, peter{"peter", 2};
  air world;
  send_message request, command;
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static stage s;  // untouched by anything that does not verify, which is what this checks
  const std::uint8_t how = data[0];
  frame f;
  f.lcid = (how & 1) != 0 ? lcid_pc5s_security_mode : lcid_pc5s_unprotected;
  ue& to = (how & 2) != 0 ? s.john : s.peter;
  f.src = (how & 2) != 0 ? s.command.src : s.request.src;
  f.dst = (how & 2) != 0 ? s.command.dst : s.request.dst;
  f.octets.assign(data + 1, data + size);
  const bool genuine = f.octets == s.request.octets || f.octets == s.command.octets;
  const auto drops = to.pending.size();
  const auto r = to.hear(f, 0);
  if (!genuine && (r || to.pending.size() != drops)) __builtin_trap();
  if (genuine) {
    s.~stage();
    new (&s) stage();
  }
  if (size >= discovery_octets) {
    discovery_pdu pdu{};
    std::copy_n(data, discovery_octets, pdu.begin());
    (void)s.john.security->discovery().receive(pdu, 0);
  }
  (void)read_message_header({data, size}, true);
  (void)read_message_header({data, size}, false);
  return 0;
}
