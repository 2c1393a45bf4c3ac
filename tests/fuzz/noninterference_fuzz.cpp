// Mary, with all her keys, drives a John who has a link with her and, in one of two worlds, one with Peter: set-ups,
// rekeyings, releases, records, RLC and discovery, genuine, altered and replayed, also what she heard beside her. Both
// worlds have the same randomness. Whatever she does, John must send to her and to everybody the same octets in both,
// and no secret of the link with Peter may be among hers. The input is a list of: what, length, octets. Diffie-Hellman,
// hashes, AEADs and generators are toys, and both worlds, with their links, are prepared once and set back for each
// input (arena.h).
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "mac/rlc_um.h"
#include "mac/rx_path.h"
#include "mac/security_adapter.h"
#include "mac/sl_sch.h"
#include "security/export.h"
#include "security/link.h"
#include "security/pdcp.h"
#include "tests/fuzz/arena.h"
#include "tests/fuzz/toy_dh.h"
#include "tests/fuzz/toy_random.h"
#include "tests/mac/diskless_adapter.h"

using namespace prose;
using security::action;
using security::bytes_span;
using security::bytes_view;
using security::discovery_pdu;
using security::time_ms;

namespace {

using octets = std::vector<std::uint8_t>;
security::test::toy_dh dh;
constexpr std::uint64_t seed = 17;
constexpr security::slot_t first_slot = 1000;

struct frame {
  std::uint8_t lcid = 0;
  security::l2_id src = 0, dst = 0;
  octets pdu;  // PC5-S message on LCID 28 and 29, PDCP PDU elsewhere
  bool to_john = false;
};

struct party {
  party(const char* n, std::uint64_t number, bool first_half) : name(n), random(seed * 16 + number) {
    security::ue_config c;
    c.discovery.wide_window_slots = 2;
    c.discovery.answer_queries = true;
    c.links.epochs.min_ms = 3000;
    c.links.epochs.max_ms = 9000;
    std::optional<security::key_pair> pair;
    do pair.emplace(security::key_pair::generate({random, dh}));
    while ((pair->public_part.octets[0] < 0x10) != first_half);
    sec = std::make_unique<security::ue_security>(c, std::move(*pair), security::ports{random, dh});
    port = std::make_unique<mac::test::diskless_adapter>(*sec);
    if (name == "john") rx = std::make_unique<mac::rx_path>(*port);
  }
  security::peer_id id(const char* other) const {
    const auto* p = sec->peers().find(std::string_view(other));
    return p == nullptr ? 0 : p->id;
  }
  security::link* live(const char* other) {
    const auto at = sec->links().state().find(id(other));
    return at == sec->links().state().end() ? nullptr : at->second.live.get();
  }
  std::string name;
  security::test::toy_random random;
  std::unique_ptr<security::ue_security> sec;
  std::unique_ptr<mac::security_adapter> port;
  std::unique_ptr<mac::rx_path> rx;
  security::actions pending;
};

/// What was sent between John and Peter and the discovery messages of that time: the other world plays it from here.
struct beside {
  std::vector<frame> frames;
  std::vector<discovery_pdu> messages;
  std::vector<std::pair<std::size_t, std::size_t>> heard_so_far;  // of both, each time that Mary chose among them
};

class world {
public:
  world(bool with_peter, beside& heard) : with_peter_(with_peter), beside_(heard) {
    if (with_peter_) peter_ = std::make_unique<party>("peter", 3, true);
    john_.sec->add_peer("mary", mary_.sec->peers().own_public());
    mary_.sec->add_peer("john", john_.sec->peers().own_public());
    if (with_peter_) {
      john_.sec->add_peer("peter", peter_->sec->peers().own_public());
      peter_->sec->add_peer("john", john_.sec->peers().own_public());
    }
    set_slots();
    meet(mary_);
    if (with_peter_) meet(*peter_);
    pass(2500);
    if (john_.live("mary") == nullptr || (with_peter_ && john_.live("peter") == nullptr))
      std::abort();  // nothing to see
  }

