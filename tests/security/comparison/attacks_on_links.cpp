#include <set>

#include "tests/security/comparison/attacks.h"

namespace prose::security::comparison {
namespace {

const octets text(40, 0x41);
constexpr std::size_t pdcp_octets = 5;

std::vector<frame> records_in(const std::vector<frame>& frames, std::size_t from = 0) {
  std::vector<frame> r;
  for (std::size_t i = from; i < frames.size(); ++i)
    if (frames[i].lcid == 1) r.push_back(frames[i]);
  return r;
}

/// John's Request to Peter, which does not arrive.
frame lost_request(town& t) {
  std::optional<frame> request;
  t.air.on_the_way = [&](const frame& f) {
    if (f.lcid == lcid_pc5s_unprotected && !request) request = f;
    return std::vector<frame>{};
  };
  if (const auto h = t.air.heard(t.john, t.peter); h && t.air.connect(t.john, *h)) t.air.settle();
  t.air.on_the_way = nullptr;
  return request.value();
}

/// What a stranger makes of a Request that he heard: everything after type and sequence number is his (ltesl), or
/// Nonce_1 is.
frame strangers(profile p, frame f, std::mt19937& engine) {
  f.src ^= 1 + engine() % 0xffff;
  if (p == profile::ltesl) {
    for (std::size_t i = 3; i < f.octets.size(); ++i) f.octets[i] = static_cast<std::uint8_t>(engine());
    return f;
  }
  auto m = ts33303::parse(f.octets)->message;
  for (auto& o : std::get<ts33303::direct_communication_request>(m.body).nonce_1)
    o = static_cast<std::uint8_t>(engine());
  octets out(256);
  out.resize(ts33303::write(m, out).value());
  f.octets = out;
  return f;
}

}  // namespace

std::string mary_reads_records(profile p) {
  town t(p);
  if (!t.air.link_up(t.john, t.peter) || !t.air.link_up(t.john, t.mary)) return "no link";
  for (int i = 0; i < 50; ++i) t.air.send(t.john, t.peter, text);
  const auto theirs = records_in(t.air.captured);
  const auto so_far = t.air.captured.size();
  for (int i = 0; i < 50; ++i) t.air.send(t.john, t.mary, text);
  const auto hers = records_in(t.air.captured, so_far);
  const auto read = t.mary.inbox.size();
  for (auto f : theirs) {  // as it was, and under the identifiers of her own link
    f.src = hers.back().src;
    f.dst = hers.back().dst;
    t.mary.hear(f, t.air.now);
    std::copy_n(hers.back().octets.begin() + 1, 2, f.octets.begin() + 1);
    t.mary.hear(f, t.air.now);
  }
  return of(t.mary.inbox.size() - read, theirs.size()) + " records open, " + of(read, hers.size()) + " of her own";
}

std::string copied_messages(profile p) {
  town t(p);
  if (!t.air.link_up(t.john, t.peter)) return "no link";
  for (int i = 0; i < 20; ++i) t.air.send(t.john, t.peter, text);
  const auto recording = t.air.captured;
  const auto before = t.peter.inbox.size();
  const auto link = t.peter.link_with(t.john);
  std::size_t answers = 0;
  for (int round = 0; round < 10; ++round) {
    for (const auto& f : recording) answers += t.air.inject(f);
    t.air.now += 200;
  }
  const bool same = t.peter.link_with(t.john) == link;
  return of(answers, 10 * recording.size()) + " copies draw an answer, " +
         std::to_string(t.peter.inbox.size() - before) + " texts again, the link " + (same ? "stays" : "changes");
}

std::string equal_texts(profile p) {
  town t(p);
  const auto talk = [&] {
    for (int i = 0; i < 50; ++i) t.air.send(t.john, t.peter, text), t.air.send(t.peter, t.john, text);
  };
  if (!t.air.link_up(t.john, t.peter)) return "no link";
  talk();
  t.john.links([&](auto& l) { return l.rekey(*t.john.link_with(t.peter), t.air.now, t.john.pending).has_value(); });
  t.air.settle();
  talk();
  t.air.pass(1000);
  if (!t.air.link_up(t.peter, t.john)) return "no second link";
  talk();
  std::size_t n = 0, equal = 0;
  std::set<octets> ciphertexts;
  for (const auto& f : records_in(t.air.captured)) {
    ++n;
    const auto begin = f.octets.begin() + pdcp_octets;
    equal += !ciphertexts.emplace(begin, begin + static_cast<std::ptrdiff_t>(text.size())).second;
  }
  return std::to_string(equal) + " of " + std::to_string(n) + " ciphertexts of one text come twice";
}

/// Two set-ups each of 16 pairs. Each Request of the second round is held to be of the pair whose first one has most
/// octets in common with it.
std::string requests_linked(profile p) {
  constexpr std::size_t pairs = 16;
  std::vector<octets> first, second;
  for (std::size_t i = 0; i < pairs; ++i) {
    device other(p, "peter" + std::to_string(i), 5000 + i);
    device one(p, "john" + std::to_string(i), 6000 + i);
    other.base.knows(one.base);
    one.base.knows(other.base);
    other.begin({});
    one.begin({});
    attackers_air air;
    air.devices = {&one, &other};
    for (auto* requests : {&first, &second}) {
      const auto from = air.captured.size();
      if (!air.link_up(one, other)) return "no link";
      for (std::size_t k = from; k < air.captured.size(); ++k)
        if (air.captured[k].lcid == lcid_pc5s_unprotected) {
          requests->push_back(air.captured[k].octets);
          break;
        }
      air.pass(2000);
    }
  }
  std::size_t right = 0;
  for (std::size_t i = 0; i < second.size(); ++i) {
    std::vector<std::size_t> common(first.size());
    for (std::size_t k = 0; k < first.size(); ++k)
      for (std::size_t o = 0; o < std::min(first[k].size(), second[i].size()); ++o)
        common[k] += first[k][o] == second[i][o];
    right += static_cast<std::size_t>(std::ranges::max_element(common) - common.begin()) == i;
  }
  return of(right, pairs) + " pairs recognised by their second Request (chance: 1)";
}

std::string strangers_requests_answered(profile p) {
  town t(p);
  const auto request = lost_request(t);
  std::mt19937 engine(1);
  std::size_t answered = 0;
  for (int i = 0; i < 4; ++i) {
    answered += t.air.inject(strangers(p, request, engine)) != 0;
    t.air.now += 200;
  }
  return of(answered, 4) + " Requests of a stranger's make Peter transmit";
}

/// Every bit of the Request's capabilities (ts33303), or of the Request's last 8 octets (ltesl, which seals its offer),
/// flipped on the way.
std::string requests_bid_down(profile p) {
  std::size_t links = 0, tried = 0;
  const std::size_t bits = p == profile::ts33303 ? 16 : 64;
  for (std::size_t bit = 0; bit < bits; ++bit) {
    town t(p);
    bool altered = false;
    t.air.on_the_way = [&](frame f) {
      if (f.lcid == lcid_pc5s_unprotected && !altered) {
        altered = true;
        if (p == profile::ts33303) {
          auto m = ts33303::parse(f.octets)->message;
          auto& c = std::get<ts33303::direct_communication_request>(m.body).capabilities;
          (bit < 8 ? c.eea_bits : c.eia_bits) ^= static_cast<std::uint8_t>(1U << bit % 8);
          octets out(256);
          out.resize(ts33303::write(m, out).value());
          f.octets = out;
        } else {
          f.octets[f.octets.size() - 1 - bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
        }
      }
      return std::vector<frame>{f};
    };
    ++tried;
    links += t.air.link_up(t.john, t.peter);
  }
  return of(links, tried) + " flipped bits end in a link";
}

std::string request_altered(profile p) {
  town sample(p);
  const auto n = lost_request(sample).octets.size();
  std::size_t links = 0;
  for (std::size_t i = 0; i < n; ++i) {
    town t(p);
    bool altered = false;
    t.air.on_the_way = [&](frame f) {
      if (f.lcid == lcid_pc5s_unprotected && !altered) altered = true, f.octets[i] ^= 1;
      return std::vector<frame>{f};
    };
    links += t.air.link_up(t.john, t.peter);
  }
  return of(links, n) + " Requests with an altered octet end in a link";
}

/// A Reject of the attacker's reaches John before Peter's answer. For ltesl it is as good as any other message.
std::string forged_reject(profile p) {
  town t(p);
  t.air.on_the_way = [&](const frame& f) {
    std::vector<frame> out{f};
    if (f.lcid == lcid_pc5s_security_mode && f.from == 2) {
      octets reject(16);
      reject.resize(ts33303::write({7, ts33303::direct_communication_reject{}}, reject).value());
      out.insert(out.begin(), {attackers_air::attacker, lcid_pc5s_unprotected, f.src, f.dst, reject});
    }
    return out;
  };
  return std::string(t.air.link_up(t.john, t.peter) ? "the link comes" : "no link") + " under a forged Reject";
}

namespace {

struct flooded {
  std::size_t requests = 0, answers = 0, linked = 0;
};

/// A stranger's Requests for 6 s, so many at random moments of each 100 ms. Peter announced in the slot of John's
/// Request, which comes again every 400 ms.
void flood(profile p, std::uint64_t seed, unsigned in_100_ms, flooded& sum) {
  town t(p, seed);
  const auto request = lost_request(t);
  std::mt19937 engine(static_cast<std::uint32_t>(seed));
  t.air.on_the_way = [&](const frame& f) {
    sum.answers += f.from == 2 && !t.john.owns(f.dst, t.air.now);
    return std::vector<frame>{f};
  };
  for (int i = 0; i < 60; ++i) {
    std::vector<time_ms> moments(in_100_ms);
    for (auto& m : moments) m = static_cast<time_ms>(engine() % 100);
    std::ranges::sort(moments);
    const auto begin = t.air.now;
    for (const auto m : moments) {
      t.air.now = begin + m;
      t.air.inject(strangers(p, request, engine));
    }
    t.air.now = begin;
    t.air.pass(100);
    sum.requests += in_100_ms;
  }
  sum.linked += t.john.link_with(t.peter) && t.peter.link_with(t.john);
}

}  // namespace

std::string set_up_under_a_flood(profile p) {
  constexpr std::uint64_t set_ups = 20;
  flooded all;
  std::string linked;
  for (const unsigned in_100_ms : {1U, 4U, 16U}) {
    all.linked = 0;
    for (std::uint64_t seed = 1; seed <= set_ups; ++seed) flood(p, seed, in_100_ms, all);
    linked += (linked.empty() ? "" : ", ") + of(all.linked, set_ups) + " at " + std::to_string(10 * in_100_ms);
  }
  return of(all.answers, all.requests) +
         " Requests of a stranger's are answered; John's own set-up succeeds meanwhile in " + linked + " a second";
}

std::string records_altered(profile p, bool mac_i) {
  ts33303::direct_link_config config;
  config.mac_i_on_data = mac_i;
  town t(p, 1, config);
  if (!t.air.link_up(t.john, t.peter)) return "no link";
  std::size_t tried = 0;
  octets pdu;
  t.air.on_the_way = [&](const frame& f) {
    std::vector<frame> out;
    if (f.lcid != 1) return std::vector<frame>{f};
    for (std::size_t bit = 8 * pdcp_octets; bit < 8 * f.octets.size(); ++bit, ++tried) {
      out.push_back(f);
      out.back().octets[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
    }
    out.push_back(f);
    return out;
  };
  t.air.send(t.john, t.peter, text);
  std::size_t altered = 0;
  for (const auto& m : t.peter.inbox) altered += m != text;
  return of(altered, tried) + " records with a flipped bit are delivered";
}

/// The attacker drops what John and Peter ask each other, and hands the one's Request back to him as the other's.
std::string set_up_reflected(profile p) {
  std::size_t deceived = 0;
  for (const bool john_is_victim : {true, false}) {
    town t(p);
    device& victim = john_is_victim ? t.john : t.peter;
    device& absent = john_is_victim ? t.peter : t.john;
    const auto own = static_cast<std::size_t>(john_is_victim ? 1 : 2);
    const auto of_victim = t.air.heard(victim, absent), of_absent = t.air.heard(absent, victim);
    if (!of_victim || !of_absent) return "not heard";
    constexpr l2_id strange = 0x123456;
    const l2_id expected_at = of_absent->rendezvous;  // heard in a Request of the absent one's
    std::optional<l2_id> asks_as;
    t.air.on_the_way = [&](frame f) {
      if (f.from != own) return std::vector<frame>{};
      if (!asks_as) asks_as = f.src;
      const bool from_request = f.src == *asks_as;
      f.from = attackers_air::attacker;
      f.src = from_request ? strange : of_victim->rendezvous;
      f.dst = from_request ? expected_at : *asks_as;
      return std::vector<frame>{f};
    };
    if (!t.air.connect(victim, *of_victim)) return "not asked";
    t.air.settle();
    deceived += victim.link_with(absent) && !absent.link_with(victim);
  }
  return of(deceived, 2) + " UEs take their own Command for the peer's: a link without the peer";
}

std::string weak_keys(profile p) {
  std::string out;
  const auto add = [&out](const char* what, bool refused) {
    out += std::string(out.empty() ? "" : ", ") + what + (refused ? " refused" : " accepted");
  };
  if (p == profile::ltesl) {
    test::ue u("john", 1), other("peter", 2);
    u.knows(other);
    add("a peer's key for another peer", !u.security->add_peer("mary", other.security->peers().own_public()));
    add("all zeros", !u.security->add_peer("zero", public_key{}));
    return out;
  }
  const auto table = [](std::uint8_t a, std::uint8_t b) {
    std::map<std::string, ts33303::shared_kd, std::less<>> kds;
    const auto key = [](std::uint8_t o) { return ts33303::kd_key::make([o](auto k) { std::ranges::fill(k, o); }); };
    kds.emplace("peter", ts33303::shared_kd{1, key(a)});
    kds.emplace("mary", ts33303::shared_kd{2, key(b)});
    return ts33303::kd_table::make(std::move(kds)).has_value();
  };
  add("a peer's key for another peer", !table(1, 1));
  add("all zeros", !table(0, 1));
  return out;
}

}  // namespace prose::security::comparison
