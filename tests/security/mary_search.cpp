#include "tests/security/mary_search.h"

#include <algorithm>
#include <map>
#include <set>

#include "security/crypto/aead.h"
#include "security/crypto/hash.h"
#include "security/noise.h"

namespace prose::security::test {
namespace {

using bytes = std::vector<std::uint8_t>;
using key32 = std::array<std::uint8_t, 32>;
struct octets_less {
  bool operator()(const bytes& a, const bytes& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
  }
};
using bytes_set = std::set<bytes, octets_less>;

const char* const labels[] = {"LTESL/1 announce",         "LTESL/1 mic",           "LTESL/1 request token",
                              "LTESL/1 command token",    "LTESL/1 rendezvous",    "LTESL/1 query",
                              "LTESL/1 response",         "LTESL/1 complete",      "LTESL/1 rekey",
                              "LTESL/1 ratchet",          "LTESL/1 fingerprint",   "LTESL/1 record initiator",
                              "LTESL/1 record responder"};

bytes cat(std::initializer_list<bytes_view> parts) {
  bytes out;
  for (const auto p : parts) out.insert(out.end(), p.begin(), p.end());
  return out;
}
std::array<std::uint8_t, 4> be32(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v >> 24), static_cast<std::uint8_t>(v >> 16), static_cast<std::uint8_t>(v >> 8),
          static_cast<std::uint8_t>(v)};
}
std::array<std::uint8_t, 3> be24(std::uint32_t v) {
  return {static_cast<std::uint8_t>(v >> 16), static_cast<std::uint8_t>(v >> 8), static_cast<std::uint8_t>(v)};
}
key32 expand(bytes_view key, bytes_view info) {
  key32 out{};
  crypto::hkdf_expand(key, info, out);
  return out;
}
key32 hmac(bytes_view key, std::initializer_list<bytes_view> parts) {
  key32 out{};
  crypto::hmac(crypto::hash::sha256, key, parts, out);
  return out;
}

/// Every key she holds, every product of a private key of hers with a public value she saw, and what two steps of any
/// derivation of the product make of them.
class candidates {
 public:
  explicit candidates(const evidence& e) {
    std::vector<key32> privates;
    for (const auto& s : e.stolen) {
      if (s.octets.size() == 12) ivs.push_back(s.octets);
      if (s.octets.size() == 16) short_keys.insert(s.octets);
      if (s.octets.size() != 32) continue;
      key32 k{};
      std::copy(s.octets.begin(), s.octets.end(), k.begin());
      if (s.name == "static private key") privates.push_back(k);
      add(k);
    }
    ivs.push_back(bytes(12));
    std::vector<public_key> points = e.publics;
    for (const auto& f : e.frames) {  // ephemerals on the air
      const std::size_t at = f.octets.size() == request_octets ? 4 : f.octets.size() == command_octets ? 3 : 0;
      if (at == 0 || f.lcid < 28 || f.lcid == 30) continue;
      public_key p;
      std::copy_n(f.octets.begin() + static_cast<std::ptrdiff_t>(at), 32, p.octets.begin());
      points.push_back(p);
    }
    seeded_random r(1);
    crypto::mbedtls_x25519 dh(r);
    for (const auto& k : privates)
      for (const auto& p : points)
        if (const auto out = dh.agree(static_private_key(k), p)) {
          key32 o{};
          std::copy(out->expose().begin(), out->expose().end(), o.begin());
          add(o);
        }
    for (const auto& p : points) add(p.octets);  // public values as keys: somebody may have been that careless
    base = all;
    const std::vector<key32> first = all;
    const key32 no_psk{};
    for (const auto& k : first) {
      for (const char* l : labels) derived(k, crypto::as_bytes(l));
      key32 prk{};
      crypto::hkdf_extract(no_psk, k, prk);
      add(prk);
      for (const auto& a : e.publics)
        for (const auto& m : e.publics)
          if (a != m) derived(prk, cat({crypto::as_bytes("LTESL/1 disc"), a.octets, m.octets}));
    }
    const std::vector<key32> second(all.begin() + static_cast<std::ptrdiff_t>(first.size()), all.end());
    for (const auto& k : second)
      for (const char* l : labels) derived(k, crypto::as_bytes(l));
  }
  std::vector<key32> base;  // before derivations
  std::vector<key32> all;
  bytes_set short_keys;
  std::vector<bytes> ivs;

