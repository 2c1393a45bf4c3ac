// Property tests: whatever the air does, both sides agree on keys of their own or have none.
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "common/octet_order.h"
#include "security/link.h"
#include "tests/security/security_world.h"

namespace prose::security::test {
namespace {

using bytes = std::vector<std::uint8_t>;

enum class act {
  discover,
  deliver,
  repeat,
  corrupt,
  reflect,
  short_time,
  long_time,
  say,
  rekey,
  reboot,
  quiet,
  lose_all
};

/// What the attacker, time and the users do.
struct event {
  act kind;
  std::uint32_t a, b;
};
void showValue(const event& e, std::ostream& os) { os << static_cast<int>(e.kind) << ':' << e.a << ',' << e.b; }

using weights = std::initializer_list<std::pair<std::size_t, act>>;
/// Not by rapidcheck's own ranges: those grow with the case, so that what stands last would hardly ever be drawn.
rc::Gen<event> event_of(weights w) {
  const auto number = rc::gen::resize(rc::kNominalSize, rc::gen::arbitrary<std::uint32_t>());
  return rc::gen::construct<event>(rc::gen::weightedElement<act>(w), number, number);
}
/// Not shrunk: with so many events that would take hours, and the seed repeats the case.
std::vector<event> draw(std::size_t n, weights w) {
  return *rc::gen::noShrink(rc::gen::container<std::vector<event>>(n, event_of(w)));
}

/// N UEs that all permit each other; every frame lies in a pool from which events deliver, repeat, change or drop it.
class chaos {
public:
  chaos(std::size_t n, std::uint64_t seed) {
    config_.links.epochs.records = 8;
    for (std::size_t i = 0; i < n; ++i)
      ues_.push_back(std::make_unique<ue>("ue" + std::to_string(i), seed + i, config_));
    for (auto& u : ues_)
      for (auto& v : ues_)
        if (u != v) u->knows(*v);
    slots();
  }

