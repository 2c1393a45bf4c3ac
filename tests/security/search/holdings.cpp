#include "tests/security/search/holdings.h"

#include <algorithm>

#include "security/crypto/hash.h"
#include "security/crypto/x25519.h"
#include "security/messages.h"

namespace prose::security::test {

holdings::holdings(const evidence& e) : publics(e.publics) {
  ivs.emplace_back(12);
  named_psks.emplace_back();
  learn(key32{});
  for (const auto& s : e.stolen) {
    const auto is = [&](const char* end) { return s.name.ends_with(end); };
    if (s.octets.size() == 12) ivs.push_back(s.octets);
    if (s.octets.size() == 16 && short_keys_.insert(s.octets).second) {
      short_stolen.push_back(s.octets);
      fresh_short_keys.insert(s.octets);
    }
    if (s.octets.size() == 64) std::copy(s.octets.begin(), s.octets.end(), splits.emplace_back().begin());
    if (s.octets.size() != 32) continue;
    key32 k{};
    std::copy(s.octets.begin(), s.octets.end(), k.begin());
    const auto keep = [&](std::vector<key32>& list) {
      if (std::find(list.begin(), list.end(), k) == list.end()) list.push_back(k);
    };
    if (is("private key")) {
      keep(privates_);
      seeded_random blinding(1);
      own.insert(crypto::mbedtls_x25519(blinding).public_of(static_private_key(k)));
    }
    if (is("psk")) keep(named_psks);
    if (is("chaining key")) keep(named_chaining_keys);
    if (is("transcript")) keep(transcripts);
    learn(k);
  }
  for (const auto& p : e.publics) learn_point(p);
  for (const auto& f : e.frames) {  // ephemerals on the air
    const bool request = f.lcid == lcid_pc5s_unprotected && f.octets.size() == request_octets;
    const bool command = f.lcid == lcid_pc5s_security_mode && f.octets.size() == command_octets;
    if (!request && !command) continue;
    public_key p;
    std::copy_n(f.octets.begin() + (request ? 4 : 3), 32, p.octets.begin());
    learn_point(p);
  }
}

void holdings::learn(const key32& k) {
  if (in_secrets_.insert(k).second) secrets.push_back(k);
}

void holdings::learn_point(const public_key& p) {
  if (std::find(points_.begin(), points_.end(), p) != points_.end()) return;
  points_.push_back(p);
  public_values_.push_back(p.octets);
}

void holdings::add(const key32& k) {
  if (!in_all_.insert(k).second) return;
  all.push_back(k);
  fresh_all.push_back(k);
}

key32 holdings::derived(const keyed_hmac& key, const char* label) {
  const key32 k = key.expand(crypto::as_bytes(label));
  add(k);
  octets half(k.begin(), k.begin() + 16);  // what a 16-octet output would be
  if (short_keys_.insert(half).second) fresh_short_keys.insert(std::move(half));
  return k;
}

bool holdings::grow() {
  const bool first = all.empty();
  fresh_all.clear();
  fresh_pair_roots.clear();
  if (!first) fresh_short_keys.clear();
  const auto add_input = [&](const key32& k) {
    if (in_inputs_.insert(k).second) inputs.push_back(k);
  };
  seeded_random blinding(1);
  crypto::mbedtls_x25519 dh(blinding);
  for (std::size_t i = secrets_grown_; i < secrets.size(); ++i) add_input(secrets[i]);
  for (std::size_t i = 0; i < privates_.size(); ++i)
    for (std::size_t j = 0; j < points_.size(); ++j) {
      if (!multiplied_.insert({i, j}).second) continue;
      const auto out = dh.agree(static_private_key(privates_[i]), points_[j]);
      if (!out) continue;
      key32 k{};
      std::copy(out->expose().begin(), out->expose().end(), k.begin());
      add_input(k);
    }
  fresh_secrets.assign(secrets.begin() + secrets_grown_, secrets.end());
  fresh_inputs.assign(inputs.begin() + inputs_grown_, inputs.end());

  // Kd of every ordered pair, any secret as the salt and any input as the shared secret; one of the two is new.
  for (std::size_t s = 0; s < secrets.size(); ++s) {
    const keyed_hmac salt(secrets[s]);
    for (std::size_t i = s < secrets_grown_ ? inputs_grown_ : 0; i < inputs.size(); ++i) {
      const keyed_hmac prk(salt({inputs[i]}));
      for (std::size_t a = 0; a < publics.size(); ++a)
        for (std::size_t m = 0; m < publics.size(); ++m) {
          if (a == m) continue;
          const auto info = cat({crypto::as_bytes(pair_root_label), publics[a].octets, publics[m].octets});
          fresh_pair_roots.push_back({prk.expand(info), secrets[s], inputs[i], a, m});
        }
    }
  }
  pair_roots += fresh_pair_roots.size();

  for (; publics_grown_ < public_values_.size(); ++publics_grown_) {  // somebody may have been that careless
    const key32& v = public_values_[publics_grown_];
    add(v);
    for (const char* l : labels) derived(keyed_hmac(v), l);
  }
  secrets_grown_ = secrets.size();
  inputs_grown_ = inputs.size();
  for (const auto& k : fresh_inputs) add(k);
  for (const auto& k : fresh_inputs) {
    const keyed_hmac key(k);
    for (const char* l : labels) {
      const keyed_hmac once(derived(key, l));
      for (const char* m : labels) derived(once, m);
    }
    key32 root = k;  // as KD_r, from which later epochs follow
    for (int i = 0; i < ratchet_steps; ++i) root = derived(keyed_hmac(root), "LTESL/1 ratchet");
  }
  return !fresh_all.empty() || !fresh_pair_roots.empty();
}

}  // namespace prose::security::test