 private:
  void add(const key32& k) {
    if (seen_.insert(k).second) all.push_back(k);
  }
  void derived(bytes_view key, bytes_view info) {
    const key32 k = expand(key, info);
    add(k);
    short_keys.insert(bytes(k.begin(), k.begin() + 16));  // the first 16 octets are what a 16-octet output would be
  }
  std::set<key32> seen_;
};

bool is_record(const frame& f) {
  return channel_index(f.lcid).has_value() && f.octets.size() >= record_overhead_octets && read_pdcp_header(f.octets);
}

std::array<std::uint8_t, 12> nonce_of(const frame& f, bytes_view iv) {
  std::array<std::uint8_t, 12> n{};
  std::copy(iv.begin(), iv.end(), n.begin());
  n[7] ^= f.lcid;
  n[10] ^= f.octets[3];
  n[11] ^= f.octets[4];
  return n;
}

bool opens(const crypto::aead& box, const frame& f, bytes_view iv) {
  bytes out(f.octets.size() - record_overhead_octets);
  return box.open(nonce_of(f, iv), bytes_view(f.octets).first(5), bytes_view(f.octets).subspan(5), out);
}

void try_records(const candidates& c, const std::vector<frame>& records, findings& out) {
  std::set<std::size_t> open;
  for (const auto& k : c.all) {
    for (const suite s : {suite::aes_256_gcm, suite::chacha20_poly1305}) {
      const crypto::aead plain(s, record_key(k));
      std::array<std::uint8_t, 49> block{};
      std::vector<std::pair<crypto::aead, bytes>> boxes;
      for (const char* l : {"LTESL/1 record initiator", "LTESL/1 record responder"}) {
        crypto::hkdf_expand(k, crypto::as_bytes(l), block);
        boxes.emplace_back(crypto::aead(s, record_key(std::span<const std::uint8_t, 49>(block).first<32>())),
                           bytes(block.begin() + 32, block.begin() + 44));
      }
      for (std::size_t i = 0; i < records.size(); ++i) {
        for (const auto& [box, iv] : boxes)
          if (++out.trials, opens(box, records[i], iv)) open.insert(i);
        for (const auto& iv : c.ivs)
          if (++out.trials, opens(plain, records[i], iv)) open.insert(i);
      }
    }
  }
  out.opened += open.size();
}

/// The transcript hash is public (apart from a PSK): every key is tried as the key of a sealed handshake payload.
void try_handshakes(const candidates& c, const evidence& e, findings& out) {
  const noise::protocol protocol{&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256};
  constexpr std::array<std::uint8_t, 12> nonce{};
  const auto try_keys = [&](bytes_view ad, bytes_view sealed) {
    bytes plain(sealed.size() - 16);
    for (const auto& k : c.all) {
      ++out.trials;
      if (crypto::aead(suite::chacha20_poly1305, handshake_key(k)).open(nonce, ad, sealed, plain)) {
        ++out.opened;
        return;
      }
    }
  };
  const frame* request = nullptr;
  for (const auto& f : e.frames) {
    const bytes_view o = f.octets;
    if (f.lcid == 28 && o.size() == request_octets) request = &f;
    if (f.lcid == 29 && o.size() == complete_octets) try_keys(o.first(3), o.subspan(3));
    if (request == nullptr || (f.lcid == 28 && o.size() != request_octets)) continue;
    const bytes_view q = request->octets;
    for (slot_t t = e.first_slot; t <= e.last_slot; ++t) {
      if (t + 12 < e.last_slot) continue;  // the set-up under attack lies in the last slots; saves time only
      const bytes prologue = cat({crypto::as_bytes("LTESL/1"), bytes_view(q).subspan(3, 1), q.first(1), q.subspan(1, 2),
                                  be24(request->src), be24(request->dst), be32(t)});
      for (const auto& i : e.publics)
        for (const auto& r : e.publics) {
          if (i == r) continue;
          noise::symmetric_state st(protocol);
          st.mix_hash(prologue);
          st.mix_hash(i.octets);
          st.mix_hash(r.octets);
          st.mix_key_and_hash(key32{});
          st.mix_hash(q.subspan(4, 32));
          if (f.lcid == 28) {
            // Each key as the final one; pairs of her values in the places of es and ss are not mixed.
            try_keys(st.handshake_hash(), q.subspan(36, 21));
          } else if (o.size() == command_octets) {
            st.mix_hash(q.subspan(36, 21));
            st.mix_hash(o.subspan(3, 32));
            try_keys(st.handshake_hash(), o.subspan(35, 19));
          }
        }
    }
  }
}

