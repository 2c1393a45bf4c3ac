// What the MAC and the UE need from the security sublayer, and nothing more. One implementation wraps
// security::ue_security (security_adapter.h); tests may put another in its place.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "security/link_engine.h"
#include "security/pending_link.h"
#include "security/ports.h"
#include "security/types.h"

namespace prose::mac {

using security::l2_id;
using security::peer_id;
using security::slot_t;
using security::time_ms;

/// What the MAC takes for the peer of a covered place: this and the following numbers.
inline constexpr peer_id first_cover_peer = 0xFFFF0000;

class security_port {
public:
  virtual ~security_port() = default;

  /// Moves to UTC slot t. Returns false if the slot clock refuses (a step back, or a leap that nobody confirmed).
  virtual bool advance(slot_t t, time_ms now) = 0;

  // --- discovery ---
  /// All entries of this slot, in the order to send them. A call counts as transmission.
  virtual std::span<const security::discovery_pdu> announcements(time_ms now) = 0;
  virtual std::vector<security::discovery_pdu> queries(std::span<const peer_id> wanted, time_ms now) = 0;
  virtual std::optional<security::discovery_event> discovery(
      std::span<const std::uint8_t, security::discovery_octets> pdu, time_ms now) = 0;

  // --- links ---
  virtual bool connect(const security::peer_heard& heard, time_ms now, security::actions& out) = 0;
  virtual result<security::received_data, security::drop_reason> receive(std::uint8_t lcid, l2_id src, l2_id dst,
                                                                         std::span<const std::uint8_t> octets,
                                                                         time_ms now, std::span<std::uint8_t> buffer,
                                                                         security::actions& out) = 0;
  virtual result<security::sealed_pdu, security::drop_reason> seal(security::link_id link, std::uint8_t lcid,
                                                                   security::sdu_type type,
                                                                   std::span<const std::uint8_t> data, time_ms now,
                                                                   std::span<std::uint8_t> out) = 0;
  virtual void tick(time_ms now, security::actions& out) = 0;
  /// Call it in every subframe, before deciding what to send: what costs scalar multiplications leaves exactly when
  /// due.
  virtual void release_due(time_ms, security::actions&) {}
  /// When something leaves next; INT64_MAX: nothing.
  virtual time_ms next_due() const { return INT64_MAX; }
  virtual bool rekey(security::link_id link, time_ms now, security::actions& out) = 0;
  virtual bool release(security::link_id link, time_ms now, security::actions& out) = 0;
  virtual std::optional<security::link_id> link_with(peer_id peer) const = 0;
  virtual std::optional<security::link_info> info(security::link_id link, time_ms now) const = 0;
  /// Of a set-up that waits for its last message.
  virtual std::optional<security::link_identifiers> pending(peer_id) const { return std::nullopt; }
  /// The stream of random octets for choices that others can observe: those that concern everybody, and those that
  /// concern one peer. The references stay good as long as the peer is there.
  virtual security::random_port& random(security::stream_purpose p) = 0;
  virtual security::random_port& random(security::stream_purpose p, peer_id peer) = 0;
  /// Every layer-2 ID on which something may arrive now.
  virtual void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const = 0;
  /// Set-ups and links with the only source that is heard on each: from others comes LCID 28 (a request) and nothing
  /// else.
  virtual void append_own_l2_pairs(time_ms now, std::vector<security::l2_pair>& out) const = 0;

  // --- link cover (link_cover.h): what is sent does not show which links there are ---
  /// Whether it is on. Its messages have peer numbers from first_cover_peer on. Then application data is given to
  /// enqueue(), and comes back as cells in send_message actions.
  virtual bool covers() const { return false; }
  /// Returns false if the peer's queue is full.
  virtual bool enqueue(peer_id, security::sdu_type, std::span<const std::uint8_t>, time_ms) { return false; }
  virtual bool has_room(peer_id, std::size_t) const { return false; }
  virtual std::size_t queued_octets() const { return 0; }
  virtual std::uint64_t expired() const { return 0; }  ///< SDUs that waited too long for a link
  /// Takes away the messages to real peers. Call it with all actions before they take effect.
  virtual void sift(security::actions&, time_ms) {}

  /// Whether LCID 29 carries whole PDCP PDUs, as LCID 30 does, and not messages under an empty header. Never changes.
  virtual bool protects_security_mode() const { return false; }
};

}  // namespace prose::mac
