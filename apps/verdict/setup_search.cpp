#include "apps/verdict/setup_search.h"

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
  return m.octets.size() >= at + e.octets.size() && std::equal(e.octets.begin(), e.octets.end(), m.octets.begin() + static_cast<std::ptrdiff_t>(at));
}
bool same(bytes_view a, bytes_view b) { return std::equal(a.begin(), a.end(), b.begin(), b.end()); }
constexpr std::size_t request_ephemeral_at = 4, command_ephemeral_at = 3;
}  // namespace

/// One stolen identity with everybody else as its peers, all with the same PSK.
struct setup_search::table {
  table(const stolen_keys& keys, const stolen_keys::identity& i, const stolen_keys::named& psk)
      : name(i.name + (&psk == &keys.psks.front() ? "" : ", " + psk.name)),
        peers(key_pair::from_private(static_private_key(i.private_key), {random, keys.dh()}), {random, keys.dh()}) {
    for (const auto& p : keys.people)
      // Our own key and keys of low order are refused: nothing can be said with them.
      if (p.key != i.public_part) (void)peers.add(p.name + "." + std::to_string(peers.size()), p.key, pre_shared_key(psk.key));
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
  for (const auto& m : capture_.setups) {
    if (m.header.type != message_type::security_mode_complete || m.src != r.src || m.dst != r.dst) continue;
    std::array<std::uint8_t, complete_octets - 3 - crypto::tag_octets> plain{};
    if (m.octets.size() == complete_octets && box.open(std::array<std::uint8_t, crypto::nonce_octets>{}, bytes_view(m.octets).first(3), bytes_view(m.octets).subspan(3), plain))
      note(m, with);
  }
}

void setup_search::try_request(table& t, const kept_setup& r, slot_t slot) {
  const handshake_context c{message_type::direct_communication_request, r.header.seq, r.src, r.dst, slot, nullptr};
  const auto each_answer = [&](auto&& f) {
    for (const auto& m : capture_.setups)
      if (m.header.type == message_type::security_mode_command && m.src == r.dst && m.dst == r.src && m.octets.size() == command_octets) f(m);
  };
  for (const auto& p : t.peers.all()) {
    const std::string pair = t.name + " with " + p->name.substr(0, p->name.rfind('.'));
    // The stolen identity as the responder: its static key and the ephemeral on the air open the request.
    if (const auto open = detail::open_request(t.peers, *p, c, r.octets)) {
      note(r, pair + ": request");
      for (const auto& e : keys_.ephemerals)
        each_answer([&](const kept_setup& m) {
          if (!carries(m, command_ephemeral_at, t.peers.ports_used().dh.public_of(ephemeral_private_key(e.key)))) return;
          t.random.next = e.key;
          for (const auto s : {suite::aes_256_gcm, suite::chacha20_poly1305})
            for (int lsb = 0; lsb < 256; ++lsb) {
              drop_reason why{};
              const suite only[] = {s};
              const auto made = respond(t.peers, *p, c, r.octets, only, [&](std::uint8_t) { return static_cast<std::uint8_t>(lsb); }, why);
              if (!made || !same(made->answer, m.octets)) continue;
              note(m, pair + ", " + e.name + ": command");
              learn(r, made->secrets, pair + ", " + e.name + ": KD_0");
            }
        });
    }
    // As the initiator: only with the ephemeral that it drew. What it offered is repeated until the octets are those on the air.
    for (const auto& e : keys_.ephemerals) {
      if (!carries(r, request_ephemeral_at, t.peers.ports_used().dh.public_of(ephemeral_private_key(e.key)))) continue;
      t.random.next = e.key;
      for (const std::uint16_t suites : {all_suites, suite_bit(suite::aes_256_gcm), suite_bit(suite::chacha20_poly1305)})
        for (int msb = 1; msb < 256; ++msb) {
          initiator_handshake made(t.peers, *p, c, {suites, protocol_version, 0, static_cast<std::uint8_t>(msb)});
          if (!same(made.request(), r.octets)) continue;
          note(r, pair + ", " + e.name + ": request");
          each_answer([&](const kept_setup& m) {
            if (const auto s = made.read_answer(m.octets)) {
              note(m, pair + ", " + e.name + ": command");
              learn(r, *s, pair + ", " + e.name + ": KD_0");
            }
          });
        }
    }
  }
}

bool setup_search::run(const std::vector<recognised_request>& recognised, std::optional<slot_span> others) {
  std::map<const kept_setup*, slot_t> known;
  for (const auto& r : recognised) known[r.request] = r.t;
  for (const auto& i : keys_.identities)
    for (const auto& psk : keys_.psks) {
      table t(keys_, i, psk);
      for (const auto& r : capture_.setups) {
        if (r.header.type != message_type::direct_communication_request || r.octets.size() != request_octets) continue;
        const auto at = known.find(&r);
        if (at != known.end()) {
          try_request(t, r, at->second);
          if (!watch_.count(t.peers.size())) return false;
        } else if (others) {
          for (std::uint64_t s = others->first; s <= others->last; ++s) {
            try_request(t, r, static_cast<slot_t>(s));
            if (!watch_.count(t.peers.size())) return false;
          }
        }
      }
    }
  return true;
}

}  // namespace prose::apps
