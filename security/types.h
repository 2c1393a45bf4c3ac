// Value types of the security sublayer's interface. None of them is secret.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "security/lcid.h"
#include "security/pdcp.h"

namespace prose::security {

using bytes_view = std::span<const std::uint8_t>;
using bytes_span = std::span<std::uint8_t>;

/// 24-bit ProSe layer-2 ID (TS 23.303 4.6.4, TS 36.321 6.2.4).
using l2_id = std::uint32_t;
/// One's own and the other end's layer-2 ID of something that is under way with a permitted peer.
struct l2_pair {
  l2_id own = 0, peer = 0;
  bool records = false;  // keys exist: LCID 1..10 and 30; else a set-up: LCID 29
  friend bool operator==(const l2_pair&, const l2_pair&) = default;
};
/// UTC-based counter: count of 1 s slots.
using slot_t = std::uint32_t;
/// Milliseconds of a monotonic clock that the caller owns.
using time_ms = std::int64_t;
/// Index of a peer in the peer table; never goes on the air.
using peer_id = std::uint32_t;
/// Local handle of one link; never reused, never goes on the air.
using link_id = std::uint32_t;

/// The largest number of permitted peers, and so of links: with each peer at most one is live and one is being set up.
/// What is reserved for a peer is sized by this number, never by how many peers there are. One peer more is refused
/// (ue_security::add_peer).
inline constexpr std::size_t max_peers = 64;

inline constexpr std::size_t public_key_octets = 32;
inline constexpr std::size_t discovery_octets = 29;  // PC5_DISCOVERY, 232 bits (TS 24.334 11.2.5)
using discovery_pdu = std::array<std::uint8_t, discovery_octets>;

/// NOT 3GPP: the part of an address that is particular to one end of a link. The two hosts know it; nobody else can
/// compute it.
using address_bits = std::array<std::uint8_t, 10>;

/// A public X25519 key. Not secret: may be copied, compared, printed.
struct public_key {
  std::array<std::uint8_t, public_key_octets> octets{};
  friend auto operator<=>(const public_key&, const public_key&) = default;
};

/// Record protection. NOT 3GPP: TS 33.303 has 128-EEA/EIA and a NULL algorithm; here no NULL exists.
enum class suite : std::uint8_t { aes_256_gcm = 1, chacha20_poly1305 = 2 };
inline constexpr std::uint16_t suite_bit(suite s) { return static_cast<std::uint16_t>(1U << static_cast<unsigned>(s)); }
inline constexpr std::uint16_t all_suites = suite_bit(suite::aes_256_gcm) | suite_bit(suite::chacha20_poly1305);
inline constexpr const char* name_of(suite s) { return s == suite::aes_256_gcm ? "AES-256-GCM" : "ChaCha20-Poly1305"; }

enum class role : std::uint8_t { initiator, responder };

/// Why input was dropped. For local use only: to a peer every failure looks alike (silence).
enum class drop_reason : std::uint8_t {
  malformed,      // length, type, version or reserved value
  not_addressed,  // no rendezvous, attempt or link has these layer-2 IDs
  stale,          // slot outside its window, or the request's slot has expired
  replayed,       // already consumed
  bad_token,      // the hash in front of the scalar multiplications did not match
  bad_handshake,  // Noise authentication failed
  bad_record,     // AEAD authentication failed
  limit,          // an attempt, failure or rate limit
  yielded,        // simultaneous open: ours goes on
  no_common_suite,
  wrong_channel,    // an SDU type on a logical channel that does not carry it
  exhausted,        // COUNT or key age at its end: refused, never wrapped
  not_established,  // the link cannot send yet, or no longer
  unknown_link,
  nothing_new,  // valid but without effect (a duplicate answered already)
  budget,       // more than is reserved for this peer
  late,         // its scalar multiplications were not done when the answer was due
};
inline constexpr std::size_t n_drop_reasons = static_cast<std::size_t>(drop_reason::late) + 1;
const char* name_of(drop_reason r);

/// How much was dropped, by reason.
class drop_counters {
public:
  std::uint64_t& operator[](drop_reason r) { return n_[static_cast<std::size_t>(r)]; }
  std::uint64_t operator[](drop_reason r) const { return n_[static_cast<std::size_t>(r)]; }

private:
  std::array<std::uint64_t, n_drop_reasons> n_{};
};

}  // namespace prose::security