  void run(bytes_view in) {
    for (std::size_t i = 0, n = 0; i + 2 <= in.size() && n < 32; ++n) {
      const std::uint8_t what = in[i];
      const std::size_t length = std::min<std::size_t>(in[i + 1], in.size() - i - 2);
      const bytes_view text = in.subspan(i + 2, length);
      i += 2 + length;
      act(what, text);
    }
    pass(3000);
  }
  /// Every secret that one UE holds of the other.
  static std::vector<octets> secrets(party& p) {
    std::vector<octets> out;
    for (auto& s : security::stolen_state(p.sec->peers(), p.sec->links(), security::export_permit::user_was_warned())) {
      const bool is_public = s.name.ends_with("transcript");
      const bool empty = std::all_of(s.octets.begin(), s.octets.end(), [](auto b) { return b == 0; });
      if (!is_public && !empty && s.octets.size() >= 12) out.push_back(std::move(s.octets));
    }
    return out;
  }
  party& john() { return john_; }
  party& mary() { return mary_; }
  party& peter() { return *peter_; }

  octets seen;  ///< all that John sends to Mary or to everybody, in order, with its time
  int links = 0, answers = 0;

private:
  static std::uint8_t at(bytes_view t, std::size_t i) { return i < t.size() ? t[i] : 0; }

  void act(std::uint8_t what, bytes_view t) {
    switch (what % 16) {
      case 0:
        pass(100 * (1 + at(t, 0) % 64));
        break;
      case 1:
        meet(mary_);
        break;
      case 2:
        if (auto* l = mary_.live("john")) (void)mary_.sec->links().rekey(l->id, now_, mary_.pending);
        break;
      case 3:
        if (auto* l = mary_.live("john")) (void)mary_.sec->links().release(l->id, now_, mary_.pending);
        break;
      case 4:
        say(security::lcid_pc5s_protected, security::sdu_type::pc5s, t);
        break;  // signalling of her own making, under her keys
      case 5:
        say(static_cast<std::uint8_t>(1 + at(t, 0) % 10), security::sdu_type::ip, t);
        break;
      case 6: {  // a message of the right length and type
        static constexpr std::array<std::pair<security::message_type, std::size_t>, 6> known{
            {{security::message_type::direct_communication_accept, security::accept_octets},
             {security::message_type::keepalive, security::keepalive_octets},
             {security::message_type::rekeying_request, security::rekeying_request_octets},
             {security::message_type::rekeying_response, security::rekeying_response_octets},
             {security::message_type::release, security::release_octets},
             {security::message_type::release_accept, security::release_accept_octets}}};
        octets m(t.begin(), t.end());
        const auto& [type, n] = known[at(t, 0) % known.size()];
        m.resize(n);
        m[0] = static_cast<std::uint8_t>(type);
        say(security::lcid_pc5s_protected, security::sdu_type::pc5s, m);
        break;
      }
      case 7:  // something of hers again, altered or not
        if (!own_.empty()) altered(own_[at(t, 0) % own_.size()], t);
        break;
      case 8:  // something heard beside her
        if (const auto n = heard_beside().first; n != 0) altered(beside_.frames[at(t, 0) % n], t);
        break;
      case 9: {  // from an invented source, to whoever was heard
        const auto n = heard_beside().first;
        frame f = n != 0 && at(t, 0) % 2 == 0 ? beside_.frames[at(t, 1) % n]
                  : own_.empty()              ? frame{}
                                              : own_[at(t, 1) % own_.size()];
        f.src = at(t, 2) * 65536U + at(t, 3) * 256U + at(t, 4);
        to_john(f, 0);
        break;
      }
      case 10: {  // discovery: hers, John's, what was beside her, altered
        const auto n = heard_beside().second;
        const std::size_t which = at(t, 0) * 256U + at(t, 1);
        if (n == 0 && messages_.empty()) break;
        discovery_pdu m = messages_.empty() || (n != 0 && at(t, 2) % 4 > 1) ? beside_.messages[which % n]
                                                                            : messages_[which % messages_.size()];
        if (at(t, 2) % 2 == 1) m[at(t, 3) % m.size()] ^= static_cast<std::uint8_t>(1U << (at(t, 4) % 8));
        heard_by_john(m);
        break;
      }
      case 11: {  // she asks him
        const std::array<security::peer_id, 1> john{mary_.id("john")};
        for (const auto& q : mary_.sec->discovery().queries(john, now_)) messages_.push_back(q), heard_by_john(q);
        break;
      }
      case 12: {  // John asks, renews or releases on his own account
        auto* l = john_.live("mary");
        if (at(t, 0) % 3 == 0)
          asked();
        else if (l != nullptr && at(t, 0) % 3 == 1)
          (void)john_.sec->links().rekey(l->id, now_, john_.pending);
        else if (l != nullptr)
          data(john_, *l, "mary", t);
        break;
      }
      case 13:
        segment_size_ = 8 + at(t, 0) % 120;
        break;
      case 15:
        crowd(t);
        break;
      default:
        peters(t);
        break;
    }
    settle();
  }

