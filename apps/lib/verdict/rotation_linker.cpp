#include "apps/lib/verdict/rotation_linker.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "apps/lib/verdict/linker_score.h"
#include "apps/lib/verdict/statistics.h"

namespace prose::apps {
namespace {
using link = link_history::link;
using direction = link_history::direction;

/// An identifier of a link.
struct item {
  std::uint64_t value;
  std::uint32_t stratum;  // only items of the same one are compared
  std::size_t link, chain;
  std::uint64_t frame;
};

/// In no relation to what is compared.
std::uint64_t shuffled(std::uint64_t x) {
  x = (x + 0x9e3779b97f4a7c15ULL) * 0xbf58476d1ce4e5b9ULL;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t octets_reversed(std::uint64_t v, int n_octets) {
  std::uint64_t out = 0;
  for (int i = 0; i < n_octets; ++i) out = out << 8 | ((v >> (8 * i)) & 0xff);
  return out;
}

/// Guesses the neighbour below. Items come link by link; the other end of the same link is among the neighbours, and
/// counts as wrong.
class neighbours {
public:
  void add(std::uint64_t value, const item& x, linker_score& score, frame_list& frames) {
    auto& g = of_stratum_[x.stratum];
    const auto own = g.last_link == x.link ? g.of_last_link : 0;
    const auto same = g.in_chain[x.chain] - own, all = g.sorted.size();
    const entry e{value, shuffled(++n_), x.link, x.chain};
    if (same > 0 && same + own < all) {
      const auto above = g.sorted.lower_bound(e);
      const auto& guess = above == g.sorted.begin() ? *g.sorted.rbegin() : *std::prev(above);
      const bool right = guess.chain == x.chain && guess.link != x.link;
      score.add(static_cast<double>(same) / static_cast<double>(all), right);
      if (right) frames.add(x.frame);
    }
    g.sorted.insert(e);
    ++g.in_chain[x.chain];
    g.of_last_link = own + 1;
    g.last_link = x.link;
  }

private:
  struct entry {
    std::uint64_t value, tie;
    std::size_t link, chain;
    bool operator<(const entry& o) const { return value != o.value ? value < o.value : tie < o.tie; }
  };
  struct group {
    std::set<entry> sorted;
    std::map<std::size_t, std::size_t> in_chain;
    std::size_t last_link = SIZE_MAX, of_last_link = 0;
  };
  std::map<std::uint32_t, group> of_stratum_;
  std::uint64_t n_ = 0;
};

struct outcome {
  linker_score score;
  frame_list frames;
};

outcome link_by(const std::vector<item>& items, const std::function<std::uint64_t(std::uint64_t)>& order) {
  outcome o;
  neighbours all;
  for (const auto& x : items) all.add(order(x.value), x, o.score, o.frames);
  return o;
}

void judge_best(const char* check, const std::string& what, const std::vector<std::pair<std::string, outcome>>& tried,
                check_report& out) {
  const auto best = std::min_element(tried.begin(), tried.end(), [](const auto& a, const auto& b) {
    return std::pair(a.second.score.p_value(), a.second.score.trials() == 0) <
           std::pair(b.second.score.p_value(), b.second.score.trials() == 0);
  });
  if (best == tried.end() || best->second.score.trials() == 0) {
    out.test("identity", check, 0, 1, 0, "no linking trials: not two links that are followed by others", {});
    return;
  }
  const auto& s = best->second.score;
  out.test("identity", check, s.success(), std::min(1.0, s.p_value() * static_cast<double>(tried.size())), s.trials(),
           s.text("guessing which link another one continues by its " + what + best->first) + ", the best of " +
               std::to_string(tried.size()),
           best->second.frames);
}

void judge_identifier(const char* check, const std::string& what, int n_octets, const std::vector<item>& items,
                      check_report& out) {
  const auto swap = [n_octets](std::uint64_t v) { return octets_reversed(v, n_octets); };
  judge_best(check, what,
             {{" (next below)", link_by(items, [](std::uint64_t v) { return v; })},
              {" (next above)", link_by(items, [](std::uint64_t v) { return ~v; })},
              {" (last octet first, next below)", link_by(items, [&](std::uint64_t v) { return swap(v); })},
              {" (last octet first, next above)", link_by(items, [&](std::uint64_t v) { return ~swap(v); })}},
             out);
}

/// Identifiers of a link, in the order in which they were heard, each once.
using identifiers = std::vector<std::pair<std::uint32_t, std::uint64_t>>;  // with the frame
identifiers l2_ids_of(const link& l) {
  identifiers out;
  if (l.ways[0].n_frames == 0) return out;
  const std::uint32_t first = l.ways[0].src, second = l.low == first ? l.high : l.low;
  for (const auto id : {first, second})
    if (l.rendezvous != id && (out.empty() || out[0].first != id)) out.emplace_back(id, l.ways[0].frame);
  return out;
}
identifiers kd_sess_ids_of(const link& l) {
  identifiers out;
  for (const auto& d : l.ways)  // that of a key agreement serves both directions
    if (d.kd_sess_id != 0 && (out.empty() || out[0].first != d.kd_sess_id)) out.emplace_back(d.kd_sess_id, d.frame);
  return out;
}

/// Of the two identifiers of the link before, either may be the one that is replaced.
class step_code {
public:
  explicit step_code(int n_octets) : n_octets_(n_octets) {}
  void add(std::uint32_t value, const identifiers& before) {
    double sum = 0, most = -1e9;
    std::uint32_t nearest = 0;
    for (const auto& [old, frame] : before) {
      double saved = 0;
      for (int i = 0; i < n_octets_; ++i) saved += at_[i].saving(octet(value - old, i));
      sum += std::exp2(saved) / static_cast<double>(before.size());
      if (saved > most) most = saved, nearest = value - old;
    }
    for (int i = 0; i < n_octets_; ++i) at_[i].code(octet(nearest, i));
    saving_.add(std::log2(sum));
    ++n_;
  }
  const code_saving& saving() const { return saving_; }
  std::uint64_t count() const { return n_; }

private:
  static std::uint8_t octet(std::uint32_t v, int i) { return static_cast<std::uint8_t>(v >> (8 * i)); }
  int n_octets_;
  std::array<octet_model, 3> at_;
  code_saving saving_;
  std::uint64_t n_ = 0;
};

/// A field that the scheduler draws anew says something only where it did not change for long; one SCI tells one that a
/// UE is set to.
bool kept(sci_field f, const direction::kept& k) {
  const bool drawn = f == sci_field::time_resource_pattern || f == sci_field::first_prb || f == sci_field::time_gap ||
                     f == sci_field::first_subchannel;
  return k.n > 0 && !k.varies && (!drawn || (k.n >= 16 && k.last_s - k.first_s >= 5));
}

}  // namespace

void judge_rotations(const link_history& history, check_report& out) {
  const auto before = history.by_time_and_radio();
  const auto links = history.links();
  const auto judge = [&](const std::string& name, const std::string& what, int n_octets,
                         identifiers (*of)(const link&)) {
    std::vector<item> items;
    step_code steps(n_octets);
    frame_list step_frames;
    for (std::size_t k = 0; k < links.size(); ++k) {
      const auto old = before.of[k] ? of(links[*before.of[k]]) : identifiers{};
      for (const auto& [value, frame] : of(links[k])) {
        items.push_back({value, 0, k, before.chain[k], frame});
        if (!old.empty()) steps.add(value, old), step_frames.add(frame);
      }
    }
    judge_identifier((name + "_linker").c_str(), what, n_octets, items, out);
    out.test("identity", name + "_steps", steps.saving().most(), steps.saving().p_value(), steps.count(),
             what + "s follow from the ones that they replace", step_frames);
  };
  judge("l2_id", "layer-2 ID", 3, l2_ids_of);
  judge("kd_sess_id", "KD-sess ID", 2, kd_sess_ids_of);

  std::vector<std::pair<std::string, outcome>> fields;
  for (std::size_t f = 0; f < n_sci_fields; ++f) {
    const auto field = static_cast<sci_field>(f);
    std::vector<item> items;
    for (std::size_t k = 0; k < links.size(); ++k)
      for (const auto& d : links[k].ways)
        if (kept(field, d.sci[f]) && !(field == sci_field::group_destination_id && links[k].rendezvous))
          items.push_back({d.sci[f].value, d.sci[f].stratum, k, before.chain[k], d.frame});
    fields.emplace_back(name_of(field), link_by(items, [](std::uint64_t v) { return v; }));
  }
  judge_best("sci_linker", "", fields, out);
}

}  // namespace prose::apps
