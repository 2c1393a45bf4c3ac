#include "apps/town/resident.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

namespace prose::apps::town {
namespace {

constexpr std::int64_t utc_epoch_s = 1'700'000'000;
/// 0.1 ppm at 5.9 GHz, as a GNSS-disciplined oscillator has.
constexpr double largest_cfo_hz = 590;

void put(std::span<std::uint8_t> out, std::uint64_t v) {
  for (auto& o : out) o = static_cast<std::uint8_t>(v), v >>= 8;
}
std::uint64_t get(std::span<const std::uint8_t> in) {
  std::uint64_t v = 0;
  for (std::size_t i = in.size(); i-- > 0;) v = v << 8 | in[i];
  return v;
}
constexpr std::size_t number_octets = 4, time_octets = 8, least_octets = number_octets + time_octets;

}  // namespace

void seeded_octets::fill(security::bytes_span out) {
  for (std::size_t i = 0; i < out.size(); i += 8)
    put(out.subspan(i, std::min<std::size_t>(8, out.size() - i)), rng_.next());
}

bool resident::diskless::advance(mac::slot_t t, mac::time_ms now) {
  const bool ok = security_adapter::advance(t, now);
  if (const auto mark = clock_.mark_to_store()) clock_.mark_stored(*mark);
  return ok;
}

resident::resident(int index, std::uint64_t seed, std::int64_t on_ms, const mac::ue_config& ue, security::dh_port& dh,
                   const traffic_config& traffic)
    : index_(index),
      on_ms_(on_ms),
      traffic_(traffic),
      random_(phy::hash64(seed)),
      times_(phy::hash64(seed ^ 0x74696D6573ULL)),
      cfo_hz_(static_cast<float>(largest_cfo_hz * (2 * times_.uniform() - 1))),
      wake_(on_ms) {
  const security::ports ports{random_, dh};
  auto pair = security::key_pair::generate(ports);
  public_ = pair.public_part;
  security_ = std::make_unique<security::ue_security>(security::ue_config{}, std::move(pair), ports);
  adapter_ = std::make_unique<diskless>(*security_);
  auto made = mac::ue::make(ue, *adapter_);
  if (!made) throw std::runtime_error(made.error().message);
  ue_ = std::move(*made);
}

void resident::permit(const resident& other) {
  const auto id = security_->add_peer("ue" + std::to_string(other.index_), other.public_);
  if (!id) throw std::runtime_error(id.error().message);
  by_id_[*id] = known_.size();
  acquaintance a;
  a.who = other.index_;
  a.id = *id;
  a.both_on_ms = std::max(on_ms_, other.on_ms_);
  known_.push_back(std::move(a));
}

acquaintance* resident::known(mac::peer_id id) {
  const auto at = by_id_.find(id);
  return at == by_id_.end() ? nullptr : &known_[at->second];
}

std::int64_t resident::wait_ms() {
  return 1 + static_cast<std::int64_t>(-1000 * traffic_.every_s * std::log(1 - times_.uniform()));
}

void resident::link_up(std::int64_t now, acquaintance& a) {
  ++a.established;
  if (!a.linked && traffic_.every_s > 0) a.next_send_ms = now + wait_ms();
  a.linked = true;
}

/// Number and time, then random octets.
void resident::send_due(std::int64_t now) {
  for (auto& a : known_) {
    if (!a.linked || a.next_send_ms > now) continue;
    a.next_send_ms = now + wait_ms();
    std::vector<std::uint8_t> data(std::max(least_octets, static_cast<std::size_t>(traffic_.octets)));
    const auto all = std::span(data);
    put(all.first(number_octets), a.sent);
    put(all.subspan(number_octets, time_octets), static_cast<std::uint64_t>(now));
    for (auto& o : all.subspan(least_octets)) o = static_cast<std::uint8_t>(times_.next());
    ++a.sent;
    if (now < traffic_.until_ms) a.counted = a.sent;
    (void)ue_->send(a.id, security::sdu_type::non_ip, data);
  }
}

void resident::note_data(std::int64_t now, const mac::ev_data& d) {
  auto* a = known(d.peer);
  if (a == nullptr || d.data.size() < least_octets) return;
  const auto data = std::span<const std::uint8_t>(d.data);
  const auto number = static_cast<std::size_t>(get(data.first(number_octets)));
  if (number >= a->received.size()) a->received.resize(number + 1, false);
  if (a->received[number]) return;
  a->received[number] = true;
  ++a->n_received;
  a->delay_ms += static_cast<std::uint64_t>(now) - get(data.subspan(number_octets, time_octets));
}

void resident::note(std::int64_t now, const mac::step_output& out) {
  for (const auto& e : out.events) {
    if (const auto* d = std::get_if<mac::ev_peer_discovered>(&e)) {
      if (auto* a = known(d->peer)) {
        ++a->slots_heard;
        if (a->discovered_ms < 0) a->discovered_ms = now;
      }
    } else if (const auto* l = std::get_if<mac::ev_link_established>(&e)) {
      if (auto* a = known(l->peer)) {
        if (l->info.own_role == security::role::initiator) a->set_up_ms.push_back(l->duration_ms);
        link_up(now, *a);
      }
    } else if (const auto* f = std::get_if<mac::ev_attempt_failed>(&e)) {
      if (auto* a = known(f->peer)) ++a->failed;
    } else if (const auto* x = std::get_if<mac::ev_link_lost>(&e)) {
      auto* a = known(x->peer);
      if (a == nullptr || x->reason == security::lost_reason::replaced) continue;
      ++a->lost;
      a->linked = false;
    } else if (const auto* data = std::get_if<mac::ev_data>(&e)) {
      note_data(now, *data);
    }
  }
}

void resident::step(std::int64_t now, std::span<const mac::received_frame> frames,
                    std::span<const double> subchannel_rssi_dbm, mac::step_output& out) {
  send_due(now);
  const auto slot = static_cast<mac::slot_t>(utc_epoch_s + now / 1000);
  ue_->step({now, now - on_ms_, slot, frames, subchannel_rssi_dbm}, out);
  note(now, out);
  wake_ = ue_->next_wakeup(now);
  for (const auto& a : known_)
    if (a.linked) wake_ = std::min(wake_, std::max(a.next_send_ms, now + 1));
}

}  // namespace prose::apps::town
