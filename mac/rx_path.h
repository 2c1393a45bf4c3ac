// From a transport block to the security sublayer: destination and source filter, SL-SCH demultiplexing, RLC UM, PDCP.
// Everything from the air is untrusted here; what is dropped is counted.
//
// Layer-2 IDs are on the air in clear, so anybody can send under them. Three kinds of input are kept apart:
// - a link's own pair of IDs: candidates and trials of its own, which no other sender and no other link can use up;
// - the pair of a set-up that is under way (LCID 29): likewise;
// - any source at a rendezvous (LCID 28, requests): one pool and one budget for all strangers.
// Everything else is dropped by its header. Memory is taken in the constructor.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "mac/rlc_um.h"
#include "mac/security_port.h"
#include "mac/sl_sch.h"

namespace prose::mac {

struct rx_counters {
  std::uint64_t transport_blocks = 0;
  std::uint64_t repeated = 0;  ///< the same block again (a repetition that HARQ did not recognise)
  std::uint64_t malformed_sl_sch = 0;
  std::uint64_t other_destination = 0;
  std::uint64_t unknown_source = 0;  ///< no request, and of no link or set-up
  std::uint64_t malformed_pdcp = 0;  ///< also records that are too short
  std::uint64_t security_dropped = 0;
  std::uint64_t data_sdus = 0, data_octets = 0;
  std::uint64_t signalling_sdus = 0;
  std::uint64_t entities_evicted = 0;  ///< assemblies given up for another source's
  rlc_um_counters rlc;
};

struct data_received {
  peer_id peer;
  security::sdu_type type;
  std::span<const std::uint8_t> data;  ///< valid during the callback
};

class rx_path {
public:
  explicit rx_path(security_port& security);

  /// A new subframe: the budgets of trials begin anew.
  void begin_subframe() { ++subframe_; }
  /// dst_lsb: group destination ID of SCI format 0, empty in TM3/4. Calls on_data(const data_received&) for each SDU of
  /// an established link; signalling turns into actions.
  template <class OnData>
  void receive(std::span<const std::uint8_t> tb, std::optional<std::uint8_t> dst_lsb, time_ms now,
               security::actions& out, OnData&& on_data) {
    sl_sch_pdu pdu;
    verified_peer_ = 0;
    if (!accept(tb, dst_lsb, now, pdu)) return;
    for (const auto& s : pdu.all()) {
      entity* e = entity_for(pdu.header.src, pdu.header.dst, s.lcid, now);
      if (e == nullptr) {
        ++counters_.unknown_source;
        continue;
      }
      e->rlc.receive(s.lcid, s.data, budget_of(*e, s.lcid), work_, counters_.rlc,
                     [&](std::span<const std::uint8_t> sdu) {
                       std::optional<data_received> data;
                       const sdu_verdict v = deliver(s.lcid, pdu.header, sdu, now, out, data);
                       if (v == sdu_verdict::verified) e->last_verified = now;
                       if (data) on_data(*data);
                       return v;
                     });
    }
  }
  /// Own layer-2 IDs may have changed.
  void invalidate_destinations() { destinations_known_ = false; }
  bool addressed(l2_id dst, time_ms now);
  /// Whether any own layer-2 ID has these 8 LSB: the filter on SCI format 0.
  bool addressed_lsb(std::uint8_t lsb, time_ms now);
  /// Whose record the last block carried; 0: none that verified.
  peer_id verified_peer() const { return verified_peer_; }
  void expire(time_ms now);
  std::size_t n_entities() const;
  const rx_counters& counters() const { return counters_; }
  /// Pairs of IDs that receive at the same time: max_peers links with four each (epochs before and after a move, before
  /// and after a rekeying).
  static constexpr std::size_t max_link_entities = 256;
  static constexpr std::size_t max_setup_entities = 192;
  static constexpr std::size_t max_request_entities = 64;
  /// Octets of SDUs (rlc_um_candidates::trial_cost) that may fail their authentication in a subframe; then no more are
  /// tried. One budget for each link or set-up, and one for all strangers together. A subframe of 50 PRB carries 3182
  /// octets, so whole SDUs alone never come near.
  static constexpr std::size_t link_budget = 64 * 1024;
  static constexpr std::size_t request_budget = 16 * 1024;

private:
  struct entity {
    entity(const rlc_um_candidates::storage& all, std::size_t i) : rlc(all, i) {}
    bool used = false;
    l2_id src = 0, dst = 0;
    time_ms last_used = 0, last_verified = 0;
    std::uint64_t subframe = 0;
    std::size_t budget = 0;
    rlc_um_candidates rlc;
  };
  using pool = std::vector<entity>;
  static pool make_pool(std::size_t n, const rlc_um_candidate_limits& limits);
  bool accept(std::span<const std::uint8_t> tb, std::optional<std::uint8_t> dst_lsb, time_ms now, sl_sch_pdu& pdu);
  bool repeated(std::span<const std::uint8_t> tb, time_ms now);
  bool known(l2_id src, l2_id dst, bool records) const;
  /// Null: nothing from this source is expected on this channel.
  entity* entity_for(l2_id src, l2_id dst, std::uint8_t lcid, time_ms now);
  entity& take_from(pool& p, l2_id src, l2_id dst, time_ms now);
  std::size_t& budget_of(entity& e, std::uint8_t lcid);
  sdu_verdict deliver(std::uint8_t lcid, const sl_sch_header& h, std::span<const std::uint8_t> sdu, time_ms now,
                      security::actions& out, std::optional<data_received>& data);
  void refresh(time_ms now);

  security_port& security_;
  std::vector<std::uint8_t> buffer_;
  rlc_um_workspace work_;
  pool links_, setups_, requests_;
  peer_id verified_peer_ = 0;
  std::uint64_t subframe_ = 1, requests_subframe_ = 0;
  std::size_t request_budget_left_ = 0;
  std::vector<l2_id> destinations_;
  std::vector<security::l2_pair> pairs_;
  bool destinations_known_ = false;
  time_ms destinations_at_ = 0;
  struct seen {
    std::vector<std::uint8_t> octets;  // the whole block: with a digest, a forger could make another that matches
    time_ms at = -1'000'000;
  };
  std::vector<seen> recent_;
  std::size_t next_recent_ = 0;
  rx_counters counters_;
};

}  // namespace prose::mac