  void apply(const event& e) {
    const std::size_t n = ues_.size();
    const std::size_t i = e.a % n;
    const std::size_t j = (i + 1 + e.b % (n - 1)) % n;
    switch (e.kind) {
      case act::discover:
        discover(i, j);
        break;
      case act::deliver:
        deliver(e.a, false);
        break;  // in any order, and lost where never picked
      case act::repeat:
        deliver(e.a, true);
        break;  // and kept: duplication, replay
      case act::corrupt:
        corrupt(e.a, e.b);
        break;
      case act::reflect:
        reflect(e.a);
        break;
      case act::short_time:
        pass(100 + e.a % 900);
        break;
      case act::long_time:
        pass(e.a % 40'000);
        break;
      case act::say:
        say(i, e.b);
        break;
      case act::rekey:
        if (const auto l = some_link(i, e.b))
          (void)ues_[l->first]->security->links().rekey(l->second.link, now_, ues_[l->first]->pending);
        break;
      case act::reboot:
        reboot(i);
        break;
      case act::quiet:  // a spell without attack, so that set-ups complete
        for (int k = 0; k < 12 && !pool_.empty(); ++k) deliver(0, false);
        break;
      case act::lose_all:
        pool_.clear();
        break;
    }
    collect();
    check();
  }

  /// Both sides of a pair that are live hold the same session, or do not hear each other; no key serves two pairs.
  void check() {
    octet_map<std::set<std::pair<std::string, std::string>>> owners;
    for (auto& u : ues_)
      for (const auto& [peer, state] : u->security->links().state()) {
        if (!state.live) continue;
        const auto names = std::minmax(u->name, u->security->peers().find(peer)->name);
        state.live->current.chain.for_each_epoch([&](const epoch& e) {
          for (const auto* p : {&e.tx.protection(), &e.rx.protection()})
            owners[bytes(p->key.expose().begin(), p->key.expose().end())].insert({names.first, names.second});
        });
      }
    for (const auto& [key, pairs] : owners) RC_ASSERT(pairs.size() == 1U);
    for (auto& u : ues_) {
      for (const auto& d : u->inbox) {
        const auto it = sent_.find(d.data);
        RC_ASSERT(it != sent_.end());         // nothing forged
        RC_ASSERT(it->second.to == u->name);  // nothing misdelivered
        RC_ASSERT(it->second.from == u->security->peers().find(d.peer)->name);
        RC_ASSERT(++it->second.delivered == 1);  // nothing twice
        ++happened.delivered;
      }
      u->inbox.clear();
    }
  }

  /// What came about, so that the test can say that it tried something.
  struct tally {
    std::size_t link_ends = 0, delivered = 0, rekeyed = 0, epochs = 0, lost = 0, reboots = 0;
  };
  tally happened;
  /// Nothing of what happened keeps two UEs apart for good.
  bool any_pair_can_link() {
    for (std::size_t i = 0; i + 1 < ues_.size(); ++i) {
      pass(1000);  // codes of a new slot
      pool_.clear();
      const auto with = ues_[i]->id_of(*ues_[i + 1]);
      const auto before = ues_[i]->security->links().link_with(with);
      discover(i, i + 1);
      collect();
      while (!pool_.empty()) deliver(0, false);
      const auto after = ues_[i]->security->links().link_with(with);
      if (!after || after == before) return false;
    }
    return true;
  }
  bool same_fingerprints() {
    // With the air quiet for long enough, who has a link has it with somebody who has the same one.
    for (int k = 0; k < 250; ++k) {
      while (!pool_.empty()) deliver(0, false);
      pass(200);
      collect();
    }
    while (!pool_.empty()) deliver(0, false);
    for (auto& u : ues_)
      for (const auto& mine : u->security->links().links(now_)) {
        ue& other = *ues_[index_of(u->security->peers().find(mine.peer)->name)];
        const auto l = other.security->links().link_with(other.id_of(*u));
        if (!l) return false;
        if (other.security->links().info(*l, now_)->key_fingerprint != mine.key_fingerprint) return false;
      }
    return true;
  }

private:
  struct message {
    std::string from, to;
    int delivered = 0;
  };
  slot_t slot() const { return 1000 + static_cast<slot_t>(now_ / 1000); }
  void slots() {
    for (auto& u : ues_) {
      // A device that slept longer than the clock may leap asks its operator.
      u->security->discovery().advance(slot(), now_, true);
      if (const auto m = u->security->discovery().clock().mark_to_store())
        u->security->discovery().clock().mark_stored(*m);
    }
  }
  std::size_t index_of(const std::string& name) const { return static_cast<std::size_t>(std::stoi(name.substr(2))); }
  void discover(std::size_t i, std::size_t j) {
    const auto list = ues_[j]->security->discovery().announcements(now_);
    for (const auto& d : list)
      if (const auto e = ues_[i]->security->discovery().receive(d, now_))
        if (const auto* h = std::get_if<peer_heard>(&*e))
          (void)ues_[i]->security->links().connect(*h, now_, ues_[i]->pending);
  }
  void collect() {
    for (std::size_t i = 0; i < ues_.size(); ++i) {
      for (auto& a : ues_[i]->pending) {
        if (const auto* m = std::get_if<send_message>(&a)) {
          note_nonce(*ues_[i], m->lcid, m->src, m->dst, m->octets);
          pool_.push_back({i, m->lcid, m->src, m->dst, m->octets});
        }
        happened.link_ends += std::holds_alternative<link_established>(a);
        happened.rekeyed += std::holds_alternative<rekeyed>(a);
        happened.epochs += std::holds_alternative<epoch_entered>(a);
        happened.lost += std::holds_alternative<link_lost>(a);
      }
      ues_[i]->pending.clear();
    }
    while (pool_.size() > 200) pool_.pop_front();
  }
  /// Layer-2 IDs and KD-sess ID name the key of a record, LCID and SN the nonce (by chance they repeat with odds of
  /// 2^-50 a run).
  void note_nonce(const ue& u, std::uint8_t lcid, l2_id src, l2_id dst, const bytes& pdu) {
    if (!channel_index(lcid)) return;
    bytes key(pdu.begin() + 1, pdu.begin() + 5);
    key.push_back(lcid);
    for (const char c : u.name) key.push_back(static_cast<std::uint8_t>(c));
    for (const l2_id id : {src, dst})
      for (int shift = 0; shift < 24; shift += 8) key.push_back(static_cast<std::uint8_t>(id >> shift));
    RC_ASSERT(used_nonces_.insert(key).second);
  }
  void hand_over(const frame& f) {
    for (std::size_t i = 0; i < ues_.size(); ++i)
      if (i != f.from && ues_[i]->owns(f.dst, now_)) ues_[i]->hear(f, now_);
    collect();
  }
  void deliver(std::uint32_t which, bool keep) {
    if (pool_.empty()) return;
    const std::size_t k = which % pool_.size();
    const frame f = pool_[k];
    if (!keep) pool_.erase(pool_.begin() + k);
    hand_over(f);
  }
  void corrupt(std::uint32_t which, std::uint32_t how) {
    if (pool_.empty()) return;
    frame f = pool_[which % pool_.size()];
    if (f.octets.empty()) return;
    const std::size_t bit = how % (f.octets.size() * 8);
    f.octets[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
    hand_over(f);
  }
  void reflect(std::uint32_t which) {
    if (pool_.empty()) return;
    frame f = pool_[which % pool_.size()];
    std::swap(f.src, f.dst);
    const std::size_t from = f.from;
    for (std::size_t i = 0; i < ues_.size(); ++i) RC_ASSERT(!(i == from && ues_[i]->hear(f, now_)));
  }
  void pass(std::uint32_t ms) {
    const time_ms end = now_ + ms;
    while (now_ < end) {
      now_ = std::min<time_ms>(end, now_ + 500);
      slots();
      for (auto& u : ues_) u->security->links().tick(now_, u->pending);
      collect();
    }
  }
  /// A live link, at UE i where it has one.
  std::optional<std::pair<std::size_t, link_info>> some_link(std::size_t i, std::uint32_t which) const {
    for (std::size_t k = 0; k < ues_.size(); ++k) {
      const std::size_t at = (i + k) % ues_.size();
      const auto all = ues_[at]->security->links().links(now_);
      if (!all.empty()) return std::pair{at, all[which % all.size()]};
    }
    return std::nullopt;
  }
  void say(std::size_t near, std::uint32_t which) {
    const auto l = some_link(near, which);
    if (!l) return;
    const std::size_t i = l->first;
    const std::string text = "message " + std::to_string(++said_);
    const bytes data(text.begin(), text.end());
    frame f{i, 1, 0, 0, bytes(data.size() + record_overhead_octets)};
    const auto s = ues_[i]->security->links().seal(l->second.link, 1, sdu_type::ip, data, now_, f.octets);
    if (!s) return;
    f.src = s->src;
    f.dst = s->dst;
    sent_[data] = {ues_[i]->name, ues_[i]->security->peers().find(l->second.peer)->name};
    note_nonce(*ues_[i], 1, f.src, f.dst, f.octets);
    pool_.push_back(f);
  }
  void reboot(std::size_t i) {
    const auto mark = ues_[i]->security->discovery().clock().now().value_or(0) + slot_clock::mark_ahead_slots;
    auto again = std::make_unique<ue>(ues_[i]->name, 7000 + ++happened.reboots,
                                      ues_[i]->security->peers().own_private(), config_, mark);
    for (auto& v : ues_)
      if (v != ues_[i]) again->knows(*v);
    ues_[i] = std::move(again);
    slots();
  }

  ue_config config_;
  std::vector<std::unique_ptr<ue>> ues_;
  std::deque<frame> pool_;
  octet_map<message> sent_;
  octet_set used_nonces_;
  time_ms now_ = 0;
  int said_ = 0;
};

std::vector<chaos::tally> cases;

RC_GTEST_PROP(chaos_property, both_sides_agree_on_distinct_keys_or_have_none, ()) {
  const std::size_t n = *rc::gen::element<std::size_t>(2, 2, 3, 4, 6);
  chaos c(n, *rc::gen::inRange<std::uint64_t>(0, 1'000'000));
  const auto events = draw(400, {{8, act::discover},
                                 {10, act::deliver},
                                 {4, act::repeat},
                                 {3, act::corrupt},
                                 {2, act::reflect},
                                 {6, act::short_time},
                                 {1, act::long_time},
                                 {18, act::say},
                                 {3, act::rekey},
                                 {1, act::reboot},
                                 {18, act::quiet}});
  for (const auto& e : events) c.apply(e);
  RC_ASSERT(c.same_fingerprints());
  RC_ASSERT(c.any_pair_can_link());
  cases.push_back(c.happened);
}

// Few: by far less than what comes about with any seed, and by far more than the first moments of a life.
TEST(chaos_property, was_not_vacuous) {
  const auto mean = [](std::size_t chaos::tally::*what) {
    std::size_t sum = 0;
    for (const auto& c : cases) sum += c.*what;
    return cases.empty() ? 0.0 : static_cast<double>(sum) / static_cast<double>(cases.size());
  };
  using t = chaos::tally;
  std::printf(
      "each of %zu cases: %.1f link ends, %.1f records delivered, %.1f rekeyings, %.1f epochs, %.1f links lost, %.1f "
      "reboots\n",
      cases.size(), mean(&t::link_ends), mean(&t::delivered), mean(&t::rekeyed), mean(&t::epochs), mean(&t::lost),
      mean(&t::reboots));
  EXPECT_GT(mean(&t::link_ends), 8.0);
  EXPECT_GT(mean(&t::delivered), 10.0);
  EXPECT_GT(mean(&t::rekeyed), 2.0);
  EXPECT_GT(mean(&t::epochs), 2.0);
  EXPECT_GT(mean(&t::lost), 4.0);
  EXPECT_GT(mean(&t::reboots), 2.0);
}

RC_GTEST_PROP(records, open_gives_what_seal_was_given_and_only_that,
              (const bytes& data, std::uint8_t channel, bool gcm)) {
  const std::uint8_t lcid = static_cast<std::uint8_t>(1 + channel % 10);
  const suite s = gcm ? suite::aes_256_gcm : suite::chacha20_poly1305;
  const std::array<std::uint8_t, 32> k{1};
  const std::array<std::uint8_t, 12> iv{2};
  record_sealer tx(record_protection(s, record_key(k), record_iv(iv), 0x1234));
  record_opener rx(record_protection(s, record_key(k), record_iv(iv), 0x1234));
  bytes pdu(data.size() + record_overhead_octets), out(data.size());
  RC_ASSERT(tx.seal(lcid, sdu_type::non_ip, data, pdu).has_value());
  const std::size_t bit = *rc::gen::inRange<std::size_t>(0, pdu.size() * 8);
  bytes bad = pdu;
  bad[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
  const auto bad_header = read_pdcp_header(bad);
  if (bad_header) RC_ASSERT(!rx.open(lcid, *bad_header, bad, out).has_value());
  const auto h = read_pdcp_header(pdu);
  RC_ASSERT(h.has_value());
  RC_ASSERT(h->kd_sess_id == 0x1234);
  const auto other = static_cast<std::uint8_t>(lcid % 10 + 1);
  RC_ASSERT(!rx.open(other, *h, pdu, out).has_value());
  RC_ASSERT(rx.open(lcid, *h, pdu, out).has_value());
  RC_ASSERT(out == data);
  RC_ASSERT(rx.open(lcid, *h, pdu, out).error() == drop_reason::replayed);
}

// The window against the plainest statement of it: accepted once, and only if among the last 1024 up to the highest.
RC_GTEST_PROP(replay, window_is_the_set_of_the_last_1024_also_at_the_end_of_count,
              (std::uint16_t start, const std::vector<std::int16_t>& steps)) {
  replay_window w;
  std::set<std::uint32_t> accepted;
  std::int64_t at = *rc::gen::element<std::int64_t>(start, 0, max_count);
  for (const auto step : steps) {
    at = std::clamp<std::int64_t>(at + (step % 2 == 0 ? step / 16 : step), 0, max_count);
    const auto count = static_cast<std::uint32_t>(at);
    const bool expected =
        accepted.count(count) == 0 && (accepted.empty() || count + replay_window::size > *accepted.rbegin());
    RC_ASSERT(w.fresh(count) == expected);
    if (expected) {
      w.accept(count);
      accepted.insert(count);
      RC_ASSERT(!w.fresh(count));
    }
  }
}

// However the last records fall on the channels, each channel seals 2^16 and then refuses, and no header comes twice.
RC_GTEST_PROP(records, count_ends_on_each_channel_and_never_wraps, (std::uint8_t channel)) {
  const auto lcid = static_cast<std::uint8_t>(1 + channel % 10);
  const std::array<std::uint8_t, 32> k{1};
  const std::array<std::uint8_t, 12> iv{2};
  record_sealer tx(record_protection(suite::aes_256_gcm, record_key(k), record_iv(iv), 0x1234));
  record_opener rx(record_protection(suite::aes_256_gcm, record_key(k), record_iv(iv), 0x1234));
  bytes pdu(record_overhead_octets), out;
  const std::uint32_t heard = *rc::gen::inRange<std::uint32_t>(0, max_count + 1);
  for (std::uint32_t count = 0; count <= max_count; ++count) {
    RC_ASSERT(tx.seal(lcid, sdu_type::ip, {}, pdu).has_value());
    const auto h = read_pdcp_header(pdu);
    RC_ASSERT(h->sn == count);
    if (count == heard || count == max_count) RC_ASSERT(rx.open(lcid, *h, pdu, out).has_value());
  }
  RC_ASSERT(tx.seal(lcid, sdu_type::ip, {}, pdu).error() == drop_reason::exhausted);
  RC_ASSERT(tx.seal(static_cast<std::uint8_t>(lcid % 10 + 1), sdu_type::ip, {}, pdu).has_value());
  RC_ASSERT(
      !rx.open(lcid, *read_pdcp_header(pdu), pdu, out).has_value());  // the other channel's, and before the window
}

// Two ends whose epochs turn over every few records, on an air that loses, reorders and repeats as it likes: nothing is
// delivered twice, no key and nonce serve twice, and once the air is quiet each hears the other again.
RC_GTEST_PROP(epochs_property, whatever_is_lost_both_ends_find_each_other_again, ()) {
  epoch_config config;
  config.records = *rc::gen::inRange<std::uint32_t>(1, 6);
  seeded_random r(*rc::gen::inRange<std::uint64_t>(0, 1'000'000));
  const std::array<std::uint8_t, 32> kd{5};
  time_ms now = 0;
  std::array<epoch_chain, 2> ends{
      epoch_chain(link_root_key(kd), role::initiator, suite::aes_256_gcm, 0x0102, config, r, 0),
      epoch_chain(link_root_key(kd), role::responder, suite::aes_256_gcm, 0x0102, config, r, 0)};
  struct flying {
    std::size_t from;
    std::uint8_t lcid;
    l2_id src, dst;
    bytes pdu;
  };
  std::deque<flying> air;
  octet_set nonces;    // direction, epoch, channel, SN
  octet_set received;  // each datum is sent once
  std::uint32_t said = 0;
  const auto say = [&](std::size_t from, std::uint8_t lcid) {
    ++said;
    const bytes data{static_cast<std::uint8_t>(said >> 16), static_cast<std::uint8_t>(said >> 8),
                     static_cast<std::uint8_t>(said)};
    flying f{from, lcid, 0, 0, bytes(data.size() + record_overhead_octets)};
    const auto s = ends[from].seal(lcid, sdu_type::ip, data, now, f.pdu);
    RC_ASSERT(s.has_value());  // far from the end of COUNT
    f.src = s->src;
    f.dst = s->dst;
    const std::uint32_t index = ends[from].epoch_index();
    RC_ASSERT(nonces
                  .insert({static_cast<std::uint8_t>(from), static_cast<std::uint8_t>(index >> 8),
                           static_cast<std::uint8_t>(index), lcid, f.pdu[3], f.pdu[4]})
                  .second);
    air.push_back(f);
    const auto other = ends[1 - from].epoch_index();
    RC_ASSERT(index <= other + 1);
    RC_ASSERT(other <= index + 1);
    return data;
  };
  const auto deliver = [&](std::size_t which, bool keep) {
    const flying f = air[which];
    if (!keep) air.erase(air.begin() + which);
    bytes out(f.pdu.size());
    const auto o = ends[1 - f.from].open(f.lcid, *read_pdcp_header(f.pdu), f.src, f.dst, f.pdu, now, out);
    if (!o) return false;
    out.resize(o->octets);
    RC_ASSERT(received.insert(out).second);
    return true;
  };
  const auto events = draw(
      300,
      {{1, act::quiet}, {4, act::say}, {1, act::long_time}, {1, act::lose_all}, {1, act::repeat}, {6, act::deliver}});
  for (const auto& e : events) {
    const auto lcid = static_cast<std::uint8_t>(1 + e.b % 3);
    if (e.kind == act::say || e.kind == act::quiet) {
      const auto n =
          1 + e.a % (e.kind == act::quiet ? 30 : 3);  // now and then so many that an epoch is over before any is heard
      for (std::uint32_t k = 0; k < n; ++k) say(e.a / 64 % 2, lcid);
    } else if (e.kind == act::long_time) {
      now += e.a % 4000;
    } else if (e.kind == act::lose_all) {
      air.clear();
    } else if (!air.empty()) {
      (void)deliver(e.a % air.size(), e.kind == act::repeat);
    }
  }
  air.clear();
  for (int k = 0; k < 3; ++k)
    for (std::size_t from : {0U, 1U}) {
      say(from, 1);
      RC_ASSERT(deliver(0, false));
    }
}

RC_GTEST_PROP(discovery_property, clocks_that_jump_never_make_a_code_count_twice_nor_repeat_one,
              (const std::vector<std::uint16_t>& jumps)) {
  ue a("alice", 1), b("bob", 2);
  a.knows(b);
  b.knows(a);
  octet_set announced;
  std::set<slot_t> heard;
  slot_t ta = 100'000;
  slot_t last_announced = 0;
  for (const auto j : jumps) {
    // John's clock is set back, forward and far; the engine decides what it takes.
    ta = static_cast<slot_t>(static_cast<std::int64_t>(ta) + (j % 100) - 30);
    a.set_slot(ta, 0);
    b.set_slot(100'000 + static_cast<slot_t>(heard.size()), 0);
    const auto list = a.security->discovery().announcements(0);
    const slot_t t = *a.security->discovery().clock().now();
    RC_ASSERT(t >= last_announced);
    if (t != last_announced)
      for (const auto& d : list) RC_ASSERT(announced.insert(bytes(d.begin(), d.end())).second);
    last_announced = t;
    for (int twice = 0; twice < 2; ++twice)
      for (const auto& d : list)
        if (const auto e = b.security->discovery().receive(d, 0))
          RC_ASSERT(heard.insert(std::get<peer_heard>(*e).t).second);
  }
}

}  // namespace
}  // namespace prose::security::test
