#include "tests/security/search/handshakes.h"

#include <algorithm>

#include "security/crypto/hash.h"
#include "security/messages.h"
#include "security/noise.h"

namespace prose::security::test {
namespace {

constexpr std::size_t sealed_offer_octets = offer_octets + crypto::tag_octets;
constexpr std::size_t sealed_choice_octets = choice_octets + crypto::tag_octets;
constexpr std::size_t most_work = 3'000'000;  // chains and contexts of all requests together

struct answer_parts {
  bytes_view e, sealed;
};

/// What the payloads are bound to, if the prologue, the statics and the PSK are these.
struct context {
  std::size_t initiator = 0, responder = 0;  // index of the publics
  slot_t t = 0;
  key32 after_offer{};
  std::optional<sealed_once> offer;
  std::vector<sealed_once> choices;
  std::vector<key32> final_hash;  // of each answer: the salt of KD_0
};
/// The same before the PSK: the hash after prologue and pre-messages.
struct start {
  key32 hash;
  std::size_t initiator, responder;
  slot_t t;
};

void keep(std::vector<octets>& list, const octets& v) {
  if (std::find(list.begin(), list.end(), v) == list.end()) list.push_back(v);
}

}  // namespace

/// One exchange, with what is held now.
class chain_search {
public:
  chain_search(exchange& x, holdings& h, const record_search& records, findings& out)
      : x_(x), h_(h), records_(records), out_(out) {
    const bytes_view q = x.request.text;
    e_ = q.subspan(4, 32);
    offer_ = q.subspan(36, sealed_offer_octets);
    for (const auto& a : x.answers)
      answers_.push_back({bytes_view(a.text).subspan(3, 32), bytes_view(a.text).subspan(35, sealed_choice_octets)});
  }

  void run(slot_t first, slot_t last, std::size_t requests) {
    x_.may_answer.clear();
    const auto starts = transcripts_before_psk(first, last);
    const noise::protocol kkpsk0{&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256};
    const noise::symmetric_state begin(kkpsk0);
    key32 name{};
    std::copy(begin.handshake_hash().begin(), begin.handshake_hash().end(), name.begin());
    const keyed_hmac ck0(name);

    const std::size_t work = h_.secrets.size() * h_.inputs.size() * h_.inputs.size() * (1 + starts.size() / 16);
    all_places_ = work <= most_work / requests;
    out_.reduced |= !all_places_;
    for (const auto& psk : all_places_ ? h_.secrets : h_.named_psks) {
      key32 to_hash{};
      const noise_chain after_psk = mix_key_and_hash(ck0, psk, to_hash);
      contexts_.clear();
      for (const auto& s : starts) contexts_.push_back(context_of(s, to_hash));
      from_psk(after_psk.ck);
      if (std::find(h_.named_psks.begin(), h_.named_psks.end(), psk) == h_.named_psks.end()) continue;
      // Stolen on the way: a chaining key before any of the inputs that follow, the key of a payload, what Split gave.
      // (Without a PSK the chaining key is public up to here.)
      for (const auto& ck : chaining_keys()) {
        from_e(ck);
        from_es(ck);
      }
      for (const auto& k : h_.all) try_offer(k);
      try_stolen_after_the_request();
      if (!x_.rekeying)
        for (const auto& c : contexts_)
          for (const auto& ck : h_.secrets) x_.may_answer.push_back({ck, c.after_offer, c.initiator, c.responder, c.t});
    }
    // A stolen transcript takes the place of everything that came before it.
    contexts_.clear();
    for (const auto& t : h_.transcripts) contexts_.push_back(context_after_offer({}, t));
    if (!contexts_.empty()) try_stolen_after_the_request();
  }

private:
  const std::vector<key32>& chaining_keys() const { return all_places_ ? h_.secrets : h_.named_chaining_keys; }

