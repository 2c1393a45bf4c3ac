// From SL-SCH PDUs to what lies above RLC: PDCP PDUs per (SRC, DST, LCID), each with the frames that carried it.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <tuple>
#include <vector>

#include "apps/capture/captured_frame.h"
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

/// What becomes of the octets of RLC PDUs: each of them is told of once.
class sdu_sink {
 public:
  virtual ~sdu_sink() = default;
  virtual void whole(const captured_sdu& s) = 0;
  /// A part of an SDU whose rest did not come. begins: with the SDU's first octet. by_loss: a block before or after it is missing, or the capture
  /// begins here; else its sender broke off.
  virtual void cut(const captured_sdu& piece, bool begins, bool by_loss) = 0;
  /// An RLC PDU that is none, or an SDU beyond all sizes.
  virtual void malformed(const captured_sdu& pdu) = 0;
  /// RLC headers, and PDUs that came before octet for octet.
  virtual void overhead(std::uint32_t src, std::size_t octets) = 0;
  /// Bits between length indicators and data that are not zero.
  virtual void rlc_padding(const captured_sdu& pdu, std::uint8_t bits) = 0;
};

/// Puts SDUs together, flow by flow (RLC UM without reordering, TS 36.322 5.1.2.2), as a listener does who hears every sender.
class sdu_stream {
 public:
  explicit sdu_stream(std::size_t max_entities = 4096) : max_entities_(max_entities) {}
  /// The SDUs of a PDU of the frame.
  void add(const captured_frame& f, const mac::sl_sch_pdu& pdu, sdu_sink& sink);
  std::size_t entities() const { return entities_.size(); }
  /// RLC PDUs that did not follow the one before.
  std::uint64_t gaps() const { return gaps_; }

 private:
  using flow = std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>;
  struct entity {
    std::list<flow>::iterator place;
    std::optional<std::uint8_t> next_sn;
    bool open = false;         // the last PDU ended inside an SDU that this one holds from its beginning
    bool ended_inside = false; // the last PDU did, whatever was held
    std::vector<std::uint8_t> partial;
    captured_sdu partial_of;
    std::uint64_t last_pdu = 0;
  };
  entity& entity_of(const flow& f, sdu_sink& sink);
  void give_up(entity& e, sdu_sink& sink, bool by_loss);
  void receive(entity& e, const captured_sdu& pdu, sdu_sink& sink);
  std::size_t max_entities_;
  std::map<flow, entity> entities_;
  std::list<flow> by_use_;  // most recent last
  std::uint64_t gaps_ = 0;
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
