// Does what was overheard stay opaque? Computed from captured frames only; README.md says what each check can and
// cannot show.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "apps/lib/verdict/stolen_state.h"
#include "common/result.h"

namespace prose::apps {

enum class verdict_outcome : std::uint8_t {
  opaque,          ///< exit status 0
  exposed,         ///< 3: at least one finding
  nothing_proven,  ///< 4: too little was captured or decoded, blocks are not explained, or a key was not tried
};
const char* name_of(verdict_outcome o);
constexpr int exit_status(verdict_outcome o) {
  return o == verdict_outcome::opaque ? 0 : o == verdict_outcome::exposed ? 3 : 4;
}

/// One thing that an eavesdropper can tell, with the frames that show it.
struct finding {
  std::string aspect;                 ///< content, identity, compromise or presence
  std::string check;                  ///< e.g. keystream_reuse
  std::string reason;                 ///< one sentence
  std::vector<std::uint64_t> frames;  ///< captured_frame::number, the first few
  std::uint64_t n_frames = 0;         ///< of all
  /// Profile ts33303: the standard's procedure shows this, however well it is built.
  bool of_standard = false;
};

/// Whose messages and records the capture holds. The two profiles have other lengths and layouts.
enum class judged_profile : std::uint8_t { ltesl, ts33303 };
const char* name_of(judged_profile p);

/// A link that stolen keys opened.
struct opened_link {
  std::uint32_t src = 0, dst = 0;
  std::uint16_t kd_sess_id = 0;  ///< 0: a message of a set-up or of a rekeying
  std::string with;              ///< which secret of which file, and what was derived from it
  std::uint64_t records_opened = 0, records_seen = 0;
  bool own = false;                   ///< a link of the stolen UE itself: no finding
  std::vector<std::uint64_t> frames;  ///< the first few
};

/// Discovery messages and set-ups whose codes or tokens a key of the stolen state makes too.
struct recognised_marks {
  std::string kind;     ///< announcement, query, response, request, command
  std::string with;     ///< whose to whom, and which key
  bool own = false;     ///< of a pair that the stolen UE is part of: no finding
  std::uint64_t n = 0;  ///< different ones
  security::slot_t first_slot = 0, last_slot = 0;
  std::vector<std::uint64_t> frames;  ///< the first few
};

/// How far the search with the stolen keys is.
struct search_progress {
  const char* part = "";
  double done = 0;  ///< of that part, 0..1, estimated
  std::uint64_t trials = 0;
  std::size_t links_opened = 0;  ///< directions and epochs
};

/// Linking radios by power, timing and carrier frequency offset. Never decides the outcome.
struct residual {
  std::string feature;
  std::uint64_t trials = 0, right = 0;
  double success = 0, low = 0, high = 0;  ///< with a 95 % confidence interval (Wilson)
  double chance = 0;                      ///< success of guessing
};

/// A radio, as carrier frequency offsets tell it, over the changes of its layer-2 IDs: how often the link that it
/// belongs to was followed by a feature alone. Never decides the outcome.
struct followed_radio {
  std::uint64_t radio = 0;  ///< from 1 in the order of carrier frequency offsets; 0: all links, each change once
  double cfo_hz = 0;        ///< a mean of it
  residual by;
};

/// Where the octets of decoded blocks, discovery messages, MIBs and SCIs went.
struct octet_sums {
  std::uint64_t heard = 0;    ///< of all
  std::uint64_t parsed = 0;   ///< headers, whole records and messages: judged
  std::uint64_t padding = 0;  ///< declared as such
  std::uint64_t cut = 0;      ///< parts of SDUs whose rest was in a block that was not decoded
  std::uint64_t waiting = 0;  ///< parts of SDUs whose rest may still come
  std::uint64_t unexplained = 0;
  std::uint64_t padding_not_zero = 0;  ///< of the padding
  bool operator==(const octet_sums&) const = default;
};

/// What the verdict is on one transmitter: of blocks ("src 1c92e5"), or of what names nobody (discovery messages, SLSS,
/// SCIs).
struct transmitter_verdict {
  std::string who;
  verdict_outcome outcome = verdict_outcome::nothing_proven;
  std::string reason;
  octet_sums octets;
  std::uint64_t blocks = 0, unexplained_blocks = 0, reserved_not_zero = 0, records = 0, record_octets = 0;
  bool exempt = false;                ///< its unexplained octets are so few that they do not count
  std::vector<std::uint64_t> frames;  ///< that are not explained, the first few
};

/// What makes the outcome "nothing proven".
struct doubt {
  std::string check, reason;
  std::vector<std::uint64_t> frames;
};

/// A figure of how much was heard, with the bound that it must keep.
struct bounded_figure {
  std::string name;
  double value = 0, bound = 0;
  bool at_least = true;  ///< else at most
  std::uint64_t part = 0, whole = 0;
  bool holds() const { return at_least ? value >= bound : value <= bound; }
};

/// How much of what was on the air was heard, as the receiver tells it. Counts since its start.
struct hearing {
  std::uint64_t blocks_announced = 0;    ///< by SCIs that were heard
  std::uint64_t blocks_decoded = 0;      ///< of those
  std::uint64_t blocks_absent = 0;       ///< not among the announced: nothing was sent at their places
  std::uint64_t discovery_occupied = 0;  ///< discovery resources with energy
  std::uint64_t discovery_decoded = 0;   ///< of those
  double seconds = 0;                    ///< of signal since the first frame that was heard, gaps included
  double seconds_lost = 0;               ///< in gaps since then
  std::uint64_t unknown_gaps = 0;        ///< gaps since then whose length nobody knows
  std::uint64_t pscch_candidates = 0;    ///< places searched for an SCI
  bool pools_told = false;
  bool searched_beside = false;        ///< what lies outside the pools told was searched as well
  std::uint64_t prbs_occupied = 0;     ///< resource blocks times subframes with power
  std::uint64_t prbs_unexplained = 0;  ///< of those, that nothing received explains; never decides
};

struct statistic {
  std::string aspect, check;
  double value = 0;      ///< what was measured
  double p_value = 1;    ///< of it or worse, if everything is random
  double threshold = 0;  ///< p below this is a finding
  std::uint64_t n = 0;   ///< octets, pairs or trials it rests on
  std::string note;
};

struct verdict {
  judged_profile profile = judged_profile::ltesl;
  verdict_outcome outcome = verdict_outcome::nothing_proven;
  std::string reason;             ///< one line
  std::vector<finding> findings;  ///< exposed if not empty
  std::vector<finding> remarks;   ///< odd, but no exposure
  std::vector<statistic> statistics;
  std::vector<doubt> doubts;  ///< nothing proven if not empty and nothing is exposed
  std::vector<bounded_figure> figures;
  std::vector<transmitter_verdict> transmitters;  ///< those with doubts or findings first; the first few
  std::uint64_t n_transmitters = 0;
  octet_sums octets;
  std::uint64_t exempt_octets = 0;       ///< unexplained, and too few to count: here encoded text could hide
  std::uint64_t noise_scis = 0;          ///< SCIs with reserved bits that are as many as noise passes for
  std::uint64_t rlc_gaps = 0;            ///< RLC sequence numbers that did not follow the ones before
  std::uint64_t assemblies_untried = 0;  ///< times that a bound left blocks untried as parts of an SDU
  hearing heard;
  std::vector<opened_link> opened_links;
  std::vector<recognised_marks> recognised;
  std::vector<residual> residuals;
  std::vector<followed_radio> followed;
  std::vector<residual> traffic;    ///< what sizes and times tell; never decides
  std::uint64_t radios_by_cfo = 0;  ///< how many radios the carrier frequency offsets suggest
  std::uint64_t frames = 0, sl_sch_frames = 0, discovery_frames = 0, malformed_frames = 0;
  std::uint64_t records = 0, record_octets = 0, links = 0, requests = 0, commands = 0, completes = 0;
  std::uint64_t keys_tried = 0, trials = 0;
  std::uint64_t frames_not_examined = 0;  ///< beyond the limits of verdict_options
  bool search_ended_early = false;        ///< the search with the stolen keys: never opaque then
  double false_alarm_rate = 0;
};

/// Shorter strings are not looked for: random octets hold them.
inline constexpr std::size_t shortest_wanted_string = 4;

struct verdict_options {
  /// security.profile of the UEs. It is not told on the air. Stolen keys are tried for ltesl only.
  judged_profile profile = judged_profile::ltesl;
  /// Octets that were sent over the links under test, where the operator knows them.
  std::vector<std::vector<std::uint8_t>> known_plaintexts;
  /// Names and public keys that must not show on the air.
  std::vector<std::string> names;
  /// What was stolen: parse_stolen_state / load_stolen_state. Shared, because keys cannot be copied. Null: nothing.
  std::shared_ptr<const std::vector<stolen_file>> compromised;
  /// Probability that a capture of nothing but random payloads is called exposed: all statistical checks together.
  double false_alarm_rate = 1e-4;
  /// Less than this proves nothing.
  std::uint64_t min_records = 8;
  std::uint64_t min_record_octets = 512;
  /// Of blocks and of discovery messages, each times the share of time since the first frame.
  double min_decoded_share = 0.9;
  /// Unexplained octets count unless they are below both shares of a transmitter's blocks and octets, and below this
  /// many.
  double max_unexplained_share = 0.01;
  std::uint64_t max_unexplained_octets = 256;
  /// Bounds of memory: what comes after is counted, enters the sums, and is not kept. Records that were not kept were
  /// not tried with the stolen keys, so that the verdict is then not opaque.
  std::size_t max_kept_records = 200'000;
  std::size_t max_kept_octets = 96U << 20;
  /// Slots (UTC seconds) in which stolen keys are tried on codes and tokens: first and last. Not told: those of the
  /// frames' times, where these are UTC; else none, and a remark says so.
  std::optional<std::pair<security::slot_t, security::slot_t>> slots;
  double utc_at_zero_s = 0;  ///< added to the frames' times for that: the UEs' epoch_s where these are device times
  /// Called now and then during the search with the stolen keys; false ends it with what was found so far.
  std::function<bool(const search_progress&)> on_search;
};

/// The most that an analysis takes with the default bounds, if it comes to all of them (measured by memory_test).
inline constexpr std::size_t most_analysis_octets = 400U << 20;

/// Fed frame by frame; memory is bounded by the options, not by the length of the capture.
class analysis {
public:
  explicit analysis(verdict_options options);
  analysis(analysis&&) noexcept;
  analysis& operator=(analysis&&) noexcept;
  ~analysis();
  void add(const captured_frame& f);
  /// What the receiver knows beside its frames; the last call counts. Without one, each transport block that is given
  /// is one that was announced.
  void heard(const hearing& h);
  /// May be called at any time, and again.
  verdict judge() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// All at once.
verdict judge(std::span<const captured_frame> frames, const verdict_options& options);

/// The verdict and its evidence as one JSON object (indented).
std::string to_json(const verdict& v);
/// A few lines for a terminal.
std::string to_text(const verdict& v);

}  // namespace prose::apps
