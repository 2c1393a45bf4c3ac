// Do discovery codes, layer-2 IDs, tokens, KD-sess IDs or SCI fields recur, or link across rotations?
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/link_history.h"
#include "apps/lib/verdict/reuse_checks.h"
#include "apps/lib/verdict/rotation_linker.h"
#include "apps/lib/verdict/sdu_stream.h"
#include "apps/lib/verdict/statistics.h"
#include "common/octet_order.h"

namespace prose::apps {

class identity_checks {
public:
  static constexpr int n_tests = 10 + n_rotation_tests;
  void add_sci(const captured_frame& f) { links_.add_sci(f); }
  /// A block that is no repetition, before what it carries.
  void add_block(const captured_frame& f, std::uint32_t src, std::uint32_t dst) { links_.add_block(f, src, dst); }
  void add_discovery(const captured_frame& f);
  void add_record(const record_view& r, std::uint64_t frame, double time_s);
  void add_setup(const setup_view& m, std::uint64_t frame, double time_s);
  /// The identifiers of a Request alone.
  void add_request(std::uint32_t src, std::uint32_t dst, std::uint64_t frame, double time_s);
  void judge(check_report& out) const;
  const link_history& links() const { return links_; }

private:
  static constexpr std::size_t code_octets = 23;
  static constexpr std::size_t checked_octets = 27;  // code and MIC
  static constexpr std::size_t max_codes = 100'000;
  static constexpr std::size_t max_pairs = 20'000;
  static constexpr double longest_slot_s = 3.0;  // a slot is 1 s; its last message may leave late

  struct code_seen {
    std::uint8_t lsb;
    std::uint64_t frame;
    double first_s;
    bool recurred = false;
  };
  struct slot_entry {
    std::array<std::uint8_t, checked_octets> octets;
    float cfo_hz;
  };
  struct slot {
    std::uint8_t lsb = 0;
    double first_s = 0;
    std::vector<slot_entry> entries;
  };
  struct pair_seen {
    std::uint64_t frame;
    double first_s;
    std::map<bool, std::uint16_t> kd_by_direction;  // key: SRC < DST
  };
  using id_pair = std::pair<std::uint32_t, std::uint32_t>;  // smaller first

  pair_seen* pair_of(std::uint32_t a, std::uint32_t b, std::uint64_t frame, double time_s);
  void judge_discovery(check_report& out) const;
  void judge_links(check_report& out) const;
  void judge_linker(check_report& out) const;

  std::map<std::array<std::uint8_t, code_octets>, code_seen> codes_;
  std::uint64_t n_codes_ = 0, codes_in_two_slots_ = 0, codes_too_long_ = 0, discovery_ones_ = 0;
  frame_list two_slot_frames_, too_long_frames_, code_frames_;
  std::array<octet_model, checked_octets> code_at_;
  octet_model code_octet_;
  code_saving code_positions_, code_octets_saving_;
  repeat_finder code_repeats_{8, 1U << 19};
  std::uint64_t n_code_repeats_ = 0;
  frame_list code_repeat_frames_;
  std::deque<slot> slots_;  // for the linker

  link_history links_;
  std::map<id_pair, pair_seen> pairs_;
  std::unordered_map<std::uint32_t, double>
      last_pair_s_;  // by layer-2 ID: when the newest pair with it was first heard
  std::unordered_map<std::uint32_t, std::uint32_t> l2_uses_;  // in how many different pairs
  std::uint64_t l2_collisions_ = 0, l2_draws_ = 0;
  frame_list l2_frames_, l2_id_frames_, rotation_frames_;
  std::uint64_t survived_rotations_ = 0;
  std::unordered_map<std::uint16_t, std::set<id_pair>> kd_pairs_;
  std::uint64_t kd_collisions_ = 0, kd_draws_ = 0;
  frame_list kd_frames_;
  std::array<octet_model, 3> l2_at_;
  code_saving l2_saving_;

  struct message_part {
    octet_set messages;  // different ones
    octet_map<std::uint64_t> values;
    std::uint64_t collisions = 0;
    frame_list frames;
  };
  void add_part(message_part& p, std::span<const std::uint8_t> message, std::span<const std::uint8_t> part,
                std::uint64_t frame);
  message_part request_tokens_, request_ephemerals_, command_tokens_, command_ephemerals_;
};

}  // namespace prose::apps
