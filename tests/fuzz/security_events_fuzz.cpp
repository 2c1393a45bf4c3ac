// Three octets an event: two UEs live through set-ups, data, rekeying, loss, repetition, corruption, time and release in any
// order. No crash; nothing delivered that was not sent, and nothing twice.
#include <set>

#include "tests/security/security_world.h"

using namespace prose::security;
using namespace prose::security::test;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ue_config config;
  config.links.epochs.records = 4;
  ue john("john", 1, config), peter("peter", 2, config);
  john.knows(peter);
  peter.knows(john);
  air world;
  world.ues = {&john, &peter};
  std::vector<frame> held;
  world.filter = [&](const frame& f) {
    held.push_back(f);
    return std::vector<frame>{};
  };
  std::set<std::vector<std::uint8_t>> sent[2], got[2];
  std::uint8_t said = 0;
  for (std::size_t i = 0; i + 2 < size && i < 3 * 32; i += 3) {
    const std::size_t who = data[i + 1] % 2;
    ue& u = who == 0 ? john : peter;
    ue& v = who == 0 ? peter : john;
    const auto link = u.security->links().link_with(u.id_of(v));
    switch (data[i] % 10) {
      case 0:
        for (const auto& h : world.discover(u)) (void)u.security->links().connect(h, world.now, u.pending);
        break;
      case 1:
      case 2:
      case 3:
        if (!held.empty()) {
          const std::size_t k = data[i + 2] % held.size();
          const frame f = held[k];
          if (data[i] % 10 != 3) held.erase(held.begin() + static_cast<std::ptrdiff_t>(k));
          (f.from == 0 ? peter : john).hear(f, world.now);
        }
        break;
      case 4:
        if (!held.empty()) {
          frame f = held[data[i + 1] % held.size()];
          f.octets[data[i + 2] % f.octets.size()] ^= 1;
          if ((f.from == 0 ? peter : john).hear(f, world.now)) __builtin_trap();
        }
        break;
      case 5: world.pass(1 + 100 * data[i + 2], 2000); break;
      case 6:
        if (link) {
          const std::vector<std::uint8_t> text{said++, data[i + 2]};
          if (world.send(u, *link, text)) sent[who].insert(text);
        }
        break;
      case 7:
        if (link) (void)u.security->links().rekey(*link, world.now, u.pending);
        break;
      case 8:
        if (link) (void)u.security->links().release(*link, world.now, u.pending);
        break;
      default:
        while (!held.empty()) {
          const frame f = held.front();
          held.erase(held.begin());
          (f.from == 0 ? peter : john).hear(f, world.now);
          world.settle();
        }
    }
    world.settle();
    if (held.size() > 64) held.erase(held.begin(), held.begin() + 32);
    for (std::size_t x = 0; x < 2; ++x) {
      ue& to = x == 0 ? peter : john;
      for (const auto& d : to.inbox)
        if (!sent[x].contains(d.data) || !got[x].insert(d.data).second) __builtin_trap();
      to.inbox.clear();
    }
  }
  return 0;
}
