// UEs of profile ts33303 without radio, and the air between them: what is sent can be dropped, changed, kept and sent
// again.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "security/ts33303/direct_links.h"
#include "tests/security/security_world.h"

namespace prose::security::ts33303::test {

using security::test::frame;

/// The KD and the KD ID of a pair of names; the same whoever asks.
inline shared_kd kd_of(const std::string& a, const std::string& b) {
  const std::string both = a < b ? a + b : b + a;
  std::mt19937 engine(static_cast<std::uint32_t>(std::hash<std::string>{}(both)));
  shared_kd kd{static_cast<std::uint32_t>(engine()), kd_key::make([&](auto out) {
                 for (auto& o : out) o = static_cast<std::uint8_t>(engine());
               })};
  return kd;
}

struct direct_ue {
  direct_ue(const std::string& name, std::uint64_t seed) : base(name, seed) {}
  /// After everybody is known.
  void begin(const direct_link_config& config = {}) {
    std::map<std::string, shared_kd, std::less<>> kds;
    for (const auto& p : base.security->peers().all()) kds.emplace(p->name, kd_of(base.name, p->name));
    links = std::make_unique<direct_links>(config, *kd_table::make(std::move(kds)), base.security->peers(),
                                           base.security->discovery());
  }
  bool owns(l2_id id, time_ms now) const {
    std::vector<l2_id> ids;
    links->append_own_l2_ids(now, ids);
    return std::ranges::find(ids, id) != ids.end();
  }
  result<received_data, drop_reason> hear(const frame& f, time_ms now) {
    std::vector<std::uint8_t> buffer(f.octets.size());
    auto r = links->receive(f.lcid, f.src, f.dst, f.octets, now, buffer, pending);
    if (r && r->is_data) inbox.emplace_back(r->data.begin(), r->data.end());
    return r;
  }
  template <class T>
  std::vector<T> events() const {
    std::vector<T> found;
    for (const auto& a : history)
      if (const auto* e = std::get_if<T>(&a)) found.push_back(*e);
    return found;
  }
  std::optional<link_id> link_with(const direct_ue& other) const { return links->link_with(base.id_of(other.base)); }

  security::test::ue base;
  std::unique_ptr<direct_links> links;
  actions pending, history;
  std::vector<std::vector<std::uint8_t>> inbox;
};

class direct_air {
public:
  time_ms now = 0;
  std::vector<direct_ue*> ues;
  std::vector<frame> captured;                                 ///< all that the UEs sent
  std::function<std::vector<frame>(const frame&)> on_the_way;  ///< what arrives in the place of a frame

  void settle() {
    for (int round = 0; round < 64; ++round) {
      std::vector<frame> sent;
      for (std::size_t i = 0; i < ues.size(); ++i) {
        auto& u = *ues[i];
        for (auto& a : u.pending) {
          if (const auto* m = std::get_if<send_message>(&a)) sent.push_back({i, m->lcid, m->src, m->dst, m->octets});
          u.history.push_back(std::move(a));
        }
        u.pending.clear();
      }
      if (sent.empty()) return;
      for (const auto& f : sent) put(f);
    }
  }
  void put(const frame& f) {
    captured.push_back(f);
    for (const auto& c : on_the_way ? on_the_way(f) : std::vector<frame>{f})
      for (std::size_t i = 0; i < ues.size(); ++i)
        if (i != c.from && ues[i]->owns(c.dst, now)) ues[i]->hear(c, now);
  }
  void pass(time_ms ms) {
    for (time_ms t = 0; t < ms; t += 100) {
      now += 100;
      set_slots();
      for (auto* u : ues) u->links->tick(now, u->pending);
      settle();
    }
  }
  void set_slots() {
    for (auto* u : ues) u->base.set_slot(static_cast<slot_t>(1000 + now / 1000), now);
  }
  /// What `monitor` hears of `announcer` in this slot.
  std::optional<peer_heard> heard(direct_ue& monitor, direct_ue& announcer) {
    set_slots();
    for (const auto& pdu : announcer.base.security->discovery().announcements(now)) {
      const auto e = monitor.base.security->discovery().receive(pdu, now);
      const auto* h = e ? std::get_if<peer_heard>(&*e) : nullptr;
      if (h != nullptr && h->peer == monitor.base.id_of(announcer.base)) return *h;
    }
    return std::nullopt;
  }
  bool connect(direct_ue& from, direct_ue& to) {
    const auto h = heard(from, to);
    if (!h || !from.links->connect(*h, now, from.pending)) return false;
    settle();
    return true;
  }
  bool link_up(direct_ue& a, direct_ue& b) { return connect(a, b) && a.link_with(b) && b.link_with(a); }
  result<void, drop_reason> send(direct_ue& from, direct_ue& to, const std::vector<std::uint8_t>& data) {
    frame f;
    f.from = static_cast<std::size_t>(std::ranges::find(ues, &from) - ues.begin());
    f.lcid = 1;
    f.octets.resize(data.size() + pdcp_header_octets + mac_octets);
    const auto s = from.links->seal(from.link_with(to).value_or(0), 1, sdu_type::ip, data, now, f.octets);
    if (!s) return tl::unexpected(s.error());
    f.octets.resize(s->octets);
    f.src = s->src;
    f.dst = s->dst;
    put(f);
    settle();
    return {};
  }
};

/// Mary, John and Peter, who all have a KD with each other, and nobody else's.
struct three_ues {
  explicit three_ues(const direct_link_config& marys = {}, const direct_link_config& johns = {})
      : mary("mary", 1), john("john", 2), peter("peter", 3) {
    air.ues = {&mary, &john, &peter};
    for (auto* a : air.ues)
      for (auto* b : air.ues)
        if (a != b) a->base.knows(b->base);
    mary.begin(marys);
    john.begin(johns);
    peter.begin();
  }
  direct_air air;
  direct_ue mary, john, peter;
};

}  // namespace prose::security::ts33303::test
