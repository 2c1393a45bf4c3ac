// What a stolen state holds, and the pair keys that the product makes of it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "apps/lib/verdict/stolen_state.h"
#include "security/identity.h"

namespace prose::apps {

using key32 = std::array<std::uint8_t, 32>;
using iv12 = std::array<std::uint8_t, 12>;

/// HKDF-Expand labels of the product by which one key of 32 octets may lead to another.
inline constexpr const char* derivation_labels[] = {
    "LTESL/1 announce",   "LTESL/1 mic",     "LTESL/1 request token", "LTESL/1 command token",
    "LTESL/1 rendezvous", "LTESL/1 query",   "LTESL/1 response",      "LTESL/1 complete",
    "LTESL/1 rekey",      "LTESL/1 ratchet", "LTESL/1 fingerprint",   "LTESL/1 address"};
/// Every label of the product that the search derives with: the above, and those inside derive_direction and
/// derive_epoch.
std::vector<std::string> searched_labels();

/// X25519 that remembers: the search multiplies the same keys many times.
class remembering_dh final : public security::dh_port {
public:
  remembering_dh();
  ~remembering_dh() override;
  std::optional<security::dh_output> agree(const security::static_private_key& own,
                                           const security::public_key& other) override;
  std::optional<security::dh_output> agree(const security::ephemeral_private_key& own,
                                           const security::public_key& other) override;
  security::public_key public_of(const security::static_private_key& own) override;
  security::public_key public_of(const security::ephemeral_private_key& own) override;

private:
  struct state;
  std::unique_ptr<state> state_;
};

class stolen_keys {
public:
  struct named {
    std::string name;
    key32 key;
  };
  /// A private key of the state.
  struct identity {
    std::string name;
    key32 private_key;
    security::public_key public_part;
  };
  /// Whoever's public key the state holds.
  struct person {
    std::string name;
    security::public_key key;
    bool stolen;  ///< the private key is held too
  };
  /// Keys of one direction, and why they were made.
  struct direction {
    std::string name;
    bool own;  ///< of a pair that a stolen identity is part of, or the state's own decoys
    security::direction_keys keys;
  };
  /// Returns false to be given no more.
  using take_direction = std::function<bool(const direction&)>;

  /// `files` must outlive it.
  explicit stolen_keys(const std::vector<stolen_file>& files);

  std::vector<identity> identities;
  std::vector<person> people;
  std::vector<named> psks;    ///< all zeros ("no PSK") first
  std::vector<named> shared;  ///< X25519 of each private key and each other public key
  std::vector<named>
      secrets;  ///< all of 32 octets: stolen, shared, and the public keys (somebody may have been that careless)
  std::vector<named> ephemerals;  ///< by their names in the state
  std::vector<named> roots;       ///< KD of later epochs, by their names in the state
  std::vector<iv12> ivs;          ///< zero first
  std::vector<const security::logged_key*> logged;
  std::vector<std::string> logged_names;  ///< the file of each

  /// Both directions of each pair of a stolen identity and another person, with each PSK: the permissions' own pair
  /// keys.
  bool own_directions(const take_direction& take) const;
  /// Keys of every pair that what was stolen could lead to if the product did not keep pairs apart: the secret of a
  /// neighbouring pair, a private key or a PSK in the place of the pair's own shared secret; and each secret itself as
  /// the pair's root and as each of its keys.
  bool other_directions(const take_direction& take) const;
  /// How many that are, for the progress.
  double n_other_directions() const;
  /// The key as each key of a pair.
  static direction with_one_key(const std::string& name, const key32& key);
  remembering_dh& dh() const { return dh_; }

private:
  struct agreed {
    std::size_t identity, person;
    key32 key;
  };
  std::vector<agreed> agreed_;
  std::size_t n_stolen_ = 0;  // the first so many of `secrets` are as they were stolen
  mutable remembering_dh dh_;
};

}  // namespace prose::apps
