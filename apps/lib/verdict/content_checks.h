// Are the payloads of protected records distinguishable from random octets? Bits, octets, adaptive codes, and the XOR
// of records that would show a keystream used twice.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/sdu_stream.h"
#include "apps/lib/verdict/statistics.h"

namespace prose::apps {

/// Frames by what they contributed, the largest first.
class top_frames {
public:
  void add(double weight, std::uint64_t frame);
  frame_list list(std::uint64_t n) const;

private:
  std::vector<std::pair<double, std::uint64_t>> best_;
};

class content_checks {
public:
  static constexpr int n_tests = 11;
  /// The chi-square test says nothing on fewer.
  static constexpr std::uint64_t min_octets_for_chi_square = 256 * 20;
  /// Each different record once.
  void add(const record_view& r, std::uint64_t frame);
  void judge(check_report& out) const;
  std::uint64_t octets() const { return n_octets_; }

private:
  static constexpr std::size_t positions = 32;
  static constexpr std::size_t max_streams = 256;       // with models of their own; others share the common ones only
  static constexpr std::size_t kept_octets = 256;       // of the last record of a stream
  static constexpr std::size_t kept_cross_octets = 64;  // of records with the same LCID and SN on other links
  static constexpr std::size_t kept_cross_records = 4;
  static constexpr std::size_t max_cross = 16'384;

  struct codes {
    octet_model order0;
    std::array<octet_model, positions> at;
    octet_model difference;
    code_saving order0_saving, position_saving, difference_saving;
  };
  struct stream {
    std::vector<std::uint8_t> last;
    std::unique_ptr<codes> own;
    double weight_bits = 0;  // price of one more stream: log2(j (j + 1))
  };
  using stream_id = std::tuple<std::uint16_t, std::uint32_t, std::uint32_t, std::uint8_t>;
  struct other_record {
    stream_id of;
    std::vector<std::uint8_t> octets;
  };

  static double code_body(codes& c, std::span<const std::uint8_t> body);
  static double code_difference(octet_model& m, std::span<const std::uint8_t> a, std::span<const std::uint8_t> b);
  double code_across_links(const record_view& r, const stream_id& id);
  stream& stream_of(const stream_id& id);
  void count_bits(std::span<const std::uint8_t> body);

  std::uint64_t n_records_ = 0, n_octets_ = 0, ones_ = 0, transitions_ = 0, pairs_ = 0;
  std::array<std::uint64_t, 256> octet_count_{};
  codes all_;
  std::vector<octet_model> order1_ = std::vector<octet_model>(256);
  code_saving order1_saving_;
  std::map<stream_id, stream> streams_;
  std::uint64_t streams_with_models_ = 0;
  double best_stream_order0_ = 0, best_stream_position_ = 0, best_stream_difference_ = 0;
  octet_model cross_;
  code_saving cross_saving_;
  std::unordered_map<std::uint32_t, std::deque<other_record>> same_count_;  // by LCID and SN
  std::deque<std::uint32_t> same_count_order_;
  top_frames plain_, difference_, cross_frames_;
};

}  // namespace prose::apps
