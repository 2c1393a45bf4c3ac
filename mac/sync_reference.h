// Selection of the synchronisation reference without GNSS (TS 36.331 5.10.7, 5.10.8): a UE that hears no SLSS becomes
// the reference, others follow it, track its drift and choose again when it is gone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "phy/types/carrier.h"
#include "phy/types/delay_range.h"
#include "phy/types/mib_sl.h"

namespace prose::mac {

inline constexpr int dfn_subframes = 10240;  ///< DFN 0..1023, ten subframes each

enum class time_mode : std::uint8_t {
  gnss,  ///< the radio's PPS time gives the subframe numbers: no SLSS is needed, none is followed
  slss,
};

struct sync_config {
  time_mode mode = time_mode::slss;
  bool transmit_slss = true;         ///< networkControlledSyncTx has no counterpart out of coverage
  int period_subframes = 40;         ///< 40; 160 in V2X
  int offset_1 = 37;                 ///< syncOffsetIndicator1
  int offset_2 = 17;                 ///< syncOffsetIndicator2
  double min_s_rsrp_dbm = -115.0;    ///< minimum requirement (TS 36.133 12.4)
  double min_hysteresis_db = 3.0;    ///< syncRefMinHyst
  double diff_hysteresis_db = 3.0;   ///< syncRefDiffHyst
  double tx_threshold_dbm = 1000.0;  ///< syncTxThreshOoC: a follower transmits SLSS only below it (1000: always)
  int search_periods = 6;            ///< silence before becoming the reference, plus a random part as long
  int loss_periods = 10;             ///< a reference that was not heard for so long is gone
  /// Then its timing is kept for at least so long before the UE becomes a reference, plus a random part as in searches.
  int hold_periods = 7;
  double tracking_gain = 0.3;  ///< first-order loop on the reference's timing
  /// NOT 3GPP: out of coverage, groups of UEs with different timing that meet end with the reference of the smallest
  /// identity. False: by S-RSRP alone (TS 36.331 5.10.8.2); then two groups of equal strength never hear each other.
  bool merge_by_identity = true;
  /// A reference whose timing differs by no more has our timing. What is heard comes so late (a follower sends later
  /// than its reference by the way there, and is heard later by the way back), so it follows the carrier; here 25 PRB.
  double same_timing_samples = phy::received_delays(phy::cyclic_prefix::normal).latest * phy::standard_fft_size(25);
  int scan_periods = 2;                  ///< length of a scan: a UE with timing looks for SLSS of other timings
  int longest_scan_periods = 12;         ///< limit where a scan is prolonged to hear a reference again
  int scan_every_subframes = 2000;       ///< plus a random part of a quarter; scans are closer after a change of timing
  int silence_every_subframes = 12'000;  ///< of a follower's follower; plus a random part as long
};

/// One SLSS with its MIB-SL, as received.
struct slss_heard {
  int n_sl_id = 0;
  bool in_coverage = false;
  int dfn_subframe = 0;             ///< 10 DFN + subframe that the MIB-SL names
  std::int64_t local_subframe = 0;  ///< in which it was received
  double s_rsrp_dbm = 0;
  double timing_offset_samples = 0;  ///< its subframe start minus ours, within half a subframe
};

/// holdover: the reference is gone, its timing is kept while a new one is looked for.
enum class sync_role : std::uint8_t { searching, reference, follower, holdover, gnss };
const char* name_of(sync_role r);

/// What the caller must do after a step. Local subframe n starts at origin + n * samples_per_subframe; shift_samples
/// moves the origin. `timing_changed` says that subframe numbers or boundaries jumped: grants that were chosen before
/// are void.
struct sync_actions {
  double shift_samples = 0;
  bool timing_changed = false;
  bool role_changed = false;
};

struct slss_transmission {
  int n_sl_id = 0;
  phy::mib_sl mib;
};

class sync_reference {
public:
  /// random: returns any 32-bit value; used for the SLSSID, the random part of the search and the times of scans.
  /// muting: likewise, for the SLSS that are left out. Those are drawn ahead when somebody asks for them, so they need
  /// a stream of their own. Null: `random` serves both.
  sync_reference(const sync_config& config, int n_prb, std::uint32_t (*random)(void*), void* random_context,
                 std::uint32_t (*muting)(void*) = nullptr);

  /// Feed every local subframe at which something was heard, and at least one a period. Numbers never go back.
  sync_actions step(std::int64_t local_subframe, std::span<const slss_heard> heard);

