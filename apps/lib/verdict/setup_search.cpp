#include "apps/lib/verdict/setup_search.h"

#include <algorithm>

#include "security/crypto/aead.h"

namespace prose::apps {
namespace {
using namespace security;

/// "Draws" a stolen ephemeral, so that the product's own handshake repeats what its owner did.
class planted_random final : public random_port {
public:
  void fill(bytes_span out) override {
    std::fill(out.begin(), out.end(), std::uint8_t{0});
    std::copy_n(next.begin(), std::min(out.size(), next.size()), out.begin());
  }
  key32 next{};
};

bool carries(const kept_setup& m, std::size_t at, const public_key& e) {
  return m.octets.size() >= at + e.octets.size() && std::equal(e.octets.begin(), e.octets.end(), m.octets.begin() + at);
}
bool same(bytes_view a, bytes_view b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }
constexpr std::size_t request_ephemeral_at = 4, command_ephemeral_at = 3;
constexpr std::size_t request_sealed_at = request_ephemeral_at + sizeof(key32),
                      command_sealed_at = command_ephemeral_at + sizeof(key32);

/// The plain text of `theirs`, sealed with the key and nonce that sealed `plain` in `ours`.
template <std::size_t N>
std::array<std::uint8_t, N> difference(std::array<std::uint8_t, N> plain, bytes_view ours, bytes_view theirs,
                                       std::size_t at) {
  for (std::size_t i = 0; i < N; ++i) plain[i] ^= static_cast<std::uint8_t>(ours[at + i] ^ theirs[at + i]);
  return plain;
}
}  // namespace

setup_search::setup_search(const stolen_keys& keys, const kept_capture& capture, search_watch& watch)
    : keys_(keys), capture_(capture), watch_(watch) {
  for (const auto& m : capture.setups) {
    if (m.header.type == message_type::security_mode_command && m.octets.size() == command_octets)
      commands_[{m.src, m.dst}].push_back(&m);
    if (m.header.type == message_type::security_mode_complete && m.octets.size() == complete_octets)
      completes_[{m.src, m.dst}].push_back(&m);
  }
}

/// One stolen identity with everybody else as its peers, all with the same PSK.
struct setup_search::table {
  table(const stolen_keys& keys, const stolen_keys::identity& i, const stolen_keys::named& psk)
      : name(i.name + (&psk == &keys.psks.front() ? "" : ", " + psk.name)),
        peers(key_pair::from_private(static_private_key(i.private_key), {random, keys.dh()}), {random, keys.dh()}) {
    for (const auto& p : keys.people)
      // Our own key and keys of low order are refused: nothing can be said with them.
      if (p.key != i.public_part)
        (void)peers.add(p.name + "." + std::to_string(peers.size()), p.key, pre_shared_key(psk.key));
  }
  planted_random random;
  std::string name;
  peer_table peers;
};

void setup_search::note(const kept_setup& m, const std::string& with) {
  if (opened_messages_.insert(&m).second) opened_.push_back({m.src, m.dst, 0, with, 1, 1, true, {m.frame}});
}

void setup_search::learn(const kept_setup& r, const handshake_secrets& s, const std::string& with) {
  key32 root{};
  std::copy(s.kd0.expose().begin(), s.kd0.expose().end(), root.begin());
  if (std::any_of(roots_.begin(), roots_.end(), [&](const auto& k) { return k.root == root; })) return;
  roots_.push_back({with, root, s.chosen, s.kd_sess_id});
  const crypto::aead box(suite::chacha20_poly1305, derive<complete_key>(s.kd0));
  const auto heard = completes_.find({r.src, r.dst});
  if (heard == completes_.end()) return;
  for (const auto* m : heard->second) {
    std::array<std::uint8_t, complete_octets - 3 - crypto::tag_octets> plain{};
    if (box.open(std::array<std::uint8_t, crypto::nonce_octets>{}, bytes_view(m->octets).first(3),
                 bytes_view(m->octets).subspan(3), plain))
      note(*m, with);
  }
}

void setup_search::try_request(table& t, const kept_setup& r, const handshake_context& c, const messages& answers,
                               const std::string& bound_to) {
  const std::string kind = c.binding == nullptr ? "" : "rekeying in frame " + std::to_string(r.frame) + ", ";
  for (const auto& p : t.peers.all()) {
    const std::string pair = t.name + " with " + p->name.substr(0, p->name.rfind('.')) + bound_to + ": " + kind;
    // The stolen identity as the responder: its static key and the ephemeral on the air open the request.
    if (const auto open = detail::open_request(t.peers, *p, c, r.octets)) {
      note(r, pair + "request");
      for (const auto& e : keys_.ephemerals)
        for (const auto* m : answers) {
          if (!carries(*m, command_ephemeral_at, t.peers.ports_used().dh.public_of(ephemeral_private_key(e.key))))
            continue;
          t.random.next = e.key;
          const auto answer_with = [&](suite chosen, std::uint8_t lsb) {
            drop_reason why{};
            return respond(
                t.peers, *p, c, r.octets, std::span(&chosen, 1), [&](std::uint8_t) { return lsb; }, why);
          };
          // What it chose shows in the difference to an answer of our own: key and nonce are the same.
          for (const auto guess : {suite::aes_256_gcm, suite::chacha20_poly1305}) {
            const auto own = answer_with(guess, 0);
            if (!own) continue;
            const auto was = choice_from(difference(to_octets(choice{static_cast<std::uint8_t>(guess), 0, 0}),
                                                    own->answer, m->octets, command_sealed_at));
            const auto made = answer_with(static_cast<suite>(was.suite_id), was.kd_sess_id_lsb);
            if (!made || !same(made->answer, m->octets)) continue;
            note(*m, pair + e.name + ": answer");
            learn(r, made->secrets, pair + e.name + ": KD_0");
            break;
          }
        }
    }
    // As the initiator: only with the ephemeral that it drew, and only if the octets come out as those on the air.
    for (const auto& e : keys_.ephemerals) {
      if (!carries(r, request_ephemeral_at, t.peers.ports_used().dh.public_of(ephemeral_private_key(e.key)))) continue;
      t.random.next = e.key;
      // What it offered, likewise.
      const offer ours{all_suites, protocol_version, 0, 1};
      const auto was = offer_from(difference(to_octets(ours), initiator_handshake(t.peers, *p, c, ours).request(),
                                             r.octets, request_sealed_at));
      initiator_handshake made(t.peers, *p, c, was);
      if (!same(made.request(), r.octets)) continue;
      note(r, pair + e.name + ": request");
      for (const auto* m : answers)
        if (const auto s = made.read_answer(m->octets)) {
          note(*m, pair + e.name + ": answer");
          learn(r, *s, pair + e.name + ": KD_0");
        }
    }
  }
}

void setup_search::hear(const carried_message& m) {
  const auto h = read_message_header(m.octets, true);
  if (!h || (h->type != message_type::rekeying_request && h->type != message_type::rekeying_response)) return;
  std::string whole(m.octets.begin(), m.octets.end());
  if (heard_.contains(whole)) return;
  if (rekeyings_.size() >= max_rekeyings) {
    ++n_left_out_;
    return;
  }
  heard_.insert(std::move(whole));
  rekeyings_.push_back({m.frame, 0, m.src, m.dst, *h, m.octets});
  if (h->type == message_type::rekeying_response) rekeying_responses_[h->seq].push_back(&rekeyings_.back());
}

void setup_search::bind_roots() {
  const auto bind = [&](const std::string& name, const key32& kd) {
    const auto b = derive<rekey_binding>(link_root_key(kd));
    bindings_.push_back({name + " -> " + derivation<link_root_key, rekey_binding>::label, {}});
    std::copy(b.expose().begin(), b.expose().end(), bindings_.back().key.begin());
  };
  if (bindings_.empty())
    for (const auto& s : keys_.secrets) {
      bindings_.push_back(s);
      bind(s.name, s.key);
    }
  for (; n_roots_bound_ < roots_.size(); ++n_roots_bound_)
    bind(roots_[n_roots_bound_].name, roots_[n_roots_bound_].root);
}

bool setup_search::try_rekeying(const kept_setup& r, const messages& answers, std::size_t first_binding) {
  for (const auto& i : keys_.identities)
    for (const auto& psk : keys_.psks) {
      table t(keys_, i, psk);
      for (std::size_t b = first_binding; b < bindings_.size(); ++b) {
        const rekey_binding key(bindings_[b].key);
        try_request(t, r, {message_type::rekeying_request, r.header.seq, 0, 0, 0, &key}, answers,
                    ", bound to " + bindings_[b].name);
        if (!watch_.count(t.peers.size())) return false;
      }
    }
  return true;
}

bool setup_search::run_rekeyings() {
  for (bool fresh = true; fresh;) {
    fresh = false;
    bind_roots();
    for (const auto& r : rekeyings_) {
      if (r.header.type != message_type::rekeying_request) continue;
      const messages& answers = rekeying_responses_[r.header.seq];
      auto& before = tried_[&r];
      const std::size_t first = answers.size() > before.answers ? 0 : before.bindings;
      if (first == bindings_.size()) continue;
      fresh = true;
      before = {answers.size(), bindings_.size()};
      if (!try_rekeying(r, answers, first)) return false;
    }
  }
  return true;
}

bool setup_search::run(const std::vector<recognised_request>& recognised,
                       const std::function<slot_span(double)>& others) {
  const messages none;
  std::map<const kept_setup*, slot_t> known;
  for (const auto& r : recognised) known[r.request] = r.t;
  for (const auto& i : keys_.identities)
    for (const auto& psk : keys_.psks) {
      table t(keys_, i, psk);
      for (const auto& r : capture_.setups) {
        if (r.header.type != message_type::direct_communication_request || r.octets.size() != request_octets) continue;
        const auto answered = commands_.find({r.dst, r.src});
        const messages& answers = answered != commands_.end() ? answered->second : none;
        const auto in_slot = [&](slot_t slot) {
          try_request(t, r, {message_type::direct_communication_request, r.header.seq, r.src, r.dst, slot, nullptr},
                      answers, "");
        };
        const auto at = known.find(&r);
        if (at != known.end()) {
          in_slot(at->second);
          if (!watch_.count(t.peers.size())) return false;
        } else if (others) {
          const auto near = others(r.time_s);
          for (std::uint64_t s = near.first; s <= near.last; ++s) {
            in_slot(static_cast<slot_t>(s));
            if (!watch_.count(t.peers.size())) return false;
          }
        }
      }
    }
  return true;
}

}  // namespace prose::apps
