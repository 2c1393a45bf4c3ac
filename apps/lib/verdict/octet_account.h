// Each octet of each decoded block belongs to a parsed element, to padding (its value checked), to an SDU that a lost
// block cut, or it is unexplained. What is not parsed goes to content tests, per transmitter, and makes the outcome
// "nothing proven" unless it is little.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/sdu_stream.h"
#include "apps/lib/verdict/standard_profile.h"
#include "apps/lib/verdict/text_tests.h"

namespace prose::apps {

/// Who sent it, as far as an eavesdropper can tell: the layer-2 source ID of blocks; the SLSS ID of MIBs; SCIs and
/// discovery messages name nobody.
struct transmitter_id {
  enum class kind : std::uint8_t { blocks, discovery, slss, sci } of = kind::blocks;
  std::uint32_t number = 0;
  auto operator<=>(const transmitter_id&) const = default;
};
std::string text_of(const transmitter_id& t);

class octet_account final : public sdu_sink {
public:
  static constexpr int n_tests = 2 * stream_tests::n_tests + field_tests::n_tests;
  /// Takes the whole SDUs of blocks that are in order. alternative: of blocks under one name by several senders, and
  /// maybe of no sender.
  using take_sdu = std::function<void(const captured_sdu&, bool alternative)>;
  explicit octet_account(judged_profile p) : profile_(p) {}

  /// A decoded block that is no repetition. False: malformed.
  bool add_block(const captured_frame& f, const take_sdu& take);
  void add_discovery(const captured_frame& f);
  void add_mib(const captured_frame& f);
  void add_sci(const captured_frame& f);
  /// Octets that no element was found for, e.g. text; `tested` is the part that the content tests look at.
  using look = std::function<void(std::span<const std::uint8_t> tested, std::uint64_t frame)>;
  /// Called with unexplained octets, beside the tests of this class.
  void on_unexplained(look l) { look_ = std::move(l); }

  /// The content tests over what is not parsed, and over parts of messages that carry no structure.
  void judge(check_report& out) const;
  /// Of so many candidates of PSCCH. Noise passes for an SCI now and then, with any bits; as many as it explains, and
  /// that no decoded block belongs to, count as noise.
  static constexpr double false_scis_a_candidate = 2e-6;
  static constexpr double least_false_sci_p = 1e-3;
  /// Sums, a verdict for each transmitter, and doubts. After judge(): findings name frames, and so transmitters.
  void conclude(const verdict_options& o, verdict& v) const;
  /// Pieces of SDUs that a lost block cut: as good as blocks that were not decoded.
  std::uint64_t cut_pieces() const;

private:
  judged_profile profile_;
  struct transmitter {
    octet_sums sums;
    std::uint64_t blocks = 0, unexplained_blocks = 0, last_unexplained = UINT64_MAX;
    std::uint64_t not_zero = 0;  // padding octets and reserved fields
    std::uint64_t records = 0, record_octets = 0;
    std::string first_reason;
    frame_list frames;
  };
  static constexpr std::size_t max_transmitters = 50'000;
  static constexpr std::size_t max_frames_named = 1U << 19;
  static constexpr std::size_t max_listed = 64;

  // sdu_sink
  void whole(const captured_sdu& s) override;
  void alternative(const captured_sdu& s) override;
  void part(const captured_sdu& piece, bool begins) override;
  void cut(const captured_sdu& piece, bool begins, bool by_loss, bool follows) override;
  void doubted(const captured_sdu& piece, bool begins) override;
  void malformed(const captured_sdu& pdu) override;
  void overhead(std::uint32_t src, std::size_t octets) override;
  void rlc_padding(const captured_sdu& pdu, std::uint8_t bits) override;

  transmitter& of(const transmitter_id& id);
  /// Why the SDU is none that the product's protocols know; null: it is one.
  const char* doubt_about(const captured_sdu& s);
  void add_message(const captured_sdu& s, const setup_view& m);
  void add_message(const captured_sdu& s, const standard_message& m);
  bool took_message(const captured_sdu& s);
  void add_record(const transmitter_id& id, const captured_sdu& s, const record_view& r);
  void unexplained(const transmitter_id& id, std::uint64_t frame, std::size_t octets,
                   std::span<const std::uint8_t> tested, const char* why);
  void reserved(const transmitter_id& id, std::uint64_t frame, const char* what, std::uint32_t value, int n_bits);
  bool fresh(std::span<const std::uint8_t> octets);
  void confirm_sci(const captured_frame& block);
  void name_frame(std::uint64_t frame, const transmitter_id& id);

  /// What the end of the capture tells, before each transmitter's account is closed.
  struct closing_facts {
    std::map<transmitter_id, transmitter> unfinished;  ///< pieces of SDUs that nothing completed
    std::uint64_t of_other_times = 0;                  ///< discovery messages whose slots no clock explains
    std::uint64_t noise_scis = 0;
  };
  std::map<transmitter_id, std::string> exposed_by(const std::vector<finding>& findings) const;
  std::uint64_t discovery_of_other_times() const;
  std::uint64_t noise_scis(std::uint64_t pscch_candidates) const;
  std::map<transmitter_id, transmitter> unfinished_pieces() const;
  static void add_unfinished(transmitter& t, const transmitter& unfinished);
  static void take_back(transmitter& t, std::uint64_t blocks, std::uint64_t octets, const char* why);
  void add_odd_scis(transmitter& t, bool format1, bool only_confirmed) const;
  transmitter closed(const transmitter_id& id, const transmitter& heard, const closing_facts& facts) const;
  static transmitter_verdict verdict_on(const transmitter_id& id, const transmitter& t, const verdict_options& o);

  sdu_stream sdus_;
  const take_sdu* take_ = nullptr;
  look look_;
  std::map<transmitter_id, transmitter> transmitters_;
  std::uint64_t n_cut_ = 0;
  stream_tests unexplained_tests_, message_tests_;
  field_tests fields_;
  std::map<std::pair<transmitter_id, const char*>, reserved_stream> reserved_;
  std::unordered_set<std::uint64_t> seen_, seen_before_;
  std::unordered_map<std::uint64_t, std::uint16_t> counts_;  // channel: last SN
  std::unordered_set<std::uint64_t> kd_seen_, l2_seen_;
  std::array<std::uint64_t, 256> lsb_offsets_{};
  struct odd_sci {
    std::uint64_t frame = 0;
    double time_s = 0;
    std::int64_t sample = 0;
    bool format1 = false, confirmed = false;
    std::uint32_t group = 0;
    int mcs = 0;
    const char* what = "";
  };
  std::vector<odd_sci> odd_scis_;  // with reserved bits or values that are not zero; the first few
  std::uint64_t odd_sci_beyond_ = 0;
  struct clock {
    int offset = 0;  // subframe number minus time
    std::uint64_t mibs = 0, leaps = 0;
  };
  std::map<int, clock> clocks_;  // by SLSS ID
  std::vector<std::pair<std::uint64_t, transmitter_id>> of_frame_;
};

}  // namespace prose::apps
