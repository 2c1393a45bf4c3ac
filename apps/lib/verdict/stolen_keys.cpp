#include "apps/lib/verdict/stolen_keys.h"

#include <algorithm>
#include <map>
#include <set>

#include "apps/lib/keys/system_random.h"
#include "security/crypto/hash.h"
#include "security/crypto/x25519.h"

namespace prose::apps {
namespace {
using namespace security;

template <std::size_t N>
std::array<std::uint8_t, N> array_of(bytes_view b) {
  std::array<std::uint8_t, N> a{};
  std::copy_n(b.begin(), N, a.begin());
  return a;
}

/// One key in the place of each key of a direction.
direction_keys all_the_same(const key32& k) {
  return {announce_key(k),      mic_key(std::span(k).first<16>()),
          request_token_key(k), command_token_key(k),
          rendezvous_key(k),    query_key(k),
          response_key(k)};
}
direction_keys below_root(const key32& k) {
  const pair_root_key root(k);
  return {derive<announce_key>(root),      derive<mic_key>(root),        derive<request_token_key>(root),
          derive<command_token_key>(root), derive<rendezvous_key>(root), derive<query_key>(root),
          derive<response_key>(root)};
}
}  // namespace

std::vector<std::string> searched_labels() {
  std::vector<std::string> out(std::begin(derivation_labels), std::end(derivation_labels));
  for (const char* l : {"LTESL/1 disc", "LTESL/1 record initiator", "LTESL/1 record responder"}) out.emplace_back(l);
  return out;
}

struct remembering_dh::state {
  keys::system_random random;
  crypto::mbedtls_x25519 x25519{random};
  std::map<std::pair<key32, public_key>, std::optional<key32>> known;
  std::map<key32, public_key> publics;
};
remembering_dh::remembering_dh() : state_(std::make_unique<state>()) {}
remembering_dh::~remembering_dh() = default;

std::optional<dh_output> remembering_dh::agree(const static_private_key& own, const public_key& other) {
  const auto [at, fresh] = state_->known.try_emplace({array_of<32>(own.expose()), other});
  if (fresh)
    if (const auto out = state_->x25519.agree(own, other)) at->second = array_of<32>(out->expose());
  if (!at->second) return std::nullopt;
  return dh_output(*at->second);
}
std::optional<dh_output> remembering_dh::agree(const ephemeral_private_key& own, const public_key& other) {
  return agree(static_private_key(own.expose()), other);
}
public_key remembering_dh::public_of(const static_private_key& own) {
  const auto [at, fresh] = state_->publics.try_emplace(array_of<32>(own.expose()));
  if (fresh) at->second = state_->x25519.public_of(own);
  return at->second;
}
public_key remembering_dh::public_of(const ephemeral_private_key& own) {
  return public_of(static_private_key(own.expose()));
}

stolen_keys::stolen_keys(const std::vector<stolen_file>& files) : psks{{"no PSK", {}}}, ivs{iv12{}} {
  std::set<key32> in_secrets, in_psks{key32{}}, in_people;
  const auto learn = [&](const std::string& name, const key32& k) {
    if (in_secrets.insert(k).second) secrets.push_back({name, k});
  };
  for (const auto& f : files) {
    for (const auto& s : f.secrets) {
      if (s.octets.size() == 12) {
        const auto iv = array_of<12>(s.octets);
        if (std::find(ivs.begin(), ivs.end(), iv) == ivs.end()) ivs.push_back(iv);
      }
      if (s.octets.size() != 32) continue;
      const auto k = array_of<32>(s.octets);
      const std::string name = f.path + ": " + s.name;
      const bool is_static = s.name.ends_with("static private key");
      // A file that is one line of base64 may hold a private key or a PSK, so it is taken for both.
      if ((is_static || s.name.ends_with("psk")) && in_psks.insert(k).second) psks.push_back({name, k});
      if (s.name.ends_with("ephemeral private key")) ephemerals.push_back({name, k});
      if (s.name.ends_with(" root")) roots.push_back({name, k});
      if (is_static && !in_secrets.contains(k)) identities.push_back({name, k, dh_.public_of(static_private_key(k))});
      learn(name, k);
    }
    for (const auto& k : f.logged_keys) {
      logged.push_back(&k);
      logged_names.push_back(f.path);
    }
  }
  n_stolen_ = secrets.size();
  for (const auto& i : identities)
    if (in_people.insert(i.public_part.octets).second)
      people.push_back({"the owner of " + i.name, i.public_part, true});
  for (const auto& f : files)
    for (std::size_t i = 0; i < f.publics.size(); ++i)
      if (canonical(f.publics[i]) && in_people.insert(f.publics[i].octets).second)
        people.push_back({i < f.names.size() ? f.names[i] : f.path + ": public key", f.publics[i], false});
  for (std::size_t i = 0; i < identities.size(); ++i)
    for (std::size_t p = 0; p < people.size(); ++p) {
      if (people[p].key == identities[i].public_part) continue;
      const auto out = dh_.agree(static_private_key(identities[i].private_key), people[p].key);
      if (!out) continue;
      agreed_.push_back({i, p, array_of<32>(out->expose())});
      shared.push_back({identities[i].name + " x " + people[p].name, agreed_.back().key});
      learn(shared.back().name, shared.back().key);
    }
  for (const auto& p : people) learn("public key of " + p.name, p.key.octets);
}

bool stolen_keys::own_directions(const take_direction& take) const {
  for (const auto& a : agreed_)
    for (const auto& psk : psks) {
      const auto& owner = identities[a.identity];
      const auto& other = people[a.person];
      const std::string with = &psk == &psks.front() ? "" : ", " + psk.name;
      const auto make = [&](const public_key& announcer, const public_key& monitor) {
        return derive_direction(pre_shared_key(psk.key), dh_output(a.key), announcer, monitor);
      };
      if (!take({"the owner of " + owner.name + " to " + other.name + with, true, make(owner.public_part, other.key)}))
        return false;
      if (!take({other.name + " to the owner of " + owner.name + with, true, make(other.key, owner.public_part)}))
        return false;
    }
  return true;
}

double stolen_keys::n_other_directions() const {
  const auto n = static_cast<double>(people.size());
  return 2 * static_cast<double>(secrets.size()) +
         static_cast<double>(psks.size()) *
             (2 * static_cast<double>(agreed_.size()) * n + static_cast<double>(n_stolen_) * n * n);
}

stolen_keys::direction stolen_keys::with_one_key(const std::string& name, const key32& key) {
  // Lines of memory name the announcements that are for nobody.
  return {name + " as each key of a pair", name.find(": dummy ") != std::string::npos, all_the_same(key)};
}

bool stolen_keys::other_directions(const take_direction& take) const {
  for (const auto& s : secrets) {
    if (!take(with_one_key(s.name, s.key))) return false;
    if (!take({s.name + " as the root of a pair", false, below_root(s.key)})) return false;
  }
  const auto pair = [&](const named& secret, const named& psk, std::size_t a, std::size_t b) {
    return take(
        {secret.name + ", " + psk.name + ", as if it were the secret of " + people[a].name + " to " + people[b].name,
         people[a].stolen || people[b].stolen,
         derive_direction(pre_shared_key(psk.key), dh_output(secret.key), people[a].key, people[b].key)});
  };
  for (const auto& psk : psks) {
    for (std::size_t i = 0; i < agreed_.size(); ++i)
      for (std::size_t p = 0; p < people.size(); ++p) {
        const std::size_t with = agreed_[i].person;
        if (p == with || people[p].stolen) continue;
        if (!pair(shared[i], psk, with, p) || !pair(shared[i], psk, p, with)) return false;
      }
    for (std::size_t s = 0; s < n_stolen_; ++s)
      for (std::size_t a = 0; a < people.size(); ++a)
        for (std::size_t b = 0; b < people.size(); ++b)
          if (a != b && !pair(secrets[s], psk, a, b)) return false;
  }
  return true;
}

}  // namespace prose::apps
