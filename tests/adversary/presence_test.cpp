// Rows 2, 7, 9, 13 and 16: what a prober, a forger and a flooder with Mary's whole state get out of Peter and John.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <set>

#include "common/octet_order.h"
#include "tests/adversary/emissions.h"
#include "tests/adversary/figures.h"
#include "tests/adversary/thief.h"
#include "tests/adversary/town.h"

namespace prose::adversary {
namespace {

/// The ear is a receiver at Peter's antenna: it hears nobody else.
const char* const ear_air =
    "default: {gain_db: -20}\nnodes:\n  \"*\": {noise_dbfs: -60}\npairs:\n  - {from: john, to: ear, blocked: true}\n"
    "  - {from: mary, to: ear, blocked: true}\n  - {from: mallory, to: ear, blocked: true}\n";

/// Everything that Mary can make of her keys, and everything that was heard before, for a few seconds.
std::size_t probe(node& m, const thief& mary, const std::vector<heard_discovery>& codes,
                  const std::vector<message>& heard) {
  std::size_t n = 0;
  const auto& k = mary.with("john");
  for (security::slot_t s = m.slot() - 3; s <= m.slot() + 4; ++s)
    for (const auto* keys : {&k.ours, &k.theirs})
      for (const auto type : {security::discovery_type::announcement, security::discovery_type::query,
                              security::discovery_type::response})
        m.send_discovery(security::make_discovery(type, *keys, s)), ++n;
  std::set<security::discovery_pdu> once;
  for (auto i = codes.rbegin(); i != codes.rend() && once.size() < 200; ++i)
    if (once.insert(i->pdu).second) m.send_discovery(i->pdu), ++n;
  std::set<std::uint32_t> ids;
  for (const auto& x : heard) {
    m.send(x), ++n;
    message r = x;
    std::swap(r.src, r.dst);
    m.send(r), ++n;
    if (x.lcid == security::lcid_pc5s_unprotected) ids.insert(x.dst);
  }
  // Requests made with her keys, for the rendezvous IDs that were seen and for her own.
  for (security::slot_t s = m.slot() - 2; s <= m.slot() + 2; ++s) {
    auto to = ids;
    to.insert(security::rendezvous_l2_id(k.theirs, s));
    to.insert(security::rendezvous_l2_id(k.ours, s));
    for (const auto dst : to) {
      security::handshake_context c;
      c.seq = static_cast<std::uint16_t>(n);
      c.initiator = 0x123400 + static_cast<std::uint32_t>(n % 256);
      c.responder = dst;
      c.t = s;
      const security::initiator_handshake hs(mary.state().peers(), k, c,
                                             security::offer{security::all_suites, 1, 0, 1});
      m.send(as_message(c.initiator, dst, security::lcid_pc5s_unprotected, hs.request())), ++n;
    }
  }
  return n;
}

void presence(const std::string& model) {
  town t(ear_air);
  for (const auto* n : {"mary", "john", "peter"}) t.make_key(n);
  t.permit("mary", "john");
  t.permit("john", "peter");
  node m(t.radio("mallory"));
  t.listen();
  m.run(0.1);
  ue_settings s;
  s.model = model;
  s.link = "  keepalive_s: 1\n  lost_s: 3\n";
  t.start("peter", s);
  ue_settings asking = s;
  asking.discovery = model == "b" ? "  query: [peter]\n" : "";
  // The control: when John comes, Peter answers.
  t.start("john", asking);
  const auto with_john = m.now();
  EXPECT_TRUE(m.run_until([&] { return t.linked("john", "peter"); }, 60));
  m.run(1);
  const auto answering = emitted(t, m, with_john, m.now());
  EXPECT_GT(answering.other, 0) << "control: an answer is seen at the ear";
  t.kill("john");
  // All of his links: one that another took the place of is reported as lost while the last still lives.
  ASSERT_TRUE(m.run_until([&] { return t.count("peter", "link_lost") >= t.count("peter", "link_established"); }, 20));
  const auto codes = m.discovery;
  const auto heard = m.messages;
  m.run(1);
  const thief mary(t, "mary");
  const auto quiet_from = m.now();
  m.run(8);
  const auto quiet = emitted(t, m, quiet_from, m.now());
  const auto probed_from = m.now();
  std::size_t n = 0;
  for (int i = 0; i < 4; ++i) n += probe(m, mary, codes, heard), m.run(2);
  m.run_until([&] { return m.unsent() == 0; }, 10);
  m.run(1);
  const auto probed = emitted(t, m, probed_from, m.now());
  const int seconds = static_cast<int>((m.now() - probed_from) / 1000);
  t.kill("peter");
  m.run(0.1);
  const auto absent_from = m.now();
  for (int i = 0; i < 2; ++i) probe(m, mary, codes, heard), m.run(2);
  const auto absent = emitted(t, m, absent_from, m.now());
  EXPECT_EQ(absent.subframes, 0);
  EXPECT_EQ(quiet.other, 0);
  EXPECT_EQ(probed.other, 0) << "nothing outside discovery: no answer to any probe";
  EXPECT_EQ(t.count("peter", "peer_discovered", "mary"), 0U);
  if (model == "b") {
    EXPECT_EQ(quiet.subframes, 0);
    EXPECT_EQ(probed.subframes, 0) << "present and probed is as silent as absent";
  } else {
    EXPECT_EQ(quiet.a_period, probed.a_period) << "the same number of announcements in every period";
    EXPECT_EQ(probed.a_period.size(), 1U);
  }
  figure("7",
         "Peter (%s): %zu probes in %d s; subframes emitted: answering John %d, quiet %d, probed %d (outside discovery "
         "%d), absent %d%s",
         model == "b" ? "listens, model B" : "announces, model A", n, seconds, answering.subframes, quiet.subframes,
         probed.subframes, probed.other, absent.subframes,
         model == "b" ? "" : "; announcements a period the same throughout");
}
TEST(prober, row_7_listening_peter_emits_nothing_present_or_absent) { presence("b"); }
TEST(prober, row_7_announcing_peter_emits_only_announcements) { presence("a"); }

TEST(forger, row_2_mary_announces_as_herself_only) {
  town t;
  for (const auto* n : {"mary", "john", "peter"}) t.make_key(n);
  t.permit("mary", "john");
  t.permit("john", "peter");
  node m(t.radio("mallory"));
  m.run(0.1);
  t.start("john");  // Peter and John in turn alone with the forger
  const thief mary(t, "mary");
  // Every key of hers in every place of every kind of message.
  const auto forge = [&] {
    std::size_t n = 0;
    std::vector<std::array<std::uint8_t, 32>> keys;
    for (const auto& s : mary.secrets())
      if (s.octets.size() == 32) std::copy_n(s.octets.begin(), 32, keys.emplace_back().begin());
    for (const auto& p : {thief(t, "john").own(), thief(t, "peter").own(), mary.own()}) keys.push_back(p.octets);
    for (const auto& k : keys)
      for (const auto& a : {thief(t, "john").own(), thief(t, "peter").own()})
        for (const auto& b : {thief(t, "john").own(), thief(t, "peter").own()}) {
          if (a == b) continue;
          const auto d = security::derive_direction(security::pre_shared_key(std::array<std::uint8_t, 32>{}),
                                                    security::dh_output(k), a, b);
          for (security::slot_t s = m.slot(); s <= m.slot() + 2; ++s)
            for (const auto type : {security::discovery_type::announcement, security::discovery_type::response})
              m.send_discovery(security::make_discovery(type, d, s)), ++n;
        }
    for (const auto* d : {&mary.with("john").ours, &mary.with("john").theirs})
      for (security::slot_t s = m.slot(); s <= m.slot() + 2; ++s)
        m.send_discovery(security::make_discovery(security::discovery_type::response, *d, s)), ++n;
    m.run_until([&] { return m.unsent() == 0; }, 20);
    m.run(1);
    return n;
  };
  std::size_t n = forge();
  EXPECT_EQ(t.count("john", "peer_discovered", "peter"), 0U);
  EXPECT_EQ(t.count("john", "peer_discovered", "mary"), 0U);
  // The control: with the right key the same machinery is believed, though no Mary runs.
  bool believed = false;
  for (int i = 0; i < 20 && !believed; ++i) {  // John may be sending himself just then
    m.send_discovery(
        security::make_discovery(security::discovery_type::announcement, mary.with("john").ours, m.slot()));
    believed = m.run_until([&] { return t.count("john", "peer_discovered", "mary") == 1; }, 0.5);
  }
  EXPECT_TRUE(believed);
  t.kill("john");
  t.start("peter");
  n += forge();
  EXPECT_EQ(t.count("peter", "peer_discovered"), 0U);
  t.start("john");
  EXPECT_TRUE(m.run_until([&] { return t.count("peter", "peer_discovered", "john") == 1; }, 60))
      << "control: the true John is heard";
  figure("2",
         "%zu forged announcements and responses with every key of Mary's: 0 believed by Peter, 0 by John; her own as "
         "herself: believed",
         n);
}

/// Mary knows where John takes her requests: requests with bad tokens, and some that only she can make, each with a new
/// ephemeral. Every other SC period: a flood of requests, not a jammer.
void requests_for_john(node& m, const thief& mary, std::uint32_t& n) {
  if (m.now() % 80 != 0 || m.unsent() > 40) return;
  const auto& k = mary.with("john");
  for (int i = 0; i < 60; ++i) {
    security::handshake_context c;
    c.seq = static_cast<std::uint16_t>(n);
    c.initiator = 0x200000 + n % 4;
    c.t = m.slot();
    c.responder = security::rendezvous_l2_id(k.theirs, c.t);
    octets body(security::request_octets);
    if (i == 0) {
      const security::initiator_handshake hs(mary.state().peers(), k, c,
                                             security::offer{security::all_suites, 1, 0, 1});
      body.assign(hs.request().begin(), hs.request().end());
    } else {
      body[0] = 1, body[1] = static_cast<std::uint8_t>(n >> 8), body[2] = static_cast<std::uint8_t>(n), body[3] = 1;
      for (std::size_t b = 4; b < body.size(); ++b)
        body[b] = static_cast<std::uint8_t>((n * 2654435761U + b * 40503U) >> 7);
    }
    m.send(as_message(c.initiator, c.responder, 28, body));
    ++n;
  }
}

TEST(flooder, row_9_a_flood_costs_no_memory_and_an_honest_set_up_succeeds) {
  town t;
  for (const auto* n : {"mary", "john", "peter"}) t.make_key(n);
  t.permit("mary", "john");
  t.permit("john", "peter");
  node m(t.radio("mallory"));
  m.run(0.1);
  t.start("john");
  m.run(5);
  const thief mary(t, "mary");
  std::uint32_t n = 0;
  const auto flood = [&] { requests_for_john(m, mary, n); };
  m.on_subframe = flood;
  m.run(10);
  const long cpu_before = t.cpu_ms("john");
  const auto at = m.now();
  t.start("peter");
  const bool up = m.run_until([&] { return t.linked("john", "peter"); }, 60);
  const double took = static_cast<double>(m.now() - at) / 1000;
  EXPECT_TRUE(up) << "the honest set-up";
  m.run(20);  // the link and what the flood touches for the first time are in memory now
  const long before = t.memory_kib("john");
  const auto n_before = n;
  m.run(60);
  const long after = t.memory_kib("john"), cpu = t.cpu_ms("john") - cpu_before;
  const double s = static_cast<double>(m.now() - at) / 1000;
  m.on_subframe = nullptr;
  const auto rejected = t.rejected("john", "bad_token") + t.rejected("john", "limit");
  EXPECT_GE(rejected, 5000U) << "control: the flood arrives";
  EXPECT_GE(n - n_before, 20'000U);
  EXPECT_LE(after - before, 256) << "KiB";
  EXPECT_LT(t.count("john", "link_established", "mary"), 2U);
  EXPECT_TRUE(t.running("john"));
  figure("9",
         "%u requests (%llu counted as rejected), about %.0f a second: memory of its own %ld -> %ld KiB over the last "
         "60 s, John-Peter link in %.1f s, %.1f ms of processor a second",
         n, static_cast<unsigned long long>(rejected), n / (s + 10), before, after, took, static_cast<double>(cpu) / s);
}

TEST(flooder, row_9_a_live_sniffer_with_marys_keys_keeps_real_time) {
  town t;
  for (const auto* n : {"mary", "john"}) t.make_key(n);
  t.permit("mary", "john");
  node m(t.radio("mallory"));
  m.run(0.1);
  t.sniff("listener", {"--verdict", "--compromised", t.file("mary.key"), "--compromised", t.file("mary.permit"),
                       "--report", t.file("listener.json")});
  m.run(2);
  const thief mary(t, "mary");
  std::uint32_t n = 0;
  m.on_subframe = [&] { requests_for_john(m, mary, n); };
  m.run(10);
  const long start = t.cpu_ms("listener");
  m.run(20);
  const long middle = t.cpu_ms("listener");
  m.run(20);
  const long end = t.cpu_ms("listener");
  m.on_subframe = nullptr;
  // Processor time, not the wall's: the emulated air waits for who is late.
  const double first = static_cast<double>(middle - start) / 20, second = static_cast<double>(end - middle) / 20;
  EXPECT_GE(n, 30'000U);
  (void)t.stop("listener", m);
  std::ifstream report(t.file("listener.json"));
  const std::string text{std::istreambuf_iterator<char>(report), {}};
  const auto at = text.find("\"requests\":");
  const long heard = at == std::string::npos ? 0 : std::atol(text.c_str() + at + 11);
  EXPECT_GE(heard, 20'000) << "control: the sniffer hears the flood";
  EXPECT_LT(second, 700) << "ms a second";
  EXPECT_LT(second, 1.3 * first + 30) << "it does not grow with what was heard";
  figure("9",
         "a live sniffer with Mary's keys under the same flood, %u requests of which it heard %ld: %.0f, then %.0f ms "
         "of processor a second",
         n, heard, first, second);
}

TEST(impersonator, row_16_with_peters_key_mary_is_not_john_to_peter) {
  town t;
  for (const auto* n : {"mary", "john", "peter"}) t.make_key(n);
  t.permit("mary", "john");
  t.permit("john", "peter");
  node m(t.radio("mallory"));
  m.run(0.1);
  t.start("peter");
  // Key compromise: she holds Peter's private key, so she knows the pair's shared secret, but not John's private key.
  const thief peter(t, "peter");
  const thief john_truth(t, "john");
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh(random);
  auto lie = security::key_pair::generate({random, dh});
  const auto some_private = security::static_private_key(lie.private_key.expose());
  lie.public_part = john_truth.own();  // John's public key over a private key that is not his
  security::peer_table as_john(std::move(lie), {random, dh});
  ASSERT_TRUE(as_john.add("peter", peter.own()));
  const auto& shared = peter.with("john");
  const auto* stub = as_john.find(std::string_view("peter"));
  auto* p = const_cast<security::peer*>(stub);
  p->shared = security::dh_output(shared.shared.expose());
  p->ours = security::derive_direction(security::pre_shared_key(std::array<std::uint8_t, 32>{}), p->shared,
                                       john_truth.own(), peter.own());
  p->theirs = security::derive_direction(security::pre_shared_key(std::array<std::uint8_t, 32>{}), p->shared,
                                         peter.own(), john_truth.own());
  std::size_t asked = 0, commands = 0, read = 0;
  std::vector<std::unique_ptr<security::initiator_handshake>> attempts;
  std::map<std::uint32_t, security::initiator_handshake*> by_src;
  m.on_message = [&](const message& x) {
    const auto a = by_src.find(x.dst);
    if (x.lcid != 29 || a == by_src.end()) return;
    ++commands;
    read += a->second->read_answer(pc5s(x)).has_value();
    octets complete(security::complete_octets);
    complete[0] = 13, complete[1] = x.pdu[6], complete[2] = x.pdu[7];
    random.fill(std::span(complete).subspan(3));
    m.send(as_message(x.dst, x.src, 29, complete));
  };
  for (int i = 0; i < 12; ++i) {
    security::handshake_context c;
    c.seq = static_cast<std::uint16_t>(i + 1);
    c.initiator = 0x654300 + static_cast<std::uint32_t>(i);
    c.t = m.slot();
    c.responder = security::rendezvous_l2_id(p->theirs, c.t);
    attempts.push_back(std::make_unique<security::initiator_handshake>(as_john, *p, c,
                                                                       security::offer{security::all_suites, 1, 0, 1}));
    by_src[c.initiator] = attempts.back().get();
    m.send(as_message(c.initiator, c.responder, 28, attempts.back()->request()));
    ++asked;
    m.run(1.7);
  }
  EXPECT_GE(commands, 1U)
      << "control: at full strength the request is answered (the stated limit of KK with the responder's key leaked)";
  EXPECT_EQ(read, 0U) << "she cannot read the command: se needs John's private key";
  EXPECT_EQ(t.count("peter", "link_established"), 0U);
  figure("16", "KCI: with Peter's private key %zu requests as John, %zu answered, 0 commands opened, 0 links", asked,
         commands);
  m.on_message = nullptr;
  t.start("john");
  EXPECT_TRUE(m.run_until([&] { return t.linked("john", "peter"); }, 60))
      << "control: the true John still gets his link";
}

TEST(impersonator, row_16_a_request_carried_to_peter_links_nobody) {
  // Unknown key share: John asks Mary; the attacker carries his request to Peter under every address that Peter listens
  // on, and Peter's to Mary.
  town t(
      "default: {gain_db: -20}\nnodes:\n  \"*\": {noise_dbfs: -60}\npairs:\n  - {between: [john, peter], blocked: "
      "true}\n"
      "  - {between: [john, mary], blocked: true}\n  - {between: [mary, peter], blocked: true}\n");
  for (const auto* n : {"mary", "john", "peter"}) t.make_key(n);
  t.permit("mary", "john");
  t.permit("john", "peter");
  const thief mary(t, "mary"), peter(t, "peter"), john(t, "john");
  node m(t.radio("mallory"));
  m.run(0.1);
  for (const auto* n : {"mary", "john", "peter"}) t.start(n);
  std::set<security::discovery_pdu> relayed;
  m.on_discovery = [&](const heard_discovery& d) {
    if (relayed.insert(d.pdu).second) m.send_discovery(d.pdu);
  };
  std::size_t carried = 0;
  octet_set seen;
  m.on_message = [&](const message& x) {
    if (!seen.insert(x.pdu).second) return;
    // Where would each of the others take a request now? (With their keys, which is more than she has.)
    for (security::slot_t s = m.slot() - 1; s <= m.slot(); ++s)
      for (const auto id : {security::rendezvous_l2_id(peter.with("john").ours, s),
                            security::rendezvous_l2_id(mary.with("john").ours, s),
                            security::rendezvous_l2_id(john.with("peter").ours, s),
                            security::rendezvous_l2_id(john.with("mary").ours, s)})
        if (id != x.dst) {
          message y = x;
          y.dst = id;
          m.send(y), ++carried;
        }
  };
  m.run(20);
  std::size_t links = 0;
  for (const auto* n : {"mary", "john", "peter"}) links += t.count(n, "link_established");
  EXPECT_GE(carried, 30U);
  EXPECT_EQ(links, 0U);
  m.clear_unsent();
  m.on_message = [&](const message& x) {
    if (seen.insert(x.pdu).second) m.send(x);
  };
  EXPECT_TRUE(m.run_until([&] { return t.linked("john", "peter") && t.linked("john", "mary"); }, 60))
      << "control: carried where they belong they give links";
  figure("16",
         "unknown key share: %zu set-up messages carried to somebody else's rendezvous: 0 links; carried home: both "
         "links, fingerprints %s",
         carried,
         t.last("john", "link_established", "peter")["key_fingerprint"] ==
                 t.last("peter", "link_established", "john")["key_fingerprint"]
             ? "equal at both ends"
             : "DIFFERENT");
  EXPECT_EQ(t.last("john", "link_established", "peter")["key_fingerprint"],
            t.last("peter", "link_established", "john")["key_fingerprint"]);
}

}  // namespace
}  // namespace prose::adversary
