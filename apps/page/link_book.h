// Whose layer-2 IDs are whose, as the UEs' own events tell it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/page/bounded_json.h"

namespace prose::page {

/// A frame's way: from whom to whom.
struct way {
  std::string from, to;
};

class link_book {
public:
  static constexpr std::size_t most_pairs = 8192;  ///< the oldest are forgotten

  /// `names`: of the UEs, in the order in which links name them.
  explicit link_book(std::vector<std::string> names) : names_(std::move(names)) {}
  /// An event of the UE `name`. True: it tells layer-2 IDs that were not known.
  bool add(const std::string& name, const json& event);
  /// IDs are six lower-case hexadecimal digits.
  std::optional<way> way_of(const std::string& src, const std::string& dst) const;
  /// "mary-john", whichever way.
  std::string link_of(const way& w) const;

private:
  using pair = std::pair<std::string, std::string>;
  void learn(const pair& ids, way w);
  std::vector<std::string> names_;
  std::map<pair, way> ways_;
  std::deque<pair> order_;
};

}  // namespace prose::page
