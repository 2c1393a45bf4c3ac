#include "tests/security/search/forge.h"

#include <algorithm>

#include "common/octet_order.h"
#include "security/crypto/hash.h"
#include "security/crypto/x25519.h"
#include "security/messages.h"
#include "security/noise.h"

namespace prose::security::test {
namespace {

constexpr std::array<std::uint8_t, 12> zero_nonce{};

octets sealed(suite s, const key32& k, std::span<const std::uint8_t, 12> nonce, bytes_view ad, bytes_view plain) {
  octets out(plain.size() + crypto::tag_octets);
  crypto::aead(s, handshake_key(k)).seal(nonce, ad, plain, out);
  return out;
}

class forger {
public:
  forger(const holdings& h, const std::vector<pair_root>& roots, const handshake_search& hs, const evidence& e,
         findings& out)
      : h_(h),
        roots_(roots),
        handshakes_(hs),
        e_(e),
        out_(out),
        random_(77),
        dh_(random_),
        ephemeral_(ephemeral_private_key::make([&](auto k) { random_.fill(k); })),
        point_(dh_.public_of(ephemeral_)) {
    const noise::symmetric_state begin({&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256});
    std::copy(begin.handshake_hash().begin(), begin.handshake_hash().end(), name_.begin());
    for (const auto& p : h.publics) with_public_.push_back(times(p));
  }

  /// Code and MIC: of one Kd, and any key for the one with any for the other.
  void discovery() {
    if (!e_.believes) return;
    const slot_t t = e_.last_slot + 1;  // no code of it was used yet
    const auto try_pdu = [&](const char* kind, std::uint8_t type, const key32& code, bytes_view mic_key) {
      discovery_pdu d{};
      d[0] = type;
      std::copy_n(code.begin(), 23, d.begin() + 1);
      std::array<std::uint8_t, 4> mic{};
      crypto::aes_cmac(mic_key, cat({bytes_view(d).first(24), be32(t)}), mic);
      std::copy(mic.begin(), mic.end(), d.begin() + 24);
      d[28] = static_cast<std::uint8_t>(t);
      ++out_.trials;
      if (e_.believes(d)) out_.forge(kind);
    };
    constexpr std::pair<const char*, std::uint8_t> types[] = {
        {"announcement", 0x81}, {"response", 0x82}, {"query", 0x86}};
    const auto code_of = [&](const key32& k) { return keyed_hmac(k)({be32(t)}); };
    octet_set mics(h_.short_stolen.begin(), h_.short_stolen.end());
    mics.insert(h_.recognised_mics.begin(), h_.recognised_mics.end());
    const auto with_every_mic = [&](const key32& k) {
      const key32 code = code_of(k);
      for (const auto& [kind, type] : types) {
        try_pdu(kind, type, code, bytes_view(k).first(16));
        for (const auto& m : mics) try_pdu(kind, type, code, m);
      }
    };
    for (const auto& k : h_.all) with_every_mic(k);
    for (const auto& k : h_.recognised_codes) with_every_mic(k);
    constexpr const char* code_labels[] = {"LTESL/1 announce", "LTESL/1 response", "LTESL/1 query"};
    for (const auto& p : roots_) {
      const keyed_hmac root(p.root);
      const key32 mic = root.expand(crypto::as_bytes("LTESL/1 mic"));
      for (std::size_t i = 0; i < 3; ++i)
        try_pdu(types[i].first, types[i].second, code_of(root.expand(crypto::as_bytes(code_labels[i]))),
                bytes_view(mic).first(16));
    }
  }

