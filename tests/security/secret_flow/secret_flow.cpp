// Two UEs from their keys to their records, with every secret marked as undefined for valgrind's memcheck. It reports
// each branch and each address that depends on one (as ctgrind of A. Langley does). Not a GoogleTest program: what
// memcheck sees should be the product.
//   secret_flow               must end without a report
//   secret_flow leak CONTROL  does on purpose what must not be; memcheck has to report it
#include <valgrind/memcheck.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "security/crypto/aead.h"
#include "tests/security/security_world.h"

using namespace prose::security;
using namespace prose::security::test;

namespace {

void mark_secret(std::span<const std::uint8_t> octets) { VALGRIND_MAKE_MEM_UNDEFINED(octets.data(), octets.size()); }

void demand(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "secret_flow: %s\n", what);
  std::exit(2);
}

pre_shared_key psk() {
  return pre_shared_key::make([](auto out) {
    std::fill(out.begin(), out.end(), std::uint8_t{0x42});
    mark_secret(out);
  });
}

class pair_of_ues {
public:
  explicit pair_of_ues(suite only) : config_(with(only)), john("john", 1, config_), peter("peter", 2, config_) {
    john.knows(peter, psk());
    peter.knows(john, psk());
    world.ues = {&john, &peter};
    world.set_slots();
    world.now = 100;
  }
  void talk(int records) {
    for (int i = 0; i < records; ++i) {
      std::vector<std::uint8_t> text(40, static_cast<std::uint8_t>(i));
      mark_secret(text);
      demand(world.send(john, link.first, text).has_value(), "John cannot send");
      demand(world.send(peter, link.second, text).has_value(), "Peter cannot send");
    }
    demand(john.inbox.size() == peter.inbox.size() && !peter.inbox.empty(), "a record is lost");
  }
  void set_up() {
    const auto both = world.link_up(john, peter);
    demand(both.has_value(), "no link");
    link = *both;
  }
  /// An altered record, request, command: what a wrong tag does.
  void forge() {
    const auto heard = world.captured;
    for (const auto& f : heard) {
      frame bad = f;
      bad.octets.back() ^= 1;
      for (auto* u : world.ues)
        if (u->owns(f.dst, world.now)) demand(!taken(*u, bad, world.now), "a forgery is taken");
    }
  }
  void ask() {
    const std::array<peer_id, 1> wanted{john.id_of(peter)};
    int answered = 0;
    for (const auto& q : john.security->discovery().queries(wanted, world.now)) {
      const auto heard = peter.security->discovery().receive(q, world.now);
      if (!heard) continue;
      const auto answer = john.security->discovery().receive(std::get<query_heard>(*heard).response, world.now);
      if (answer && std::holds_alternative<peer_heard>(*answer)) ++answered;
    }
    demand(answered == 1, "a query is not answered");
  }

private:
  static ue_config with(suite only) {
    ue_config c;
    c.links.suites = {only};
    c.links.epochs.records = 4;
    c.discovery.answer_queries = true;
    return c;
  }
  ue_config config_;

public:
  ue john, peter;
  air world;
  std::pair<link_id, link_id> link;
};

void set_up_and_talk(suite s) {
  pair_of_ues both(s);
  both.set_up();
  both.talk(3);
}

void whole_life(suite s) {
  pair_of_ues both(s);
  both.set_up();
  both.talk(12);
  demand(both.john.events<epoch_entered>().size() > 1, "no epoch ends");
  demand(both.john.security->links().rekey(both.link.first, both.world.now, both.john.pending).has_value(),
         "no rekeying");
  both.world.settle();
  both.talk(2);
  demand(!both.john.events<rekeyed>().empty(), "the rekeying does not end");
  both.forge();
  both.world.pass(1000);
  both.ask();
  demand(both.john.security->links().release(both.link.first, both.world.now, both.john.pending).has_value(),
         "no release");
  both.world.settle();
  demand(!both.peter.events<link_lost>().empty(), "the release does not arrive");
}

// ---- controls ----
volatile int sink;

[[gnu::noinline]] void leak_by_branch(std::span<const std::uint8_t> secret) {
  if (secret[3] > 7) sink = 1;
}
[[gnu::noinline]] void leak_by_address(std::span<const std::uint8_t> secret) {
  static const std::array<std::uint8_t, 256> table{1, 2, 3};
  sink = table[secret[5]];
}
[[gnu::noinline]] void leak_by_comparison(std::span<const std::uint8_t> secret) {
  const std::array<std::uint8_t, 32> guess{};
  for (std::size_t i = 0; i < guess.size(); ++i)
    if (secret[i] != guess[i]) {
      sink = static_cast<int>(i);
      return;
    }
}

}  // namespace

int main(int argc, char** argv) {
  seeded_random::observe_fill = [](bytes_span out) { mark_secret(out); };
  if (argc == 3 && std::strcmp(argv[1], "leak") == 0) {
    const auto key = psk();
    const std::string_view what = argv[2];
    if (what == "branch") leak_by_branch(key.expose());
    if (what == "address") leak_by_address(key.expose());
    if (what == "comparison") leak_by_comparison(key.expose());
    return 0;
  }
  whole_life(suite::aes_256_gcm);
  set_up_and_talk(suite::chacha20_poly1305);
  std::puts("both suites from key to record");
  return 0;
}
