// What an attacker with a stolen UE's whole state tries on everything she has heard: every key at every place of every
// derivation of the product, on every message, to open, forge or recognise it. The same search runs on the product and
// on the weak variants: it must find nothing in the one and break each of the others. README.md says where each
// derivation is tried, and which test shows that it would be found.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "security/export.h"
#include "tests/security/security_world.h"

namespace prose::security::test {

/// Everything that Mary has. `truth` only judges whether what a key opened is what was sent.
struct evidence {
  /// Names that end in "private key" are multiplied with every public value, those that end in "transcript" may
  /// be the hash of an unfinished handshake. With very many keys "psk" and "chaining key" count too
  /// (findings::reduced). Otherwise a name means nothing to the search.
  std::vector<stolen_secret> stolen;
  std::vector<public_key> publics;  // of everybody
  std::vector<std::string> names;
  std::vector<discovery_pdu> discovery;  // what the pair under attack announced, asked and answered
  std::vector<frame> frames;             // what the pair sent to each other: set-up and records
  slot_t first_slot = 0, last_slot = 0;
  std::vector<std::vector<std::uint8_t>> truth;  // the data that went over the records, in order of the data records
  /// Does a UE of the pair react to this frame, an hour later / now?
  std::function<bool(const frame&)> reacts_later;
  std::function<bool(const frame&)> reacts_now;
  /// Does one of the pair take this for the other?
  std::function<bool(const discovery_pdu&)> believes;
};

struct findings {
  std::size_t keys_tried = 0;
  std::size_t trials = 0;  // keys put to messages
  std::size_t handshake_chains =
      0;                 // Noise chains run: inputs for psk, es, ss and, from an opened request on, for ee, se
  bool reduced = false;  // so many keys that the places of PSK and chaining key took only those named so
  std::size_t records_seen = 0;
  std::size_t opened = 0;            // records, requests, commands or completes that a key opened
  std::size_t readable = 0;          // records that carry their data in the clear
  std::size_t keystream_reused = 0;  // pairs of records whose XOR is that of their data
  std::size_t recognised = 0;  // codes, tokens, MICs or identifiers that a key reproduces, or identities in the clear
  std::size_t linked = 0;      // codes or tokens that occur in two different slots
  std::size_t forged = 0;      // messages made with her keys that were believed
  std::size_t replays_answered = 0;
  std::map<std::string, std::size_t> by;  // opened, recognised and forged by kind
  bool nothing_found() const {
    return opened + readable + keystream_reused + recognised + linked + forged + replays_answered == 0;
  }
  std::size_t found(const std::string& kind) const {
    const auto at = by.find(kind);
    return at == by.end() ? 0 : at->second;
  }
  void open(const std::string& kind) { ++opened, ++by["opened " + kind]; }
  void recognise(const std::string& kind) { ++recognised, ++by["recognised " + kind]; }
  void forge(const std::string& kind) { ++forged, ++by["forged " + kind]; }
};

findings search(const evidence& e);

/// Every HKDF-Expand label that the search derives with.
const std::vector<std::string>& searched_labels();

}  // namespace prose::security::test
