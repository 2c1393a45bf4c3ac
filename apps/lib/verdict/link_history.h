// Links as an eavesdropper sees them: pairs of layer-2 IDs that come and go, and which of them continues which.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "apps/lib/capture/captured_frame.h"

namespace prose::apps {

/// What SCIs announce beside a place that the scheduler must draw anew. Format 1 has fields that format 0 has not, and
/// the other way round.
enum class sci_field : std::uint8_t {
  group_destination_id,
  time_resource_pattern,
  mcs,
  timing_advance,
  frequency_hopping,
  first_prb,  // format 0
  priority,
  resource_reservation,
  time_gap,
  transmission_format,
  reserved_bits,
  first_subchannel,  // format 1, and mcs
};
inline constexpr std::size_t n_sci_fields = 12;
const char* name_of(sci_field f);

struct signal_features {
  static constexpr std::size_t n = 3;  // power (dB), timing (samples), carrier frequency offset (Hz)
  std::array<float, n> of{};
};
inline constexpr const char* signal_feature_names[signal_features::n] = {"power", "timing", "cfo"};
inline constexpr std::size_t feature_cfo = 2;

class link_history {
public:
  /// What one end sends to the other.
  struct direction {
    std::uint32_t src = 0;
    std::uint64_t n_frames = 0, frame = 0;  ///< frame: the first
    std::uint16_t kd_sess_id = 0;           ///< the first; 0: none yet
    signal_features first, last;            ///< means over the first few frames, and over the last few
    /// Of each SCI field the value that it kept, so far; no longer looked at where it varied.
    struct kept {
      std::uint32_t value = 0, stratum = 0;  ///< stratum: length of an allocation, which follows the traffic
      std::uint32_t n = 0;                   ///< SCIs
      bool varies = false;
      double first_s = 0, last_s = 0;
    };
    std::array<kept, n_sci_fields> sci{};
    std::uint64_t last_sci = UINT64_MAX;
  };
  struct link {
    std::uint32_t low = 0, high = 0;  ///< layer-2 IDs
    double first_s = 0, last_s = 0;
    std::array<direction, 2> ways;  ///< in the order in which they were heard; n_frames 0: not heard
    /// The layer-2 ID that a request went to: of a slot, and shared by all requests to its owner in that slot.
    std::optional<std::uint32_t> rendezvous;
    /// Of its blocks, both ways together.
    struct shape {
      std::uint64_t n = 0;
      std::array<std::uint32_t, 8> sizes{};  ///< by octets: below 16, 32, .. 1024, and above
      double log_interval = 0;               ///< sum of the logarithms of the seconds between blocks
    } traffic;
  };

  /// Each SCI, before the block that it announces.
  void add_sci(const captured_frame& f);
  /// Each block that is no repetition.
  void add_block(const captured_frame& f, std::uint32_t src, std::uint32_t dst);
  void add_kd_sess_id(std::uint32_t src, std::uint32_t dst, std::uint16_t kd_sess_id);
  void add_request(std::uint32_t src, std::uint32_t dst);

  /// In the order in which they were first heard.
  std::span<const link> links() const { return links_; }
  /// When the link before was last heard, relative to the first of the one that continues it: both ends change when a
  /// record of the new epoch is verified, an idle link says something every 10 s, and old records are taken for 2 s
  /// more.
  static constexpr double longest_silence_s = 12.0, longest_overlap_s = 3.0;
  struct predecessors {
    std::vector<std::optional<std::size_t>> of;  ///< by link
    std::vector<std::size_t> chain;              ///< number of the chain that a link belongs to
  };
  /// The link that fell silent nearest to the time when another one began, and is continued by no other. Among those of
  /// the same radios, as their carrier frequency offsets tell. What is guessed wrong makes linkers look weaker, never
  /// stronger, as no identifier is looked at.
  predecessors by_time_and_radio() const;
  /// By time alone, and only where one link fell silent and no other: just then, or else within the longest silence.
  predecessors by_time() const;
  /// Heard shortly before link `k` began, `k` itself excepted.
  std::vector<std::size_t> before(std::size_t k) const;

private:
  static constexpr std::size_t max_links = 8192, max_scis = 64;
  link* link_of(std::uint32_t a, std::uint32_t b);
  const captured_frame* sci_of(const captured_frame& block) const;

  std::vector<link> links_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::size_t> place_;  // smaller ID first
  std::deque<captured_frame> scis_;                                       // the last few
};

}  // namespace prose::apps
