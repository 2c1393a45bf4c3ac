#include "apps/lib/verdict/link_history.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "apps/lib/verdict/radio_clusters.h"

namespace prose::apps {
namespace {
constexpr double sc_period_s = 0.32;  // the longest: an SCI of format 0 speaks of its own
constexpr std::uint64_t first_frames = 8;
constexpr float weight_of_new = 0.2F;

using direction = link_history::direction;

void put(direction& d, sci_field field, std::uint32_t value, double time_s, std::uint32_t stratum = 0) {
  auto& k = d.sci[static_cast<std::size_t>(field)];
  if (k.n == 0) k = {value, stratum, 0, false, time_s, time_s};
  ++k.n;
  k.varies = k.varies || k.value != value || k.stratum != stratum;
  k.last_s = time_s;
}

void put_fields(direction& d, const phy::sci_format0& s, const captured_frame& sci, const captured_frame& block) {
  const double t = sci.time_s;
  put(d, sci_field::group_destination_id, s.group_destination_id, t);
  put(d, sci_field::time_resource_pattern, s.time_resource_pattern, t);
  put(d, sci_field::mcs, s.mcs, t);
  put(d, sci_field::timing_advance, s.timing_advance, t);
  put(d, sci_field::frequency_hopping, s.frequency_hopping ? 1 : 0, t);
  put(d, sci_field::first_prb, static_cast<std::uint32_t>(block.prb_start), t, static_cast<std::uint32_t>(block.n_prb));
}

void put_fields(direction& d, const phy::sci_format1& s, const captured_frame& sci, const captured_frame&) {
  const double t = sci.time_s;
  put(d, sci_field::mcs, s.mcs, t);
  // Without the number of sub-channels the other fields are a guess.
  if (sci.n_subchannels == 0) return;
  put(d, sci_field::priority, s.priority, t);
  if (s.resource_reservation != 0)
    put(d, sci_field::resource_reservation, s.resource_reservation, t);  // 0: the last of a reservation
  put(d, sci_field::time_gap, s.time_gap, t);
  put(d, sci_field::transmission_format, s.transmission_format, t);
  put(d, sci_field::reserved_bits, s.reserved, t);
  if (const auto range = phy::riv_decode(sci.n_subchannels, s.frequency_location))
    put(d, sci_field::first_subchannel, static_cast<std::uint32_t>(range->start), t,
        static_cast<std::uint32_t>(range->length));
}

/// Radios of the two ends, unordered; -1: not heard.
using radios_of_link = std::array<int, 2>;
bool may_be_same(const radios_of_link& a, const radios_of_link& b) {
  const auto fits = [](int x, int y) { return x < 0 || y < 0 || x == y; };
  return (fits(a[0], b[0]) && fits(a[1], b[1])) || (fits(a[0], b[1]) && fits(a[1], b[0]));
}
}  // namespace

const char* name_of(sci_field f) {
  constexpr const char* names[n_sci_fields] = {"group destination ID",
                                               "time resource pattern",
                                               "MCS",
                                               "timing advance",
                                               "frequency hopping flag",
                                               "first PRB",
                                               "priority",
                                               "resource reservation",
                                               "time gap",
                                               "transmission format",
                                               "reserved bits",
                                               "first sub-channel"};
  return names[static_cast<std::size_t>(f)];
}

link_history::link* link_history::link_of(std::uint32_t a, std::uint32_t b) {
  const auto at = place_.find(std::minmax(a, b));
  return at == place_.end() ? nullptr : &links_[at->second];
}

void link_history::add_sci(const captured_frame& f) {
  scis_.push_back(f);
  if (scis_.size() > max_scis) scis_.pop_front();
}

/// Format 0: the last one of the same SC period with the block's n_ID^X and MCS. Format 1: of the same subframe, and
/// where several have the block's MCS, next to it (36.213 14.1.5, adjacent PSCCH and PSSCH).
const captured_frame* link_history::sci_of(const captured_frame& block) const {
  const captured_frame* found = nullptr;
  for (auto at = scis_.rbegin(); at != scis_.rend() && block.time_s - at->time_s <= sc_period_s; ++at) {
    if (const auto* s0 = std::get_if<phy::sci_format0>(&at->sci)) {
      if (s0->group_destination_id == block.n_x_id && s0->mcs == block.mcs && at->sample < block.sample) return &*at;
    } else if (at->sample == block.sample && std::get<phy::sci_format1>(at->sci).mcs == block.mcs) {
      if (at->prb_start + at->n_prb == block.prb_start) return &*at;
      if (found != nullptr) return nullptr;
      found = &*at;
    }
  }
  return found;
}

void link_history::add_block(const captured_frame& f, std::uint32_t src, std::uint32_t dst) {
  link* l = link_of(src, dst);
  if (l == nullptr) {
    if (links_.size() >= max_links) return;  // a flood of made-up links
    place_.emplace(std::minmax(src, dst), links_.size());
    links_.push_back({std::min(src, dst), std::max(src, dst), f.time_s, f.time_s, {}, {}, {}});
    l = &links_.back();
  }
  auto& t = l->traffic;
  if (t.n++ > 0) t.log_interval += std::log(std::max(f.time_s - l->last_s, 1e-3));
  ++t.sizes[std::min<std::size_t>(t.sizes.size() - 1, static_cast<std::size_t>(std::bit_width(f.octets.size() >> 4)))];
  l->last_s = std::max(l->last_s, f.time_s);
  auto& d = l->ways[l->ways[0].n_frames == 0 || l->ways[0].src == src ? 0 : 1];
  const signal_features x{{f.power_db, f.timing_offset_samples, f.cfo_hz}};
  if (std::all_of(x.of.begin(), x.of.end(), [](float v) { return std::isfinite(v); })) {
    if (d.n_frames++ == 0) {
      d.src = src;
      d.frame = f.number;
      d.first = d.last = x;
    }
    for (std::size_t i = 0; i < signal_features::n; ++i) {
      if (d.n_frames <= first_frames) d.first.of[i] += (x.of[i] - d.first.of[i]) / static_cast<float>(d.n_frames);
      d.last.of[i] += weight_of_new * (x.of[i] - d.last.of[i]);
    }
  }
  if (const auto* sci = sci_of(f); sci != nullptr && d.n_frames > 0 && sci->number != d.last_sci) {
    d.last_sci = sci->number;
    std::visit([&](const auto& s) { put_fields(d, s, *sci, f); }, sci->sci);
  }
}

void link_history::add_kd_sess_id(std::uint32_t src, std::uint32_t dst, std::uint16_t kd_sess_id) {
  link* l = link_of(src, dst);
  if (l == nullptr) return;
  for (auto& d : l->ways)
    if (d.n_frames > 0 && d.src == src && d.kd_sess_id == 0) d.kd_sess_id = kd_sess_id;
}

void link_history::add_request(std::uint32_t src, std::uint32_t dst) {
  if (link* l = link_of(src, dst)) l->rendezvous = dst;
}

std::vector<std::size_t> link_history::before(std::size_t k) const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < k; ++i)
    if (links_[i].first_s < links_[k].first_s && links_[i].last_s >= links_[k].first_s - longest_silence_s)
      out.push_back(i);
  return out;
}

