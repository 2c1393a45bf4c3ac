// Profile ts33303 in a capture: which messages and records there are, and what the procedure of TS 33.303 itself shows
// whoever listens.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "apps/lib/verdict/check_report.h"
#include "apps/lib/verdict/sdu_stream.h"
#include "common/octet_order.h"
#include "security/ts33303/messages.h"

namespace prose::apps {

/// A message of a set-up or of a rekeying.
struct standard_message {
  /// Empty: a Complete, which is ciphered. Views point into `octets`.
  std::optional<security::ts33303::pc5s_message> readable;
  std::span<const std::uint8_t> octets;  ///< without the header of PDCP and the MAC-I
  security::message_type type{};         ///< Rejects count as no type of the default profile: 0
};
/// LCID 28: Request and Rejects, under an empty PDCP header. LCID 29: whole PDCP PDUs, of which the Command is
/// readable. Empty for everything else.
std::optional<standard_message> standard_message_of(const captured_sdu& s);
/// Why the SDU is none of the profile; null: it is one.
const char* standard_doubt_about(const captured_sdu& s);
/// Whether this check finds a property of the standard's procedure, and not of this implementation.
bool is_of_standard(std::string_view check);

/// What a listener learns from Requests and records without any key.
class standard_checks {
public:
  void add(const standard_message& m, std::uint64_t frame);
  void add_record(std::uint64_t frame) { records_.add(frame); }
  void judge(check_report& out) const;

private:
  static constexpr std::size_t max_kept = 4096;

  octet_set requests_;                                    // different ones
  std::unordered_map<std::uint32_t, std::uint64_t> kds_;  // KD ID: in how many different Requests
  octet_map<std::uint64_t> nonces_;                       // first frame with it
  std::uint64_t named_again_ = 0, with_user_info_ = 0, nonces_again_ = 0;
  frame_list kd_frames_, user_frames_, nonce_frames_, records_;
};

}  // namespace prose::apps
