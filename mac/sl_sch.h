// MAC PDU of the SL-SCH (TS 36.321 6.1.6, 6.2.4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "security/lcid.h"

namespace prose::mac {

using security::carries_data;
using security::lcid_padding;
using security::lcid_pc5s_protected;
using security::lcid_pc5s_security_mode;
using security::lcid_pc5s_unprotected;

constexpr bool is_set_up_channel(std::uint8_t lcid) {
  return lcid == lcid_pc5s_unprotected || lcid == lcid_pc5s_security_mode;
}
constexpr bool carries_sdu(std::uint8_t lcid) {
  return carries_data(lcid) || (lcid >= lcid_pc5s_unprotected && lcid <= lcid_pc5s_protected);
}

/// The V field. It selects the meaning and the width of DST.
enum class sl_sch_version : std::uint8_t {
  group = 1,    ///< DST: 16 MSB of a ProSe layer-2 group ID
  unicast = 2,  ///< DST: 16 MSB of a ProSe UE ID
  v2x = 3,      ///< DST: 24 bits (SCI format 1 names no destination)
};

struct sl_sch_header {
  sl_sch_version version = sl_sch_version::unicast;
  std::uint32_t src = 0;  ///< 24 bits
  std::uint32_t dst = 0;  ///< 24 bits; with V 1 and 2 the 8 LSB travel in SCI format 0 and are zero after parsing
  bool operator==(const sl_sch_header&) const = default;
};

constexpr std::size_t header_octets(sl_sch_version v) { return v == sl_sch_version::v2x ? 7 : 6; }

struct sl_sch_sdu {
  std::uint8_t lcid = 0;
  std::span<const std::uint8_t> data;
};

inline constexpr std::size_t max_sdus_per_pdu = 32;

/// A parsed PDU; the SDUs point into the transport block.
struct sl_sch_pdu {
  sl_sch_header header;
  std::size_t n_sdus = 0;
  std::array<sl_sch_sdu, max_sdus_per_pdu> sdus;
  std::span<const sl_sch_sdu> all() const { return {sdus.data(), n_sdus}; }
};

enum class sl_sch_status : std::uint8_t {
  ok,
  truncated,          ///< ends inside a header, a length or an SDU
  reserved_version,   ///< V other than 1, 2, 3
  reserved_lcid,      ///< 0 and 11..27 (TS 36.321 5.11: a PDU with reserved values is discarded)
  misplaced_padding,  ///< padding between SDUs, or more than two padding subheaders in front
  empty_sdu,          ///< L = 0, or a last SDU without octets
  too_many_sdus,      ///< more than max_sdus_per_pdu
};
const char* name_of(sl_sch_status s);

/// `out` is meaningful only after ok. R bits and the content of padding are ignored.
sl_sch_status parse(std::span<const std::uint8_t> transport_block, sl_sch_pdu& out);

/// Builds one PDU into a transport block, SDU by SDU. Neither allocates nor copies twice.
class sl_sch_builder {
public:
  /// transport_block must outlive the builder. One that is too small for an SDU has no room() and is filled with zeros,
  /// which no receiver takes.
  sl_sch_builder(const sl_sch_header& header, std::span<std::uint8_t> transport_block);
  /// Octets that one more SDU may have (0: none fits).
  std::size_t room() const;
  /// Space for an SDU of `octets` (1..room(), else nothing is added and the space is empty); the caller fills it before
  /// the next call to finish(). The space may be reserved larger than needed and cut with shrink_last.
  std::span<std::uint8_t> add(std::uint8_t lcid, std::size_t octets);
  void shrink_last(std::size_t octets);
  bool empty() const { return n_sdus_ == 0; }
  /// Writes the headers and the padding. Call once, last.
  void finish();

private:
  struct entry {
    std::uint8_t lcid;
    std::size_t octets;
  };
  static std::size_t with_length(std::size_t octets) { return octets < 128 ? 2 : 3; }
  sl_sch_header header_;
  std::span<std::uint8_t> tb_;
  std::array<entry, max_sdus_per_pdu> entries_{};
  std::size_t n_sdus_ = 0;
  std::size_t payload_ = 0;  // octets of all SDUs
  std::size_t staged_ = 0;   // SDUs lie at the front of tb_ + staging offset until finish() moves them
};

}  // namespace prose::mac
