#include "apps/page/link_book.h"

#include <algorithm>

namespace prose::page {
namespace {
bool is_id(const std::string& t) {
  return t.size() == 6 &&
         std::all_of(t.begin(), t.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
constexpr std::size_t most_name = 64;
}  // namespace

void link_book::learn(const pair& ids, way w) {
  if (ways_.insert_or_assign(ids, std::move(w)).second) order_.push_back(ids);
  if (order_.size() <= most_pairs) return;
  ways_.erase(order_.front());
  order_.pop_front();
}

bool link_book::add(const std::string& name, const json& event) {
  const auto own = string_at(event, "own_l2_id", 6), other = string_at(event, "peer_l2_id", 6);
  const auto peer = string_at(event, "peer", most_name);
  if (!is_id(own) || !is_id(other) || peer.empty() || peer == name) return false;
  const auto known = way_of(own, other);
  if (known && known->from == name && known->to == peer) return false;
  learn({own, other}, {name, peer});
  learn({other, own}, {peer, name});
  return true;
}

std::optional<way> link_book::way_of(const std::string& src, const std::string& dst) const {
  const auto at = ways_.find({src, dst});
  if (at == ways_.end()) return std::nullopt;
  return at->second;
}

std::string link_book::link_of(const way& w) const {
  const auto place = [this](const std::string& n) {
    return std::find(names_.begin(), names_.end(), n) - names_.begin();
  };
  const bool turned = place(w.from) == place(w.to) ? w.to < w.from : place(w.to) < place(w.from);
  return turned ? w.to + "-" + w.from : w.from + "-" + w.to;
}

}  // namespace prose::page
