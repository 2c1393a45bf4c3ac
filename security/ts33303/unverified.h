// Values and rules of this profile that come from secondary sources or from memory and that nobody has compared with
// the text of the specifications. What is as little verified and stands elsewhere is marked NOT VERIFIED there:
// layouts, types and codes of messages in messages.h, parameters of the KDF in keys.h, LCIDs of PC5-S in context.h. Who
// has TS 33.303 and TS 24.334 at hand corrects these. (security/messages.h, the Wireshark plugin and
// tests/security/ts33303/messages.json repeat numbers; a static_assert and tests compare them.) Two ends that share
// these files understand each other; that proves nothing about the standard, and nothing in this folder claims
// conformance.
#pragma once

#include <cstddef>
#include <cstdint>

namespace prose::security::ts33303::unverified {

// --- TS 33.303 annex A: FC of each derivation ---
inline constexpr std::uint8_t fc_pek_pik = 0x4b;  // NOT VERIFIED: A.4
inline constexpr std::uint8_t fc_kd_sess = 0x5e;  // NOT VERIFIED, weak: no clause of annex A is known to be this one's
inline constexpr std::uint8_t p0_pek = 0x00;      // NOT VERIFIED: as TS 33.536 A.3
inline constexpr std::uint8_t p0_pik = 0x01;      // NOT VERIFIED: as TS 33.536 A.3
inline constexpr std::uint8_t fc_discovery_mic = 0x49;         // NOT VERIFIED: A.2, and its parameters (discovery.cpp)
inline constexpr std::uint8_t fc_discovery_scrambling = 0x4c;  // NOT VERIFIED, weak: A.5
inline constexpr std::uint8_t fc_discovery_keystream = 0x4d;   // NOT VERIFIED, weak: A.6

// --- TS 33.303 6.1.3.4: restricted discovery ---
/// NOT VERIFIED: how far the UTC-based counter may be from the receiver's clock, in seconds. It comes from the ProSe
/// Function (MAX_OFFSET); TS 36.508 4.7F tests with 32. At most 127, since 8 bits of the counter are sent.
inline constexpr int max_offset_s = 32;
// NOT VERIFIED: the order (MIC over the code in clear, then DUCK, then DUSK), that DUSK covers code and MIC and leaves
// type and counter LSB, that a keystream is the last octets of what the KDF gives, and that the MIC is random without a
// DUIK (discovery.cpp).

// --- TS 24.334 11.4: numbers of optional IEs. Sources print the digits; that they are hexadecimal is NOT VERIFIED ---
inline constexpr std::uint8_t iei_user_info = 0x01;           // NOT VERIFIED
inline constexpr std::uint8_t iei_link_local_ipv6 = 0x03;     // NOT VERIFIED
inline constexpr std::uint8_t iei_max_inactivity = 0x07;      // NOT VERIFIED
inline constexpr std::uint8_t iei_pruk_id = 0x08;             // NOT VERIFIED
inline constexpr std::uint8_t iei_auts = 0x09;                // NOT VERIFIED
inline constexpr std::uint8_t iei_rand = 0x10;                // NOT VERIFIED
inline constexpr std::uint8_t iei_kd_id_lsb = 0x15;           // NOT VERIFIED
inline constexpr std::uint8_t iei_kd_id_msb = 0x16;           // NOT VERIFIED
inline constexpr std::uint8_t iei_kd_id = 0x17;               // NOT VERIFIED
inline constexpr std::uint8_t iei_kd_freshness = 0x18;        // NOT VERIFIED
inline constexpr std::uint8_t iei_reauthentication = 0x21;    // NOT VERIFIED
inline constexpr std::uint8_t iei_signature = 0x22;           // NOT VERIFIED
inline constexpr std::uint8_t iei_encrypted_payload = 0x23;   // NOT VERIFIED
inline constexpr std::uint8_t iei_gpi = 0x24;                 // NOT VERIFIED
inline constexpr std::uint8_t iei_relay_service_code = 0x25;  // NOT VERIFIED

// --- TS 24.334 12.5: coding of IEs ---
/// NOT VERIFIED: octets of the length of GPI and Encrypted Payload. One source has 1; SAKKE data need 2.
inline constexpr std::size_t long_length_octets = 2;
/// NOT VERIFIED: contents of User Info, with the octet of its type. Sources print 3 to 253 octets
/// in all. With IEI and length (TLV, in the Command) that leaves 1 to 251; with the length alone (LV, in the Request) 2
/// to 252, where a type without a value is taken too.
inline constexpr std::size_t user_info_tlv_least = 1, user_info_tlv_most = 251;
inline constexpr std::size_t user_info_lv_least = 1, user_info_lv_most = 252;
/// NOT VERIFIED: type of User Info. Only 3 has a source.
inline constexpr std::uint8_t user_info_upper_layers = 1, user_info_pruk_id = 2, user_info_imsi = 3;
/// NOT VERIFIED: IP Address Configuration.
inline constexpr std::uint8_t ip_dhcpv4_server = 1, ip_ipv6_router = 2, ip_both = 3, ip_none = 4;
/// NOT VERIFIED: Chosen Algorithms = EEA << shift | EIA, all other bits 0 (the pattern of NAS).
inline constexpr int chosen_eea_shift = 4;
/// NOT VERIFIED: PC5 signalling causes above 6.
inline constexpr std::uint8_t cause_capabilities_mismatch = 7, cause_unspecified = 8, cause_synchronisation = 9;
/// NOT VERIFIED: what a receiver does with an IE that comes twice (the first counts), that it does not know (it passes
/// over it), or that it does not know and whose number begins with this (the message is refused): TS 24.301 7.6,
/// TS 24.007 11.2.4.
inline constexpr std::uint8_t comprehension_required_below = 0x10;

// --- TS 33.303 6.5.6, TS 36.323 5.6.2: what goes into EEA and EIA ---
/// NOT VERIFIED: the order of the two halves of COUNT.
constexpr std::uint32_t count_of(std::uint16_t kd_sess_id, std::uint16_t sn) {
  return std::uint32_t{kd_sess_id} << 16 | sn;
}
/// NOT VERIFIED: BEARER is the LCID.
constexpr std::uint8_t bearer_of(std::uint8_t lcid) { return lcid; }
/// NOT VERIFIED: DIRECTION of what the UE sends that sent the Command. The other UE's is the opposite.
inline constexpr bool direction_of_commanding = true;
/// NOT VERIFIED: whether user data bear a MAC-I. Where they do not, bits can be flipped unnoticed.
inline constexpr bool mac_i_on_data = true;
// NOT VERIFIED: whether EEA0 must be supported (here it is used only by a caller that names it), and that EIA0 may not
// be chosen (here it cannot be).

// --- TS 33.303 6.5: rules of the procedures, which are code and not values ---
// NOT VERIFIED: that the Command repeats the capabilities of the Request, and that another repetition or a choice that
// was not offered is refused with cause_capabilities_mismatch (negotiation.h).
// NOT VERIFIED: that a Request names a KD that was shared before by its KD ID (kd_table.h).
// NOT VERIFIED: that in a rekeying Command and Complete are under the new context, and that the old one is valid until
// the first PDU under the new one that is not the Command (link_contexts.h).

}  // namespace prose::security::ts33303::unverified
