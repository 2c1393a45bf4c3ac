// A search that finds nothing proves something only if it would find. Here the thief gets one secret of John's and
// Peter's at a time, and nothing else: what she opens, recognises and forges with it is exactly what is listed. One or
// more for each derivation of the product (README.md has the table), and some that must give nothing.
#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

#include "security/crypto/hash.h"
#include "security/noise.h"
#include "tests/security/labels_in_code.h"
#include "tests/security/search/records.h"
#include "tests/security/stolen_scene.h"

namespace prose::security::test {
namespace {

using secrets = std::vector<stolen_secret>;
using kinds = std::set<std::string>;

template <class Octets>
stolen_secret secret_of(const std::string& name, const Octets& o) {
  return {name, {o.begin(), o.end()}};
}
/// Those of `state` whose names are given.
secrets pick(const secrets& state, std::initializer_list<const char*> names) {
  secrets out;
  for (const char* n : names) {
    const auto at = std::find_if(state.begin(), state.end(), [&](const auto& s) { return s.name == n; });
    if (at == state.end()) throw std::runtime_error(std::string("no secret is named ") + n);
    out.push_back(*at);
  }
  return out;
}
secrets operator+(secrets a, const secrets& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

/// Every value of the pair's first set-up, computed from both ephemerals.
struct first_set_up {
  explicit first_set_up(scene& s) {
    const frame *q = nullptr, *a = nullptr;
    for (const auto& f : s.e.frames) {
      if (q == nullptr && f.lcid == lcid_pc5s_unprotected) q = &f;
      if (a == nullptr && f.lcid == lcid_pc5s_security_mode && f.octets.size() == command_octets) a = &f;
    }
    const auto point = [](const frame& f, std::size_t at) {
      public_key p;
      std::copy_n(f.octets.begin() + at, 32, p.octets.begin());
      return p;
    };
    const public_key ei = point(*q, 4), er = point(*a, 3);
    e_i = private_of(s.john, ei);
    e_r = private_of(s.peter, er);
    const auto john = s.john.security->peers().own_public(), peter = s.peter.security->peers().own_public();
    es = times(s, e_i, peter);
    ee = times(s, e_i, er);
    se = times(s, e_r, john);
    std::copy(s.pair().shared.expose().begin(), s.pair().shared.expose().end(), ss.begin());
    const noise::symmetric_state begin({&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256});
    key32 h{}, psk_hash{};
    std::copy(begin.handshake_hash().begin(), begin.handshake_hash().end(), h.begin());
    const bytes_view o = q->octets, b = a->octets;
    const auto prologue = cat(
        {crypto::as_bytes("LTESL/1"), o.subspan(3, 1), o.first(3), be24(q->src), be24(q->dst), be32(s.e.first_slot)});
    const auto next = [](const key32& ck, bytes_view ikm) { return mix_key(keyed_hmac(ck), ikm); };
    after_psk = mix_key_and_hash(keyed_hmac(h), s.psk.value_or(key32{}), psk_hash).ck;
    after_e = next(after_psk, ei.octets).ck;
    after_es = next(after_e, es).ck;
    const auto one = next(after_es, ss);
    after_ss = one.ck;
    offer_key = one.k;
    after_ee = next(next(after_ss, er.octets).ck, ee).ck;
    const auto two = next(after_ee, se);
    after_se = two.ck;
    choice_key = two.k;
    k1_k2 = split(keyed_hmac(after_se));
    for (const bytes_view v :
         {bytes_view(prologue), bytes_view(john.octets), bytes_view(peter.octets), bytes_view(psk_hash),
          bytes_view(ei.octets), o.subspan(36, 21), bytes_view(er.octets), b.subspan(35, 19)})
      h = sha256({h, v});
    kd0 = keyed_hmac(h)({k1_k2});
  }
  key32 e_i{}, e_r{}, es{}, ss{}, ee{}, se{};
  key32 after_psk{}, after_e{}, after_es{}, after_ss{}, after_ee{}, after_se{};
  key32 offer_key{}, choice_key{}, kd0{};
  std::array<std::uint8_t, 64> k1_k2{};
  key32 kd(int epoch) const {
    key32 k = kd0;
    while (epoch-- > 0) k = keyed_hmac(k).expand(crypto::as_bytes("LTESL/1 ratchet"));
    return k;
  }

private:
  static key32 private_of(ue& u, const public_key& p) {
    const auto draws = u.random.draws;  // public_of() draws, too
    for (const auto& d : draws) {
      if (d.size() != 32) continue;
      key32 k{};
      std::copy(d.begin(), d.end(), k.begin());
      if (u.dh.public_of(static_private_key(k)) == p) return k;
    }
    throw std::runtime_error("nobody drew this ephemeral");
  }
  static key32 times(scene& s, const key32& k, const public_key& p) {
    const auto o = s.john.dh.agree(static_private_key(k), p);
    key32 out{};
    std::copy(o->expose().begin(), o->expose().end(), out.begin());
    return out;
  }
};

struct plant {
  const char* name;
  bool with_psk;
  std::function<secrets(scene&, const first_set_up&)> give;
  kinds found;  // exactly
};

const auto johns = [](std::initializer_list<const char*> names) {
  return [names = std::vector<const char*>(names)](scene& s, const first_set_up&) {
    secrets out;
    for (const char* n : names) out = out + pick(scene::state_of(s.john), {n});
    return out;
  };
};
/// Values of the first set-up, by member.
template <class... Member>
auto of_chain(Member... m) {
  return [=](scene&, const first_set_up& c) { return secrets{secret_of("value", c.*m)...}; };
}

const kinds nothing;
// John announces, Peter monitors, unless said otherwise; requests and two commands go from John to Peter, who
// announced: "theirs".
const kinds by_kd{"recognised announcement",
                  "recognised query",
                  "recognised response",
                  "recognised MIC",
                  "recognised request token",
                  "recognised command token",
                  "recognised rendezvous layer-2 ID",
                  "forged announcement",
                  "forged query",
                  "forged response"};
const kinds records_by_kd{"opened record of the initiator by KD", "opened record of the responder by KD",
                          "recognised layer-2 IDs of an epoch"};
kinds operator+(kinds a, const kinds& b) {
  a.insert(b.begin(), b.end());
  return a;
}

const std::vector<plant> plants{
    // Discovery and tokens.
    {"announce_key", false, johns({"peter ours announce"}), {"recognised announcement"}},
    {"mic_key", false, johns({"peter ours mic"}), {"recognised MIC"}},
    {"announce_and_mic_keys",
     false,
     johns({"peter ours announce", "peter ours mic"}),
     {"recognised announcement", "recognised MIC", "forged announcement"}},
    {"query_and_mic_keys",
     false,
     johns({"peter ours query", "peter ours mic"}),
     {"recognised query", "recognised MIC", "forged query"}},
    {"response_and_mic_keys",
     false,
     johns({"peter ours response", "peter ours mic"}),
     {"recognised response", "recognised MIC", "forged response"}},
    {"announce_key_of_one_direction_and_mic_key_of_the_other",
     false,
     johns({"peter ours announce", "peter theirs mic"}),
     {"recognised announcement", "recognised MIC"}},
    {"request_token_key", false, johns({"peter theirs request token"}), {"recognised request token"}},
    {"command_token_key", false, johns({"peter theirs command token"}), {"recognised command token"}},
    {"rendezvous_key", false, johns({"peter theirs rendezvous"}), {"recognised rendezvous layer-2 ID"}},
    {"pair_root_key", false,
     [](scene& s, const first_set_up& c) {
       const auto info = cat({crypto::as_bytes("LTESL/1 disc"), s.peter.security->peers().own_public().octets,
                              s.john.security->peers().own_public().octets});
       return secrets{secret_of("Kd", keyed_hmac(keyed_hmac(key32{})({c.ss})).expand(info))};
     },
     by_kd},
    {"shared_secret_of_the_statics", false, johns({"peter shared secret"}), by_kd + kinds{"forged request"}},
    {"psk_and_shared_secret", true, johns({"peter psk", "peter shared secret"}), by_kd + kinds{"forged request"}},
    {"shared_secret_without_the_psk", true, johns({"peter shared secret"}), nothing},
    {"psk_without_the_shared_secret", true, johns({"peter psk"}), nothing},
    {"static_key_without_the_psk", true, johns({"static private key"}), nothing},
    // KCI: who holds John's static key may ask John in Peter's name, and John answers; but no link results
    // (planted_kci).
    {"static_key_of_one", false, johns({"static private key"}), by_kd + kinds{"opened request", "forged request"}},
    {"static_key_and_psk_of_one", true, johns({"static private key", "peter psk"}),
     by_kd + kinds{"opened request", "forged request"}},

    // The Noise chain, input by input and entered at every place.
    {"ephemeral_alone", false,
     [](scene&, const first_set_up& c) { return secrets{secret_of("ephemeral private key", c.e_i)}; }, nothing},
    {"es_without_ss", false, of_chain(&first_set_up::es), nothing},
    {"es_and_ss", false, of_chain(&first_set_up::es, &first_set_up::ss),
     by_kd + kinds{"opened request", "forged request"}},
    {"psk_es_and_ss", true,
     [](scene& s, const first_set_up& c) {
       return secrets{secret_of("psk", *s.psk), secret_of("value", c.es), secret_of("value", c.ss)};
     },
     by_kd + kinds{"opened request", "forged request"}},
    {"es_ss_and_ee_without_se", false, of_chain(&first_set_up::es, &first_set_up::ss, &first_set_up::ee),
     by_kd + kinds{"opened request", "forged request"}},
    {"es_ss_and_se_without_ee", false, of_chain(&first_set_up::es, &first_set_up::ss, &first_set_up::se),
     by_kd + kinds{"opened request", "forged request"}},
    {"es_ss_ee_and_se", false, of_chain(&first_set_up::es, &first_set_up::ss, &first_set_up::ee, &first_set_up::se),
     by_kd + records_by_kd + kinds{"opened request", "opened command", "opened complete", "forged request"}},
    {"static_and_ephemeral_of_the_initiator", false,
     [](scene& s, const first_set_up& c) {
       return pick(scene::state_of(s.john), {"static private key"}) +
              secrets{secret_of("ephemeral private key", c.e_i)};
     },
     by_kd + records_by_kd + kinds{"opened request", "opened command", "opened complete", "forged request"}},
    {"static_and_ephemeral_of_the_responder", false,
     [](scene& s, const first_set_up& c) {
       return pick(scene::state_of(s.peter), {"static private key"}) +
              secrets{secret_of("ephemeral private key", c.e_r)};
     },
     // ... and with the responder's static key the rekeying request that the records carried.
     by_kd + records_by_kd +
         kinds{"opened request", "opened command", "opened complete", "opened rekeying request", "forged request"}},
    {"both_ephemerals_without_a_static", false,
     [](scene&, const first_set_up& c) {
       return secrets{secret_of("a ephemeral private key", c.e_i), secret_of("b ephemeral private key", c.e_r)};
     },
     nothing},
    {"chaining_key_after_e_with_es_and_ss", true,
     [](scene& s, const first_set_up& c) {
       return secrets{secret_of("psk", *s.psk), secret_of("value", c.after_e), secret_of("value", c.es),
                      secret_of("value", c.ss)};
     },
     by_kd + kinds{"opened request", "forged request"}},
    {"chaining_key_after_es_with_ss", false, of_chain(&first_set_up::after_es, &first_set_up::ss),
     by_kd + kinds{"opened request", "forged request"}},
    {"chaining_key_after_ss_with_ee_and_se", false,
     of_chain(&first_set_up::after_ss, &first_set_up::ee, &first_set_up::se),
     records_by_kd + kinds{"opened command", "opened complete"}},
    {"chaining_key_after_ee_with_se", false, of_chain(&first_set_up::after_ee, &first_set_up::se),
     records_by_kd + kinds{"opened command", "opened complete"}},
    {"chaining_key_before_split", false, of_chain(&first_set_up::after_se), records_by_kd + kinds{"opened complete"}},
    {"payload_key_of_the_request", false, of_chain(&first_set_up::offer_key), {"opened request"}},
    {"payload_key_of_the_command", false, of_chain(&first_set_up::choice_key), {"opened command"}},
    {"what_split_gives", false, [](scene&, const first_set_up& c) { return secrets{secret_of("split", c.k1_k2)}; },
     records_by_kd + kinds{"opened complete"}},

    // The link.
    {"kd_0", false, of_chain(&first_set_up::kd0), records_by_kd + kinds{"opened complete"}},
    {"kd_3", false, [](scene&, const first_set_up& c) { return secrets{secret_of("KD_3", c.kd(3))}; }, records_by_kd},
    {"complete_key",
     false,
     [](scene&, const first_set_up& c) {
       return secrets{secret_of("complete", keyed_hmac(c.kd0).expand(crypto::as_bytes("LTESL/1 complete")))};
     },
     {"opened complete"}},
    {"record_key_and_iv",
     false,
     [](scene&, const first_set_up& c) {
       const auto h = half_of(keyed_hmac(c.kd(1)), true);
       return secrets{secret_of("key", h.key), secret_of("iv", h.iv)};
     },
     {"opened record by its key"}},
    {"record_key_without_its_iv", false,
     [](scene&, const first_set_up& c) { return secrets{secret_of("key", half_of(keyed_hmac(c.kd(1)), true).key)}; },
     nothing},
    {"record_keys_and_ivs_in_use",
     false,
     [](scene& s, const first_set_up&) {
       secrets out;
       for (const auto& x : scene::state_of(s.john))
         if (x.name.starts_with("peer 1 link epoch")) out.push_back(x);
       return out;
     },
     {"opened record by its key", "forged record by its key"}},
    {"kd_2_of_the_second_link_which_is_in_use", false,
     [](scene& s, const first_set_up&) { return pick(s.john_linked_again, {"peer 1 link root"}); },
     records_by_kd + kinds{"forged record by KD"}},
    {"root_of_epochs_to_come", false, johns({"peer 1 link root"}), nothing},

    // Rekeying: its messages travel in records, its transcript has the binding of the generation before.
    {"rekeying_static_ephemeral_and_kd_0", false,
     [](scene& s, const first_set_up& c) {
       return pick(s.john_rekeying, {"static private key", "peer 1 link rekeying ephemeral private key"}) +
              secrets{secret_of("KD_0", c.kd0)};
     },
     by_kd + records_by_kd +
         kinds{"opened request", "opened complete", "opened rekeying request", "opened rekeying response",
               "forged request"}},
    {"rekeying_record_keys_and_binding", false,
     [](scene& s, const first_set_up&) {
       secrets out = pick(s.john_rekeying,
                          {"static private key", "peer 1 link rekeying ephemeral private key", "peer 1 link binding"});
       for (const auto& x : s.john_rekeying)
         if (x.name.starts_with("peer 1 link epoch")) out.push_back(x);
       return out;
     },
     by_kd + records_by_kd +
         kinds{"opened request", "opened record by its key", "opened rekeying request", "opened rekeying response",
               "forged request"}},
    {"rekeying_record_keys_without_the_binding", false,
     [](scene& s, const first_set_up&) {
       secrets out = pick(s.john_rekeying, {"static private key", "peer 1 link rekeying ephemeral private key"});
       for (const auto& x : s.john_rekeying)
         if (x.name.starts_with("peer 1 link epoch")) out.push_back(x);
       return out;
     },
     by_kd + kinds{"opened request", "opened record by its key", "forged request"}},

    // Set-ups under way.
    {"attempt_under_way", false,
     [](scene& s, const first_set_up&) {
       return pick(s.john_in_flight, {"static private key", "peer 1 attempt ephemeral private key"});
     },
     by_kd + records_by_kd + kinds{"opened request", "opened command", "opened complete", "forged request"}},
    {"attempt_under_way_by_its_chaining_key_and_transcript", true,
     [](scene& s, const first_set_up&) {
       return pick(s.john_in_flight, {"static private key", "peer 1 attempt ephemeral private key",
                                      "peer 1 attempt chaining key", "peer 1 attempt transcript"});
     },
     records_by_kd + kinds{"opened command", "opened complete"}},
    {"attempt_at_johns_now",
     false,
     johns({"peer 1 attempt chaining key", "peter theirs command token"}),
     {"recognised command token", "forged command"}},
    {"half_open_at_peters_now",
     false,
     [](scene& s, const first_set_up&) { return pick(scene::state_of(s.peter), {"peer 1 pending link complete"}); },
     {"forged complete"}},
};

std::ostream& operator<<(std::ostream& os, const plant& p) { return os << p.name; }

class planted : public ::testing::TestWithParam<plant> {};

TEST_P(planted, opens_recognises_and_forges_exactly_what_it_should) {
  std::optional<std::array<std::uint8_t, 32>> psk;
  if (GetParam().with_psk) {
    psk.emplace();
    psk->fill(0x6b);
  }
  scene s(psk);
  evidence e = s.run();
  const first_set_up c(s);
  e.stolen = GetParam().give(s, c);
  const auto f = search(e);
  kinds found;
  for (const auto& [kind, n] : f.by) found.insert(kind);
  EXPECT_EQ(found, GetParam().found);
  EXPECT_FALSE(f.reduced);
}
INSTANTIATE_TEST_SUITE_P(secret, planted, ::testing::ValuesIn(plants),
                         [](const auto& p) { return std::string(p.param.name); });

TEST(planted_ratchet, kd_0_opens_every_epoch_of_its_generation_and_no_other) {
  scene s;
  evidence e = s.run();
  const first_set_up c(s);
  ASSERT_GE(s.epochs_before_rekeying, 3U);
  const auto opened = [&](int epoch) {
    e.stolen = {secret_of("KD", c.kd(epoch))};
    e.reacts_now = nullptr;
    e.believes = nullptr;
    const auto f = search(e);
    return f.found("opened record of the initiator by KD") + f.found("opened record of the responder by KD");
  };
  std::size_t before = opened(0);
  // All up to the rekeying, its two messages included; what follows it has other roots.
  EXPECT_GE(before, s.records_before_rekeying + 2);
  EXPECT_LT(before, s.records_of_first_link);
  for (int epoch = 1; epoch <= static_cast<int>(s.epochs_before_rekeying); ++epoch) {
    const std::size_t now = opened(epoch);
    EXPECT_LT(now, before) << "epoch " << epoch - 1 << " stays closed to KD_" << epoch;
    EXPECT_GT(now, 0U);
    before = now;
  }
}

/// Key compromise impersonation: the request that John's own static key allows in Peter's name is answered, and that is
/// all.
TEST(planted_kci, who_asks_with_johns_key_cannot_read_his_answer) {
  ue john("john", 41), peter("peter", 42);
  john.knows(peter);
  peter.knows(john);
  air world;
  world.ues = {&john, &peter};
  world.discover(peter);
  const auto& pair = *john.security->peers().find(std::string_view("peter"));
  const slot_t t = world.slot();
  const l2_id src = 0x123456, dst = rendezvous_l2_id(pair.ours, t);
  // The thief has John's static key (hence ss and Kd), and some key in the place of Peter's.
  seeded_random random(43);
  random.keep_draws = true;
  crypto::mbedtls_x25519 dh(random);
  const auto not_peters = key_pair::generate({random, dh});
  octets m{1, 0x11, 0x22, protocol_version};
  const auto prologue = cat({crypto::as_bytes("LTESL/1"), bytes_view(m).subspan(3, 1), bytes_view(m).first(3),
                             be24(src), be24(dst), be32(t)});
  const auto no_psk = pre_shared_key::make([](auto o) { std::fill(o.begin(), o.end(), std::uint8_t{0}); });
  noise::handshake::parameters p;
  p.protocol_used = {&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256};
  p.prologue = prologue;
  p.own_static = &not_peters.private_key;
  p.own_public = peter.security->peers().own_public();
  p.remote_static = john.security->peers().own_public();
  p.psk = &no_psk;
  p.cached_ss = &pair.shared;
  p.dh = &dh;
  p.random = &random;
  noise::handshake forged(p);
  std::array<std::uint8_t, 256> body{};
  const auto n = forged.write(to_octets(offer{all_suites, protocol_version, 0, 1}), body);
  ASSERT_TRUE(n);
  m.insert(m.end(), body.begin(), body.begin() + (*n));
  const auto token = request_token(pair.ours, t, src, dst, m);
  m.insert(m.end(), token.begin(), token.end());
  const frame request{1, lcid_pc5s_unprotected, src, dst, m};
  ASSERT_TRUE(john.hear(request, world.now)) << "John takes it for Peter's";
  ASSERT_EQ(john.pending.size(), 1U);
  const auto& command = std::get<send_message>(john.pending[0]);
  std::array<std::uint8_t, 64> plain{};
  EXPECT_FALSE(forged.read(bytes_view(command.octets).subspan(3, 51), plain));
  // Nor by the whole search, with John's static key and the thief's ephemeral.
  evidence e;
  e.first_slot = e.last_slot = t;
  e.publics = {john.security->peers().own_public(), peter.security->peers().own_public()};
  e.frames = {request, {0, command.lcid, command.src, command.dst, command.octets}};
  e.stolen = {secret_of("static private key", john.security->peers().own_private().expose())};
  for (const auto& d : random.draws)
    if (d.size() == 32) e.stolen.push_back({"drawn by the thief, perhaps an ephemeral private key", d});
  const auto f = search(e);
  EXPECT_EQ(f.found("opened request"), 1U);
  EXPECT_EQ(f.found("opened command"), 0U);
  EXPECT_TRUE(john.events<link_established>().empty());
}

TEST(derivations, every_label_in_the_code_is_in_the_search) {
  const auto& l = searched_labels();
  EXPECT_EQ(labels_in_code(), std::set<std::string>(l.begin(), l.end()));
}

}  // namespace
}  // namespace prose::security::test