link_history::predecessors link_history::by_time_and_radio() const {
  std::vector<float> cfo;
  for (const auto& l : links_)
    for (const auto& d : l.ways)
      if (d.n_frames > 0) cfo.push_back(d.last.of[feature_cfo]);
  const radio_clusters radios(cfo);
  std::vector<radios_of_link> of;
  for (const auto& l : links_) {
    radios_of_link r{-1, -1};
    for (std::size_t i = 0; i < 2; ++i)
      if (l.ways[i].n_frames > 0) r[i] = static_cast<int>(radios.of(l.ways[i].last.of[feature_cfo]));
    of.push_back(r);
  }
  predecessors p;
  std::vector<bool> continued(links_.size());
  for (std::size_t k = 0; k < links_.size(); ++k) {
    const double begin = links_[k].first_s;
    std::optional<std::size_t> best;
    for (const auto i : before(k)) {
      if (continued[i] || links_[i].last_s > begin + longest_overlap_s || !may_be_same(of[i], of[k])) continue;
      if (!best || std::abs(links_[i].last_s - begin) < std::abs(links_[*best].last_s - begin)) best = i;
    }
    if (best) continued[*best] = true;
    p.of.push_back(best);
    p.chain.push_back(best ? p.chain[*best] : k);
  }
  return p;
}

link_history::predecessors link_history::by_time() const {
  predecessors p;
  std::vector<bool> continued(links_.size());
  for (std::size_t k = 0; k < links_.size(); ++k) {
    std::vector<std::size_t> silent, just_now;
    for (const auto i : before(k)) {
      if (continued[i] || links_[i].last_s > links_[k].first_s + longest_overlap_s) continue;
      silent.push_back(i);
      if (links_[i].last_s >= links_[k].first_s - longest_overlap_s) just_now.push_back(i);
    }
    const auto& these = just_now.empty() ? silent : just_now;  // an idle link may have been silent for longer
    const auto only = these.size() == 1 ? std::optional(these.front()) : std::nullopt;
    if (only) continued[*only] = true;
    p.of.push_back(only);
    p.chain.push_back(only ? p.chain[*only] : k);
  }
  return p;
}

}  // namespace prose::apps
