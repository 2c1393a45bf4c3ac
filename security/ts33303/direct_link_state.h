// What direct_links keeps of each peer. For its own files only.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "security/ts33303/direct_links.h"
#include "security/ts33303/link_contexts.h"

namespace prose::security::ts33303 {

using message_octets = std::vector<std::uint8_t>;
using fingerprint_octets = std::array<std::uint8_t, 8>;

/// A message that parse() would take, as octets; empty if it cannot be written.
message_octets encode(std::uint16_t sequence, const pc5s_body& body);

struct made_context {
  security_context context;
  fingerprint_octets fingerprint;
};

/// The UE that asks for new keys. A repetition is protected anew, under a COUNT of its own.
struct rekeying_asked {
  nonce nonce_1{};
  std::uint8_t msb = 0;
  security_capabilities sent;
  message_octets request, complete;  ///< `complete` once the Command verified
  time_ms next_send = 0;
  std::uint32_t sends_left = 0;
};
/// The UE that sent the Command.
struct rekeying_answered {
  message_octets request, command;
  time_ms expires = 0, last_answer = 0;
};

/// Keys exist on this side.
struct session {
  session(peer_id with, role r, l2_id own_id, l2_id other_id, made_context&& first, time_ms now);

  peer_id peer;
  role own_role;
  l2_id own, other;  ///< of the whole link
  link_contexts contexts;
  fingerprint_octets fingerprint, next_fingerprint{};
  time_ms born, last_heard;
  std::uint16_t next_seq = 0;
  link_id id = 0;         ///< given when it is established
  message_octets answer;  ///< Accept or Rekeying Response, repeated when the Complete comes again
  time_ms last_answer = INT64_MIN / 2;
  time_ms next_keepalive = 0;
  std::uint32_t keepalive_counter = 0;  ///< completed ones
  std::optional<rekeying_asked> asked;
  std::optional<rekeying_answered> answered;
  time_ms rekeying_not_before = 0;

  bool is_between(l2_id src, l2_id dst) const { return own == dst && other == src; }
};

/// The UE that sent the Request.
struct link_attempt {
  peer_id peer = 0;
  l2_id own = 0, other = 0;
  nonce nonce_1{};
  std::uint8_t msb = 0;
  std::uint16_t next_seq = 0;
  security_capabilities sent;
  message_octets request, complete;
  std::unique_ptr<session> staged;  ///< once the Command verified
  time_ms next_send = 0;
  std::uint32_t sends_left = 0;
};

/// The UE that sent the Command. Whoever sent the Request has not proved that it has the KD.
struct half_open_link {
  std::unique_ptr<session> keys;
  message_octets request, command;
  std::uint16_t request_seq = 0;
  time_ms expires = 0, last_answer = 0;
};

struct closing_link {
  std::unique_ptr<session> keys;
  message_octets message;
  time_ms next_send = 0;
  std::uint32_t sends_left = 0;
};

struct peer_links {
  /// Requests of one peer that are answered at the same time: a stranger's take no place for longer than T4111, and for
  /// half_open_least_ms where others wait.
  static constexpr std::size_t most_half_open = 4;
  static constexpr std::size_t requests_remembered = 256;  // those of a minute, at four a second
  using digest = std::array<std::uint8_t, 32>;

  std::optional<link_attempt> attempt;
  std::vector<half_open_link> half_open;  ///< oldest first
  std::unique_ptr<session> live;
  std::deque<digest> seen;  ///< Requests that were answered
};

}  // namespace prose::security::ts33303