  /// In one subframe: many SDUs with nothing behind their headers under the identifiers of what was heard beside her,
  /// then one of her own.
  void crowd(bytes_view t) {
    const auto n = heard_beside().first;
    const frame* f = nullptr;
    for (std::size_t i = n; i-- > 0 && f == nullptr;)
      if (const auto& x = beside_.frames[i];
          x.to_john && x.lcid != security::lcid_pc5s_unprotected && x.lcid != security::lcid_pc5s_security_mode)
        f = &x;
    if (f == nullptr) return;
    john_.rx->begin_subframe();
    for (int i = 0; i < 9; ++i) {
      octets block(1000);
      mac::sl_sch_builder b({mac::sl_sch_version::v2x, f->src, f->dst}, block);
      for (int k = 0; k < 30; ++k) {
        const auto rlc = b.add(f->lcid, 28);
        rlc[0] = static_cast<std::uint8_t>(k);
        std::copy_n(f->pdu.begin(), 3, rlc.begin() + 1);  // SDU type and KD-sess ID
        for (std::size_t x = 4; x < rlc.size(); ++x) rlc[x] = static_cast<std::uint8_t>(at(t, 1) + i + k);
      }
      b.finish();
      john_.rx->receive(block, std::nullopt, now_, john_.pending,
                        [&](const mac::data_received&) { seen.push_back(2); });
    }
    same_subframe_ = true;
    if (at(t, 0) % 2 == 0)
      keepalive();
    else
      say(1, security::sdu_type::ip, std::array<std::uint8_t, 3>{1, 2, 3});
    same_subframe_ = false;
  }
  void keepalive() {
    std::array<std::uint8_t, security::keepalive_octets> m{};
    m[0] = static_cast<std::uint8_t>(security::message_type::keepalive);
    say(security::lcid_pc5s_protected, security::sdu_type::pc5s, m);
  }

  // --- Peter, in his world ---
  void peters(bytes_view t) {
    if (!with_peter_) return;
    auto *j = john_.live("peter"), *p = peter_->live("john");
    switch (at(t, 0) % 7) {
      case 0:
        meet(*peter_);
        break;
      case 1:
        if (j != nullptr) (void)john_.sec->links().rekey(j->id, now_, john_.pending);
        break;
      case 2:
        if (p != nullptr) (void)peter_->sec->links().rekey(p->id, now_, peter_->pending);
        break;
      case 3:
        if (j != nullptr) (void)john_.sec->links().release(j->id, now_, john_.pending);
        break;
      case 4:
        if (p != nullptr) data(*peter_, *p, "john", t);
        break;
      case 5:
        if (j != nullptr) data(john_, *j, "peter", t);
        break;
      default: {
        const std::array<security::peer_id, 1> john{peter_->id("john")};
        for (const auto& q : peter_->sec->discovery().queries(john, now_))
          beside_.messages.push_back(q), heard_by_john(q);
      }
    }
  }

