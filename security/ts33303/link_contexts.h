// The security contexts of one link over its rekeyings (TS 33.303 6.5). NOT VERIFIED: how long the old one is used
// beside the new one (unverified.h).
#pragma once

#include "security/ts33303/context.h"

namespace prose::security::ts33303 {

/// Each UE calls begin() when it has the keys of the new context: the commanding UE before it sends the Command, the
/// requesting UE to verify the Command. From then on both contexts open. A UE sends under the old one until a PDU under
/// the new one was verified; the Command is sent under the new one. The old keys are wiped with the first verified PDU
/// under the new ones, except that the Command does not end them: the commanding UE sends under the old ones until it
/// has the Complete.
class link_contexts {
public:
  explicit link_contexts(security_context first) : current_(std::move(first)) {}

  /// False, and nothing changes: a rekeying is under way, or `next` has the KD-sess ID of the current context, with
  /// which a receiver could not tell the two apart, and a COUNT could come twice if the key were the same too.
  bool begin(security_context next);
  /// The same for the requesting UE that opened the Command with `next` itself, before it began.
  bool begin_verified(security_context next);
  /// The rekeying came to nothing: the new keys are wiped, and the old ones go on with their SN. For the commanding UE
  /// when no Complete comes, and the requesting UE when the Command was refused or nothing follows the Complete.
  void abandon();

  /// As those of security_context.
  result<std::size_t, drop_reason> protect(std::uint8_t lcid, sdu_type type, bytes_view sdu, bytes_span out);
  /// unknown_link also for a PDU under a context that has ended; not_established for data without a MAC-I under a new
  /// context that no MAC-I has confirmed.
  result<security_context::opened, drop_reason> open(std::uint8_t lcid, bytes_view pdu, bytes_span out);

  bool rekeying() const { return next_.has_value(); }
  bool uses(std::uint16_t kd_sess_id) const {
    return current_.parameters().kd_sess_id == kd_sess_id || (next_ && next_->parameters().kd_sess_id == kd_sess_id);
  }
  /// Of the context that is sent under.
  const context_parameters& sending() const { return sends_under_next_ ? next_->parameters() : current_.parameters(); }
  /// Of the context that is sent under: a rekeying is due well before this is 0.
  std::uint32_t pdus_left() const { return sends_under_next_ ? next_->pdus_left() : current_.pdus_left(); }

private:
  security_context current_;
  std::optional<security_context> next_;
  bool sends_under_next_ = false;
};

}  // namespace prose::security::ts33303
