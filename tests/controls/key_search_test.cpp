// What stolen keys open and recognise of the product's own messages, and which of it is the stolen UE's own.
#include <set>
#include <stdexcept>

#include "apps/lib/keys/key_file.h"
#include "apps/lib/verdict/stolen_keys.h"
#include "security/crypto/x25519.h"
#include "security/link.h"
#include "tests/controls/scene.h"
#include "tests/security/labels_in_code.h"

namespace prose::apps {
namespace {
using namespace controls;
using namespace security;

constexpr std::pair<slot_t, slot_t> day{1000, 1000 + 86'400};

std::string key_file(const ue& u) { return keys::to_base64(u.security->peers().own_private().expose()) + "\n"; }
std::string permit(std::initializer_list<const ue*> who) {
  std::string out;
  for (const auto* u : who) out += u->name + " " + keys::to_base64(u->security->peers().own_public().octets) + "\n";
  return out;
}
stolen_file file(const std::string& path, const std::string& text) {
  auto f = parse_stolen_state(text, path);
  if (!f) throw std::runtime_error(f.error().message);
  return std::move(*f);
}
verdict_options with(std::vector<stolen_file> files) {
  verdict_options o;
  o.compromised = std::make_shared<std::vector<stolen_file>>(std::move(files));
  o.slots = day;
  return o;
}
template <class... Files>
verdict_options stolen(Files&&... files) {
  std::vector<stolen_file> all;
  (all.push_back(std::forward<Files>(files)), ...);
  return with(std::move(all));
}
stolen_file files_of(ue& u, std::initializer_list<const ue*> peers) {
  auto f = file(u.name + ".key", key_file(u));
  auto p = file(u.name + ".permit", permit(peers));
  f.publics = p.publics, f.names = p.names;
  return f;
}
stolen_file log_of(scene& s, ue& u) { return std::move(s.key_log(u)->front()); }

std::uint64_t recognised(const verdict& v, const std::string& kind, bool own) {
  std::uint64_t n = 0;
  for (const auto& m : v.recognised) n += m.kind == kind && m.own == own ? m.n : 0;
  return n;
}
/// Different announcements in the capture that a and b make for each other.
std::uint64_t announcements_between(const scene& s, const ue& a, const ue& b) {
  std::set<discovery_pdu> heard(s.world.captured_discovery.begin(), s.world.captured_discovery.end()), made;
  for (slot_t t = 990; t < 1100; ++t) {
    const auto& p = *a.security->peers().find(std::string_view(b.name));
    for (const auto* k : {&p.ours, &p.theirs}) made.insert(make_discovery(discovery_type::announcement, *k, t));
  }
  return static_cast<std::uint64_t>(
      std::count_if(heard.begin(), heard.end(), [&](const auto& d) { return made.contains(d); }));
}
/// Directions and epochs of records between the two, as the link of `id` at a names them.
std::set<std::pair<std::uint32_t, std::uint32_t>> ids_of(ue& a, link_id id, time_ms now) {
  const auto i = *a.security->links().info(id, now);
  return {{i.own_l2, i.peer_l2}, {i.peer_l2, i.own_l2}};
}
std::uint64_t opened_of(const verdict& v, const std::set<std::pair<std::uint32_t, std::uint32_t>>& ids, bool own) {
  std::uint64_t n = 0;
  for (const auto& o : v.opened_links)
    if (o.own == own && ids.contains({o.src, o.dst})) n += o.records_opened;
  return n;
}
std::uint64_t records_opened(const verdict& v, std::optional<bool> own = {}) {
  std::uint64_t n = 0;
  for (const auto& o : v.opened_links)
    if (o.kd_sess_id != 0 && (!own || o.own == *own)) n += o.records_opened;
  return n;
}
bool remarked(const verdict& v, const std::string& check) {
  return std::any_of(v.remarks.begin(), v.remarks.end(), [&](const auto& r) { return r.check == check; });
}
/// Seals the data of every frame of `records` anew, as a product would that takes its record keys from `kd`.
void reseal(std::vector<frame>& frames, const scene& s, const std::function<bool(const frame&)>& which,
            const link_root_key& kd) {
  std::size_t i = 0;
  for (auto& f : frames) {
    if (f.lcid > lcid_data_last) continue;
    const auto& data = s.truth[i++ % s.truth.size()];
    if (!which(f)) continue;
    const auto e = derive_epoch(kd, role::initiator, suite::aes_256_gcm, 0, std::nullopt);
    const auto& p = e.tx.protection();
    const auto h = *read_pdcp_header(f.octets);
    f.octets.resize(data.size() + record_overhead_octets);
    write_pdcp_header(h, std::span(f.octets).first<5>());
    p.box.seal(p.nonce(f.lcid, h.sn), bytes_view(f.octets).first(5), data, bytes_span(f.octets).subspan(5));
  }
}
verdict judge_of(const std::vector<frame>& frames, const std::vector<discovery_pdu>& discovery,
                 const verdict_options& o) {
  capture c;
  for (std::size_t i = 0; i < discovery.size(); ++i) c.discovery(discovery[i], static_cast<double>(i) / 48);
  for (std::size_t i = 0; i < frames.size(); ++i) c.sl_sch(frames[i], 0.1 * static_cast<double>(i));
  return judge(c.frames, o);
}

TEST(key_search, knows_every_label_of_the_product) {
  const auto l = searched_labels();
  EXPECT_EQ(test::labels_in_code(), std::set<std::string>(l.begin(), l.end()));
}

// --- own links
// --------------------------------------------------------------------------------------------------------------

TEST(key_search, each_key_log_opens_the_links_of_its_owner) {
  scene s;
  const auto frames = s.on_air().frames;
  const auto hers = ids_of(s.john, s.john_mary.first, s.world.now),
             peters = ids_of(s.john, s.john_peter.first, s.world.now);
  for (auto* thief : {&s.john, &s.mary}) {
    const auto v = judge(frames, stolen(log_of(s, *thief)));
    EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
    EXPECT_GE(opened_of(v, hers, true), 12U);
    EXPECT_EQ(opened_of(v, peters, true), thief == &s.john ? opened_of(v, hers, true) : 0U);
    EXPECT_EQ(records_opened(v, false), 0U);
  }
}

TEST(key_search, one_key_for_all_peers_is_red_though_her_log_names_it) {
  scene s;
  const auto c = s.on_air(weakness::one_key_for_all_peers);
  auto log = log_of(s, s.mary);
  key32 group{};
  std::copy_n("Group", 5, group.begin());
  for (auto& k : log.logged_keys) k.key = record_key(group), k.iv = record_iv(iv12{});
  const auto v = judge(c.frames, stolen(std::move(log)));
  EXPECT_EQ(v.outcome, verdict_outcome::exposed);
  EXPECT_TRUE(has(v, "stolen_key_opens"));
  EXPECT_EQ(opened_of(v, ids_of(s.john, s.john_mary.first, s.world.now), true), 12U);
  EXPECT_EQ(opened_of(v, ids_of(s.john, s.john_peter.first, s.world.now), false), 12U);
  EXPECT_EQ(opened_of(v, ids_of(s.john, s.john_peter.first, s.world.now), true), 0U);
}

/// What opens by a key that no log names for its link is a finding, even if the key is the stolen UE's.
TEST(key_search, a_key_that_is_not_in_the_log_makes_no_link_own) {
  scene s;
  auto log = log_of(s, s.mary);
  std::string memory;
  for (const auto& k : log.logged_keys) {
    const auto hex = [](bytes_view b) {
      std::string out;
      for (const auto x : b) out += "0123456789abcdef"[x >> 4], out += "0123456789abcdef"[x & 15];
      return out;
    };
    memory += "key " + hex(k.key.expose()) + "\niv " + hex(k.iv.expose()) + "\n";
  }
  const auto v = judge(s.on_air().frames, stolen(file("memory", memory)));
  EXPECT_TRUE(has(v, "stolen_key_opens")) << to_text(v);
  EXPECT_EQ(records_opened(v, true), 0U);
}

// --- discovery
// --------------------------------------------------------------------------------------------------------------

TEST(key_search, marys_keys_recognise_only_codes_of_her_pair) {
  scene s;
  ASSERT_GT(announcements_between(s, s.john, s.mary), 0U);
  ASSERT_GT(announcements_between(s, s.john, s.peter), 0U);
  const auto v = judge(s.on_air().frames, stolen(files_of(s.mary, {&s.john})));
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
  EXPECT_EQ(recognised(v, "announcement", true), announcements_between(s, s.john, s.mary));
  EXPECT_EQ(recognised(v, "request", true), 1U);
  EXPECT_EQ(recognised(v, "command", true), 1U);
  for (const auto& m : v.recognised) {
    EXPECT_TRUE(m.own) << m.with;
    EXPECT_NE(m.with.find("john"), std::string::npos) << m.with;
    EXPECT_EQ(m.with.find("peter"), std::string::npos) << m.with;
    EXPECT_GE(m.first_slot, 1000U);
    EXPECT_LE(m.last_slot, s.world.slot());
    EXPECT_FALSE(m.frames.empty());
  }
}

TEST(key_search, johns_keys_recognise_both_pairs_as_his_own) {
  scene s;
  const auto v = judge(s.on_air().frames, stolen(files_of(s.john, {&s.mary, &s.peter})));
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
  EXPECT_EQ(recognised(v, "announcement", true),
            announcements_between(s, s.john, s.mary) + announcements_between(s, s.john, s.peter));
  EXPECT_EQ(recognised(v, "request", true), 2U);
  EXPECT_EQ(recognised(v, "announcement", false) + recognised(v, "request", false), 0U);
}

/// Peter and John with a PSK: their codes follow from their static keys only together with it.
TEST(key_search, a_pre_shared_key_is_part_of_the_pair_keys) {
  ue john("john", 51), peter("peter", 52);
  key32 psk{7, 7, 7};
  john.knows(peter, pre_shared_key(psk)), peter.knows(john, pre_shared_key(psk));
  air world;
  world.ues = {&john, &peter};
  world.set_slots();
  ASSERT_TRUE(world.link_up(john, peter));
  capture c;
  for (const auto& d : world.captured_discovery) c.discovery(d, 0);
  for (const auto& f : world.captured) c.sl_sch(f, 0);
  const auto without = judge(c.frames, stolen(files_of(john, {&peter})));
  EXPECT_TRUE(without.recognised.empty());
  EXPECT_TRUE(remarked(without, "own_codes_not_recognised"));
  const auto v = judge(c.frames, stolen(files_of(john, {&peter}), file("peter.psk", keys::to_base64(psk) + "\n")));
  EXPECT_EQ(recognised(v, "announcement", true), 2U);
  EXPECT_EQ(recognised(v, "request", true), 1U);
}

/// Weak: John's codes for Peter made with the secret of his pair with Mary, as if one key per announcer served all
/// monitors.
TEST(key_search, one_announcing_key_for_all_monitors_is_red) {
  scene s;
  const auto& mary_at_john = *s.john.security->peers().find(std::string_view("mary"));
  std::vector<discovery_pdu> weak = s.world.captured_discovery;
  const auto keys = derive_direction(pre_shared_key(key32{}), mary_at_john.shared,
                                     s.john.security->peers().own_public(), s.peter.security->peers().own_public());
  weak.push_back(make_discovery(discovery_type::announcement, keys, 1001));
  // Mary knows Peter's public key, though he has not permitted her.
  const auto o = stolen(files_of(s.mary, {&s.john, &s.peter}));
  const auto v = judge_of(s.world.captured, weak, o);
  EXPECT_TRUE(has(v, "stolen_key_recognises")) << to_json(v);
  EXPECT_EQ(recognised(v, "announcement", false), 1U);
  const auto strong = judge_of(s.world.captured, s.world.captured_discovery, o);
  EXPECT_EQ(strong.outcome, verdict_outcome::opaque) << to_text(strong);
}

/// Weak: one key for the codes of everybody.
TEST(key_search, a_group_key_for_codes_is_red) {
  scene s;
  const key32 group{0x47};
  std::vector<discovery_pdu> weak = s.world.captured_discovery;
  weak.push_back(make_discovery(discovery_type::announcement, stolen_keys::with_one_key("", group).keys, 1001));
  const auto v =
      judge_of(s.world.captured, weak,
               stolen(files_of(s.mary, {&s.john}), file("memory", "group key 47" + std::string(62, '0') + "\n")));
  EXPECT_TRUE(has(v, "stolen_key_recognises")) << to_text(v);
  EXPECT_EQ(recognised(v, "announcement", false), 1U);
}

TEST(key_search, says_so_where_the_slots_are_not_known_or_are_others) {
  scene s;
  auto o = stolen(files_of(s.mary, {&s.john}));
  o.slots.reset();
  EXPECT_TRUE(remarked(judge(s.on_air().frames, o), "codes_not_tried"));
  o.slots = {5000, 6000};
  const auto v = judge(s.on_air().frames, o);
  EXPECT_TRUE(remarked(v, "own_codes_not_recognised"));
  EXPECT_TRUE(v.recognised.empty());
}

TEST(key_search, takes_the_slots_from_times_that_are_utc) {
  air world;
  world.first_slot = 1'700'000'000;
  ue john("john", 61), mary("mary", 62);
  john.knows(mary), mary.knows(john);
  world.ues = {&john, &mary};
  world.set_slots();
  ASSERT_TRUE(world.link_up(john, mary));
  capture c;
  for (const auto& d : world.captured_discovery) c.discovery(d, 1'700'000'000);
  auto o = stolen(files_of(mary, {&john}));
  o.slots.reset();
  EXPECT_EQ(recognised(judge(c.frames, o), "announcement", true), 2U);
}

// --- set-ups and what follows
// -----------------------------------------------------------------------------------------------

TEST(key_search, static_keys_of_both_ends_open_the_request_and_no_record) {
  scene s;
  const auto v = judge(s.on_air().frames, stolen(files_of(s.john, {&s.mary, &s.peter}), files_of(s.peter, {&s.john})));
  EXPECT_EQ(v.outcome, verdict_outcome::opaque) << to_text(v);
  EXPECT_EQ(records_opened(v), 0U);
  EXPECT_EQ(v.opened_links.size(), 1U) << "John's request to Peter; Mary's static key would open his to her";
  for (const auto& o : v.opened_links) EXPECT_EQ(o.kd_sess_id, 0U);
}

/// The control to the test above: with John's ephemeral the same static key opens all of that link, and nothing of the
/// other one.
TEST(key_search, an_ephemeral_with_its_static_key_opens_its_link) {
  ue john("john", 71), peter("peter", 72), mary("mary", 73);
  for (auto* u : {&peter, &mary}) john.knows(*u), u->knows(john);
  air world;
  world.ues = {&john, &peter, &mary};
  world.set_slots();
  ASSERT_TRUE(world.link_up(john, mary));
  world.pass(1000);
  john.random.keep_draws = true;
  const auto l = world.link_up(john, peter);
  ASSERT_TRUE(l);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(world.send(john, l->first, std::vector<std::uint8_t>(80, static_cast<std::uint8_t>(i))));
    ASSERT_TRUE(world.send(peter, l->second, std::vector<std::uint8_t>(80, static_cast<std::uint8_t>(i))));
  }
  const auto ids = ids_of(john, l->first, world.now);
  capture c;
  for (const auto& d : world.captured_discovery) c.discovery(d, 0);
  for (const auto& f : world.captured) c.sl_sch(f, 0);
  const auto request =
      std::find_if(world.captured.rbegin(), world.captured.rend(), [](const auto& f) { return f.lcid == 28; });
  auto files = files_of(john, {&peter, &mary});
  bool found = false;
  for (const auto& d : john.random.draws) {
    if (d.size() != 32) continue;
    const auto pub = john.dh.public_of(ephemeral_private_key(std::span(d).first<32>()));
    if (!std::equal(pub.octets.begin(), pub.octets.end(), request->octets.begin() + 4)) continue;
    files.secrets.push_back({"peter attempt ephemeral private key", d});
    found = true;
  }
  ASSERT_TRUE(found);
  const auto v = judge(c.frames, stolen(std::move(files)));
  EXPECT_GE(opened_of(v, ids, true), 20U) << to_json(v);
  EXPECT_EQ(records_opened(v, true), opened_of(v, ids, true)) << "not the link with Mary";
  EXPECT_EQ(records_opened(v, false), 0U);
  EXPECT_FALSE(has(v, "stolen_key_opens"));
}

/// Without the key log: the root in a stolen memory opens the later epochs of that link only, and they are own.
TEST(key_search, a_stolen_root_is_followed_along_the_ratchet) {
  ue_config config;
  config.links.epochs.records = 2;
  ue john("john", 81, config), peter("peter", 82, config), mary("mary", 83, config);
  for (auto* u : {&peter, &mary}) john.knows(*u), u->knows(john);
  air world;
  world.ues = {&john, &peter, &mary};
  world.set_slots();
  const auto hers = world.link_up(john, mary);
  world.pass(1000);
  const auto peters = world.link_up(john, peter);
  ASSERT_TRUE(hers && peters);
  stolen_file memory;
  memory.path = "memory";
  memory.secrets = stolen_state(mary.security->peers(), mary.security->links(), export_permit::user_was_warned());
  std::erase_if(memory.secrets, [](const auto& x) { return !x.name.ends_with(" root"); });
  ASSERT_EQ(memory.secrets.size(), 1U);
  const auto text = std::vector<std::uint8_t>(60, 'x');
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(world.send(john, hers->first, text) && world.send(mary, hers->second, text));
    ASSERT_TRUE(world.send(john, peters->first, text) && world.send(peter, peters->second, text));
  }
  const auto last = ids_of(john, hers->first, world.now);
  ASSERT_GE(john.security->links().info(hers->first, world.now)->epoch, 5U);
  capture c;
  for (const auto& f : world.captured) c.sl_sch(f, 0);
  const auto v = judge(c.frames, stolen(std::move(memory)));
  EXPECT_GT(opened_of(v, last, true), 0U) << to_json(v);
  EXPECT_GE(records_opened(v, true), 25U) << "of 40; the first two epochs are before the root";
  EXPECT_EQ(records_opened(v, false), 0U);
}

/// Weak: record keys whose KD follows from the static keys alone (no ephemeral), or from a key of the log.
TEST(key_search, records_under_keys_that_follow_from_stolen_ones_are_red) {
  scene s;
  const auto peters = ids_of(s.john, s.john_peter.first, s.world.now);
  const auto of_peter = [&](const frame& f) { return peters.contains({f.src, f.dst}); };
  const auto& shared = s.john.security->peers().find(std::string_view("mary"))->shared;
  std::vector<frame> from_statics = s.world.captured;
  reseal(from_statics, s, of_peter, link_root_key(shared.expose()));
  const auto v = judge_of(from_statics, s.world.captured_discovery, stolen(files_of(s.mary, {&s.john})));
  EXPECT_TRUE(has(v, "stolen_key_opens")) << to_text(v);
  EXPECT_EQ(opened_of(v, peters, false), 12U);

  auto log = log_of(s, s.mary);
  std::vector<frame> from_log = s.world.captured;
  auto next = derive<link_root_key>(derive<link_root_key>(link_root_key(log.logged_keys.front().key.expose())));
  reseal(from_log, s, of_peter, next);
  const auto w = judge_of(from_log, s.world.captured_discovery, stolen(std::move(log)));
  EXPECT_TRUE(has(w, "stolen_key_opens")) << to_text(w);
  EXPECT_EQ(opened_of(w, peters, false), 12U);
  ASSERT_FALSE(w.opened_links.empty());
  EXPECT_TRUE(std::any_of(w.opened_links.begin(), w.opened_links.end(), [](const auto& o) {
    return !o.own && o.with.find("2 x LTESL/1 ratchet") != std::string::npos;
  })) << to_json(w);
}

// --- what opened records carry
// ----------------------------------------------------------------------------------------------

/// Mary and John rekey twice, the second time inside records of the first, while John talks to Peter.
struct rekeyed_twice {
  explicit rekeyed_twice(bool mary_asks) {
    for (auto* u : {&peter, &mary}) john.knows(*u), u->knows(john);
    world.ues = {&john, &peter, &mary};
    world.set_slots();
    hers = *world.link_up(john, mary);
    world.pass(1000);
    peters = *world.link_up(john, peter);
    thief.path = "memory";
    for (const auto& k : stolen_state(mary.security->peers(), mary.security->links(), export_permit::user_was_warned()))
      if (k.name == "static private key" || k.name.ends_with(" binding")) thief.secrets.push_back(k);
    thief.publics = {john.security->peers().own_public()};
    thief.names = {"john"};
    for (const auto& l : key_log_lines(mary.security->links(), hers.second, export_permit::user_was_warned()))
      thief.logged_keys.push_back(*parse_key_log_line(l));
    mary.random.keep_draws = true;
    talk();
    for (int n = 0; n < 2; ++n) {
      auto& asks = mary_asks ? mary : john;
      EXPECT_TRUE(asks.security->links().rekey(mary_asks ? hers.second : hers.first, world.now, asks.pending));
      world.settle();
      generations.push_back(ids_of(mary, hers.second, world.now));
      talk();
    }
    EXPECT_EQ(mary.events<rekeyed>().size(), 2U);
    int n = 0;
    for (const auto& d : mary.random.draws)
      if (d.size() == 32) ephemerals.push_back({"draw " + std::to_string(n++) + " ephemeral private key", d});
  }
  void talk() {
    const std::vector<std::uint8_t> text(60, 'x');
    for (int i = 0; i < 6; ++i)
      EXPECT_TRUE(world.send(john, hers.first, text) && world.send(mary, hers.second, text) &&
                  world.send(john, peters.first, text) && world.send(peter, peters.second, text));
  }
  verdict judged() { return judge_of(world.captured, {}, stolen(std::move(thief))); }
  ue john{"john", 91}, peter{"peter", 92}, mary{"mary", 93};
  air world;
  std::pair<link_id, link_id> hers, peters;
  std::vector<std::set<std::pair<std::uint32_t, std::uint32_t>>> generations;
  stolen_file thief;  // the binding and the key log are those before the first rekeying
  std::vector<stolen_secret> ephemerals;
};

TEST(key_search, rekeyings_inside_opened_records_are_followed_whoever_asked) {
  for (const bool mary_asks : {true, false}) {
    rekeyed_twice s(mary_asks);
    s.thief.secrets.insert(s.thief.secrets.end(), s.ephemerals.begin(), s.ephemerals.end());
    const auto v = s.judged();
    for (const auto& ids : s.generations) EXPECT_GE(opened_of(v, ids, true), 12U) << mary_asks << to_json(v);
    EXPECT_EQ(records_opened(v, false), 0U);
    EXPECT_FALSE(has(v, "stolen_key_opens"));
    EXPECT_EQ(std::count_if(v.opened_links.begin(), v.opened_links.end(),
                            [](const auto& o) {
                              return o.kd_sess_id == 0 && o.with.find("rekeying in frame") != std::string::npos;
                            }),
              4)
        << "two requests, two responses";
    EXPECT_TRUE(std::any_of(v.opened_links.begin(), v.opened_links.end(),
                            [](const auto& o) {
                              return o.with.find("KD_0 -> LTESL/1 rekey: rekeying in frame") != std::string::npos &&
                                     o.records_opened > 5;
                            }))
        << "the report says how\n"
        << to_json(v);
  }
}

/// The control: what the product promises of a rekeying.
TEST(key_search, rekeyings_stay_closed_without_the_ephemeral_or_the_binding) {
  for (const bool with_ephemerals : {true, false}) {
    rekeyed_twice s(true);
    if (with_ephemerals) {
      std::erase_if(s.thief.secrets, [](const auto& k) { return k.name.ends_with(" binding"); });
      s.thief.secrets.insert(s.thief.secrets.end(), s.ephemerals.begin(), s.ephemerals.end());
    }
    const auto v = s.judged();
    EXPECT_GE(records_opened(v, true), 12U) << "before the first";
    for (const auto& ids : s.generations) EXPECT_EQ(opened_of(v, ids, true), 0U) << with_ephemerals;
    EXPECT_TRUE(v.findings.empty()) << to_text(v);
    EXPECT_TRUE(remarked(v, "pairs_not_tried")) << "no discovery was heard, and the window is a day";
    EXPECT_EQ(v.outcome, verdict_outcome::nothing_proven) << to_text(v);
  }
}

/// Weak: the KD of John and Peter is sent to Mary in a record of hers.
TEST(key_search, a_key_that_an_opened_record_carries_is_tried) {
  scene s;
  const auto peters = ids_of(s.john, s.john_peter.first, s.world.now),
             hers = ids_of(s.john, s.john_mary.first, s.world.now);
  auto log = log_of(s, s.mary);
  key32 kd{};
  seeded_random(5).fill(kd);
  std::vector<frame> frames = s.world.captured;
  reseal(
      frames, s,
      [&](const frame& f) {
        return peters.contains({f.src, f.dst});
      },
      link_root_key(kd));
  const auto without = judge_of(frames, s.world.captured_discovery, stolen(log_of(s, s.mary)));
  EXPECT_EQ(records_opened(without, false), 0U);
  const auto& k = *std::find_if(log.logged_keys.begin(), log.logged_keys.end(), [&](const auto& l) {
    return std::any_of(frames.begin(), frames.end(), [&](const auto& f) { return f.src == l.src && f.dst == l.dst; });
  });
  std::vector<std::uint8_t> message{0x7f, 0, 9};
  message.insert(message.end(), kd.begin(), kd.end());
  message.push_back(0);
  frame f{0, lcid_pc5s_protected, k.src, k.dst, std::vector<std::uint8_t>(message.size() + record_overhead_octets)};
  const record_protection p(k.suite_used, record_key(k.key.expose()), record_iv(k.iv.expose()), k.kd_sess_id);
  const pdcp_header h{sdu_type::pc5s, k.kd_sess_id, 500};
  write_pdcp_header(h, std::span(f.octets).first<5>());
  p.box.seal(p.nonce(f.lcid, h.sn), bytes_view(f.octets).first(5), message, bytes_span(f.octets).subspan(5));
  frames.push_back(f);
  const auto v = judge_of(frames, s.world.captured_discovery, stolen(std::move(log)));
  EXPECT_TRUE(has(v, "stolen_key_opens")) << to_text(v);
  EXPECT_EQ(opened_of(v, peters, false), 12U);
  EXPECT_TRUE(std::any_of(v.opened_links.begin(), v.opened_links.end(), [](const auto& o) {
    return !o.own && o.with.starts_with("octets 3 to 34 of the message in frame ");
  })) << to_json(v);
}

/// Weak: KD is X25519 of the request's ephemeral and Mary's static key.
TEST(key_search, products_with_the_ephemerals_of_set_ups_are_tried) {
  scene s;
  const auto peters = ids_of(s.john, s.john_peter.first, s.world.now);
  std::vector<frame> frames = s.world.captured;
  const auto request = std::find_if(frames.rbegin(), frames.rend(), [](const auto& f) { return f.lcid == 28; });
  public_key e;
  std::copy_n(request->octets.begin() + 4, 32, e.octets.begin());
  const auto product = s.mary.dh.agree(s.mary.security->peers().own_private(), e);
  reseal(
      frames, s,
      [&](const frame& f) {
        return peters.contains({f.src, f.dst});
      },
      link_root_key(product->expose()));
  const auto v = judge_of(frames, s.world.captured_discovery, stolen(files_of(s.mary, {&s.john})));
  EXPECT_TRUE(has(v, "stolen_key_opens")) << to_text(v);
  EXPECT_EQ(opened_of(v, peters, false), 12U);
}

// --- long searches
// ----------------------------------------------------------------------------------------------------------

TEST(key_search, that_is_ended_early_is_not_opaque_and_keeps_what_it_found) {
  scene s;
  auto o = stolen(log_of(s, s.mary), files_of(s.mary, {&s.john}));
  std::vector<std::string> parts;
  o.on_search = [&](const search_progress& p) {
    if (parts.empty() || parts.back() != p.part) parts.emplace_back(p.part);
    EXPECT_GE(p.done, 0);
    EXPECT_LE(p.done, 1);
    return true;
  };
  const auto whole = judge(s.on_air().frames, o);
  EXPECT_EQ(whole.outcome, verdict_outcome::opaque);
  EXPECT_FALSE(whole.search_ended_early);
  ASSERT_GE(parts.size(), 5U);
  // Ended at the beginning of each part in turn: what came before it is there.
  for (std::size_t end = 0; end < parts.size(); ++end) {
    std::size_t seen = 0;
    std::string at;
    o.on_search = [&](const search_progress& p) {
      if (at != p.part) at = p.part, ++seen;
      return seen <= end;
    };
    const auto v = judge(s.on_air().frames, o);
    EXPECT_TRUE(v.search_ended_early) << parts[end];
    EXPECT_EQ(exit_status(v.outcome), 4) << parts[end];
    EXPECT_NE(to_text(v).find("ended early"), std::string::npos);
    EXPECT_EQ(v.opened_links.size() >= 2, end >= 1) << parts[end];
  }
}

TEST(key_search, that_is_ended_early_with_a_finding_is_red_and_says_so) {
  scene s;
  auto log = log_of(s, s.mary);
  key32 group{};
  std::copy_n("Group", 5, group.begin());
  for (auto& k : log.logged_keys) k.key = record_key(group), k.iv = record_iv(iv12{});
  auto o = stolen(std::move(log));
  o.on_search = [](const search_progress& p) { return std::string(p.part) != "every key on every record"; };
  const auto v = judge(s.on_air(weakness::one_key_for_all_peers).frames, o);
  EXPECT_EQ(v.outcome, verdict_outcome::exposed);
  EXPECT_TRUE(has(v, "stolen_key_opens"));
  EXPECT_NE(to_text(v).find("ended early"), std::string::npos);
}

/// A log of 20 000 other links before hers: her records are found by their names, with a trial each.
TEST(key_search, a_large_key_log_is_looked_up_and_not_run_through) {
  scene s;
  auto log = log_of(s, s.mary);
  seeded_random random(9);
  stolen_file large;
  large.path = "large.keylog";
  for (int i = 0; i < 20'000; ++i) {
    std::array<std::uint8_t, 52> b{};
    random.fill(b);
    large.logged_keys.push_back({suite::aes_256_gcm, static_cast<std::uint16_t>(b[44] << 8 | b[45]),
                                 l2_id{b[46]} << 16 | l2_id{b[47]} << 8 | b[48],
                                 l2_id{b[49]} << 16 | l2_id{b[50]} << 8 | b[51], record_key(std::span(b).first<32>()),
                                 record_iv(std::span(b).subspan<32, 12>())});
  }
  for (auto& k : log.logged_keys) large.logged_keys.push_back(std::move(k));
  auto o = stolen(std::move(large));
  std::uint64_t trials = 0;
  o.on_search = [&](const search_progress& p) {
    trials = p.trials;
    return p.trials == 0;
  };
  const auto v = judge(s.on_air().frames, o);
  EXPECT_EQ(opened_of(v, ids_of(s.john, s.john_mary.first, s.world.now), true), 13U) << "12 of data and the Accept";
  EXPECT_LE(trials, 100U);
}

}  // namespace
}  // namespace prose::apps
