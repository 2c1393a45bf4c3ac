// From SL-SCH PDUs to what lies above RLC: PDCP PDUs per (SRC, DST, LCID), each with the frames that carried it.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
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

/// One RLC UM entity per (SRC, DST, LCID), the least recently used one given up beyond `max_entities`. Entities keep their state
/// when the same block is heard twice; copies come out as copies.
class sdu_stream {
 public:
  explicit sdu_stream(std::size_t max_entities = 4096) : max_entities_(max_entities) {}
  /// Calls deliver for each SDU that the frame completes. False: not an SL-SCH PDU, or malformed. Repetitions (HARQ) are to be left
  /// out by the caller.
  bool add(const captured_frame& f, const std::function<void(const captured_sdu&)>& deliver);
  const mac::rlc_um_counters& counters() const { return counters_; }
  std::size_t entities() const { return entities_.size(); }

 private:
  using flow = std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>;
  struct entity {
    mac::rlc_um_rx rx;
    std::list<flow>::iterator place;
  };
  entity& entity_of(const flow& f);
  std::size_t max_entities_;
  std::map<flow, entity> entities_;
  std::list<flow> by_use_;  // most recent last
  mac::rlc_um_counters counters_;
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
