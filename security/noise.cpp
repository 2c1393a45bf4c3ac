#include "security/noise.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "security/crypto/aead.h"

namespace prose::security::noise {
namespace {

constexpr std::array kkpsk0_first{token::psk, token::e, token::es, token::ss};
constexpr std::array kkpsk0_second{token::e, token::ee, token::se};
constexpr std::array<std::span<const token>, 2> kkpsk0_messages{kkpsk0_first, kkpsk0_second};
constexpr pattern kkpsk0_pattern{"KKpsk0", true, true, kkpsk0_messages};

std::array<std::uint8_t, crypto::nonce_octets> nonce_of(suite s, std::uint64_t n) {
  std::array<std::uint8_t, crypto::nonce_octets> out{};
  for (int i = 0; i < 8; ++i) {  // 12.3 little-endian for ChaChaPoly, 12.4 big-endian for AESGCM
    const int at = s == suite::chacha20_poly1305 ? 4 + i : 11 - i;
    out[at] = static_cast<std::uint8_t>(n >> (8 * i));
  }
  return out;
}

std::string name_of_protocol(const protocol& p) {
  std::string s = "Noise_";
  s += p.pattern_used->name;
  s += "_25519_";
  s += p.cipher == suite::aes_256_gcm ? "AESGCM_" : "ChaChaPoly_";
  s += p.hash == crypto::hash::sha256 ? "SHA256" : "SHA512";
  return s;
}

using hkdf_block = secret<struct noise_hkdf_tag, crypto::max_digest_octets>;

/// The framework's HKDF (4.3) with `count` outputs.
template <std::size_t count>
std::array<hkdf_block, count> hkdf(crypto::hash h, bytes_view ck, bytes_view ikm) {
  const std::size_t n = crypto::digest_octets(h);
  const auto temp = hkdf_block::make([&](auto out) { crypto::hmac(h, ck, {ikm}, out.first(n)); });
  const bytes_view key = bytes_view(temp.expose()).first(n);
  const auto block = [&](bytes_view previous, std::uint8_t i) {
    return hkdf_block::make([&](auto out) { crypto::hmac(h, key, {previous, bytes_view(&i, 1)}, out.first(n)); });
  };
  auto first = block({}, 1);
  auto second = block(bytes_view(first.expose()).first(n), 2);
  if constexpr (count == 2) {
    return {std::move(first), std::move(second)};
  } else {
    auto third = block(bytes_view(second.expose()).first(n), 3);
    return {std::move(first), std::move(second), std::move(third)};
  }
}

}  // namespace

const pattern& kkpsk0() { return kkpsk0_pattern; }

symmetric_state::symmetric_state(const protocol& p) : cipher_(p.cipher), hash_(p.hash) {
  const std::string name = name_of_protocol(p);
  const std::size_t n = crypto::digest_octets(hash_);
  if (name.size() <= n) {
    std::copy(name.begin(), name.end(), h_.begin());
  } else {
    crypto::digest(hash_, {crypto::as_bytes(name)}, bytes_span(h_).first(n));
  }
  ck_ = chaining_key::make([&](auto out) { std::copy(h_.begin(), h_.end(), out.begin()); });
}

symmetric_state symmetric_state::trial() const {
  symmetric_state s;
  s.cipher_ = cipher_;
  s.hash_ = hash_;
  s.h_ = h_;
  s.ck_.emplace(ck_->expose());
  if (key_) s.key_.emplace(key_->expose());
  s.n_ = n_;
  return s;
}

void symmetric_state::mix_key(bytes_view ikm) {
  auto o = hkdf<2>(hash_, bytes_view(ck_->expose()).first(crypto::digest_octets(hash_)), ikm);
  ck_.emplace(o[0].expose());
  key_.emplace(o[1].expose().first<32>());
  n_ = 0;
}

void symmetric_state::mix_hash(bytes_view data) {
  crypto::digest(hash_, {handshake_hash(), data}, bytes_span(h_).first(crypto::digest_octets(hash_)));
}

void symmetric_state::mix_key_and_hash(bytes_view ikm) {
  const std::size_t n = crypto::digest_octets(hash_);
  auto o = hkdf<3>(hash_, bytes_view(ck_->expose()).first(n), ikm);
  ck_.emplace(o[0].expose());
  mix_hash(bytes_view(o[1].expose()).first(n));
  key_.emplace(o[2].expose().first<32>());
  n_ = 0;
}

std::size_t symmetric_state::encrypt_and_hash(bytes_view plain, bytes_span out) {
  std::size_t n = plain.size();
  if (key_) {
    n += crypto::tag_octets;
    crypto::aead(cipher_, *key_).seal(nonce_of(cipher_, n_++), handshake_hash(), plain, out.first(n));
  } else {
    std::copy(plain.begin(), plain.end(), out.begin());
  }
  mix_hash(out.first(n));
  return n;
}

std::optional<std::size_t> symmetric_state::decrypt_and_hash(bytes_view sealed, bytes_span out) {
  std::size_t n = sealed.size();
  if (key_) {
    if (n < crypto::tag_octets || out.size() < n - crypto::tag_octets) return std::nullopt;
    n -= crypto::tag_octets;
    const crypto::aead box(cipher_, *key_);
    if (!box.open(nonce_of(cipher_, n_), handshake_hash(), sealed, out.first(n))) return std::nullopt;
    ++n_;
  } else {
    if (out.size() < n) return std::nullopt;
    std::copy(sealed.begin(), sealed.end(), out.begin());
  }
  mix_hash(sealed);
  return n;
}

split_keys symmetric_state::split() const {
  const auto o = hkdf<2>(hash_, bytes_view(ck_->expose()).first(crypto::digest_octets(hash_)), {});
  return split_keys::make([&](auto out) {
    std::copy_n(o[0].expose().begin(), 32, out.begin());
    std::copy_n(o[1].expose().begin(), 32, out.begin() + 32);
  });
}

handshake::handshake(const parameters& p) : p_(p), state_(p.protocol_used) {
  state_.mix_hash(p_.prologue);
  p_.prologue = {};  // the caller's memory is no longer needed
  const pattern& pat = *p_.protocol_used.pattern_used;
  const auto mix_static = [&](bool is_own) {
    state_.mix_hash(is_own ? p_.own_public.octets : p_.remote_static->octets);
  };
  if (pat.initiator_static_known) mix_static(initiator());
  if (pat.responder_static_known) mix_static(!initiator());
}

bool handshake::uses_psk() const {
  for (const auto m : p_.protocol_used.pattern_used->messages)
    if (std::find(m.begin(), m.end(), token::psk) != m.end()) return true;
  return false;
}

bool handshake::mix_dh(symmetric_state& st, token t, const std::optional<public_key>& re,
                       const std::optional<public_key>& rs) {
  std::optional<dh_output> out;
  const bool own_ephemeral = t == token::ee || (t == token::es) == initiator();
  if (t == token::ss) {
    if (p_.cached_ss != nullptr) {
      st.mix_key(p_.cached_ss->expose());
      return true;
    }
    if (rs) out = p_.dh->agree(*p_.own_static, *rs);
  } else if (t == token::ee) {
    if (e_ && re) out = p_.dh->agree(*e_, *re);
  } else if (own_ephemeral) {
    if (e_ && rs) out = p_.dh->agree(*e_, *rs);
  } else {
    if (re) out = p_.dh->agree(*p_.own_static, *re);
  }
  if (!out) return false;
  st.mix_key(out->expose());
  return true;
}

std::optional<std::size_t> handshake::write(bytes_view payload, bytes_span out) {
  if (finished() || (next_ % 2 == 0) != initiator()) return std::nullopt;
  const auto tokens = p_.protocol_used.pattern_used->messages[next_];
  // A bound, not the exact size: a key for each token, the tags of an s and of the payload, and some more.
  if (out.size() < public_key_octets * tokens.size() + 3 * crypto::tag_octets + payload.size()) return std::nullopt;
  std::size_t n = 0;
  for (const token t : tokens) {
    switch (t) {
      case token::e:
        e_ = ephemeral_private_key::make([&](auto k) { p_.random->fill(k); });
        p_.random = nullptr;  // it need not outlive this
        e_public_ = p_.dh->public_of(*e_);
        std::copy(e_public_.octets.begin(), e_public_.octets.end(), out.begin() + n);
        n += public_key_octets;
        state_.mix_hash(e_public_.octets);
        if (uses_psk()) state_.mix_key(e_public_.octets);
        break;
      case token::s:
        n += state_.encrypt_and_hash(p_.own_public.octets, out.subspan(n));
        break;
      case token::psk:
        state_.mix_key_and_hash(p_.psk->expose());
        break;
      default:
        if (!mix_dh(state_, t, re_, p_.remote_static)) return std::nullopt;
    }
  }
  n += state_.encrypt_and_hash(payload, out.subspan(n));
  ++next_;
  return n;
}

std::optional<std::size_t> handshake::read(bytes_view message, bytes_span payload) {
  if (finished() || (next_ % 2 == 0) == initiator()) return std::nullopt;
  symmetric_state st = state_.trial();
  auto re = re_;
  auto rs = p_.remote_static;
  for (const token t : p_.protocol_used.pattern_used->messages[next_]) {
    switch (t) {
      case token::e:
        if (message.size() < public_key_octets) return std::nullopt;
        re.emplace();
        std::copy_n(message.begin(), public_key_octets, re->octets.begin());
        message = message.subspan(public_key_octets);
        st.mix_hash(re->octets);
        if (uses_psk()) st.mix_key(re->octets);
        break;
      case token::s: {
        const std::size_t n = public_key_octets + (st.has_key() ? crypto::tag_octets : 0);
        if (message.size() < n) return std::nullopt;
        rs.emplace();
        if (!st.decrypt_and_hash(message.first(n), rs->octets)) return std::nullopt;
        message = message.subspan(n);
        break;
      }
      case token::psk:
        st.mix_key_and_hash(p_.psk->expose());
        break;
      default:
        if (!mix_dh(st, t, re, rs)) return std::nullopt;
    }
  }
  const auto n = st.decrypt_and_hash(message, payload);
  if (!n) return std::nullopt;
  state_ = std::move(st);
  re_ = re;
  p_.remote_static = rs;
  ++next_;
  return n;
}

}  // namespace prose::security::noise