  /// A request with an ephemeral of the thief's: es is hers, what she lacks is ss (and the PSK) and the token's key.
  void requests() {
    std::set<l2_id> heard;
    for (const auto& x : handshakes_.exchanges())
      if (!x.rekeying) heard.insert(x.responder);
    for (const auto& p : roots_) {
      const keyed_hmac root(p.root);
      const key32 token = root.expand(crypto::as_bytes("LTESL/1 request token"));
      const keyed_hmac rendezvous(root.expand(crypto::as_bytes("LTESL/1 rendezvous")));
      for (slot_t t = e_.last_slot - 1; t <= e_.last_slot; ++t) {
        const key32 id = rendezvous({be32(t)});
        try_request(p.psk, p.shared, p.monitor, p.announcer, t, l2_id{id[0]} << 16 | l2_id{id[1]} << 8 | id[2], token);
      }
    }
    for (const auto& token : h_.secrets)  // stolen token keys
      for (const auto& psk : h_.named_psks)
        for (const auto& ss : h_.inputs)
          for (const l2_id dst : heard)
            for (std::size_t i = 0; i < h_.publics.size(); ++i)
              for (std::size_t r = 0; r < h_.publics.size(); ++r)
                if (i != r) try_request(psk, ss, i, r, e_.last_slot, dst, token);
  }

  /// Answers to requests on the air.
  void commands() {
    std::set<key32> tokens(h_.secrets.begin(), h_.secrets.end());
    tokens.insert(h_.recognised_tokens.begin(), h_.recognised_tokens.end());
    for (const auto& x : handshakes_.exchanges()) {
      if (x.rekeying) continue;
      public_key e_i;
      std::copy_n(x.request.text.begin() + 4, 32, e_i.octets.begin());
      const key32 ee = times(e_i);
      for (const auto& s : x.may_answer) {
        if (h_.own.contains(h_.publics[s.responder])) continue;
        const key32 at_choice = sha256({s.after_offer, point_.octets});
        const auto ck = mix_key(keyed_hmac(mix_key(keyed_hmac(s.ck), point_.octets).ck), ee).ck;
        const key32 k = mix_key(keyed_hmac(ck), with_public_[s.initiator]).k;
        const choice c{static_cast<std::uint8_t>(suite::aes_256_gcm), 0, 1};
        octets m = cat({bytes_view(x.request.text).first(3), point_.octets,
                        sealed(suite::chacha20_poly1305, k, zero_nonce, at_choice, to_octets(c))});
        m[0] = static_cast<std::uint8_t>(message_type::security_mode_command);
        for (const auto& token : tokens) {
          const key32 t = keyed_hmac(token)({be32(s.t), be24(x.responder), be24(x.initiator), m});
          put("command", {0, lcid_pc5s_security_mode, x.responder, x.initiator,
                          cat({m, bytes_view(t).first(command_token_octets)})});
        }
      }
    }
  }

  void completes() {
    for (const auto& x : handshakes_.exchanges()) {
      if (x.rekeying) continue;
      octets header(x.request.text.begin(), x.request.text.begin() + 3);
      header[0] = static_cast<std::uint8_t>(message_type::security_mode_complete);
      constexpr std::array<std::uint8_t, 5> status{};
      for (const auto& k : h_.all)
        put("complete", {0, lcid_pc5s_security_mode, x.initiator, x.responder,
                         cat({header, sealed(suite::chacha20_poly1305, k, zero_nonce, header, status)})});
    }
  }

  /// Records: by keys and IVs, and by every key as KD_r; on the identifiers heard last, and on those that KD_r gives.
  void records() {
    std::vector<frame> last;  // of each direction of data
    for (auto f = e_.frames.rbegin(); f != e_.frames.rend() && last.size() < 2; ++f)
      if (is_record(*f) && f->lcid <= lcid_data_last && (last.empty() || last[0].src != f->src)) last.push_back(*f);
    for (const suite s : {suite::aes_256_gcm, suite::chacha20_poly1305}) {
      for (const auto& k : h_.secrets)
        for (const auto& iv : h_.ivs)
          for (const auto& f : last) try_record("record by its key", s, k, iv, f.src, f.dst, u16(f), f.lcid);
      for (const auto& k : h_.all) {
        const keyed_hmac kd(k);
        const record_half i = half_of(kd, true), r = half_of(kd, false);
        for (const auto* half : {&i, &r}) {
          for (const auto& f : last) try_record("record by KD", s, half->key, half->iv, f.src, f.dst, u16(f), f.lcid);
          try_record("record by KD", s, half->key, half->iv, half->src, half == &i ? r.src : i.src, half->kd_sess_id,
                     1);
        }
      }
    }
  }

private:
  static std::uint16_t u16(const frame& f) { return static_cast<std::uint16_t>(f.octets[1] << 8 | f.octets[2]); }
  key32 times(const public_key& p) {
    key32 out{};
    if (const auto d = dh_.agree(ephemeral_, p)) std::copy(d->expose().begin(), d->expose().end(), out.begin());
    return out;
  }
  void put(const char* kind, const frame& f) {
    ++out_.trials;
    if (e_.reacts_now(f)) out_.forge(kind);
  }

