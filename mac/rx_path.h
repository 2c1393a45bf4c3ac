// From a transport block to what the security sublayer makes of it: destination filter, SL-SCH demultiplexing, one RLC UM
// entity per (SRC, DST, LCID), PDCP. Everything from the air is untrusted here; what is dropped is counted.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <optional>
#include <span>
#include <vector>

#include "mac/rlc_um.h"
#include "mac/security_port.h"
#include "mac/sl_sch.h"

namespace prose::mac {

struct rx_counters {
  std::uint64_t transport_blocks = 0;
  std::uint64_t repeated = 0;           ///< the same block again (a repetition that HARQ did not recognise)
  std::uint64_t malformed_sl_sch = 0;
  std::uint64_t other_destination = 0;
  std::uint64_t malformed_pdcp = 0;
  std::uint64_t security_dropped = 0;
  std::uint64_t data_sdus = 0, data_octets = 0;
  std::uint64_t signalling_sdus = 0;
  std::uint64_t entities_evicted = 0;
  rlc_um_counters rlc;
};

struct data_received {
  peer_id peer;
  security::sdu_type type;
  std::span<const std::uint8_t> data;  ///< valid during the callback
};

class rx_path {
 public:
  explicit rx_path(security_port& security) : security_(security), buffer_(rlc_max_sdu_octets) {}

  /// dst_lsb: group destination ID of SCI format 0, empty in TM3/4. Calls on_data(const data_received&) for each SDU of an
  /// established link; signalling turns into actions.
  template <class OnData>
  void receive(std::span<const std::uint8_t> tb, std::optional<std::uint8_t> dst_lsb, time_ms now, security::actions& out,
               OnData&& on_data) {
    sl_sch_pdu pdu;
    if (!accept(tb, dst_lsb, now, pdu)) return;
    for (const auto& s : pdu.all()) {
      auto& e = entity_for(pdu.header.src, pdu.header.dst, s.lcid, now);
      e.rlc.receive(s.data, counters_.rlc, [&](std::span<const std::uint8_t> sdu) {
        if (const auto d = deliver(s.lcid, pdu.header, sdu, now, out)) on_data(*d);
      });
    }
  }
  /// Own layer-2 IDs may have changed.
  void invalidate_destinations() { destinations_known_ = false; }
  bool addressed(l2_id dst, time_ms now);
  /// Whether any own layer-2 ID has these 8 LSB: the filter on SCI format 0.
  bool addressed_lsb(std::uint8_t lsb, time_ms now);
  void expire(time_ms now);
  std::size_t n_entities() const { return entities_.size(); }
  const rx_counters& counters() const { return counters_; }
  static constexpr std::size_t max_entities = 128;

 private:
  struct entity {
    l2_id src, dst;
    std::uint8_t lcid;
    time_ms last_used;
    rlc_um_rx rlc;
  };
  bool accept(std::span<const std::uint8_t> tb, std::optional<std::uint8_t> dst_lsb, time_ms now, sl_sch_pdu& pdu);
  entity& entity_for(l2_id src, l2_id dst, std::uint8_t lcid, time_ms now);
  std::optional<data_received> deliver(std::uint8_t lcid, const sl_sch_header& h, std::span<const std::uint8_t> sdu, time_ms now,
                                       security::actions& out);
  void refresh(time_ms now);

  security_port& security_;
  std::vector<std::uint8_t> buffer_;
  std::list<entity> entities_;  // most recently used first
  std::vector<l2_id> destinations_;
  bool destinations_known_ = false;
  time_ms destinations_at_ = 0;
  struct seen {
    std::uint64_t digest = 0;
    time_ms at = -1'000'000;
  };
  std::array<seen, 64> recent_{};
  std::size_t next_recent_ = 0;
  rx_counters counters_;
};

}  // namespace prose::mac