  /// Hash after prologue and pre-messages.
  std::vector<start> transcripts_before_psk(slot_t first, slot_t last) const {
    const bytes_view q = x_.request.text;
    const auto head = cat({crypto::as_bytes("LTESL/1"), q.subspan(3, 1), q.first(1), q.subspan(1, 2),
                           be24(x_.initiator), be24(x_.responder)});
    std::vector<std::pair<octets, slot_t>> prologues;
    if (x_.rekeying) {  // t is zero, and the binding of the generation before follows
      for (const auto& k : h_.secrets) {
        prologues.push_back({cat({head, be32(0), k}), 0});
        prologues.push_back({cat({head, be32(0), keyed_hmac(k).expand(crypto::as_bytes("LTESL/1 rekey"))}), 0});
      }
    } else {
      for (slot_t t = first; t <= last; ++t) prologues.push_back({cat({head, be32(t)}), t});
    }
    std::vector<start> out;
    for (const auto& [prologue, t] : prologues) {
      noise::symmetric_state st({&noise::kkpsk0(), suite::chacha20_poly1305, crypto::hash::sha256});
      st.mix_hash(prologue);
      for (std::size_t i = 0; i < h_.publics.size(); ++i)
        for (std::size_t r = 0; r < h_.publics.size(); ++r)
          if (i != r)
            out.push_back(
                {sha256({sha256({st.handshake_hash(), h_.publics[i].octets}), h_.publics[r].octets}), i, r, t});
    }
    return out;
  }

  context context_of(const start& s, const key32& psk_hash) const {
    const key32 at_offer = sha256({sha256({s.hash, psk_hash}), e_});
    context c = context_after_offer(s, sha256({at_offer, offer_}));
    c.offer.emplace(at_offer, offer_);
    return c;
  }
  context context_after_offer(const start& s, const key32& after_offer) const {
    context c{s.initiator, s.responder, s.t, after_offer, {}, {}, {}};
    for (const auto& a : answers_) {
      const key32 at_choice = sha256({after_offer, a.e});
      c.choices.emplace_back(at_choice, a.sealed);
      c.final_hash.push_back(sha256({at_choice, a.sealed}));
    }
    return c;
  }

  // The chain, by the place at which it is entered.
  void from_psk(const key32& ck) { from_e(mix_key(keyed_hmac(ck), e_).ck); }
  void from_e(const key32& ck) {
    const keyed_hmac keyed(ck);
    for (const auto& es : h_.inputs) from_es(mix_key(keyed, es).ck);
  }
  void from_es(const key32& ck) {
    const keyed_hmac keyed(ck);
    for (const auto& ss : h_.inputs) {
      ++out_.handshake_chains;
      const noise_chain c = mix_key(keyed, ss);
      if (const context* where = try_offer(c.k)) {
        x_.may_answer.push_back({c.ck, where->after_offer, where->initiator, where->responder, where->t});
        from_request(c.ck);
      }
    }
  }
  void from_request(const key32& ck) {
    for (std::size_t a = 0; a < answers_.size(); ++a) from_answers_e(mix_key(keyed_hmac(ck), answers_[a].e).ck, a);
  }
  void from_answers_e(const key32& ck, std::size_t a) {
    const keyed_hmac keyed(ck);
    for (const auto& ee : h_.inputs) from_ee(mix_key(keyed, ee).ck, a);
  }
  void from_ee(const key32& ck, std::size_t a) {
    const keyed_hmac keyed(ck);
    for (const auto& se : h_.inputs) {
      ++out_.handshake_chains;
      const noise_chain c = mix_key(keyed, se);
      if (const context* where = try_choice(c.k, a))
        h_.learn(keyed_hmac(where->final_hash[a])({split(keyed_hmac(c.ck))}));
    }
  }

  void try_stolen_after_the_request() {
    for (std::size_t a = 0; a < answers_.size(); ++a) {
      for (const auto& ck : chaining_keys()) {
        from_answers_e(mix_key(keyed_hmac(ck), answers_[a].e).ck, a);
        from_ee(ck, a);
        try_split(split(keyed_hmac(ck)), a);
      }
      for (const auto& k : h_.all) try_choice(k, a);
      for (const auto& s : h_.splits) try_split(s, a);
    }
  }