  void try_request(const key32& psk, const key32& ss, std::size_t i, std::size_t r, slot_t t, l2_id dst,
                   const key32& token) {
    if (h_.own.contains(h_.publics[i])) return;
    constexpr l2_id src = 0x5a5a5a;
    octets m{static_cast<std::uint8_t>(message_type::direct_communication_request), 0x11, 0x22, protocol_version};
    const auto prologue = cat({crypto::as_bytes("LTESL/1"), bytes_view(m).subspan(3, 1), bytes_view(m).first(3),
                               be24(src), be24(dst), be32(t)});
    key32 psk_hash{};
    const noise_chain after_psk = mix_key_and_hash(keyed_hmac(name_), psk, psk_hash);
    key32 h = sha256({name_, prologue});
    for (const bytes_view v : {bytes_view(h_.publics[i].octets), bytes_view(h_.publics[r].octets), bytes_view(psk_hash),
                               bytes_view(point_.octets)})
      h = sha256({h, v});
    noise_chain c = mix_key(keyed_hmac(after_psk.ck), point_.octets);
    c = mix_key(keyed_hmac(c.ck), with_public_[r]);
    c = mix_key(keyed_hmac(c.ck), ss);
    const auto o = to_octets(offer{all_suites, protocol_version, 0, 1});
    m = cat({m, point_.octets, sealed(suite::chacha20_poly1305, c.k, zero_nonce, h, o)});
    const key32 mac = keyed_hmac(token)({be32(t), be24(src), be24(dst), m});
    put("request", {0, lcid_pc5s_unprotected, src, dst, cat({m, bytes_view(mac).first(request_token_octets)})});
  }

  void try_record(const char* kind, suite s, const key32& k, bytes_view iv, l2_id src, l2_id dst, std::uint16_t id,
                  std::uint8_t lcid) {
    constexpr std::array<std::uint8_t, 8> data{'f', 'o', 'r', 'g', 'e', 'd', '!', '!'};
    frame f{0, lcid, src, dst, octets(pdcp_header_octets)};
    write_pdcp_header({sdu_type::ip, id, next_sn_}, bytes_span(f.octets).first<pdcp_header_octets>());
    const auto body = sealed(s, k, record_nonce(f, iv), f.octets, data);
    f.octets.insert(f.octets.end(), body.begin(), body.end());
    ++out_.trials;
    if (!e_.reacts_now(f)) return;
    out_.forge(kind);
    ++next_sn_;
  }

  const holdings& h_;
  const std::vector<pair_root>& roots_;
  const handshake_search& handshakes_;
  const evidence& e_;
  findings& out_;
  seeded_random random_;
  crypto::mbedtls_x25519 dh_;
  ephemeral_private_key ephemeral_;
  public_key point_;
  key32 name_{};
  std::vector<key32> with_public_;
  std::uint16_t next_sn_ = 0x3f00;  // COUNTs that were not used
};

}  // namespace

void try_forging(const holdings& h, const std::vector<pair_root>& pair_roots, const handshake_search& handshakes,
                 const evidence& e, findings& out) {
  forger f(h, pair_roots, handshakes, e, out);
  f.discovery();
  if (!e.reacts_now) return;
  // Records and Completes first: a forged request that is answered takes the place of a half-open link.
  f.records();
  f.completes();
  f.commands();
  f.requests();
}

}  // namespace prose::security::test
