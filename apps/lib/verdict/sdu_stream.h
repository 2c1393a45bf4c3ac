// From SL-SCH PDUs to what lies above RLC: PDCP PDUs per (SRC, DST, LCID), each with the frames that carried it.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "mac/rlc_um.h"
#include "security/messages.h"
#include "security/record.h"

namespace prose::apps {

/// One RLC SDU: a PDCP PDU.
struct captured_sdu {
  std::uint64_t frame = 0;  ///< the frame that completed it
  double time_s = 0;
  std::uint32_t src = 0, dst = 0;
  std::uint8_t lcid = 0;
  std::span<const std::uint8_t> octets;
};

/// What becomes of the octets of RLC PDUs: each of them is told of once, by one of these but tested() and
/// alternative().
class sdu_sink {
public:
  virtual ~sdu_sink() = default;
  virtual void whole(const captured_sdu& s) = 0;
  /// Another assembly that the blocks heard allow, where somebody sends under another's layer-2 IDs. No evidence of its
  /// own: at most one is genuine.
  virtual void alternative(const captured_sdu& s) = 0;
  /// A part of alternatives only. begins: with the SDU's first octet.
  virtual void part(const captured_sdu& piece, bool begins) = 0;
  /// A part of an SDU whose rest did not come. by_loss: a block before or after it is missing, or the capture begins
  /// here; else its sender broke off. follows: the part before it was told of as well.
  virtual void cut(const captured_sdu& piece, bool begins, bool by_loss, bool follows) = 0;
  /// A part whose rest did not come yet: it may be told of as cut later, or as whole.
  virtual void doubted(const captured_sdu& piece, bool begins) = 0;
  /// An RLC PDU that is none, or an SDU beyond all sizes.
  virtual void malformed(const captured_sdu& pdu) = 0;
  /// RLC headers, and PDUs that came before octet for octet.
  virtual void overhead(std::uint32_t src, std::size_t octets) = 0;
  /// Bits between length indicators and data that are not zero.
  virtual void rlc_padding(const captured_sdu& pdu, std::uint8_t bits) = 0;
};

/// Puts SDUs together, flow by flow (RLC UM without reordering, TS 36.322 5.1.2.2), as a listener does who hears every
/// sender. Anybody may send under a flow's identifiers, so a beginning that another block seems to end is kept for a
/// while: whatever ends it later is tried too, as mac::rlc_um_candidates does for a UE. That class wants to be told
/// which SDU is genuine; here nobody knows, and each octet must be accounted for.
class sdu_stream {
public:
  static constexpr std::uint32_t kept_pdus = 24;        ///< for which a part stays beyond its use
  static constexpr std::uint32_t kept_pdus_mixed = 64;  ///< where two senders were heard lately
  static constexpr unsigned max_assemblies = 16;        ///< of one last part
  static constexpr std::size_t max_pieces = 256, max_flow_octets = 256 * 1024, max_octets = 32U << 20;
  explicit sdu_stream(std::size_t max_entities = 4096) : max_entities_(max_entities) {}
  /// The SDUs of a PDU of the frame.
  void add(const captured_frame& f, const mac::sl_sch_pdu& pdu, sdu_sink& sink);
  std::size_t entities() const { return entities_.size(); }
  /// RLC PDUs that did not follow the one before.
  std::uint64_t gaps() const { return gaps_; }
  /// How often a bound left an assembly untried.
  std::uint64_t untried() const { return untried_; }
  /// Calls f(piece, by_loss, follows) for each part whose rest did not come, and that was not told of as cut yet.
  template <class F>
  void each_doubted(F&& f) const {
    for (const auto& [name, e] : entities_)
      for (const auto& p : e.pieces)
        if (p.state == piece::lost || p.state == piece::broken_off) f(told(p), p.state == piece::lost, p.follows);
  }

private:
  using flow = std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>;
  struct piece {
    captured_sdu of;  // but its octets
    std::vector<std::uint8_t> octets;
    std::uint32_t arrival = 0, touched = 0;
    std::uint8_t sn = 0;
    bool begins = false, follows = false;
    /// open: its rest may still come; lost, broken_off: cut, unless something else ends it; used: told of.
    enum : std::uint8_t { open, lost, broken_off, used } state = open;
  };
  struct entity {
    std::list<flow>::iterator place;
    std::optional<std::uint8_t> next_sn;
    bool ended_inside = false;  // the last PDU ended inside an SDU
    std::uint32_t arrivals = 0, mixed = 0;
    struct heard {
      std::uint64_t digest = 0;
      std::uint32_t arrival = 0;
    };
    std::array<heard, mac::rlc_sn_modulus> by_sn{};
    std::vector<piece> pieces;  // in the order of arrival
    std::size_t octets = 0;
    std::uint32_t kept() const {
      return mixed != 0 && arrivals - mixed <= kept_pdus_mixed ? kept_pdus_mixed : kept_pdus;
    }
  };
  struct search;
  static captured_sdu told(const piece& p) {
    captured_sdu s = p.of;
    s.octets = p.octets;
    return s;
  }
  entity& entity_of(const flow& f, sdu_sink& sink);
  void give_up(entity& e, sdu_sink& sink, bool by_loss);
  void drop(entity& e, std::size_t i, sdu_sink& sink);
  void make_room(entity& e, std::size_t octets, sdu_sink& sink);
  void store(entity& e, const captured_sdu& part, std::uint8_t sn, bool begins, sdu_sink& sink);
  bool follows_something(entity& e, std::uint8_t sn);
  void finish(entity& e, const captured_sdu& tail, std::uint8_t sn, bool by_loss, sdu_sink& sink);
  bool find(const entity& e, search& s, std::uint8_t sn, std::uint32_t arrival, std::size_t octets, std::uint32_t cost,
            sdu_sink& sink);
  void receive(entity& e, const captured_sdu& pdu, sdu_sink& sink);
  std::size_t max_entities_;
  std::map<flow, entity> entities_;
  std::list<flow> by_use_;  // most recent last
  std::size_t octets_ = 0;  // of all pieces
  std::uint64_t gaps_ = 0, untried_ = 0;
};

/// A protected record (LCID 1..10, 30), from the octets of a PDCP PDU.
struct record_view {
  std::uint32_t src = 0, dst = 0;
  std::uint8_t lcid = 0;
  security::pdcp_header header;
  std::span<const std::uint8_t> pdu;
  std::span<const std::uint8_t> body() const { return pdu.subspan(security::pdcp_header_octets); }
};
std::optional<record_view> record_of(const captured_sdu& s);

/// A message of the set-up (LCID 28, 29), PDCP header removed. Empty unless type and length fit.
struct setup_view {
  std::uint32_t src = 0, dst = 0;
  std::uint8_t lcid = 0;
  security::message_header header;
  std::span<const std::uint8_t> octets;
};
std::optional<setup_view> setup_of(const captured_sdu& s);

}  // namespace prose::apps
