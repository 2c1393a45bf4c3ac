// Octets as a PDCP PDU on a live link: first octet the channel, second which header fields are made to fit.
#include "tests/security/security_world.h"

using namespace prose::security;
using namespace prose::security::test;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  struct stage {
    stage() {
      john.knows(peter);
      peter.knows(john);
      world.ues = {&john, &peter};
      link = world.link_up(john, peter)->second;
    }
    ue john{"john", 1}, peter{"peter", 2};
    air world;
    link_id link = 0;
  };
  static stage s;
  if (size < 2) return 0;
  const auto info = s.peter.security->links().info(s.link, 0);
  if (!info) __builtin_trap();  // unverified input ended the link
  frame f;
  f.lcid = data[0] % 32;
  f.src = info->peer_l2;
  f.dst = info->own_l2;
  f.octets.assign(data + 2, data + size);
  if (f.octets.size() >= 3 && (data[1] & 1) != 0) {
    f.octets[1] = static_cast<std::uint8_t>(info->kd_sess_id >> 8);
    f.octets[2] = static_cast<std::uint8_t>(info->kd_sess_id);
  }
  if (s.peter.hear(f, 0) || !s.peter.pending.empty()) __builtin_trap();
  return 0;
}
