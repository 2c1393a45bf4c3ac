// The same (key, COUNT) for different octets, and the same octets twice: within a link, across links, after a reboot.
#pragma once

#include <cstdint>
#include <deque>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/sdu_stream.h"

namespace prose::apps {

/// Finds octet strings of `length` that occur at two places of what it is fed. Above its limit it keeps a share of all
/// strings chosen by their hash, so that what is repeated often is still found.
class repeat_finder {
public:
  explicit repeat_finder(std::size_t length, std::size_t max_kept = 1U << 21) : length_(length), max_kept_(max_kept) {}
  /// Places at which a string of before occurs again; overlapping ones count once.
  std::uint64_t add(std::span<const std::uint8_t> octets, std::uint64_t frame, frame_list& frames);
  /// Expected number of repeats among random octets.
  double expected() const;
  std::uint64_t strings() const { return n_; }

private:
  struct place {
    std::uint64_t rest;  // of the string: with the hash it makes chance agreement of different strings negligible
    std::uint64_t frame;
  };
  void thin_out();
  std::size_t length_, max_kept_;
  std::uint64_t mask_ = 0;  // kept: hash & mask == 0
  std::uint64_t n_ = 0;
  std::unordered_map<std::uint64_t, place> seen_;
};

class reuse_checks {
public:
  static constexpr int n_tests = 1;
  static constexpr std::size_t string_octets = 12;
  explicit reuse_checks(std::size_t max_records) : max_records_(max_records) {}
  enum class novelty { fresh, copy, conflict };
  /// Tells whether the record is new. A copy (HARQ, RLC) is the same octets under the same header; a conflict, others.
  novelty add(const record_view& r, std::uint64_t frame);
  void judge(check_report& out) const;
  std::uint64_t forgotten() const { return forgotten_; }

private:
  struct record_id {
    std::uint64_t link;  // SRC, DST
    std::uint64_t rest;  // LCID, KD-sess ID, SN
    bool operator==(const record_id&) const = default;
  };
  struct hash_id {
    std::size_t operator()(const record_id& k) const {
      return static_cast<std::size_t>((k.link * 0x9e3779b97f4a7c15ULL) ^ (k.rest * 0xc2b2ae3d27d4eb4fULL));
    }
  };
  struct held {
    std::uint64_t digest;
    std::uint64_t frame;
  };
  void compare(const record_view& r, std::uint64_t frame, std::uint64_t before);
  std::size_t max_records_;
  std::unordered_map<record_id, held, hash_id> records_;
  std::deque<record_id> order_;
  std::uint64_t forgotten_ = 0;
  frame_list conflicts_;
  std::uint64_t n_conflicts_ = 0;
  std::string first_conflict_;
  repeat_finder repeats_{string_octets};
  frame_list repeat_frames_;
  std::uint64_t n_repeats_ = 0;
};

/// 64-bit hash with good mixing; not cryptographic.
std::uint64_t hash_of(std::span<const std::uint8_t> octets, std::uint64_t seed = 0);

}  // namespace prose::apps
