#include "tests/security/search/recognise.h"

#include <algorithm>
#include <optional>

#include "common/octet_order.h"
#include "security/crypto/hash.h"
#include "security/messages.h"
#include "tests/security/search/records.h"

namespace prose::security::test {
namespace {

bool holds(bytes_view where, bytes_view what) {
  return std::search(where.begin(), where.end(), what.begin(), what.end()) != where.end();
}

/// The marks on the air that a key could reproduce.
class marks {
public:
  marks(holdings& h, const evidence& e, findings& out) : h_(h), e_(e), out_(out) {
    for (const auto& d : e.discovery) codes_.emplace(first_23(bytes_view(d).subspan(1)), d[0]);
    for (const auto& f : e.frames) {
      if (f.lcid == lcid_pc5s_unprotected && f.octets.size() == request_octets) keep(requests_, f);
      if (f.lcid == lcid_pc5s_security_mode && f.octets.size() == command_octets) keep(commands_, f);
      if (is_record(f)) ids_.insert({f.src, f.dst});
    }
  }

  /// Codes of announcements, queries and responses, and rendezvous IDs: all are HMAC(key, t).
  void slots(const key32& key) {
    const keyed_hmac mac(key);
    std::size_t rendezvous = 0;
    for (slot_t t = e_.first_slot; t <= e_.last_slot; ++t) {
      ++out_.trials;
      const key32 h = mac({be32(t)});
      code(key, h);
      const l2_id id = l2_id{h[0]} << 16 | l2_id{h[1]} << 8 | h[2];
      rendezvous += static_cast<std::size_t>(
          std::count_if(requests_.begin(), requests_.end(), [&](auto* f) { return f->dst == id; }));
    }
    code(key, mac({}));  // of a variant that leaves the slot out
    if (enough(rendezvous, requests_.size())) out_.recognise("rendezvous layer-2 ID");
  }

  void request_token(const key32& key) {
    if (tokens(key, requests_, request_token_octets) > 0) out_.recognise("request token");
  }
  void command_token(const key32& key) {
    if (!enough(tokens(key, commands_, command_token_octets), commands_.size())) return;
    out_.recognise("command token");
    h_.recognised_tokens.push_back(key);
  }

  void mic(bytes_view key) {
    keyed_cmac mac(key);
    std::size_t hits = 0;
    std::array<std::uint8_t, 28> message{};
    for (const auto& d : e_.discovery) {
      std::copy_n(d.begin(), 24, message.begin());
      for (slot_t t = first_with_octet(d[28]); t <= e_.last_slot; t += 256) {
        const auto slot = be32(t);
        std::copy(slot.begin(), slot.end(), message.begin() + 24);
        const auto m = mac(message);
        ++out_.trials;
        hits += std::equal(m.begin(), m.begin() + 4, d.begin() + 24) ? 1U : 0U;
      }
    }
    if (!enough(hits, e_.discovery.size())) return;
    out_.recognise("MIC");
    h_.recognised_mics.emplace_back(key.begin(), key.end());
  }

  /// As KD_r: the layer-2 IDs of both ends.
  void layer_2_ids(const key32& key) {
    const keyed_hmac kd(key);
    const l2_id i = half_of(kd, true).src, r = half_of(kd, false).src;
    ++out_.trials;
    if (ids_.contains({i, r}) || ids_.contains({r, i})) out_.recognise("layer-2 IDs of an epoch");
  }

private:
  using code_octets = std::array<std::uint8_t, 23>;
  static code_octets first_23(bytes_view from) {
    code_octets out{};
    std::copy_n(from.begin(), out.size(), out.begin());
    return out;
  }
  /// The first slot of the evidence whose last octet is this.
  slot_t first_with_octet(std::uint8_t octet) const {
    return e_.first_slot + static_cast<std::uint8_t>(octet - e_.first_slot);
  }
  static void keep(std::vector<const frame*>& list, const frame& f) {
    if (std::none_of(list.begin(), list.end(), [&](auto* o) { return o->octets == f.octets && o->src == f.src; }))
      list.push_back(&f);
  }
  /// 24 and 32 bits match by chance: one hit tells something only if there is one message.
  static bool enough(std::size_t hits, std::size_t messages) {
    return hits > 0 && hits >= std::min<std::size_t>(messages, 2);
  }

