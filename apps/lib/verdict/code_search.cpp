#include "apps/lib/verdict/code_search.h"

#include <algorithm>
#include <cmath>

#include "security/link_handshake.h"

namespace prose::apps {
namespace {
using namespace security;
/// A peer's clock may be 16 slots off another's (discovery_config::wide_window_slots), its own other peers' as much
/// again, and a code is sent for some seconds.
constexpr slot_t clock_margin_slots = 40;

const char* word(discovery_type t) {
  switch (t) {
    case discovery_type::query:
      return "query";
    case discovery_type::response:
      return "response";
    case discovery_type::announcement:
      break;
  }
  return "announcement";
}
template <std::size_t N>
bool ends_in(const std::vector<std::uint8_t>& message, const std::array<std::uint8_t, N>& token) {
  return message.size() >= N && std::equal(token.begin(), token.end(), message.end() - N);
}
}  // namespace

code_search::code_search(const kept_capture& capture, slot_span slots, search_watch& watch)
    : capture_(capture), slots_(slots), watch_(watch) {
  bool any = false;
  const auto at = [&](double t) {
    first_s_ = any ? std::min(first_s_, t) : t;
    last_s_ = any ? std::max(last_s_, t) : t;
    any = true;
  };
  for (const auto& [code, k] : capture.codes) {
    lsbs_.set(k.pdu.back());
    at(k.time_s);
    const auto type = static_cast<discovery_type>(k.pdu[0]);
    if (std::find(types_.begin(), types_.end(), type) == types_.end()) types_.push_back(type);
  }
  std::erase_if(types_, [](auto t) {
    return t != discovery_type::announcement && t != discovery_type::response && t != discovery_type::query;
  });
  for (const auto& s : capture.setups) {
    at(s.time_s);
    if (s.header.type == message_type::direct_communication_request) requests_.emplace(s.dst, &s);
    if (s.header.type == message_type::security_mode_command) commands_.emplace(s.dst, &s);
  }
  for (const auto& [dst, r] : requests_) by_time_.push_back(r);
  std::sort(by_time_.begin(), by_time_.end(), [](const auto* a, const auto* b) { return a->time_s < b->time_s; });
}

slot_span code_search::slots_near(double time_s) const {
  if (!clock_known_) return slots_;
  const auto slot = [&](double v) {
    return static_cast<slot_t>(std::clamp(v, static_cast<double>(slots_.first), static_cast<double>(slots_.last)));
  };
  return {slot(std::floor(least_offset_s_ + time_s) - clock_margin_slots),
          slot(std::ceil(most_offset_s_ + time_s) + clock_margin_slots)};
}

std::span<const kept_setup* const> code_search::requests_near(slot_t t) const {
  if (!clock_known_) return by_time_;
  const auto before = [](const auto* r, double time_s) { return r->time_s < time_s; };
  const auto from = std::lower_bound(by_time_.begin(), by_time_.end(),
                                     static_cast<double>(t) - most_offset_s_ - clock_margin_slots - 1, before);
  const auto to =
      std::lower_bound(from, by_time_.end(), static_cast<double>(t) - least_offset_s_ + clock_margin_slots + 1, before);
  return {by_time_.data() + (from - by_time_.begin()), static_cast<std::size_t>(to - from)};
}

double code_search::cost() const {
  const auto n = static_cast<double>(slots_.size());
  // A request is tried in the slots near its time only, so that the cost grows with the number of requests alone.
  const double each = clock_known_ ? std::min(n, most_offset_s_ - least_offset_s_ + 2 * clock_margin_slots + 2) : n;
  return n * static_cast<double>(types_.size() * lsbs_.count()) / 256 +
         (requests_.empty() ? 0 : n + (narrow() ? each * static_cast<double>(requests_.size()) : 0));
}

/// Codes have 184 bits: those that are recognised tell the time of the capture. A replayed one only widens the window.
void code_search::narrow_to_clock() {
  if (least_offset_s_ > most_offset_s_ || clock_known_) return;
  clock_known_ = true;
  const auto slot = [&](double v) {
    return static_cast<slot_t>(std::clamp(v, static_cast<double>(slots_.first), static_cast<double>(slots_.last)));
  };
  slots_ = {slot(std::floor(least_offset_s_ + first_s_) - clock_margin_slots),
            slot(std::ceil(most_offset_s_ + last_s_) + clock_margin_slots)};
}

void code_search::note(const char* kind, const stolen_keys::direction& d, slot_t t, std::uint64_t frame) {
  auto& m = found_[{d.own, kind, d.name}];
  if (m.n++ == 0) m = {kind, d.name, d.own, 1, t, t, {}};
  m.first_slot = std::min(m.first_slot, t);
  m.last_slot = std::max(m.last_slot, t);
  if (m.frames.size() < 8) m.frames.push_back(frame);
  n_own_ += d.own ? 1 : 0;
}

bool code_search::try_requests(const stolen_keys::direction& d, slot_t t) {
  const auto attempt = [&](const kept_setup* r) {
    if (taken_.contains(r) || r->octets.size() != request_octets) return;
    const auto covered = bytes_view(r->octets).first(r->octets.size() - request_token_octets);
    if (!ends_in(r->octets, request_token(d.keys, t, r->src, r->dst, covered))) return;
    taken_.insert(r);
    note("request", d, t, r->frame);
    recognised_requests_.push_back({r, t});
    for (auto [c, end] = commands_.equal_range(r->src); c != end; ++c) {
      const auto& m = *c->second;
      // 24 bits alone would match by chance; those of the command that answers a recognised request do not.
      if (m.src != r->dst || m.octets.size() != command_octets || taken_.contains(&m)) continue;
      if (!ends_in(m.octets, command_token(d.keys, t, m.src, m.dst,
                                           bytes_view(m.octets).first(m.octets.size() - command_token_octets))))
        continue;
      taken_.insert(&m);
      note("command", d, t, m.frame);
    }
  };
  if (narrow()) {
    const auto near = requests_near(t);
    for (const auto* r : near) attempt(r);
    return watch_.count(near.size());
  }
  for (auto [r, end] = requests_.equal_range(rendezvous_l2_id(d.keys, t)); r != end; ++r) attempt(r->second);
  return watch_.count();
}

bool code_search::try_direction(const stolen_keys::direction& d) {
  for (std::uint64_t n = slots_.first; n <= slots_.last; ++n) {
    const auto t = static_cast<slot_t>(n);
    if (lsbs_.test(t & 255))
      for (const auto type : types_) {
        const auto at = capture_.codes.find(kept_capture::code_of(make_discovery(type, d.keys, t)));
        if (!watch_.count()) return false;
        if (at == capture_.codes.end() || !taken_.insert(&at->second).second) continue;
        note(word(type), d, t, at->second.frame);
        if (!d.own) continue;
        least_offset_s_ = std::min(least_offset_s_, static_cast<double>(t) - at->second.time_s);
        most_offset_s_ = std::max(most_offset_s_, static_cast<double>(t) - at->second.time_s);
      }
    if (!requests_.empty() && !try_requests(d, t)) return false;
  }
  narrow_to_clock();
  return true;
}

std::vector<recognised_marks> code_search::found() const {
  std::vector<recognised_marks> out;
  for (const auto& [key, m] : found_) out.push_back(m);
  return out;
}

}  // namespace prose::apps
