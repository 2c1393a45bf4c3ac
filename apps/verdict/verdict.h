// Does what was overheard stay opaque? Computed from captured frames only; README.md says what each check can and cannot show.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/capture/captured_frame.h"
#include "apps/verdict/stolen_state.h"
#include "common/result.h"

namespace prose::apps {

enum class verdict_outcome : std::uint8_t {
  opaque,          ///< exit status 0
  exposed,         ///< 3: at least one finding
  nothing_proven,  ///< 4: nothing, or too little, was captured
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
};

/// A link that stolen keys opened.
struct opened_link {
  std::uint32_t src = 0, dst = 0;
  std::uint16_t kd_sess_id = 0;       ///< 0: a message of a set-up or of a rekeying
  std::string with;                   ///< which secret of which file, and what was derived from it
  std::uint64_t records_opened = 0, records_seen = 0;
  bool own = false;                   ///< a link of the stolen UE itself: no finding
  std::vector<std::uint64_t> frames;  ///< the first few
};

/// Discovery messages and set-ups whose codes or tokens a key of the stolen state makes too.
struct recognised_marks {
  std::string kind;                   ///< announcement, query, response, request, command
  std::string with;                   ///< whose to whom, and which key
  bool own = false;                   ///< of a pair that the stolen UE is part of: no finding
  std::uint64_t n = 0;                ///< different ones
  security::slot_t first_slot = 0, last_slot = 0;
  std::vector<std::uint64_t> frames;  ///< the first few
};

/// How far the search with the stolen keys is.
struct search_progress {
  const char* part = "";
  double done = 0;                    ///< of that part, 0..1, estimated
  std::uint64_t trials = 0;
  std::size_t links_opened = 0;       ///< directions and epochs
};

/// Linking radios by power, timing and carrier frequency offset. Never decides the outcome.
struct residual {
  std::string feature;
  std::uint64_t trials = 0, right = 0;
  double success = 0, low = 0, high = 0;  ///< with a 95 % confidence interval (Wilson)
  double chance = 0;                      ///< success of guessing
};

/// A radio, as carrier frequency offsets tell it, over the changes of its layer-2 IDs: how often the link that it belongs to was followed by a feature
/// alone. Never decides the outcome.
struct followed_radio {
  std::uint64_t radio = 0;                ///< from 1 in the order of carrier frequency offsets; 0: all links, each change once
  double cfo_hz = 0;                      ///< a mean of it
  residual by;
};

struct statistic {
  std::string aspect, check;
  double value = 0;       ///< what was measured
  double p_value = 1;     ///< of it or worse, if everything is random
  double threshold = 0;   ///< p below this is a finding
  std::uint64_t n = 0;    ///< octets, pairs or trials it rests on
  std::string note;
};

struct verdict {
  verdict_outcome outcome = verdict_outcome::nothing_proven;
  std::string reason;                     ///< one line
  std::vector<finding> findings;          ///< exposed if not empty
  std::vector<finding> remarks;           ///< odd, but no exposure
  std::vector<statistic> statistics;
  std::vector<opened_link> opened_links;
  std::vector<recognised_marks> recognised;
  std::vector<residual> residuals;
  std::vector<followed_radio> followed;
  std::uint64_t radios_by_cfo = 0;        ///< how many radios the carrier frequency offsets suggest
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
  /// Bounds of memory: what comes after is counted, enters the sums, and is not kept. Records that were not kept were not tried with the
  /// stolen keys, so that the verdict is then not opaque.
  std::size_t max_kept_records = 200'000;
  std::size_t max_kept_octets = 96U << 20;
  /// Slots (UTC seconds) in which stolen keys are tried on codes and tokens: first and last. Not told: those of the frames' times, where these
  /// are UTC; else none, and a remark says so.
  std::optional<std::pair<security::slot_t, security::slot_t>> slots;
  double utc_at_zero_s = 0;               ///< added to the frames' times for that: the UEs' epoch_s where these are device times
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
