// How often a guess was right, against chance.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace prose::apps {

/// Independent trials of a linker, each with its own probability of being right by chance. Of more than `most` the last
/// ones count.
class linker_score {
public:
  static constexpr std::size_t most = 2000;
  void add(double chance, bool right);
  std::size_t trials() const { return chance_.size(); }
  std::uint64_t right() const { return n_right_; }
  double success() const {
    return chance_.empty() ? 0.0 : static_cast<double>(n_right_) / static_cast<double>(chance_.size());
  }
  double chance() const;
  /// Of so many right ones or more by chance: exact. Below a share of the false-alarm rate just where the lower bound
  /// of the success with that confidence beats chance.
  double p_value() const;
  /// "WHAT succeeds in .. of .. trials, 95 % interval .. to .., chance .."
  std::string text(const std::string& what) const;

private:
  std::vector<double> chance_;
  std::vector<bool> right_;
  std::uint64_t n_right_ = 0;
};

}  // namespace prose::apps