  // --- the air: what Mary sends reaches John as MAC PDUs, in pieces ---
  void pass(time_ms ms) {
    for (time_ms t = 0; t < ms; t += 100) {
      now_ += 100;
      set_slots();
      for (auto* p : parties()) p->sec->links().tick(now_, p->pending), p->sec->links().release_due(now_, p->pending);
      if (now_ % 1000 == 0) john_.rx->expire(now_);
      settle();
    }
  }
  std::vector<party*> parties() {
    return with_peter_ ? std::vector{&john_, &mary_, peter_.get()} : std::vector{&john_, &mary_};
  }
  void set_slots() {
    for (auto* p : parties()) p->port->advance(first_slot + static_cast<security::slot_t>(now_ / 1000), now_);
    announce();
    john_.rx->invalidate_destinations();
  }
  void settle() {
    for (int round = 0; round < 32; ++round) {
      bool quiet = true;
      for (auto* p : parties()) {
        security::actions now_done;
        now_done.swap(p->pending);
        for (const auto& a : now_done) {
          quiet = false;
          sent(*p, a);
        }
      }
      if (quiet) return;
    }
  }
  void sent(party& from, const action& a) {
    if (const auto* e = std::get_if<security::link_established>(&a);
        e != nullptr && &from == &john_ && e->peer == john_.id("mary"))
      ++links;
    const auto* m = std::get_if<security::send_message>(&a);
    if (m == nullptr) return;
    const frame f{m->lcid, m->src, m->dst, m->octets};
    if (&from == &john_ && (m->peer == john_.id("mary") || m->peer == 0)) {
      note(f);
      ++answers;
      to(mary_, f);
    } else if (&from == &john_) {
      beside_.frames.push_back(f);
      to(*peter_, f);
    } else if (&from == &mary_) {
      own_.push_back(f);
      to_john(f, segment_size_);
    } else {
      beside_.frames.push_back(f);
      beside_.frames.back().to_john = true;
      to_john(f, 0);
    }
  }
  void note(const frame& f) {
    for (const std::uint32_t v : {static_cast<std::uint32_t>(now_), std::uint32_t{f.lcid}, f.src, f.dst,
                                  static_cast<std::uint32_t>(f.pdu.size())})
      for (int k = 0; k < 4; ++k) seen.push_back(static_cast<std::uint8_t>(v >> (8 * k)));
    seen.insert(seen.end(), f.pdu.begin(), f.pdu.end());
  }
  void note(std::size_t place, const discovery_pdu& m, const discovery_pdu* hidden) {
    const discovery_pdu shown = hidden != nullptr && m == *hidden ? discovery_pdu{m[0]} : m;
    seen.push_back(static_cast<std::uint8_t>(place));
    seen.insert(seen.end(), shown.begin(), shown.end());
  }
  void to(party& p, const frame& f) {
    octets buffer(f.pdu.size());
    (void)p.sec->links().receive(f.lcid, f.src, f.dst, f.pdu, now_, buffer, p.pending);
  }
  void to_john(const frame& f, std::size_t segment) {
    if (f.pdu.empty() || f.pdu.size() > 1500) return;
    octets pdcp;
    if (f.lcid == security::lcid_pc5s_unprotected || f.lcid == security::lcid_pc5s_security_mode)
      pdcp.assign(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end());
    pdcp.insert(pdcp.end(), f.pdu.begin(), f.pdu.end());
    auto& rlc = rlc_[{f.src, f.dst, f.lcid}];
    if (!rlc.enqueue(std::move(pdcp))) return;
    while (!rlc.empty()) {
      octets& block = block_;
      block.assign(2000, 0);
      mac::sl_sch_builder b({mac::sl_sch_version::v2x, f.src, f.dst}, block);
      const std::size_t room =
          std::min(rlc.wanted_octets(), segment == 0 ? std::size_t{1600} : std::max<std::size_t>(segment, 4));
      const std::size_t n = rlc.build(b.add(f.lcid, room));
      if (n == 0) return;
      b.shrink_last(n);
      b.finish();
      if (!same_subframe_) john_.rx->begin_subframe();
      john_.rx->receive(block, std::nullopt, now_, john_.pending, [&](const mac::data_received& d) {
        if (d.peer == john_.id("mary")) seen.push_back(1);
      });
    }
  }
  void altered(frame f, bytes_view t) {
    if (f.pdu.empty()) return;
    for (std::size_t k = 1; k + 1 < t.size() && k < 9; k += 2) f.pdu[t[k] % f.pdu.size()] ^= t[k + 1];
    to_john(f, at(t, 1) % 3 == 0 ? segment_size_ : 0);
  }
  void say(std::uint8_t lcid, security::sdu_type type, bytes_view message) {
    auto* l = mary_.live("john");
    if (l == nullptr || message.empty()) return;
    frame f{lcid, 0, 0, octets(message.size() + security::record_overhead_octets)};
    const auto s = l->current.chain.seal(lcid, type, message, now_, f.pdu);
    if (!s) return;
    f.src = s->src, f.dst = s->dst;
    own_.push_back(f);
    to_john(f, segment_size_);
  }
  void data(party& from, security::link& l, const char* to_whom, bytes_view t) {
    frame f{1, 0, 0, octets(t.size() + 1 + security::record_overhead_octets)};
    octets plain(t.begin(), t.end());
    plain.push_back(0);
    const auto s = from.sec->links().seal(l.id, 1, security::sdu_type::ip, plain, now_, f.pdu);
    if (!s) return;
    f.src = s->src, f.dst = s->dst;
    const bool marys = &from == &john_ && std::string_view(to_whom) == "mary";
    if (marys)
      note(f), to(mary_, f);
    else if (&from == &john_)
      beside_.frames.push_back(f), to(*peter_, f);
    else
      f.to_john = true, beside_.frames.push_back(f), to_john(f, 0);
  }
  /// How much Mary has heard beside her by now; in the world without Peter, what it was in the other one.
  std::pair<std::size_t, std::size_t> heard_beside() {
    if (with_peter_) beside_.heard_so_far.push_back({beside_.frames.size(), beside_.messages.size()});
    return beside_.heard_so_far.at(choices_++);
  }