void try_recognising(const candidates& c, const evidence& e, findings& out) {
  std::map<bytes, std::size_t, octets_less> codes;
  for (const auto& d : e.discovery) codes.emplace(bytes(d.begin() + 1, d.begin() + 24), 0);
  std::vector<const frame*> requests;
  for (const auto& f : e.frames)
    if (f.lcid == 28 && f.octets.size() == request_octets) requests.push_back(&f);
  for (const auto& k : c.all) {
    for (slot_t t = e.first_slot; t <= e.last_slot; ++t) {
      ++out.trials;
      const key32 h = hmac(k, {be32(t)});
      if (codes.contains(bytes(h.begin(), h.begin() + 23))) ++out.recognised;
      for (const auto* f : requests) {
        const bytes_view o = f->octets;
        const key32 m = hmac(k, {be32(t), be24(f->src), be24(f->dst), o.first(57)});
        if (std::equal(m.begin(), m.begin() + 8, o.begin() + 57)) ++out.recognised;
      }
    }
    const key32 static_code = hmac(k, {});  // of a variant that leaves the slot out
    if (codes.contains(bytes(static_code.begin(), static_code.begin() + 23))) ++out.recognised;
    for (const auto* f : requests) {
      const key32 m = hmac(k, {bytes_view(f->octets).first(57)});
      if (std::equal(m.begin(), m.begin() + 8, f->octets.begin() + 57)) ++out.recognised;
    }
  }
  // 32-bit MICs match by chance once in 2^32 trials; with the keys and slots here that is once in about 10^4 runs at most.
  for (const auto& k : c.short_keys)
    for (const auto& d : e.discovery)
      for (slot_t t = e.first_slot; t <= e.last_slot; ++t) {
        if (static_cast<std::uint8_t>(t) != d[28]) continue;
        std::array<std::uint8_t, 4> mic{};
        crypto::aes_cmac(k, cat({bytes_view(d).first(24), be32(t)}), mic);
        ++out.trials;
        if (std::equal(mic.begin(), mic.end(), d.begin() + 24)) ++out.recognised;
      }
  // Identities in the clear: names, public keys, or hashes of them, at any place.
  std::vector<bytes> marks;
  for (const auto& n : e.names)
    if (n.size() >= 4) marks.emplace_back(n.begin(), n.end());
  for (const auto& p : e.publics) {
    marks.emplace_back(p.octets.begin(), p.octets.begin() + 8);
    key32 d{};
    crypto::digest(crypto::hash::sha256, {p.octets}, d);
    marks.emplace_back(d.begin(), d.begin() + 8);
  }
  const auto holds = [&](bytes_view where) {
    return std::any_of(marks.begin(), marks.end(), [&](const bytes& m) {
      return std::search(where.begin(), where.end(), m.begin(), m.end()) != where.end();
    });
  };
  for (const auto& d : e.discovery) out.recognised += holds(d) ? 1 : 0;
  for (const auto& f : e.frames) out.recognised += holds(f.octets) ? 1 : 0;
}

/// Anything of a code or a token that shows in two slots links them.
void try_linking(const evidence& e, findings& out) {
  std::map<bytes, std::set<std::uint8_t>, octets_less> code_slots;
  for (const auto& d : e.discovery) code_slots[bytes(d.begin() + 1, d.begin() + 24)].insert(d[28]);
  for (const auto& [code, slots] : code_slots) out.linked += slots.size() > 1 ? 1 : 0;
  std::map<bytes, bytes_set, octets_less> token_requests;
  for (const auto& f : e.frames)
    if (f.lcid == 28 && f.octets.size() == request_octets)
      token_requests[bytes(f.octets.end() - 8, f.octets.end())].insert(f.octets);
  for (const auto& [token, requests] : token_requests) out.linked += requests.size() > 1 ? 1 : 0;
}

