// Is there text, or any other structure, in octets that belong to no record? Streams of octets, one a transmitter, put
// together from pieces of any size.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/content_checks.h"
#include "apps/lib/verdict/statistics.h"

namespace prose::apps {

/// The longest run of printable characters in a stream, across the borders of its pieces.
class text_run {
public:
  void add(std::span<const std::uint8_t> piece, std::uint64_t frame);
  std::size_t longest() const { return longest_; }
  const frame_list& frames() const { return frames_; }

private:
  std::size_t now_ = 0, longest_ = 0;
  frame_list frames_, run_frames_;
};
bool is_printable(std::uint8_t c);
/// Probability, at most, that random octets have such a run: union bound over the places where one may begin.
double text_run_p(std::uint64_t octets, std::size_t longest);

/// Text runs and an adaptive code for octets, of each stream and of all together.
class stream_tests {
public:
  static constexpr int n_tests = 2;
  void add(std::uint64_t stream, std::span<const std::uint8_t> piece, std::uint64_t frame);
  void judge(check_report& out, const std::string& aspect, const std::string& name, const std::string& what) const;
  std::uint64_t octets() const { return octets_; }

private:
  static constexpr std::size_t max_streams = 4096, max_models = 256;
  struct stream {
    text_run run;
    std::unique_ptr<octet_model> model;
    code_saving saving;
    double weight_bits = 0;
    frame_list frames;
  };
  std::map<std::uint64_t, stream> streams_;
  std::size_t models_ = 0;
  std::uint64_t octets_ = 0;
  std::size_t longest_ = 0;
  frame_list run_frames_;
  octet_model all_;
  code_saving all_saving_;
  double best_ = 0;
  frame_list best_frames_;
  top_frames top_;
  std::uint64_t pieces_ = 0;
};

/// Fields of headers that a transmitter chooses freely, put together by kind: text runs only.
class field_tests {
public:
  static constexpr int n_tests = 1;
  enum class kind : std::uint8_t { sequence_number, kd_sess_id, source_id, destination_id, discovery_code, count };
  void add(kind k, std::span<const std::uint8_t> octets, std::uint64_t frame);
  void judge(check_report& out) const;

private:
  std::array<text_run, static_cast<std::size_t>(kind::count)> runs_;
  std::uint64_t octets_ = 0;
};

/// Reserved bits one after the other, as octets, from the first that is not zero.
class reserved_stream {
public:
  /// The octets that are complete.
  void add(std::uint32_t value, int n_bits, std::vector<std::uint8_t>& out);
  /// One value again and again says nothing.
  bool varies() const { return values_.size() >= 8; }
  std::uint64_t not_zero() const { return not_zero_; }

private:
  std::uint64_t bits_ = 0;
  int n_ = 0;
  std::uint64_t not_zero_ = 0;
  std::set<std::uint32_t> values_;
};

}  // namespace prose::apps