  // --- discovery ---
  void heard_by_john(const discovery_pdu& m) {
    const auto e = john_.sec->discovery().receive(m, now_);
    john_.rx->invalidate_destinations();
    const auto* q = e ? std::get_if<security::query_heard>(&*e) : nullptr;
    if (q == nullptr) return;
    if (q->peer != john_.id("mary")) return;
    note(0, q->response, nullptr);
    ++answers;
    (void)mary_.sec->discovery().receive(q->response, now_);
  }
  /// Whose octets may differ: Peter's entry, or the dummy that stands in its place.
  discovery_pdu in_peters_place(security::discovery_type type) {
    const auto t = *john_.sec->discovery().clock().now();
    if (!with_peter_) return make_discovery(type, john_.sec->discovery().dummies()[1], t);
    const auto& p = *john_.sec->peers().find(std::string_view("peter"));
    return make_discovery(type, type == security::discovery_type::query ? p.theirs : p.ours, t);
  }
  void asked() {
    const std::array<security::peer_id, 2> wanted{john_.id("mary"), john_.id("peter")};
    const auto hidden = in_peters_place(security::discovery_type::query);
    std::size_t place = 0;
    for (const auto& q : john_.sec->discovery().queries(wanted, now_))
      note(place++, q, &hidden), (void)mary_.sec->discovery().receive(q, now_);
  }
  /// John to everybody, once a slot.
  void announce() {
    const auto t = john_.sec->discovery().clock().now();
    if (t == announced_in_) return;
    announced_in_ = t;
    const auto hidden = in_peters_place(security::discovery_type::announcement);
    const auto all = john_.sec->discovery().announcements(now_);
    announced_.assign(all.begin(), all.end());
    std::size_t place = 0;
    for (const auto& m : announced_) {
      note(place++, m, &hidden);
      if (messages_.size() < 400) messages_.push_back(m == hidden ? discovery_pdu{} : m);
    }
  }
  /// Who hears hers among John's announcements asks for a link.
  void meet(party& p) {
    std::optional<security::peer_heard> heard;
    for (const auto& m : announced_) {
      if (const auto e = p.sec->discovery().receive(m, now_))
        if (const auto* h = std::get_if<security::peer_heard>(&*e)) heard = *h;
    }
    if (heard) (void)p.sec->links().connect(*heard, now_, p.pending);
    settle();
  }

