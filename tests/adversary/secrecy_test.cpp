// Rows 1, 3 and 5: what Mary's whole state, and later John's, opens of what was on the air.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "tests/adversary/figures.h"
#include "tests/adversary/thief.h"
#include "tests/adversary/town.h"
#include "tests/security/mary_search.h"
#include "tests/security/weak_variants.h"

namespace prose::adversary {
namespace {

using security::test::evidence;
using security::test::search;

/// Mary, John and Peter talk on an open air; epochs and keys change, and Peter is rebooted once in the middle.
class open_air : public ::testing::Test {
protected:
  static constexpr int lines_a_round = 12;
  static void SetUpTestSuite() {
    t = new town;
    for (const auto* n : {"mary", "john", "peter"}) t->make_key(n);
    t->permit("mary", "john");
    t->permit("john", "peter");
    m = new node(t->radio("mallory"));
    m->run(0.1);
    for (const auto* n : {"mary", "john", "peter"}) t->start(n, settings());
    both_linked = m->run_until([] { return t->linked("mary", "john") && t->linked("john", "peter"); }, 60);
    talk("first");
    m->run(6);
    talk("second");
    t->kill("peter");
    reboot_at = m->now();
    t->start("peter", settings());
    relinked = m->run_until(
        [] {
          return t->count("john", "link_established", "peter") >= 2 &&
                 t->count("peter", "link_established", "john") >= 1;
        },
        90);
    talk("third");
    m->run(6);
    talk("fourth");
  }
  static void TearDownTestSuite() {
    delete m;
    delete t;
  }
  static ue_settings settings() {
    ue_settings s;
    s.link = "  keepalive_s: 1\n  lost_s: 5\n  rekey_s: 9\n  epoch_min_s: 2\n  epoch_max_s: 3\n";
    return s;
  }
  /// The same lines on both links and in both directions: equal plaintexts must look different everywhere.
  static void talk(const std::string& round) {
    for (int i = 0; i < lines_a_round; ++i) {
      const std::string text = "KNOWN-PLAINTEXT-OF-EVERY-LINK";
      const std::string own = "round " + round + " line " + std::to_string(i);
      t->say("john", "peter", i % 2 == 0 ? text : own);
      t->say("peter", "john", i % 2 == 0 ? text : own);
      t->say("john", "mary", i % 2 == 0 ? text : own);
      m->run(0.15);
    }
    m->run(1.5);
  }
  /// Layer-2 IDs of Mary's links with John, as the UEs' events tell (truth for judging only).
  static std::set<std::pair<std::uint32_t, std::uint32_t>> pairs_of(const std::string& a, const std::string& b) {
    std::set<std::pair<std::uint32_t, std::uint32_t>> out;
    for (const auto& [x, y] : {std::pair{a, b}, std::pair{b, a}})
      for (const auto& e : t->events(x))
        if (e.value("peer", "") == y && e.contains("own_l2_id")) {
          const auto own = static_cast<std::uint32_t>(std::stoul(e["own_l2_id"].get<std::string>(), nullptr, 16));
          const auto other = static_cast<std::uint32_t>(std::stoul(e["peer_l2_id"].get<std::string>(), nullptr, 16));
          out.insert({own, other});
          out.insert({other, own});
        }
    return out;
  }
  static bool between(const std::set<std::pair<std::uint32_t, std::uint32_t>>& ids, const message& x) {
    return ids.contains({x.src, x.dst});
  }
  /// What the pair under attack said, for the search: set-ups that Mary's keys do not recognise as hers, and all
  /// records but Mary's.
  static evidence pair_evidence(const thief& mary) {
    evidence e;
    const auto hers = pairs_of("mary", "john");
    std::set<std::pair<std::uint32_t, std::uint32_t>> her_setup;
    const auto& with_john = mary.with("john");
    for (const auto& x : m->messages) {
      if (x.lcid != security::lcid_pc5s_unprotected) continue;
      const auto body = pc5s(x);
      for (security::slot_t s = 1'700'000'000; s <= m->slot(); ++s)
        for (const auto* k : {&with_john.ours, &with_john.theirs})
          if (body.size() == security::request_octets) {
            const auto token = security::request_token(*k, s, x.src, x.dst, body.first(57));
            if (std::equal(token.begin(), token.end(), body.end() - 8))
              her_setup.insert({x.src, x.dst}), her_setup.insert({x.dst, x.src});
          }
    }
    e.first_slot = 1'700'000'000;
    e.last_slot = m->slot();
    std::size_t n = 0;
    const auto log = thief(*t, "john").log();
    for (const auto& x : m->messages) {
      if (between(hers, x) || her_setup.contains({x.src, x.dst})) continue;
      // The search is heavy: all set-up messages, and every fourth record.
      if (is_record(x) && n++ % 4 != 0) continue;
      e.frames.push_back(to_frame(x));
      // What was said, from John's key log: for the control, and to judge what is readable.
      if (!is_record(x) || x.lcid > security::lcid_data_last) continue;
      e.truth.emplace_back();
      for (const auto& k : log)
        if (const auto plain = security::open_with(k, x.lcid, x.pdu)) e.truth.back() = *plain;
    }
    std::set<security::discovery_pdu> known_to_mary;
    for (security::slot_t s = e.first_slot - 2; s <= e.last_slot + 2; ++s)
      for (const auto* k : {&with_john.ours, &with_john.theirs})
        for (const auto type : {security::discovery_type::announcement, security::discovery_type::query,
                                security::discovery_type::response})
          known_to_mary.insert(security::make_discovery(type, *k, s));
    std::set<security::discovery_pdu> seen;
    for (const auto& d : m->discovery)
      if (!known_to_mary.contains(d.pdu) && seen.insert(d.pdu).second) e.discovery.push_back(d.pdu);
    // Derivations of her latest record keys; as they are, all of them were tried already.
    const auto n_lines = mary.log().size();
    e.stolen = mary.secrets(n_lines > 4 ? n_lines - 4 : 0);
    thief john(*t, "john"), peter(*t, "peter");
    e.publics = {mary.own(), john.own(), peter.own()};
    e.names = {"john", "peter", "mary"};
    return e;
  }
  static town* t;
  static node* m;
  static bool both_linked, relinked;
  static std::int64_t reboot_at;
};
town* open_air::t = nullptr;
node* open_air::m = nullptr;
bool open_air::both_linked = false;
bool open_air::relinked = false;
std::int64_t open_air::reboot_at = 0;

TEST_F(open_air, row_1_mary_opens_only_her_own_links) {
  ASSERT_TRUE(both_linked);
  ASSERT_TRUE(relinked);
  const thief mary(*t, "mary");
  const auto log = mary.log();
  ASSERT_GE(log.size(), 4U);
  const auto hers = pairs_of("mary", "john"), theirs = pairs_of("john", "peter");
  int her_records = 0, her_opened = 0, their_records = 0, their_opened = 0;
  for (const auto& x : m->messages) {
    if (!is_record(x)) continue;
    const bool open = std::any_of(log.begin(), log.end(), [&](const auto& k) { return opens(k, x); });
    if (between(hers, x)) ++her_records, her_opened += open;
    if (between(theirs, x)) ++their_records, their_opened += open;
  }
  EXPECT_GE(her_records, 40);
  EXPECT_GE(her_opened, her_records - 2) << "a log line may come a moment after a record of the next epoch";
  EXPECT_GE(their_records, 80);
  EXPECT_EQ(their_opened, 0);
  // Every key she has or can derive, on every frame of theirs: records, set-up messages, codes, tokens.
  evidence e = pair_evidence(mary);
  // Two slots either side of a set-up suffice for the handshake trials; the search spends its time on the last ones.
  e.first_slot = e.last_slot - 15;
  const auto f = search(e);
  EXPECT_EQ(f.opened, 0U);
  EXPECT_EQ(f.recognised, 0U);
  EXPECT_EQ(f.linked, 0U);
  EXPECT_GE(f.records_seen, static_cast<std::size_t>(their_records / 4));
  figure("1",
         "Mary opens %d of %d records of her own, 0 of %d records of John-Peter; %zu keys, %zu trials on %zu frames "
         "and %zu codes",
         her_opened, her_records, their_records, f.keys_tried, f.trials, e.frames.size(), e.discovery.size());
  // The control: the same capture as it would be with one key for all peers.
  const auto weak = search(security::test::weaken(e, security::test::weakness::one_key_for_all_peers));
  EXPECT_GE(e.truth.size(), 15U);
  EXPECT_EQ(weak.opened, e.truth.size());
  EXPECT_EQ(f.readable + f.keystream_reused, 0U);
  figure("1", "control, one key for all peers: the same search opens %zu of %zu data records", weak.opened,
         e.truth.size());
}

/// Octets of all writable memory of a process.
std::vector<std::uint8_t> memory_of(pid_t pid) {
  std::vector<std::uint8_t> out;
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  std::ifstream mem("/proc/" + std::to_string(pid) + "/mem", std::ios::binary);
  for (std::string l; std::getline(maps, l);) {
    unsigned long from = 0, to = 0;
    char mode[5] = "";
    // Shared mappings are the rings of the emulated air.
    if (std::sscanf(l.c_str(), "%lx-%lx %4s", &from, &to, mode) != 3 || mode[1] != 'w' || mode[3] == 's' ||
        to - from > (256UL << 20))
      continue;
    std::vector<char> chunk(to - from);
    mem.clear();
    mem.seekg(static_cast<std::streamoff>(from));
    if (!mem.read(chunk.data(), static_cast<std::streamsize>(chunk.size()))) continue;
    out.insert(out.end(), chunk.begin(), chunk.end());
  }
  return out;
}
bool holds(const std::vector<std::uint8_t>& memory, security::bytes_view key) {
  return memmem(memory.data(), memory.size(), key.data(), key.size()) != nullptr;
}

TEST_F(open_air, row_3_john_seized_with_his_memory_opens_no_past_session) {
  ASSERT_TRUE(relinked);
  // The seizure: key file, pair keys, and the memory of the running process, which is searched for every record key
  // that was ever logged.
  const thief john(*t, "john");
  const auto log = john.log();
  const auto memory = memory_of(t->pid("john"));
  if (memory.empty()) GTEST_SKIP() << "the kernel does not let a parent read the memory of its child";
  std::size_t present = 0, absent = 0;
  std::vector<const security::logged_key*> found;
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (holds(memory, log[i].key.expose())) {
      ++present;
      found.push_back(&log[i]);
    } else {
      ++absent;
    }
  }
  EXPECT_TRUE(holds(memory, john.state().peers().own_private().expose())) << "control: the search finds what is there";
  EXPECT_GE(present, 4U) << "control: current and next epoch of two links, both directions";
  EXPECT_GE(absent, log.size() / 2);
  // Records older than the longest time an epoch lives (3 s, its successor as long, 2 s more) open with nothing that is
  // still there, ...
  const std::int64_t past = m->now() - 9000;
  const auto pairs = pairs_of("john", "peter");
  std::vector<message> old;
  for (const auto& x : m->messages)
    if (is_record(x) && between(pairs, x) && x.subframe < past) old.push_back(x);
  ASSERT_GE(old.size(), 40U);
  std::size_t opened = 0, opened_by_log = 0;
  for (const auto& x : old) {
    opened += std::any_of(found.begin(), found.end(), [&](const auto* k) { return opens(*k, x); });
    opened_by_log += std::any_of(log.begin(), log.end(), [&](const auto& k) { return opens(k, x); });
  }
  EXPECT_EQ(opened, 0U);
  EXPECT_GE(opened_by_log, old.size() * 9 / 10) << "control: the keys that were wiped do open them";
  // ... nor with anything derived from what is there: static key, pair keys, products with every ephemeral heard,
  // surviving record keys.
  evidence e;
  e.first_slot = m->slot() - 4, e.last_slot = m->slot();
  std::size_t n = 0;
  for (const auto& x : m->messages)
    if (x.subframe < past && (!is_record(x) || (between(pairs, x) && n++ % 4 == 0))) e.frames.push_back(to_frame(x));
  e.stolen =
      security::stolen_state(john.state().peers(), john.state().links(), security::export_permit::user_was_warned());
  for (const auto* k : found) {
    e.stolen.push_back({"record key in memory", {k->key.expose().begin(), k->key.expose().end()}});
    e.stolen.push_back({"record IV in memory", {k->iv.expose().begin(), k->iv.expose().end()}});
  }
  const thief peter(*t, "peter");
  e.publics = {john.own(), peter.own()};
  const auto f = search(e);
  EXPECT_EQ(f.opened, 0U);
  figure("3",
         "John's %zu MiB of memory hold %zu of %zu logged record keys; 0 of %zu past John-Peter records open (with the "
         "wiped keys %zu); %zu trials",
         memory.size() >> 20, present, log.size(), old.size(), opened_by_log, f.trials);
}

TEST_F(open_air, row_5_no_key_and_nonce_serve_twice_and_no_xor_tells_anything) {
  ASSERT_TRUE(relinked);
  struct sealed {
    octets cipher, plain;
    std::int64_t subframe;
  };
  std::map<std::string, sealed> by_nonce;  // key, LCID, COUNT
  std::vector<sealed> all;
  std::set<std::string> keys;
  std::vector<security::logged_key> log;
  for (const auto* n : {"mary", "john", "peter"})
    for (auto& k : thief(*t, n).log())
      if (keys.insert(std::string(k.key.expose().begin(), k.key.expose().end())).second) log.push_back(std::move(k));
  int copies = 0, reused = 0;
  for (const auto& x : m->messages) {
    if (!is_record(x)) continue;
    for (const auto& k : log) {
      const auto plain = security::open_with(k, x.lcid, x.pdu);
      if (!plain) continue;
      std::string id(k.key.expose().begin(), k.key.expose().end());
      id += static_cast<char>(x.lcid);
      id.append(x.pdu.begin() + 3, x.pdu.begin() + 5);
      const octets cipher(x.pdu.begin() + 5, x.pdu.end());
      const auto [at, fresh] = by_nonce.try_emplace(id, sealed{cipher, *plain, x.subframe});
      if (fresh)
        all.push_back(at->second);
      else if (at->second.cipher == cipher)
        ++copies;
      else
        ++reused;
      break;
    }
  }
  EXPECT_EQ(reused, 0);
  ASSERT_GE(all.size(), 150U);
  // Any two ciphertexts: their XOR is that of their plaintexts only where a keystream serves twice.
  std::size_t pairs = 0, leaks = 0, same_period = 0, equal_plain = 0;
  for (std::size_t i = 0; i < all.size(); ++i)
    for (std::size_t j = i + 1; j < all.size(); ++j) {
      const auto n = std::min(all[i].plain.size(), all[j].plain.size());
      if (n < 7) continue;  // the shortest message is a keep-alive of 7 octets
      ++pairs;
      same_period += all[i].subframe / 40 == all[j].subframe / 40;
      equal_plain += all[i].plain == all[j].plain;
      bool equal = true;
      for (std::size_t b = 0; b < n && equal; ++b)
        equal = (all[i].cipher[b] ^ all[j].cipher[b]) == (all[i].plain[b] ^ all[j].plain[b]);
      leaks += equal;
    }
  EXPECT_EQ(leaks, 0U);
  EXPECT_GE(same_period, 10U);
  EXPECT_GE(equal_plain, 100U);
  EXPECT_GE(keys.size(), 40U);
  figure("5",
         "%zu records under %zu keys (epochs, rekeyings, a reboot): 0 nonces twice, 0 of %zu ciphertext pairs leak "
         "(%zu in one SC period, %zu of equal "
         "plaintexts); %d octet-identical copies",
         all.size(), keys.size(), pairs, same_period, equal_plain, copies);
}

}  // namespace
}  // namespace prose::adversary
