// Attacks of one who has keys: a monitor of a code, or the thief of a KD.
#include <functional>
#include <memory>
#include <set>

#include "security/discovery_code.h"
#include "security/ts33303/code_discovery.h"
#include "security/ts33303/discovery.h"
#include "tests/security/comparison/attacks.h"

namespace prose::security::comparison {
namespace {

using namespace ts33303;

/// What the ProSe Function hands out for a code of John's, to him and to each of its monitors.
struct johns_code {
  johns_code() {
    const auto fill = [](std::uint8_t o) { return [o](auto out) { std::ranges::fill(out, o); }; };
    keys.dusk = scrambling_key::make(fill(1));
    keys.duik = discovery_integrity_key::make(fill(2));
    keys.duck = discovery_confidentiality_key::make(fill(3));
    keys.encrypted_bits.fill(0xff);
    code.fill(0x4a);
    filter.value = code;
    filter.mask.fill(0xff);
  }
  bool believed(const discovery_pdu& pdu, std::uint32_t own) const {
    return open_discovery(pdu, keys, filter, own).has_value();
  }
  code_security keys;
  restricted_code code{};
  code_filter filter;
};

bool believed(device& who, const discovery_pdu& pdu, time_ms now) {
  const auto e = who.discovery().receive(pdu, now);
  return e && std::holds_alternative<peer_heard>(*e);
}

/// Everything that a KD and a recording give.
class kd_thief {
public:
  explicit kd_thief(const kd_key& kd) : kd_(kd) {}
  /// Data PDUs that open.
  std::size_t open(const std::vector<frame>& recording) {
    std::size_t opened = 0;
    for (const auto& f : recording) opened += see(f);
    return opened;
  }

private:
  struct asked {
    nonce nonce_1;
    std::uint8_t msb;
  };
  bool see(const frame& f) {
    if (f.lcid == lcid_pc5s_unprotected) {
      if (const auto m = parse(f.octets))
        if (const auto* r = std::get_if<direct_communication_request>(&m->message.body))
          asked_.push_back({r->nonce_1, r->kd_sess_id_msb});
      return false;
    }
    if (f.lcid == lcid_pc5s_security_mode && f.octets.size() > 9) derive(f);
    octets buffer(f.octets.size());
    for (auto& c : contexts_)
      if (const auto o = c.open(f.lcid, f.octets, buffer)) {
        const auto m = o->type == sdu_type::pc5s ? parse(o->sdu) : tl::unexpected(parse_error::truncated);
        if (m)
          if (const auto* r = std::get_if<rekeying_request>(&m->message.body))
            asked_.push_back({r->nonce_1, r->kd_sess_id_msb});
        return f.lcid == 1;
      }
    return false;
  }
  void derive(const frame& f) {
    const auto m = parse(bytes_view(f.octets).subspan(5, f.octets.size() - 9));
    const auto* command = m ? std::get_if<security_mode_command>(&m->message.body) : nullptr;
    if (command == nullptr) return;
    for (const auto& a : asked_) {
      const auto kd_sess = derive_kd_sess(kd_, a.nonce_1, command->nonce_2);
      for (const auto own : {side::requesting, side::commanding})
        if (auto c =
                security_context::make({kd_sess_id_of(a.msb, command->kd_sess_id_lsb), own,
                                        static_cast<eea>(command->chosen.eea), static_cast<eia>(command->chosen.eia)},
                                       kd_sess))
          contexts_.push_back(std::move(*c));
    }
  }
  const kd_key& kd_;
  std::vector<asked> asked_;
  std::vector<security_context> contexts_;
};

}  // namespace

std::string mary_forges_announcements(profile p) {
  constexpr int seconds = 16;
  std::size_t tried = 0, taken = 0;
  if (p == profile::ts33303) {
    const johns_code code;  // Mary's as well as Peter's
    test::seeded_random random(1);
    for (int s = -seconds; s <= seconds; ++s, ++tried)
      taken += code.believed(protect_discovery(discovery_type::announcement, code.code, code.keys,
                                               static_cast<std::uint32_t>(1000 + s), random),
                             1000);
    return of(taken, tried) + " of a monitor's announcements are believed as John's";
  }
  town t(p);
  t.air.set_slots();
  const auto& hers = *t.mary.base.security->peers().find(std::string_view("john"));
  for (int s = -seconds; s <= seconds; ++s)
    for (const auto* keys : {&hers.ours, &hers.theirs}) {
      ++tried;
      taken += believed(t.peter, make_discovery(discovery_type::announcement, *keys, static_cast<slot_t>(1000 + s)),
                        t.air.now);
    }
  return of(taken, tried) + " of a monitor's announcements are believed as John's";
}

namespace {

struct taken {
  int latest_s = -1;
  std::size_t copies = 0;
  std::string text(std::size_t all) const {
    return "believed up to " + std::to_string(latest_s) + " s late; " + of(copies, all) + " further copies believed";
  }
};
constexpr std::size_t n_copies = 100;

/// What John sends in a second, and what Peter takes of it, in a town.
struct johns_and_peters {
  std::function<std::vector<discovery_pdu>()> sent;
  std::function<bool(const discovery_pdu&)> takes;
};

taken delay_and_copy(profile p, const std::function<johns_and_peters(town&)>& discovery_of) {
  taken r;
  for (int s = 0; s <= 60; ++s) {
    town t(p);
    t.air.set_slots();
    const auto d = discovery_of(t);
    const auto sent = d.sent();
    for (int k = 0; k < s; ++k) t.air.now += 1000, t.air.set_slots();
    bool believed = false;
    for (const auto& pdu : sent) believed = d.takes(pdu) || believed;
    if (believed) r.latest_s = s;
    if (s != 1) continue;
    for (std::size_t i = 0; i < n_copies; ++i)
      for (const auto& pdu : sent) r.copies += d.takes(pdu);
  }
  return r;
}

/// UEs of profile ts33303 with codes, as prose-ue has them.
code_discovery with_code(device& d, std::uint64_t own, const std::string& peer, std::uint64_t peers) {
  const auto code_of = [](std::uint64_t seed) {
    test::seeded_random random(seed);
    return make_code(random);
  };
  code_discovery::code_map codes;
  codes.emplace(peer, code_of(peers));
  return std::move(
      *code_discovery::make(code_of(own), std::move(codes), d.base.security->peers(), d.base.security->discovery()));
}

johns_and_peters by_codes(town& t) {
  auto john = std::make_shared<code_discovery>(with_code(t.john, 1, "peter", 2));
  auto peter = std::make_shared<code_discovery>(with_code(t.peter, 2, "john", 1));
  return {[john, &t] {
            const auto list = john->announcements(t.air.now);
            return std::vector<discovery_pdu>(list.begin(), list.end());
          },
          [peter, &t](const discovery_pdu& pdu) { return peter->receive(pdu, t.air.now).has_value(); }};
}

johns_and_peters of_default(town& t) {
  return {[&t] {
            const auto list = t.john.discovery().announcements(t.air.now);
            return std::vector<discovery_pdu>(list.begin(), list.end());
          },
          [&t](const discovery_pdu& pdu) { return believed(t.peter, pdu, t.air.now); }};
}

/// The rules of 6.1 alone, which remember nothing.
taken by_rules_alone() {
  taken r;
  const johns_code code;
  test::seeded_random random(1);
  const auto pdu = protect_discovery(discovery_type::announcement, code.code, code.keys, 1000, random);
  for (int s = 0; s <= 60; ++s)
    if (code.believed(pdu, static_cast<std::uint32_t>(1000 + s))) r.latest_s = s;
  for (std::size_t i = 0; i < n_copies; ++i) r.copies += code.believed(pdu, 1001);
  return r;
}

/// So many announcements of ten seconds are sent again, octet by octet, when the clock goes ten seconds back.
std::string repeated_after_a_step_back(profile p, const std::function<johns_and_peters(town&)>& discovery_of) {
  town t(p);
  std::set<discovery_pdu> first;
  std::size_t again = 0, n = 0;
  const auto d = discovery_of(t);
  for (int round = 0; round < 2; ++round, t.air.now += 4000)  // a slot may last for 3 s, so much is no repetition
    for (slot_t s = 1000; s < 1010; ++s) {
      t.air.now += 1000;
      t.john.base.set_slot(s, t.air.now);
      for (const auto& pdu : d.sent()) round == 0 ? n += first.insert(pdu).second : again += first.contains(pdu);
    }
  return of(again, n);
}

}  // namespace

std::string delayed_and_copied_announcements(profile p) {
  if (p == profile::ltesl) return delay_and_copy(p, of_default).text(n_copies);
  return "by the rules of 6.1 alone " + by_rules_alone().text(n_copies) + "; in prose-ue " +
         delay_and_copy(p, by_codes).text(n_copies);
}

std::string clock_set_back(profile p) {
  const std::string what = " announcements come again, octet by octet";
  if (p == profile::ltesl) return repeated_after_a_step_back(p, of_default) + what;
  const johns_code code;
  std::size_t again = 0;
  test::seeded_random random(1);
  const auto at = [&](std::uint32_t s) {
    return protect_discovery(discovery_type::announcement, code.code, code.keys, s, random);
  };
  for (std::uint32_t s = 1000; s < 1010; ++s) again += at(s) == at(s);
  return "by the rules of 6.1 alone " + of(again, 10) + what + "; in prose-ue " +
         repeated_after_a_step_back(p, by_codes);
}

std::string kd_opens_the_past() {
  town t(profile::ts33303);
  const octets text(40, 0x41);
  const auto talk = [&] {
    for (int i = 0; i < 20; ++i) t.air.send(t.john, t.peter, text), t.air.send(t.peter, t.john, text);
  };
  if (!t.air.link_up(t.john, t.peter)) return "no link";
  talk();
  t.john.links([&](auto& l) { return l.rekey(*t.john.link_with(t.peter), t.air.now, t.john.pending).has_value(); });
  t.air.settle();
  talk();
  t.air.pass(1000);
  if (!t.air.link_up(t.peter, t.john)) return "no second link";
  talk();
  const auto recording = t.air.captured;
  std::size_t records = 0;
  for (const auto& f : recording) records += f.lcid == 1;
  const auto kd = kd_of("john", "peter"), marys = kd_of("john", "mary");
  return of(kd_thief(kd.kd).open(recording), records) + " past records open with KD (two set-ups, a rekeying), " +
         std::to_string(kd_thief(marys.kd).open(recording)) + " with Mary's";
}

/// Whoever has Peter's KDs asks Peter as John.
std::string stolen_kd_impersonates() {
  town t(profile::ts33303);
  const auto h = t.air.heard(t.john, t.peter);  // where Peter is asked; John asks nothing
  if (!h) return "not heard";
  const auto kd = kd_of("john", "peter");
  const nonce nonce_1{1};
  direct_communication_request r;
  r.user = {user_info_type::upper_layers, {bytes_view(nonce_1).first(1)}};
  r.nonce_1 = nonce_1;
  r.capabilities = capabilities_of({});
  r.kd_sess_id_msb = 9;
  r.kd_id = kd.id;
  octets request(256);
  request.resize(write({1, r}, request).value());
  constexpr l2_id own = 0x777777;
  t.air.inject({attackers_air::attacker, lcid_pc5s_unprotected, own, h->rendezvous, request});
  if (t.air.captured.empty()) return "no Command";
  const auto command_pdu = t.air.captured.back().octets;
  const auto m = parse(bytes_view(command_pdu).subspan(5, command_pdu.size() - 9));
  const auto& command = std::get<security_mode_command>(m->message.body);
  auto context = security_context::make({kd_sess_id_of(9, command.kd_sess_id_lsb), side::requesting,
                                         static_cast<eea>(command.chosen.eea), static_cast<eia>(command.chosen.eia)},
                                        derive_kd_sess(kd.kd, nonce_1, command.nonce_2));
  octets complete(16), pdu(64);
  complete.resize(write({2, security_mode_complete{}}, complete).value());
  pdu.resize(context->protect(lcid_pc5s_security_mode, sdu_type::pc5s, complete, pdu).value());
  t.air.inject({attackers_air::attacker, lcid_pc5s_security_mode, own, h->rendezvous, pdu});
  return std::string(t.peter.link_with(t.john) ? "1" : "0") + " of 1 links with Peter as John, by who has Peter's KD";
}

}  // namespace prose::security::comparison
