// UEs of either profile without radio, and the attacker's air between them: the same attacker sees, drops, changes and
// sends whatever he likes in both.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "security/ts33303/direct_links.h"
#include "tests/security/security_world.h"

namespace prose::security::comparison {

enum class profile : std::uint8_t { ltesl, ts33303 };
using octets = std::vector<std::uint8_t>;
using test::frame;

/// The KD that two UEs share, by their names.
inline ts33303::shared_kd kd_of(const std::string& a, const std::string& b) {
  const std::string both = std::min(a, b) + std::max(a, b);
  std::seed_seq seed(both.begin(), both.end());
  std::mt19937 engine(seed);
  return {static_cast<std::uint32_t>(engine()), ts33303::kd_key::make([&](auto out) {
            for (auto& o : out) o = static_cast<std::uint8_t>(engine());
          })};
}

struct device {
  device(profile p, const std::string& name, std::uint64_t seed) : kind(p), base(name, seed) {}
  /// After everybody is known.
  void begin(const ts33303::direct_link_config& config) {
    if (kind != profile::ts33303) return;
    std::map<std::string, ts33303::shared_kd, std::less<>> kds;
    for (const auto& p : base.security->peers().all()) kds.emplace(p->name, kd_of(base.name, p->name));
    direct = std::make_unique<ts33303::direct_links>(config, *ts33303::kd_table::make(std::move(kds)),
                                                     base.security->peers(), base.security->discovery());
  }
  template <class F>
  auto links(F&& f) const {
    return direct ? f(*direct) : f(base.security->links());
  }
  bool owns(l2_id id, time_ms now) const {
    std::vector<l2_id> ids;
    links([&](auto& l) { l.append_own_l2_ids(now, ids); });
    return std::ranges::find(ids, id) != ids.end();
  }
  result<received_data, drop_reason> hear(const frame& f, time_ms now) {
    octets buffer(f.octets.size());
    auto r = links([&](auto& l) { return l.receive(f.lcid, f.src, f.dst, f.octets, now, buffer, pending); });
    if (r && r->is_data) inbox.emplace_back(r->data.begin(), r->data.end());
    return r;
  }
  std::optional<link_id> link_with(const device& other) const {
    return links([&](auto& l) { return l.link_with(base.id_of(other.base)); });
  }
  discovery_engine& discovery() const { return base.security->discovery(); }

  profile kind;
  test::ue base;
  std::unique_ptr<ts33303::direct_links> direct;
  actions pending;
  std::vector<octets> inbox;
};

class attackers_air {
public:
  static constexpr std::size_t attacker = SIZE_MAX;
  time_ms now = 0;
  std::vector<device*> devices;
  std::vector<frame> captured;                                 ///< all that the UEs sent
  std::function<std::vector<frame>(const frame&)> on_the_way;  ///< what arrives in the place of a frame

  void settle() {
    for (int round = 0; round < 64; ++round) {
      std::vector<frame> sent;
      for (std::size_t i = 0; i < devices.size(); ++i) {
        for (auto& a : devices[i]->pending)
          if (auto* m = std::get_if<send_message>(&a)) sent.push_back({i, m->lcid, m->src, m->dst, m->octets});
        devices[i]->pending.clear();
      }
      if (sent.empty()) return;
      for (const auto& f : sent) put(f);
    }
  }
  void pass(time_ms ms) {
    for (time_ms t = 0; t < ms; t += 100) {
      now += 100;
      set_slots();
      for (auto* d : devices) d->links([&](auto& l) { l.tick(now, d->pending); });
      settle();
    }
  }
  void set_slots() {
    for (auto* d : devices) d->base.set_slot(static_cast<slot_t>(1000 + now / 1000), now);
  }
  /// A frame of the attacker's; how many transmissions it drew.
  std::size_t inject(frame f) {
    const auto before = captured.size();
    f.from = attacker;
    deliver(f);
    settle();
    return captured.size() - before;
  }
  std::optional<peer_heard> heard(device& monitor, device& announcer) {
    set_slots();
    for (const auto& pdu : announcer.discovery().announcements(now)) {
      const auto e = monitor.discovery().receive(pdu, now);
      const auto* h = e ? std::get_if<peer_heard>(&*e) : nullptr;
      if (h != nullptr && h->peer == monitor.base.id_of(announcer.base)) return *h;
    }
    return std::nullopt;
  }
  bool connect(device& from, const peer_heard& to) {
    return from.links([&](auto& l) { return l.connect(to, now, from.pending).has_value(); });
  }
  bool link_up(device& a, device& b) {
    const auto h = heard(a, b);
    if (!h || !connect(a, *h)) return false;
    settle();
    return a.link_with(b) && b.link_with(a);
  }
  bool send(device& from, device& to, const octets& data) {
    frame f;
    f.from = static_cast<std::size_t>(std::ranges::find(devices, &from) - devices.begin());
    f.lcid = 1;
    f.octets.resize(data.size() + 64);
    const auto link = from.link_with(to);
    if (!link) return false;
    const auto s = from.links([&](auto& l) { return l.seal(*link, 1, sdu_type::ip, data, now, f.octets); });
    if (!s) return false;
    f.octets.resize(s->octets);
    f.src = s->src;
    f.dst = s->dst;
    put(f);
    settle();
    return true;
  }

private:
  void put(const frame& f) {
    captured.push_back(f);
    for (const auto& c : on_the_way ? on_the_way(f) : std::vector<frame>{f}) deliver(c);
  }
  void deliver(const frame& f) {
    for (std::size_t i = 0; i < devices.size(); ++i)
      if (i != f.from && devices[i]->owns(f.dst, now)) devices[i]->hear(f, now);
  }
};

/// Mary, John and Peter. Each knows the two others, and with each has keys of its own.
struct town {
  explicit town(profile p, std::uint64_t seed = 1, const ts33303::direct_link_config& config = {})
      : mary(p, "mary", 10 * seed + 1), john(p, "john", 10 * seed + 2), peter(p, "peter", 10 * seed + 3) {
    air.devices = {&mary, &john, &peter};
    for (auto* a : air.devices)
      for (auto* b : air.devices)
        if (a != b) a->base.knows(b->base);
    for (auto* d : air.devices) d->begin(config);
  }
  attackers_air air;
  device mary, john, peter;
};

}  // namespace prose::security::comparison