  void code(const key32& key, const key32& h) {
    const auto at = codes_.find(first_23(h));
    if (at == codes_.end()) return;
    const auto type = static_cast<discovery_type>(at->second);
    out_.recognise(type == discovery_type::query      ? "query"
                   : type == discovery_type::response ? "response"
                                                      : "announcement");
    auto& known = h_.recognised_codes;
    if (std::find(known.begin(), known.end(), key) == known.end()) known.push_back(key);
  }

  std::size_t tokens(const key32& key, const std::vector<const frame*>& list, std::size_t n) {
    const keyed_hmac mac(key);
    std::size_t hits = 0;
    for (const auto* f : list) {
      const bytes_view covered = bytes_view(f->octets).first(f->octets.size() - n);
      const auto fits = [&](const key32& m) {
        ++out_.trials;
        return std::equal(m.begin(), m.begin() + n, covered.end());
      };
      bool hit = fits(mac({covered}));  // of a variant that leaves slot and addresses out
      for (slot_t t = e_.first_slot; t <= e_.last_slot; ++t)
        hit |= fits(mac({be32(t), be24(f->src), be24(f->dst), covered}));
      hits += hit ? 1U : 0U;
    }
    return hits;
  }

  holdings& h_;
  const evidence& e_;
  findings& out_;
  std::map<code_octets, std::uint8_t> codes_;
  std::vector<const frame*> requests_, commands_;
  std::set<std::pair<l2_id, l2_id>> ids_;
};

}  // namespace

void try_recognising(holdings& h, const evidence& e, findings& out) {
  marks m(h, e, out);
  for (const auto& k : h.fresh_all) {
    m.slots(k);
    m.request_token(k);
    m.command_token(k);
    m.layer_2_ids(k);
  }
  for (const auto& k : h.fresh_short_keys) m.mic(k);
  // Kd of every thinkable pair: its seven keys, each where the product uses it.
  for (const auto& p : h.fresh_pair_roots) {
    const keyed_hmac root(p.root);
    const auto key = [&](const char* label) { return root.expand(crypto::as_bytes(label)); };
    for (const char* l : {"LTESL/1 announce", "LTESL/1 query", "LTESL/1 response", "LTESL/1 rendezvous"})
      m.slots(key(l));
    m.request_token(key("LTESL/1 request token"));
    m.command_token(key("LTESL/1 command token"));
    const key32 mic = key("LTESL/1 mic");
    m.mic(bytes_view(mic).first(16));
  }
}

void try_in_the_clear(const evidence& e, findings& out) {
  std::vector<octets> plain;
  for (const auto& n : e.names)
    if (n.size() >= 4) plain.emplace_back(n.begin(), n.end());
  const auto mark = [&](bytes_view v) { plain.emplace_back(v.begin(), v.begin() + 8); };
  for (const auto& p : e.publics) {
    mark(p.octets);
    mark(sha256({p.octets}));
    for (const auto& q : e.publics)
      if (p < q) mark(pair_fingerprint(p, q));
  }
  const auto hear = [&](bytes_view m) {
    if (std::any_of(plain.begin(), plain.end(), [&](const octets& v) { return holds(m, v); }))
      out.recognise("identity in the clear");
  };
  for (const auto& d : e.discovery) hear(d);
  for (const auto& f : e.frames) hear(f.octets);
}

void try_linking(const evidence& e, findings& out) {
  octet_map<std::set<std::uint8_t>> code_slots;
  for (const auto& d : e.discovery) code_slots[octets(d.begin() + 1, d.begin() + 24)].insert(d[28]);
  for (const auto& [code, slots] : code_slots) out.linked += slots.size() > 1 ? 1 : 0;
  octet_map<octet_set> token_requests;
  for (const auto& f : e.frames)
    if (f.lcid == lcid_pc5s_unprotected && f.octets.size() == request_octets)
      token_requests[octets(f.octets.end() - request_token_octets, f.octets.end())].insert(f.octets);
  for (const auto& [token, requests] : token_requests) out.linked += requests.size() > 1 ? 1 : 0;
}

void try_data(const evidence& e, findings& out) {
  std::vector<const frame*> data;
  for (const auto& f : e.frames)
    if (is_record(f) && f.lcid <= lcid_data_last) data.push_back(&f);
  for (std::size_t i = 0; i < data.size() && i < e.truth.size(); ++i) {
    if (e.truth[i].size() >= 8 && holds(data[i]->octets, e.truth[i])) ++out.readable;
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

}  // namespace prose::security::test
