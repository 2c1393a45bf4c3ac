// A security context of TS 33.303 6.5: what one KD-sess gives to the two ends of a link, and the PDCP PDUs under it (TS
// 36.323 5.6.2, 5.7, 6.2.10: header 5 octets, data, MAC-I 4 octets).
#pragma once

#include <array>
#include <optional>

#include "common/result.h"
#include "security/replay_window.h"
#include "security/ts33303/algorithms.h"
#include "security/ts33303/unverified.h"

namespace prose::security::ts33303 {

/// The requesting UE sends the request (Direct Communication Request or Rekeying Request), the commanding UE answers it
/// with the Direct Security Mode Command.
enum class side : std::uint8_t { requesting, commanding };

struct context_parameters {
  std::uint16_t kd_sess_id = 0;  ///< never 0, which says that nothing is protected
  side own = side::requesting;
  eea ciphering_algorithm = eea::aes;
  eia integrity_algorithm = eia::aes;
  bool mac_i_on_data = unverified::mac_i_on_data;  ///< the same at both ends
};

/// LCIDs 1 to 10 carry user data, 29 the Command and the Complete, 30 all other PC5-S. All but the Command is ciphered.
/// NOT VERIFIED: that PC5-S has the LCIDs 29 and 30. One SN serves all LCIDs, and no SN is used twice: TS 36.323 5.1.3
/// leaves the choice of SNs to the UE.
class security_context {
public:
  /// Empty for a KD-sess ID of 0.
  static std::optional<security_context> make(const context_parameters& parameters, const kd_sess_key& kd_sess);

  /// Octets of the PDU: those of the SDU, 5 more, and 4 more with a MAC-I. `sdu` may lie in `out` at offset 5. Refused:
  /// no SN is left, the SDU is empty or too long, `out` is too short, the LCID carries no such SDU.
  result<std::size_t, drop_reason> protect(std::uint8_t lcid, sdu_type type, bytes_view sdu, bytes_span out);

  struct opened {
    sdu_type type = sdu_type::pc5s;
    bytes_view sdu;  ///< in `out`
  };
  /// `out` is as long as the PDU and does not overlap it. If the MAC-I does not fit, the context does not change and
  /// `out` holds zeros. A PDU with a MAC-I is taken once. A PDU without one (user data, if mac_i_on_data is false) is
  /// taken each time that it comes.
  result<opened, drop_reason> open(std::uint8_t lcid, bytes_view pdu, bytes_span out);

  std::uint32_t pdus_left() const { return last_sn + 1 - next_sn_; }
  const context_parameters& parameters() const { return parameters_; }
  bool has_mac(std::uint8_t lcid) const { return !carries_data(lcid) || parameters_.mac_i_on_data; }

private:
  static constexpr std::uint32_t last_sn = 65535;
  static constexpr std::size_t channels = 12;  // LCID 1 to 10, 29, 30

  security_context(const context_parameters& parameters, const kd_sess_key& kd_sess);
  stream_inputs inputs(std::uint8_t lcid, std::uint16_t sn, side sender) const;

  context_parameters parameters_;
  ciphering ciphering_;
  integrity integrity_;
  std::uint32_t next_sn_ = 1;  // 0 is what an unprotected PDU has
  std::array<replay_window, channels> windows_{};
};

}  // namespace prose::security::ts33303
