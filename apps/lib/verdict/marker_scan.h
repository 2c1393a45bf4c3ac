// Known octets in the clear: plaintexts that the operator names, names and public keys of the UEs, headers of IP, runs
// of ASCII, patterns of common protocols.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/sdu_stream.h"

namespace prose::apps {

/// Strings to look for, at every place. Long ones are cut into windows, so that any part of `window` octets is found.
class string_search {
public:
  static constexpr std::size_t window = 8;
  /// Ignored when shorter than four octets.
  void add(std::span<const std::uint8_t> octets, bool whole_only = false);
  bool empty() const { return windows_.empty() && short_.empty(); }
  /// Places in `octets` that do not overlap.
  std::uint64_t scan(std::span<const std::uint8_t> octets);
  /// How many such places random octets would have by now.
  double expected() const { return expected_; }

private:
  std::unordered_set<std::uint64_t> windows_;
  std::vector<std::vector<std::uint8_t>> short_;
  double per_octet_ = 0, expected_ = 0;
};

class marker_scan {
public:
  static constexpr int n_tests = 8;
  marker_scan(const verdict_options& o);
  /// Octets of any captured PDU, as they are.
  void add_raw(std::span<const std::uint8_t> octets, std::uint64_t frame);
  /// The payload of a record, put together from its frames.
  void add_body(std::span<const std::uint8_t> body, std::uint64_t frame);
  void judge(check_report& out) const;

private:
  struct tally {
    string_search strings;
    std::uint64_t found = 0;
    std::uint64_t looked_at = 0;  ///< octets; 0 where there is nothing to look for
    frame_list frames;
    void scan(std::span<const std::uint8_t> octets, std::uint64_t frame);
  };
  struct run {
    std::size_t longest = 0;
    frame_list frames;
    std::uint64_t octets = 0;
    void take(std::size_t length, std::uint64_t frame);
  };
  void headers(std::span<const std::uint8_t> body, std::uint64_t frame);
  void runs(std::span<const std::uint8_t> body, std::uint64_t frame);

  tally known_raw_, known_body_, identity_, patterns_;
  std::uint64_t bodies_ = 0, ipv4_ = 0, ipv6_ = 0;
  frame_list ipv4_frames_, ipv6_frames_;
  run ascii_, equal_, counting_;
};

}  // namespace prose::apps