void try_data(const std::vector<frame>& records, const evidence& e, findings& out) {
  std::vector<const frame*> data;
  for (const auto& f : records)
    if (f.lcid <= lcid_data_last) data.push_back(&f);
  const auto holds = [](bytes_view where, const bytes& what) {
    return what.size() >= 8 && std::search(where.begin(), where.end(), what.begin(), what.end()) != where.end();
  };
  for (std::size_t i = 0; i < data.size() && i < e.truth.size(); ++i) {
    if (holds(data[i]->octets, e.truth[i])) ++out.readable;
    for (std::size_t j = i + 1; j < data.size() && j < e.truth.size(); ++j) {
      const std::size_t n = std::min(e.truth[i].size(), e.truth[j].size());
      if (n < 8 || e.truth[i] == e.truth[j]) continue;
      bool equal = true;
      for (std::size_t b = 0; b < n && equal; ++b)
        equal = (data[i]->octets[5 + b] ^ data[j]->octets[5 + b]) == (e.truth[i][b] ^ e.truth[j][b]);
      out.keystream_reused += equal ? 1 : 0;
    }
  }
}

void try_forging(const candidates& c, const evidence& e, const std::vector<frame>& records, findings& out) {
  if (e.believes)
    for (const auto& k : c.all)
      for (slot_t t = e.last_slot; t <= e.last_slot + 1; ++t) {
        const key32 h = hmac(k, {be32(t)});
        discovery_pdu d{};
        for (const std::uint8_t type : {0x81, 0x82, 0x86}) {
          d[0] = type;
          std::copy_n(h.begin(), 23, d.begin() + 1);
          std::array<std::uint8_t, 4> mic{};
          crypto::aes_cmac(bytes_view(k).first(16), cat({bytes_view(d).first(24), be32(t)}), mic);
          std::copy(mic.begin(), mic.end(), d.begin() + 24);
          d[28] = static_cast<std::uint8_t>(t);
          ++out.trials;
          if (e.believes(d)) ++out.forged;
        }
      }
  if (!e.reacts_now) return;
  for (const auto& f : e.frames) {
    if (f.lcid != 28 || f.octets.size() != request_octets) continue;
    for (const auto& k : c.all)
      for (slot_t t = e.last_slot - 2; t <= e.last_slot; ++t) {
        frame g = f;
        g.octets[4] ^= 1;  // another ephemeral, or it would be a replay
        const key32 m = hmac(k, {be32(t), be24(g.src), be24(g.dst), bytes_view(g.octets).first(57)});
        std::copy_n(m.begin(), 8, g.octets.begin() + 57);
        ++out.trials;
        if (e.reacts_now(g)) ++out.forged;
      }
  }
  const bytes data{'f', 'o', 'r', 'g', 'e', 'd', '!', '!'};
  if (!records.empty())
    for (const auto& k : c.base)
      for (const auto& iv : c.ivs)
        for (const suite s : {suite::aes_256_gcm, suite::chacha20_poly1305}) {
          frame g = records.back();
          g.octets[3] = 0x7f;  // a COUNT that was not used
          g.octets.resize(data.size() + record_overhead_octets);
          crypto::aead(s, record_key(k))
              .seal(nonce_of(g, iv), bytes_view(g.octets).first(5), data, bytes_span(g.octets).subspan(5));
          ++out.trials;
          if (e.reacts_now(g)) ++out.forged;
        }
}

}  // namespace

findings search(const evidence& e) {
  findings out;
  const candidates c(e);
  out.keys_tried = c.all.size() + c.short_keys.size();
  std::vector<frame> records;
  for (const auto& f : e.frames)
    if (is_record(f)) records.push_back(f);
  out.records_seen = records.size();
  try_records(c, records, out);
  try_handshakes(c, e, out);
  try_recognising(c, e, out);
  try_linking(e, out);
  try_data(records, e, out);
  try_forging(c, e, records, out);
  if (e.reacts_later)
    for (const auto& f : e.frames) out.replays_answered += e.reacts_later(f) ? 1 : 0;
  return out;
}

}  // namespace prose::security::test
