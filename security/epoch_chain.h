// The epochs of one key generation of a link: keys that ratchet forward, old ones wiped.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "security/ports.h"
#include "security/record.h"

namespace prose::security {

struct epoch_config {
  std::uint32_t records = 1U << 15;  // on one logical channel, then move on
  time_ms min_ms = 120'000;          // or after a random time between these
  time_ms max_ms = 300'000;
  time_ms old_kept_ms = 2'000;  // the previous epoch still opens for so long after the peer has moved
};

/// Both directions of one epoch, seen from one end. The identifiers belong to this link and epoch only, so that nothing
/// observable outlives the epoch.
struct epoch {
  std::uint32_t index = 0;
  record_sealer tx;
  record_opener rx;
  l2_id own_l2;  // SRC of what we send, DST of what we receive
  l2_id peer_l2;
};
/// From KD_r: per direction key 32, IV 12, KD-sess ID 2, SRC layer-2 ID 3. kd_sess_id, where given, replaces the
/// derived ones in both directions (epoch 0 of a set-up uses the two halves that were negotiated).
epoch derive_epoch(const link_root_key& kd, role own, suite s, std::uint32_t index,
                   std::optional<std::uint16_t> kd_sess_id);

class epoch_chain {
public:
  epoch_chain(link_root_key kd0, role own, suite s, std::optional<std::uint16_t> kd_sess_id, const epoch_config& config,
              random_port& random, time_ms now);

  struct sealed {
    std::size_t octets;
    l2_id src, dst;
    bool moved;  // this record is the first of a new epoch
  };
  result<sealed, drop_reason> seal(std::uint8_t lcid, sdu_type type, bytes_view data, time_ms now, bytes_span out);

  struct opened {
    std::size_t octets;
    bool moved;  // the record moved us on to the epoch it belongs to
  };
  /// Tries the epochs whose identifiers match, and moves on to a later one (by two if the peer's move to the first was
  /// lost). unknown_link if none matches.
  result<opened, drop_reason> open(std::uint8_t lcid, const pdcp_header& h, l2_id src, l2_id dst, bytes_view pdu,
                                   time_ms now, bytes_span out);

  /// Wipes the previous epoch when its time is over.
  void tick(time_ms now);
  /// No record of the peer verified yet in this generation?
  bool heard() const { return base_verified_ || base_.index > 0; }
  const epoch& sending() const { return tx_next_ ? next_ : base_; }
  std::uint32_t epoch_index() const { return sending().index; }
  /// Calls f(const epoch&) for every epoch held: previous (while it opens), current, next, and the one after it where
  /// held.
  template <class F>
  void for_each_epoch(F&& f) const {
    if (old_) f(*old_);
    f(base_);
    f(next_);
    if (after_next_) f(*after_next_);
  }
  /// For a link that is being released: the epochs in which the peer may still answer, the sending one first. The old
  /// epoch and the root are wiped with the chain.
  std::vector<epoch> take_epochs() &&;
  /// What a stolen UE holds: the root from which all later epochs follow.
  const link_root_key& root_after_next() const { return root_after_next_; }

private:
  void draw_next_move(time_ms now);
  /// By the number of records or by time.
  bool move_is_due(time_ms now) const;
  void advance_base(time_ms now);

  epoch_config config_;
  random_port* random_;
  role own_;
  suite suite_;
  std::optional<epoch> old_;
  epoch base_;
  epoch next_;
  /// Held while we send in `next_` and have not heard the peer there: it may have followed and moved on, and already
  /// send in this one. It cannot be further ahead, because it leaves `next_` only after it has heard us in it.
  std::optional<epoch> after_next_;
  link_root_key root_after_next_;
  bool tx_next_ = false;
  bool base_verified_ = false;
  time_ms move_due_ = 0;
  time_ms old_until_ = 0;
};

}  // namespace prose::security