  bool with_peter_;
  beside& beside_;
  party john_{"john", 1, false}, mary_{"mary", 2, true};
  std::unique_ptr<party> peter_;  // in his world
  time_ms now_ = 0;
  std::vector<frame> own_;
  std::vector<discovery_pdu> messages_, announced_;
  std::optional<security::slot_t> announced_in_;
  std::map<std::tuple<security::l2_id, security::l2_id, std::uint8_t>, mac::rlc_um_tx> rlc_;
  std::size_t segment_size_ = 60, choices_ = 0;
  octets block_;
  bool same_subframe_ = false;
};

}  // namespace

namespace {

/// Both worlds with their links made, and with nothing done yet.
struct both_worlds {
  beside heard;
  world first{true, heard}, second{false, heard};
  void run(bytes_view in) {
    first.run(in);
    second.run(in);
  }
};

/// Eight equal octets are no chance.
bool in_common(party& a, party& b) {
  const auto beginning = [](const octets& o) {
    std::uint64_t v = 0;
    std::memcpy(&v, o.data(), sizeof v);
    return v;
  };
  std::unordered_set<std::uint64_t> of_a;
  for (const auto& s : world::secrets(a)) of_a.insert(beginning(s));
  const auto of_b = world::secrets(b);
  return std::any_of(of_b.begin(), of_b.end(), [&](const octets& s) { return of_a.contains(beginning(s)); });
}

void judge(both_worlds& w) {
  const auto &a = w.first.seen, &b = w.second.seen;
  if (a != b) {
    const auto at = std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first - a.begin();
    std::fprintf(stderr, "what John sends depends on Peter: %zu and %zu octets, the first difference at %td\n",
                 a.size(), b.size(), at);
    std::abort();
  }
  if (in_common(w.first.mary(), w.first.peter())) {
    std::fprintf(stderr, "Mary holds a secret of Peter's\n");
    std::abort();
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 2048) return 0;
  const bytes_view in(data, size);
  static std::uint64_t runs = 0;
  std::vector<std::uint8_t> of_fresh_worlds;
  const bool fresh_too = !fuzz::arena::available || runs++ % 4096 == 0;
  if (fresh_too) {
    both_worlds w;
    w.run(in);
    judge(w);
    if (!in_common(w.first.john(), w.first.mary()) || !in_common(w.first.john(), w.first.peter())) {
      std::fprintf(stderr, "the keys that two share are not seen to be shared\n");
      std::abort();
    }
    of_fresh_worlds = w.first.seen;
  }
  if (!fuzz::arena::available) return 0;
  static both_worlds* prepared = nullptr;
  fuzz::arena::on();
  if (prepared == nullptr) {
    prepared = new both_worlds;
    fuzz::arena::keep();
  }
  prepared->run(in);
  judge(*prepared);
  if (fresh_too && prepared->first.seen != of_fresh_worlds) {
    std::fprintf(stderr, "worlds that were set back are not like fresh ones\n");
    std::abort();
  }
  fuzz::arena::set_back();
  fuzz::arena::off();
  return 0;
}
