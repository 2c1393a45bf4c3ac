// The Noise Protocol Framework, revision 34: symmetric and handshake state. The product runs KKpsk0 only; other
// patterns exist as token lists in tests, so that third-party vectors exercise every token.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "security/crypto/hash.h"
#include "security/keys.h"
#include "security/ports.h"
#include "security/types.h"

namespace prose::security::noise {

enum class token : std::uint8_t { e, s, es, se, ee, ss, psk };

struct pattern {
  std::string_view name;
  bool initiator_static_known = false;  // pre-messages "-> s", "<- s"
  bool responder_static_known = false;
  std::span<const std::span<const token>> messages;  // alternating, the initiator's first
};

/// Both statics known, psk mixed first: no identity on the air, and only the two can make or read the first message.
const pattern& kkpsk0();

struct protocol {
  const pattern* pattern_used = nullptr;
  suite cipher = suite::chacha20_poly1305;
  crypto::hash hash = crypto::hash::sha256;
};

inline constexpr std::size_t max_payload_octets = 128;

/// CipherState and SymmetricState of the framework (5.1, 5.2).
class symmetric_state {
public:
  explicit symmetric_state(const protocol& p);
  void mix_key(bytes_view ikm);
  void mix_hash(bytes_view data);
  void mix_key_and_hash(bytes_view ikm);
  /// Appends the tag once a key exists; returns the octets written.
  std::size_t encrypt_and_hash(bytes_view plain, bytes_span out);
  /// Empty if it does not verify.
  std::optional<std::size_t> decrypt_and_hash(bytes_view sealed, bytes_span out);
  split_keys split() const;
  bytes_view handshake_hash() const { return bytes_view(h_).first(crypto::digest_octets(hash_)); }
  const std::optional<chaining_key>& chaining() const { return ck_; }
  const std::optional<handshake_key>& payload_key() const { return key_; }
  bool has_key() const { return key_.has_value(); }
  /// A working copy on which a received message is tried; the original stays if the message is bad.
  symmetric_state trial() const;

private:
  symmetric_state() = default;
  suite cipher_ = suite::chacha20_poly1305;
  crypto::hash hash_ = crypto::hash::sha256;
  std::array<std::uint8_t, crypto::max_digest_octets> h_{};
  std::optional<chaining_key> ck_;
  std::optional<handshake_key> key_;
  std::uint64_t n_ = 0;
};

/// HandshakeState (5.3). write and read must alternate as the pattern says; anything else is refused.
class handshake {
public:
  struct parameters {
    protocol protocol_used;
    role own_role = role::initiator;
    bytes_view prologue;
    const static_private_key* own_static = nullptr;  // must outlive the handshake
    public_key own_public;
    std::optional<public_key> remote_static;
    const pre_shared_key* psk = nullptr;   // must outlive the handshake
    const dh_output* cached_ss = nullptr;  // X25519 of the two statics where it is known already
    dh_port* dh = nullptr;
    random_port* random = nullptr;  // until the own ephemeral is drawn
  };
  explicit handshake(const parameters& p);

  /// Octets written, or empty if it is not our turn or the output is too small.
  std::optional<std::size_t> write(bytes_view payload, bytes_span out);
  /// Octets of payload, or empty; then nothing has changed and another message may be tried.
  std::optional<std::size_t> read(bytes_view message, bytes_span payload);
  /// For what follows; the one given before is not touched any more.
  void use(dh_port& dh) { p_.dh = &dh; }
  bool finished() const { return next_ == p_.protocol_used.pattern_used->messages.size(); }
  split_keys split() const { return state_.split(); }
  bytes_view handshake_hash() const { return state_.handshake_hash(); }
  /// What a thief finds in an unfinished handshake (export.h); nothing else may ask.
  const std::optional<ephemeral_private_key>& own_ephemeral() const { return e_; }
  const symmetric_state& symmetric() const { return state_; }

private:
  bool initiator() const { return p_.own_role == role::initiator; }
  bool uses_psk() const;
  bool mix_dh(symmetric_state& st, token t, const std::optional<public_key>& re, const std::optional<public_key>& rs);

  parameters p_;
  symmetric_state state_;
  std::optional<ephemeral_private_key> e_;
  public_key e_public_;
  std::optional<public_key> re_;
  std::size_t next_ = 0;
};

}  // namespace prose::security::noise
