// UEs without radio for the tests: a seeded random port, an X25519 port that counts, and a little air between them.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "security/crypto/x25519.h"
#include "security/ue_security.h"

namespace prose::security::test {

class seeded_random final : public random_port {
public:
  explicit seeded_random(std::uint64_t seed) : engine_(seed) {}
  void fill(bytes_span out) override {
    for (auto& b : out) b = static_cast<std::uint8_t>(engine_());
    plant(out);
    if (observe_fill != nullptr) observe_fill(out);
    if (keep_draws) draws.emplace_back(out.begin(), out.end());
  }
  /// Streams take `next_octets` too.
  std::unique_ptr<random_port> stream(const stream_label&) override {
    return std::make_unique<planted>(*this, stream_key::make([&](auto out) {
      for (auto& b : out) b = static_cast<std::uint8_t>(engine_());
    }));
  }
  std::vector<std::uint8_t> next_octets;                     // put in the place of what the next draw begins with
  static inline void (*observe_fill)(bytes_span) = nullptr;  // for tests that follow secrets; not of streams
  bool keep_draws = false;                                   // for tests that plant an ephemeral key
  std::vector<std::vector<std::uint8_t>> draws;

private:
  class planted final : public random_port {
  public:
    planted(seeded_random& owner, stream_key seed) : owner_(owner), inner_(std::move(seed)) {}
    void fill(bytes_span out) override {
      inner_.fill(out);
      owner_.plant(out);
    }

  private:
    seeded_random& owner_;
    random_stream inner_;
  };
  void plant(bytes_span out) {
    std::copy_n(next_octets.begin(), std::min(out.size(), next_octets.size()), out.begin());
    next_octets.clear();
  }
  std::mt19937_64 engine_;
};

/// Counts scalar multiplications, whoever asks for them. X25519, or what is given in its place.
class counting_dh final : public dh_port {
public:
  explicit counting_dh(random_port& r, dh_port* instead = nullptr)
      : x25519_(r), inner_(instead != nullptr ? *instead : x25519_) {}
  std::optional<dh_output> agree(const static_private_key& own, const public_key& other) override {
    ++multiplications;
    return inner_.agree(own, other);
  }
  std::optional<dh_output> agree(const ephemeral_private_key& own, const public_key& other) override {
    ++multiplications;
    return inner_.agree(own, other);
  }
  public_key public_of(const static_private_key& own) override {
    ++multiplications;
    return inner_.public_of(own);
  }
  public_key public_of(const ephemeral_private_key& own) override {
    ++multiplications;
    return inner_.public_of(own);
  }
  std::uint64_t multiplications = 0;

private:
  crypto::mbedtls_x25519 x25519_;
  dh_port& inner_;
};

/// Most tests are about what is done, not about when and how often: there what costs scalar multiplications takes
/// effect at once and every peer may cause as much as it likes. Tests of delays and budgets set this before they make
/// UEs.
inline bool as_shipped = false;

inline ue_config without_budgets(ue_config c) {
  if (as_shipped) return c;
  c.links.answer_after_ms = 0;
  c.links.set_up_multiplications = 1'000'000;
  c.links.rekeying_interval_ms = 0;
  c.links.trials_per_10_ms = UINT32_MAX;
  return c;
}

/// What went over the air.
struct frame {
  std::size_t from = 0;
  std::uint8_t lcid = 0;
  l2_id src = 0, dst = 0;
  std::vector<std::uint8_t> octets;
};

struct delivered {
  peer_id peer;
  link_id link;
  std::vector<std::uint8_t> data;
};

/// One UE with everything that it did.
struct ue {
  ue(std::string n, std::uint64_t seed, const ue_config& config = {}, std::optional<slot_t> mark = std::nullopt,
     dh_port* instead = nullptr, work_port* work = nullptr)
      : name(std::move(n)), random(seed), dh(random, instead) {
    ue_config c = without_budgets(config);
    c.stored_mark = mark;
    security = std::make_unique<ue_security>(c, key_pair::generate({random, dh}), ports{random, dh, work});
  }
  ue(std::string n, std::uint64_t seed, const static_private_key& key, const ue_config& config,
     std::optional<slot_t> mark = std::nullopt, dh_port* instead = nullptr)
      : name(std::move(n)), random(seed), dh(random, instead) {
    ue_config c = without_budgets(config);
    c.stored_mark = mark;
    security = std::make_unique<ue_security>(c, key_pair::from_private(static_private_key(key.expose()), {random, dh}),
                                             ports{random, dh});
  }