  /// The context in which the key opens the request.
  const context* try_offer(const key32& k) {
    const key32 otk = one_time_key(k);
    for (const auto& c : contexts_) {
      ++out_.trials;
      if (!c.offer->made_with(otk)) continue;
      if (!x_.request.open) out_.open(x_.rekeying ? "rekeying request" : "request");
      x_.request.open = true;
      return &c;
    }
    return nullptr;
  }
  /// The context in which the key opens this answer.
  const context* try_choice(const key32& k, std::size_t a) {
    const key32 otk = one_time_key(k);
    for (const auto& c : contexts_) {
      ++out_.trials;
      if (!c.choices[a].made_with(otk)) continue;
      if (!x_.answers[a].open) out_.open(x_.rekeying ? "rekeying response" : "command");
      x_.answers[a].open = true;
      return &c;
    }
    return nullptr;
  }
  /// KD_0 without an opened answer; kept if what it protects opens.
  void try_split(const std::array<std::uint8_t, 64>& keys, std::size_t a) {
    for (const auto& c : contexts_) {
      const key32 kd0 = keyed_hmac(c.final_hash[a])({keys});
      const key32 complete = one_time_key(keyed_hmac(kd0).expand(crypto::as_bytes("LTESL/1 complete")));
      bool fits = records_.root_opens(kd0);
      for (const auto& m : x_.completes)
        fits = fits || sealed_once(bytes_view(m.text).first(3), bytes_view(m.text).subspan(3)).made_with(complete);
      ++out_.trials;
      if (fits) h_.learn(kd0);
    }
  }

  exchange& x_;
  holdings& h_;
  const record_search& records_;
  findings& out_;
  bytes_view e_, offer_;
  std::vector<answer_parts> answers_;
  std::vector<context> contexts_;  // of the PSK that is tried
  bool all_places_ = true;
};

handshake_search::handshake_search(const evidence& e) : first_slot_(e.first_slot), last_slot_(e.last_slot) {
  for (const auto& f : e.frames) {
    if (f.lcid != lcid_pc5s_unprotected || f.octets.size() != request_octets) continue;
    const auto same = [&](const auto& x) {
      return x.request.text == f.octets && x.initiator == f.src && x.responder == f.dst;
    };
    if (std::any_of(exchanges_.begin(), exchanges_.end(), same)) continue;
    exchange x{false, f.src, f.dst, {f.octets, false}, {}, {}, {}};
    std::vector<octets> commands, completes;
    for (const auto& g : e.frames) {
      if (g.lcid != lcid_pc5s_security_mode) continue;
      if (g.octets.size() == command_octets && g.src == f.dst && g.dst == f.src) keep(commands, g.octets);
      if (g.octets.size() == complete_octets && g.src == f.src && g.dst == f.dst) keep(completes, g.octets);
    }
    for (auto& c : commands) x.answers.push_back({std::move(c), false});
    for (auto& c : completes) x.completes.push_back({std::move(c), false});
    exchanges_.push_back(std::move(x));
  }
}

void handshake_search::hear_signalling(const std::vector<octets>& messages, holdings& h) {
  const auto type_of = [](const octets& m) {
    const auto header = read_message_header(m, true);
    return header ? header->type : message_type{};
  };
  const auto point_at = [&](const octets& m, std::size_t at) {
    public_key p;
    std::copy_n(m.begin() + at, 32, p.octets.begin());
    h.learn_point(p);
  };
  for (const auto& m : messages) {
    if (type_of(m) != message_type::rekeying_request) continue;
    const auto same = [&](const auto& x) { return x.request.text == m; };
    if (std::any_of(exchanges_.begin(), exchanges_.end(), same)) continue;
    point_at(m, 4);
    exchanges_.push_back({true, 0, 0, {m, false}, {}, {}, {}});
  }
  for (const auto& m : messages) {
    if (type_of(m) != message_type::rekeying_response) continue;
    for (auto& x : exchanges_) {
      if (!x.rekeying || !std::equal(m.begin() + 1, m.begin() + 3, x.request.text.begin() + 1)) continue;
      const auto same = [&](const auto& a) { return a.text == m; };
      if (std::any_of(x.answers.begin(), x.answers.end(), same)) continue;
      point_at(m, 3);
      x.answers.push_back({m, false});
    }
  }
}

void handshake_search::try_completes(exchange& x, const holdings& h, findings& out) const {
  for (auto& m : x.completes) {
    const sealed_once sealed(bytes_view(m.text).first(3), bytes_view(m.text).subspan(3));
    for (const auto& k : h.fresh_all) {
      ++out.trials;
      if (m.open || !sealed.made_with(one_time_key(k))) continue;
      m.open = true;
      out.open("complete");
    }
  }
}

void handshake_search::try_fresh(holdings& h, const record_search& records, findings& out) {
  for (auto& x : exchanges_) {
    try_completes(x, h, out);
    const bool done =
        x.request.open && std::all_of(x.answers.begin(), x.answers.end(), [](const auto& a) { return a.open; });
    if (!done) chain_search(x, h, records, out).run(first_slot_, last_slot_, exchanges_.size());
  }
}

}  // namespace prose::security::test
