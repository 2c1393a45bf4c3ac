// How checks tell what they found.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "apps/lib/verdict/verdict.h"

namespace prose::apps {

/// The first few frames that show something, and how many there are.
class frame_list {
public:
  static constexpr std::size_t most = 8;
  void add(std::uint64_t frame) {
    ++n_;
    if (first_.size() < most && (first_.empty() || first_.back() != frame)) first_.push_back(frame);
  }
  const std::vector<std::uint64_t>& first() const { return first_; }
  std::uint64_t count() const { return n_; }

private:
  std::vector<std::uint64_t> first_;
  std::uint64_t n_ = 0;
};

/// Collects into a verdict. Every statistical check gets the same share of the false-alarm rate (Bonferroni).
class check_report {
public:
  check_report(verdict& v, double alpha) : v_(v), alpha_(alpha) {}
  double alpha() const { return alpha_; }

  void found(const std::string& aspect, const std::string& check, const std::string& reason, const frame_list& frames) {
    v_.findings.push_back({aspect, check, reason, frames.first(), frames.count()});
  }
  void remark(const std::string& aspect, const std::string& check, const std::string& reason,
              const frame_list& frames) {
    v_.remarks.push_back({aspect, check, reason, frames.first(), frames.count()});
  }
  /// A statistic with its p-value; a finding when p is below the share.
  void test(const std::string& aspect, const std::string& check, double value, double p, std::uint64_t n,
            const std::string& reason, const frame_list& frames) {
    v_.statistics.push_back({aspect, check, value, p, alpha_, n, reason});
    if (p < alpha_) found(aspect, check, reason, frames);
  }
  verdict& into() { return v_; }

private:
  verdict& v_;
  double alpha_;
};

}  // namespace prose::apps