  void knows(const ue& other, std::optional<pre_shared_key> psk = std::nullopt) {
    const auto id = security->add_peer(other.name, other.security->peers().own_public(), std::move(psk));
    if (!id) throw std::runtime_error(id.error().message);
  }
  peer_id id_of(const ue& other) const { return security->peers().find(std::string_view(other.name))->id; }
  void set_slot(slot_t t, time_ms now) {
    security->discovery().advance(t, now);
    if (const auto m = security->discovery().clock().mark_to_store()) security->discovery().clock().mark_stored(*m);
  }
  bool owns(l2_id id, time_ms now) const {
    std::vector<l2_id> ids;
    security->append_own_l2_ids(now, ids);
    return std::find(ids.begin(), ids.end(), id) != ids.end();
  }
  result<received_data, drop_reason> hear(const frame& f, time_ms now) {
    std::vector<std::uint8_t> buffer(f.octets.size());
    auto r = security->links().receive(f.lcid, f.src, f.dst, f.octets, now, buffer, pending);
    if (r && r->is_data) inbox.push_back({r->peer, r->link, {r->data.begin(), r->data.end()}});
    return r;
  }
  template <class T>
  std::vector<T> events() const {
    std::vector<T> out;
    for (const auto& a : history)
      if (const auto* e = std::get_if<T>(&a)) out.push_back(*e);
    return out;
  }

  std::string name;
  seeded_random random;
  counting_dh dh;
  std::unique_ptr<ue_security> security;
  actions pending;  // not yet put on the air
  std::vector<action> history;
  std::vector<delivered> inbox;
};

/// Did u take the frame as genuine?
inline bool taken(ue& u, const frame& f, time_ms now) { return u.hear(f, now).has_value(); }

/// Everybody hears everybody; `filter` may drop, change or multiply a frame.
class air {
public:
  time_ms now = 0;
  slot_t first_slot = 1000;
  std::vector<ue*> ues;
  std::vector<frame> captured;  // all that was ever sent
  std::vector<discovery_pdu> captured_discovery;
  std::function<std::vector<frame>(const frame&)> filter;
  std::function<bool(std::size_t from, std::size_t to)> reaches;

  slot_t slot() const { return first_slot + static_cast<slot_t>(now / 1000); }
  void set_slots() {
    for (auto* u : ues) u->set_slot(slot(), now);
  }
  /// Moves what the UEs want to say onto the air until nobody says more.
  void settle() {
    for (int round = 0; round < 64; ++round) {
      std::vector<frame> sent;
      for (std::size_t i = 0; i < ues.size(); ++i) {
        for (auto& a : ues[i]->pending) {
          if (const auto* m = std::get_if<send_message>(&a)) sent.push_back({i, m->lcid, m->src, m->dst, m->octets});
          ues[i]->history.push_back(a);
        }
        ues[i]->pending.clear();
      }
      if (sent.empty()) return;
      for (const auto& f : sent) put(f);
    }
  }
  void put(const frame& f) {
    captured.push_back(f);
    const auto copies = filter ? filter(f) : std::vector<frame>{f};
    for (const auto& c : copies)
      for (std::size_t i = 0; i < ues.size(); ++i)
        if (i != c.from && (!reaches || reaches(c.from, i)) && ues[i]->owns(c.dst, now)) ues[i]->hear(c, now);
  }
  void pass(time_ms ms, time_ms step = 100) {
    for (time_ms t = 0; t < ms; t += step) {
      now += step;
      set_slots();
      for (auto* u : ues) u->security->links().tick(now, u->pending);
      settle();
    }
  }
  /// One discovery period: everybody announces, everybody monitors. Returns what `monitor` heard.
  std::vector<peer_heard> discover(ue& monitor) {
    set_slots();
    std::vector<peer_heard> heard;
    for (auto* u : ues) {
      const auto list = u->security->discovery().announcements(now);
      for (const auto& pdu : list) {
        captured_discovery.push_back(pdu);
        for (auto* v : ues) {
          if (v == u) continue;
          const auto e = v->security->discovery().receive(pdu, now);
          if (v == &monitor && e && std::holds_alternative<peer_heard>(*e)) heard.push_back(std::get<peer_heard>(*e));
        }
      }
    }
    return heard;
  }
  /// Discovers and connects; the ids of both ends, or empty.
  std::optional<std::pair<link_id, link_id>> link_up(ue& a, ue& b) {
    for (const auto& h : discover(a)) {
      if (h.peer != a.id_of(b)) continue;
      if (!a.security->links().connect(h, now, a.pending)) return std::nullopt;
      settle();
      const auto la = a.security->links().link_with(a.id_of(b));
      const auto lb = b.security->links().link_with(b.id_of(a));
      if (la && lb) return std::pair{*la, *lb};
    }
    return std::nullopt;
  }
  /// Sends data over an established link.
  result<void, drop_reason> send(ue& from, link_id link, const std::vector<std::uint8_t>& data, std::uint8_t lcid = 1) {
    frame f;
    f.from = static_cast<std::size_t>(std::find(ues.begin(), ues.end(), &from) - ues.begin());
    f.lcid = lcid;
    f.octets.resize(data.size() + record_overhead_octets);
    const auto s = from.security->links().seal(link, lcid, sdu_type::ip, data, now, f.octets);
    if (!s) return tl::unexpected(s.error());
    f.src = s->src;
    f.dst = s->dst;
    put(f);
    settle();
    return {};
  }
};

}  // namespace prose::security::test
