// Who is permitted: by the user's list and by servers that speak the truth or lie, as time goes on.
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <map>
#include <optional>
#include <string>

#include "apps/lib/keys/consent_list.h"
#include "apps/lib/pc3/permission_book.h"
#include "security/identity.h"

namespace prose::apps {
namespace {

using keys::consent;
using keys::consent_state;
using kind = pc3_event::kind;
constexpr std::int64_t day_s = 24 * 3600;

security::public_key key(std::uint8_t n) {
  security::public_key k{};
  k.octets.fill(n);
  return k;
}
consent fingerprint_of(std::uint8_t own, std::uint8_t other) {
  return {consent_state::fingerprint, security::pair_fingerprint(key(own), key(other))};
}
consent bound(std::uint8_t n) { return {consent_state::confirmed, key(n).octets}; }

/// A book whose list is written as prose-ue does it. The user's name is "mary", her key 1.
struct desk {
  permission_book b;
  keys::consent_list list;
  clock_reading now{1'800'000'000, 1'700'000'000, 0};

  explicit desk(std::map<std::string, consent> entries, const permission_book::key_map& fixed = {},
                std::int64_t valid_s = day_s)
      : b("mary", key(1), fixed, valid_s) {
    list.entries = std::move(entries);
    b.set_consents(list);
  }
  void bind() {
    const auto to = b.bindings();
    if (to.empty()) return;
    for (const auto& [name, c] : to) list.entries[name] = c;
    b.set_consents(list);
  }
  void grants(const std::string& name, consent c) {
    list.entries[name] = c;
    b.set_consents(list);
    bind();
  }
  void says(std::size_t server, const std::string& peer, std::optional<security::public_key> k) {
    b.update(server, peer, k, now);
    bind();
  }
  void later(std::int64_t host_s, std::int64_t slot_s, std::int64_t steady_ms) {
    now.host_s += host_s;
    now.slot_s += slot_s;
    now.steady_ms += steady_ms;
    b.advance(now);
    bind();
  }
  void later(std::int64_t s) { later(s, s, s * 1000); }
  std::string told() {
    std::string out;
    for (const auto& e : b.take()) {
      out += e.what == kind::permitted   ? "+"
             : e.what == kind::withdrawn ? "-"
             : e.what == kind::pending   ? "?"
             : e.what == kind::expires   ? "~"
                                         : "!";
      out += e.peer + std::to_string(e.key.octets[0]) + (e.text.empty() ? "" : "(" + e.text + ")") + " ";
    }
    return out;
  }
};

// --- names and keys
// ---------------------------------------------------------------------------------------------------

TEST(consent_book, a_server_cannot_link_a_name_that_was_never_granted) {
  desk d({{"john", bound(2)}});
  d.says(0, "peter", key(3));  // two rows in the server's database
  EXPECT_EQ(d.told(), "!peter3(not in the consent list) ");
  d.says(0, "john", key(2));
  EXPECT_EQ(d.told(), "+john2 ");
  EXPECT_FALSE(d.list.entries.contains("peter"));
}

TEST(consent_book, no_list_is_nobody) {
  desk d({});
  for (std::uint8_t n = 2; n < 50; ++n) d.says(n % 3, std::string("p").append(std::to_string(n)), key(n));
  EXPECT_EQ(d.told().find('+'), std::string::npos);
}

TEST(consent_book, another_peers_key_under_a_granted_name_links_nobody) {
  // The server hands out Mary's key (4) as Peter's. What Peter's entry may say:
  desk compared({{"peter", fingerprint_of(1, 3)}});
  compared.says(0, "peter", key(4));
  EXPECT_EQ(compared.told(), "!peter4(another fingerprint than granted) ?peter4(fingerprint) ");
  desk plain({{"peter", consent{}}});
  plain.says(0, "peter", key(4));
  EXPECT_EQ(plain.told(), "?peter4(pending) ");
  desk before({{"peter", bound(3)}});
  before.says(0, "peter", key(4));
  EXPECT_EQ(before.told(), "!peter4(changed key) ?peter4(confirmed) ");
  // Where the key is a granted peer's already, it is not even shown for confirmation.
  desk known({{"peter", consent{}}, {"mallory", bound(4)}});
  known.says(0, "peter", key(4));
  EXPECT_EQ(known.told(), "!peter4(key of another peer) ");
  EXPECT_TRUE(known.b.pending().empty());
  // And where the server gives it under two names, neither gets it without a comparison.
  desk twice({{"peter", {consent_state::trust_first, {}}}, {"mallory", {consent_state::trust_first, {}}}});
  twice.b.replace(0, {{"peter", key(4)}, {"mallory", key(4)}}, twice.now);
  twice.bind();
  EXPECT_EQ(twice.told(), "?mallory4(trust-first) ?peter4(trust-first) ");
}

TEST(consent_book, a_pending_key_waits_until_its_fingerprint_is_granted) {
  desk d({{"john", consent{}}});
  d.says(0, "john", key(2));
  EXPECT_EQ(d.told(), "?john2(pending) ");
  EXPECT_EQ(d.b.pending().at("john"), key(2));
  d.says(0, "john", key(2));
  EXPECT_EQ(d.told(), "");
  d.grants("john", fingerprint_of(1, 2));
  EXPECT_EQ(d.told(), "+john2 ");
  EXPECT_EQ(d.list.entries.at("john"), bound(2));
  EXPECT_TRUE(d.b.pending().empty());
}

TEST(consent_book, trust_first_binds_the_first_key_for_good) {
  desk d({{"john", {consent_state::trust_first, {}}}});
  d.says(0, "john", key(2));
  EXPECT_EQ(d.told(), "+john2 ");
  EXPECT_EQ(d.list.entries.at("john"), (consent{consent_state::first, key(2).octets}));
  d.says(0, "john", std::nullopt);
  d.says(0, "john", key(9));  // granted anew with another key
  EXPECT_EQ(d.told(), "-john2 !john9(changed key) ?john9(first) ");
  d.says(0, "john", key(2));
  d.later(6);
  EXPECT_EQ(d.told(), "+john2 ");
}

TEST(consent_book, a_key_counts_only_once_it_is_bound_on_the_disk) {
  desk d({{"john", {consent_state::trust_first, {}}}});
  d.b.update(0, "john", key(2), d.now);
  EXPECT_EQ(d.told(), "");
  d.bind();
  EXPECT_EQ(d.told(), "+john2 ");
}

TEST(consent_book, servers_that_differ_about_a_first_key_leave_it_pending) {
  desk d({{"john", {consent_state::trust_first, {}}}});
  d.b.restore(0, {{{"john", key(2)}}, d.now.host_s, d.now.slot_s, 0}, d.now);
  d.b.restore(1, {{{"john", key(9)}}, d.now.host_s, d.now.slot_s, 0}, d.now);
  EXPECT_EQ(d.b.bindings().size(), 0U);
  EXPECT_TRUE(d.b.pending().contains("john"));
}

TEST(consent_book, a_changed_key_suspends_the_old_one_at_once_and_for_good) {
  desk d({{"john", bound(2)}});
  d.says(0, "john", key(2));
  d.says(1, "john", key(2));
  EXPECT_EQ(d.told(), "+john2 ");
  d.says(0, "john", key(9));  // rotated; or a lie
  EXPECT_EQ(d.told(), "!john9(changed key) ?john9(suspended) -john2 ");
  EXPECT_EQ(d.list.entries.at("john"), (consent{consent_state::suspended, key(2).octets}));
  d.says(0, "john", key(2));  // the old one does not come back by a server's word: its device may be in other hands
  d.later(60);
  EXPECT_EQ(d.told(), "");
  d.says(0, "john", key(9));
  d.grants("john", fingerprint_of(1, 9));
  d.later(6);
  // The second server is behind, which changes nothing.
  const auto all = d.told();
  EXPECT_NE(all.find("!john2(changed key) +john9 "), std::string::npos) << all;
  EXPECT_EQ(all.find_first_of("+-"), all.find("+john9")) << all;
  EXPECT_EQ(d.list.entries.at("john"), bound(9));
}

TEST(consent_book, a_key_that_changed_unheard_is_suspended_too) {
  desk d({{"john", bound(2)}});
  d.b.restore(0, {{{"john", key(2)}}, d.now.host_s, d.now.slot_s, 0}, d.now);
  d.b.restore(1, {{{"john", key(2)}}, d.now.host_s, d.now.slot_s, 0}, d.now);
  d.b.replace(0, {{"john", key(9)}}, d.now);
  d.bind();
  EXPECT_EQ(d.told(), "+john2 !john9(changed key) ?john9(suspended) -john2 ");
}

TEST(consent_book, a_server_cannot_suspend_a_key_it_never_gave) {
  desk d({{"john", bound(2)}});
  d.says(0, "john", key(2));
  d.says(1, "john", key(9));
  EXPECT_EQ(d.told(), "+john2 !john9(changed key) ");
  EXPECT_TRUE(d.b.pending().empty());
}

TEST(consent_book, duplicate_names_and_keys_and_ones_own_get_nowhere) {
  desk d({{"mary", consent{}},
          {"eve", {consent_state::trust_first, {}}},
          {"paul", {consent_state::trust_first, {}}},
          {"peter", {consent_state::trust_first, {}}}},
         {{"peter", key(3)}});
  d.says(0, "mary", key(5));
  d.says(0, "eve", key(1));
  d.says(0, "bad name", key(6));
  d.says(0, "paul", key(3));   // Peter's key under another name
  d.says(0, "peter", key(9));  // another key for a peer of the permission file
  const auto all = d.told();
  EXPECT_EQ(all.find_first_of("+-?"), std::string::npos) << all;
  EXPECT_NE(all.find("!mary5(own name or key, or no name)"), std::string::npos) << all;
  EXPECT_NE(all.find("!eve1(own name or key, or no name)"), std::string::npos) << all;
  EXPECT_NE(all.find("!paul3(key of another peer)"), std::string::npos) << all;
  EXPECT_NE(all.find("!peter9(changed key)"), std::string::npos) << all;
}

TEST(consent_book, a_second_server_can_only_end_a_permission) {
  desk d({{"john", bound(2)}, {"paul", bound(5)}});
  d.says(0, "john", key(2));
  d.says(1, "paul", key(5));
  d.says(1, "john", std::nullopt);
  EXPECT_EQ(d.told(), "+john2 +paul5 ");
  d.b.replace(1, {}, d.now);
  EXPECT_EQ(d.told(), "-paul5 ");
}

TEST(consent_book, the_permission_file_stays_and_does_not_expire) {
  desk d({}, {{"peter", key(3)}});
  d.says(0, "peter", key(3));
  d.says(0, "peter", std::nullopt);
  d.later(400 * day_s);
  EXPECT_EQ(d.told(), "");
}

TEST(consent_book, a_withdrawal_is_in_force_whatever_servers_say) {
  desk d({{"john", bound(2)}});
  d.says(0, "john", key(2));
  d.says(1, "john", key(2));
  d.grants("john", {consent_state::withdrawn, {}});
  d.says(0, "john", key(2));
  d.says(0, "john", key(9));
  d.later(60);
  EXPECT_EQ(d.told(), "+john2 -john2 ");
  EXPECT_EQ(d.b.withdrawn(), std::set<std::string>{"john"});
  EXPECT_TRUE(d.b.granted_part(0).keys.empty());
}

TEST(consent_book, a_server_that_names_peers_without_end_is_bounded) {
  constexpr int n = 3 * permission_book::max_peers_per_server;
  const auto numbered = [](int i) {
    auto k = key(7);
    k.octets[0] = static_cast<std::uint8_t>(i);
    k.octets[1] = static_cast<std::uint8_t>(i >> 8);
    return k;
  };
  desk d({{"john", bound(2)}});
  d.says(1, "john", key(2));
  permission_book::key_map all;
  for (int i = 0; i < n; ++i) all[std::string("p").append(std::to_string(i))] = numbered(i);
  d.b.replace(0, all, d.now);
  EXPECT_EQ(d.b.statements().at(0).keys.size(), permission_book::max_peers_per_server);
  d.says(0, "one-more", key(9));
  EXPECT_EQ(d.b.statements().at(0).keys.size(), permission_book::max_peers_per_server);
  EXPECT_TRUE(d.b.granted_part(0).keys.empty());
  EXPECT_LE(d.b.take().size(), permission_book::max_peers_per_server + 2);
  for (int round = 0; round < 5; ++round) {
    all.clear();
    for (int i = 0; i < n; ++i)
      all[std::string("q").append(std::to_string(round)).append(".").append(std::to_string(i))] = numbered(i);
    d.b.replace(0, all, d.now);
  }
  EXPECT_LE(d.b.take().size(), permission_book::max_told);
  d.says(1, "john", std::nullopt);  // the others' peers go on as before
  EXPECT_EQ(d.told(), "-john2 ");
}

TEST(consent_book, peers_beyond_the_places_wait_for_a_free_one) {
  std::map<std::string, consent> entries;
  for (int i = 0; i < 66; ++i)
    entries[std::string("p").append(std::to_string(100 + i))] = bound(static_cast<std::uint8_t>(i + 2));
  desk d(entries);
  permission_book::key_map all;
  for (const auto& [name, c] : entries) all[name] = c.key();
  d.b.replace(0, all, d.now);
  int permitted = 0;
  std::string late;
  for (const auto& e : d.b.take()) {
    permitted += e.what == kind::permitted;
    if (e.what == kind::refused) late.append(e.peer).append("(").append(e.text).append(") ");
  }
  EXPECT_EQ(permitted, 64);
  EXPECT_EQ(late, "p164(one peer too many) p165(one peer too many) ");
  d.says(0, "p110", std::nullopt);
  d.later(1);
  EXPECT_EQ(d.told(), "-p11012 +p16466 ");
}

// --- time
// -------------------------------------------------------------------------------------------------------------

TEST(consent_expiry, ends_by_the_clock_of_the_host_or_of_the_slots) {
  for (const bool host : {true, false}) {
    desk d({{"john", bound(2)}});
    d.says(0, "john", key(2));
    EXPECT_EQ(d.told(), "+john2 ");
    d.later(host ? day_s - 3601 : 0, host ? 0 : day_s - 3601, 0);
    EXPECT_EQ(d.told(), "") << host;
    d.later(host ? 1 : 0, host ? 0 : 1, 0);
    EXPECT_EQ(d.told(), "~john2 ") << host;  // an hour ahead, once
    d.later(host ? 3599 : 0, host ? 0 : 3599, 0);
    EXPECT_EQ(d.told(), "") << host;
    d.later(host ? 1 : 0, host ? 0 : 1, 0);
    EXPECT_EQ(d.told(), "-john2 ") << host;
  }
}

TEST(consent_expiry, each_clock_is_counted_from_its_own_reading) {
  desk d({{"john", bound(2)}});  // the slot clock is 100 000 000 s behind the host's
  d.says(0, "john", key(2));
  d.later(day_s / 2);
  EXPECT_EQ(d.told(), "+john2 ");
  EXPECT_EQ(d.b.left_s(0), day_s / 2);
}

TEST(consent_expiry, no_step_back_revives_it_not_even_over_a_restart) {
  desk d({{"john", bound(2)}});
  d.says(0, "john", key(2));
  d.later(day_s);
  EXPECT_EQ(d.told(), "+john2 -john2 ");
  d.later(-2 * day_s, -2 * day_s, 60'000);
  EXPECT_EQ(d.told(), "");
  const auto kept = parse_statement(to_text(d.b.granted_part(0)), "kept");
  ASSERT_TRUE(kept) << kept.error().message;
  desk again({{"john", bound(2)}});
  again.now = d.now;
  again.b.restore(0, *kept, again.now);
  again.later(60);
  EXPECT_EQ(again.told(), "");
  again.b.restate(0, again.now);  // only a new statement starts anew
  EXPECT_EQ(again.told(), "+john2 ");
  EXPECT_EQ(again.b.left_s(0), day_s);
}

TEST(consent_expiry, a_step_back_within_the_validity_gives_no_time_back) {
  desk d({{"john", bound(2)}});
  d.says(0, "john", key(2));
  d.later(day_s - 10);
  d.later(-(day_s - 10), -(day_s - 10), 0);
  EXPECT_EQ(d.b.left_s(0), 10);
}

TEST(consent_expiry, every_word_of_the_server_starts_it_anew) {
  desk d({{"john", bound(2)}});
  d.says(0, "john", key(2));
  for (int i = 0; i < 100; ++i) {
    d.later(day_s - 3700);
    d.b.restate(0, d.now);
  }
  EXPECT_EQ(d.told(), "+john2 ");
  d.later(day_s - 100);
  d.b.restate(0, d.now);
  d.later(day_s - 100);
  EXPECT_EQ(d.told(), "~john2 ~john2 ");  // told again for the new statement
}

TEST(consent_expiry, another_server_that_still_speaks_keeps_it) {
  desk d({{"john", bound(2)}});
  d.says(0, "john", key(2));
  d.later(day_s / 2);
  d.says(1, "john", key(2));
  d.later(day_s - 1);
  EXPECT_EQ(d.told(), "+john2 ~john2 ");
  d.later(1);
  EXPECT_EQ(d.told(), "-john2 ");
}

TEST(consent_expiry, an_expired_statement_binds_no_key) {
  desk d({{"john", {consent_state::trust_first, {}}}});
  server_statement old{{{"john", key(2)}}, d.now.host_s - 2 * day_s, d.now.slot_s - 2 * day_s, 0};
  d.b.restore(0, old, d.now);
  d.bind();
  EXPECT_EQ(d.list.entries.at("john").state, consent_state::trust_first);
}

TEST(consent_expiry, a_validity_of_its_own) {
  desk d({{"john", bound(2)}}, {}, 30 * day_s);
  d.says(0, "john", key(2));
  d.later(30 * day_s - 1);
  d.later(1);
  EXPECT_EQ(d.told(), "+john2 ~john2 -john2 ");
}

TEST(consent_expiry, statements_on_the_disk_are_read_strictly) {
  server_statement s{{{"john", key(2)}}, 1'800'000'000, 1'700'000'000, 77};
  const auto text = to_text(s);
  EXPECT_EQ(*parse_statement(text, "f"), s);
  for (const std::string bad :
       {"", "# prose statement 2\nat 1 1\nadvanced 0\n", "# prose statement 1\nat 1\nadvanced 0\n",
        "# prose statement 1\nat 1 1 1\nadvanced 0\n", "# prose statement 1\nat 1 -1\nadvanced 0\n",
        "# prose statement 1\nat 1 1\n", "# prose statement 1\nat 1 1\nadvanced 99999999999999\n",
        "# prose statement 1\nat 1 1\nadvanced 0\njohn\n"}) {
    const auto r = parse_statement(bad, "f");
    ASSERT_FALSE(r) << bad;
    EXPECT_EQ(r.error().message.rfind("f:", 0), 0U) << r.error().message;
  }
  EXPECT_FALSE(parse_statement(text + "john " + text.substr(text.rfind("john ") + 5), "f"));
  server_statement many = s;
  for (std::size_t i = 0; i <= permission_book::max_peers_per_server; ++i)
    many.keys[std::string("p").append(std::to_string(i))] = key(2);
  EXPECT_FALSE(parse_statement(to_text(many), "f"));
  EXPECT_FALSE(parse_statement(text + "../x " + text.substr(text.rfind("john ") + 5), "f"));
}

// --- the consent list as a file
// ------------------------------------------------------------------------------------------

TEST(consent_file, is_read_as_it_was_written) {
  keys::consent_list l;
  l.imported = true;
  l.entries = {{"a", consent{}},
               {"b", {consent_state::trust_first, {}}},
               {"c", fingerprint_of(1, 2)},
               {"d", {consent_state::first, key(4).octets}},
               {"e", bound(5)},
               {"f", {consent_state::suspended, key(6).octets}},
               {"imported", {consent_state::withdrawn, {}}}};
  const auto r = keys::parse_consents(keys::to_text(l), "f");
  ASSERT_TRUE(r) << r.error().message;
  EXPECT_EQ(*r, l);
}

TEST(consent_file, anything_else_is_refused_with_its_line) {
  const std::string head = "# prose consent 1\n", k = "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=";
  ASSERT_TRUE(keys::parse_consents(head + "john first " + k + "\n", "f"));
  const auto line_of = [&](const std::string& text) {
    const auto r = keys::parse_consents(text, "f");
    return r ? std::string("read") : r.error().message.substr(0, r.error().message.find(' '));
  };
  EXPECT_EQ(line_of(""), "f:1:");
  EXPECT_EQ(line_of("# prose consent 2\n"), "f:1:");
  EXPECT_EQ(line_of("john pending\n"), "f:1:");
  for (const std::string& bad :
       {std::string("john"), std::string("john granted"), "john pending " + k, std::string("john first"),
        "john first " + k + " x", std::string("john first AAAA"), std::string("john fingerprint 12"),
        std::string("../x pending"), std::string("john first /////////////////////////////////////////38="),
        std::string("imported x")})
    EXPECT_EQ(line_of(head + "ann pending\n" + bad + "\n"), "f:3:") << bad;
  EXPECT_EQ(line_of(head + "john pending\njohn withdrawn\n"), "f:3:");
  EXPECT_EQ(line_of(head + "john first " + k + "\nann suspended " + k + "\n"), "f:3:");
  std::string many = head;
  for (std::size_t i = 0; i <= keys::consent_list::max_entries; ++i)
    many.append("n").append(std::to_string(i)).append(" pending\n");
  EXPECT_EQ(line_of(many), std::string("f:").append(std::to_string(keys::consent_list::max_entries + 2)).append(":"));
}

TEST(consent_file, a_fingerprint_is_taken_as_it_is_printed) {
  const std::string plain = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  const auto a = keys::fingerprint_from_text(plain),
             b = keys::fingerprint_from_text("00112233 44556677 8899AABB ccddeeff 00112233 44556677 8899aabb ccddeeff");
  ASSERT_TRUE(a && b);
  EXPECT_EQ(*a, *b);
  for (const std::string& bad : {std::string(), plain.substr(1), plain + "0", "g" + plain.substr(1)})
    EXPECT_FALSE(keys::fingerprint_from_text(bad)) << bad;
}

}  // namespace
}  // namespace prose::apps
