// What an attacker with a stolen UE's whole state tries on everything she has heard. The same search runs on the product and on
// the weak variants: it must find nothing in the one and break each of the others.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "security/export.h"
#include "tests/security/security_world.h"

namespace prose::security::test {

/// Everything that Mary has. `truth` only judges whether what a key opened is what was sent.
struct evidence {
  std::vector<stolen_secret> stolen;
  std::vector<public_key> publics;               // of everybody
  std::vector<std::string> names;
  std::vector<discovery_pdu> discovery;          // what the pair under attack announced, asked and answered
  std::vector<frame> frames;                     // what the pair sent to each other: set-up and records
  slot_t first_slot = 0, last_slot = 0;
  std::vector<std::vector<std::uint8_t>> truth;  // the data that went over the records, in order of the data records
  /// Does the UE under attack react to this frame, an hour later / now?
  std::function<bool(const frame&)> reacts_later;
  std::function<bool(const frame&)> reacts_now;
  /// Does the pair's monitor take this for its peer?
  std::function<bool(const discovery_pdu&)> believes;
};

struct findings {
  std::size_t keys_tried = 0;
  std::size_t trials = 0;
  std::size_t records_seen = 0;
  std::size_t opened = 0;            // records, requests, commands or completes that a key opened
  std::size_t readable = 0;          // records that carry their data in the clear
  std::size_t keystream_reused = 0;  // pairs of records whose XOR is that of their data
  std::size_t recognised = 0;        // codes, tokens or MICs that a key reproduces, or identities in the clear
  std::size_t linked = 0;            // codes or tokens that occur in two different slots
  std::size_t forged = 0;            // messages made with her keys that were believed
  std::size_t replays_answered = 0;
  bool nothing_found() const {
    return opened + readable + keystream_reused + recognised + linked + forged + replays_answered == 0;
  }
};

findings search(const evidence& e);

}  // namespace prose::security::test