  /// Device time, which gives the numbers with `gnss`, leapt by so many subframes while the local ones go on.
  void renumber(std::int64_t subframes);

  sync_role role() const { return role_; }
  int n_sl_id() const { return n_sl_id_; }
  std::optional<int> reference_id() const;
  /// 0..10239, only once there is a role.
  int dfn_subframe(std::int64_t local_subframe) const;
  bool has_timing() const { return role_ != sync_role::searching; }
  /// Whether the UE's own SLSS goes out in this subframe; then nothing else does (TS 36.211 9.1).
  std::optional<slss_transmission> transmission(std::int64_t local_subframe) const;
  /// A subframe of either SLSS offset.
  bool is_slss_subframe(std::int64_t local_subframe) const;
  /// Whether SLSS of any timing are to be looked for in this subframe, and not only those at our own SLSS offsets.
  bool searches(std::int64_t local_subframe) const;
  /// Earliest local subframe at which step() may do something with nothing heard.
  std::int64_t next_deadline() const;
  double reference_s_rsrp_dbm() const { return current_.s_rsrp_dbm; }

private:
  struct candidate {
    bool used = false;
    int n_sl_id = 0;
    bool in_coverage = false;
    double s_rsrp_dbm = -1000;
    std::int64_t last_heard = 0;
    std::int64_t dfn_offset = 0;  // DFN subframe minus local subframe, modulo 10240
    double timing_offset_samples = 0;
    int slss_offset = 0;  // position in the SLSS period where it was heard
    int n_heard = 0;
    int conflicts = 0;  // heard with our identity and another timing, in a row
  };
  candidate& slot_for(const slss_heard& h, std::int64_t dfn_offset);
  void become_reference(sync_actions& out);
  void follow(const candidate& c, sync_actions& out);
  bool suitable(const candidate& c) const;
  static int priority_group(const candidate& c);
  /// By 5.10.8.2: the priority group, then S-RSRP. Null: to nothing.
  static bool preferred(const candidate& c, const candidate* to);
  void hear(const slss_heard& h, sync_actions& out);
  void track(const candidate& c, double timing_offset_samples, sync_actions& out);
  void watch_own_identity(candidate& c, sync_actions& out);
  void hold_over(std::int64_t now, sync_actions& out);
  void choose(std::int64_t now, sync_actions& out);
  void end_search(std::int64_t now, sync_actions& out);
  const candidate* reference_to_yield_to() const;
  const candidate* better_reference() const;
  bool better_than_current(const candidate& c) const;
  std::int64_t random_part_of_search();
  void draw_id();
  bool mutes(std::int64_t local_subframe) const;
  bool muted_at_random(std::int64_t period) const;
  bool other_timing(const candidate& c) const;
  bool may_be_followed(const candidate& c) const;
  bool follows_a_follower() const { return role_ == sync_role::follower && tx_offset_ == config_.offset_1; }
  void plan_scan(std::int64_t now);
  void plan_silence(std::int64_t now, sync_actions& out);
  int scan_jitter(int below);

  sync_config config_;
  int n_prb_;
  std::uint32_t (*random_)(void*);
  void* random_context_;
  std::uint32_t (*muting_)(void*);
  sync_role role_ = sync_role::searching;
  int n_sl_id_ = 0;
  std::int64_t dfn_offset_ = 0;
  int tx_offset_ = 0;
  /// Which own SLSS of each group of eight is left out, from group muted_from_ on. Drawn in order when first asked for,
  /// dropped when the group is over.
  mutable std::array<std::uint8_t, 128> muted_{};
  mutable std::int64_t muted_from_ = 0, muted_until_ = 0;
  std::optional<std::int64_t> search_ends_;
  std::int64_t scan_from_ = 0, scan_until_ = 0, scan_listens_until_ = 0;
  std::int64_t next_scan_ = 0;
  int scan_parity_ = 0;  // of the periods of a scan that leave out the own SLSS
  int scan_gap_ = 0;     // between the scans; doubles up to scan_every_subframes
  /// The own identity was heard with our timing where we send ourselves.
  std::int64_t shared_from_ = 0, shared_last_ = INT64_MIN / 2;
  std::int64_t silent_from_ = 0, silent_until_ = 0;
  std::int64_t next_silence_ = 0;
  std::array<candidate, 16> heard_{};
  candidate current_;
};

}  // namespace prose::mac
