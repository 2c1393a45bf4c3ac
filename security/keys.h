// Every kind of key, and the only steps that lead from one to another.
#pragma once

#include "security/secret.h"

namespace prose::security {

using static_private_key = secret<struct static_private_tag, 32>;
using ephemeral_private_key = secret<struct ephemeral_private_tag, 32>;
using dh_output = secret<struct dh_output_tag, 32>;  // X25519 result, never all-zero
using pre_shared_key = secret<struct psk_tag, 32>;   // independent 32 octets per pair; zero octets where there is none

// Pair and direction (announcer -> monitor), long-lived.
using pair_root_key = secret<struct pair_root_tag, 32>;  // Kd
using announce_key = secret<struct announce_tag, 32>;    // codes of model A
using mic_key = secret<struct mic_tag, 16>;              // AES-CMAC
using request_token_key = secret<struct dcr_tag, 32>;    // token of the Direct Communication Request
using command_token_key = secret<struct dsm_tag, 32>;    // short token of the DSM Command
using rendezvous_key = secret<struct l2_tag, 32>;        // rendezvous layer-2 IDs
using query_key = secret<struct query_tag, 32>;          // model B
using response_key = secret<struct response_tag, 32>;    // model B
using address_key =
    secret<struct address_tag, 10>;  // the announcer's address on the link; told to both hosts (address_bits)

// Handshake.
using chaining_key = secret<struct chaining_tag, 64>;  // 32 octets used with SHA-256
using handshake_key = secret<struct handshake_tag, 32>;
using split_keys = secret<struct split_tag, 64>;  // k1 || k2 of Noise's Split, used for nothing but KD_0

// Link.
using link_root_key = secret<struct kd_tag, 32>;       // KD_r
using complete_key = secret<struct complete_tag, 32>;  // protects the DSM Complete
using rekey_binding = secret<struct rekey_tag, 32>;    // ties a rekeying to the link it renews
using record_key = secret<struct record_tag, 32>;      // one link, direction and epoch
using record_iv = secret<struct record_iv_tag, 12>;

/// A permitted step of the key schedule: HKDF-Expand(From, label). Steps that are not listed do not compile.
template <class From, class To>
struct derivation;
#define PROSE_DERIVATION(from, to, text)       \
  template <>                                  \
  struct derivation<from, to> {                \
    static constexpr const char* label = text; \
  }
PROSE_DERIVATION(pair_root_key, announce_key, "LTESL/1 announce");
PROSE_DERIVATION(pair_root_key, mic_key, "LTESL/1 mic");
PROSE_DERIVATION(pair_root_key, request_token_key, "LTESL/1 request token");
PROSE_DERIVATION(pair_root_key, command_token_key, "LTESL/1 command token");
PROSE_DERIVATION(pair_root_key, rendezvous_key, "LTESL/1 rendezvous");
PROSE_DERIVATION(pair_root_key, query_key, "LTESL/1 query");
PROSE_DERIVATION(pair_root_key, response_key, "LTESL/1 response");
PROSE_DERIVATION(pair_root_key, address_key, "LTESL/1 address");
PROSE_DERIVATION(link_root_key, complete_key, "LTESL/1 complete");
PROSE_DERIVATION(link_root_key, rekey_binding, "LTESL/1 rekey");
PROSE_DERIVATION(link_root_key, link_root_key, "LTESL/1 ratchet");
#undef PROSE_DERIVATION

}  // namespace prose::security
