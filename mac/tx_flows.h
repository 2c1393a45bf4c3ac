// What waits for transmission: the plaintext of the application for each link, and the RLC entities for each
// (SRC, DST). Data is sealed as late as a grant allows, so that little of it still belongs to the old identifiers when
// the epoch changes.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "mac/rlc_um.h"
#include "mac/security_port.h"
#include "mac/sl_sch.h"

namespace prose::mac {

struct tx_limits {
  std::size_t max_queued_octets_per_link = 512 * 1024;
  std::size_t max_queued_sdus_per_link = 1024;
  time_ms flow_idle_ms = 10'000;  ///< an empty flow is forgotten after so long
  time_ms signalling_lifetime_ms = 3'000;
  time_ms unlinked_lifetime_ms = 5'000;  ///< of application data while no link with its peer exists
};

struct tx_counters {
  std::uint64_t sdus_accepted = 0, sdus_refused = 0, sdus_sealed = 0, seal_refused = 0, sdus_dropped = 0,
                sdus_expired = 0;
  std::uint64_t transport_blocks = 0, octets_offered = 0, octets_used = 0;
};

/// One (SRC, DST) pair.
struct tx_flow {
  peer_id peer = 0;
  l2_id src = 0, dst = 0;
  std::map<std::uint8_t, rlc_um_tx> channels;  ///< by LCID
  time_ms last_used = 0;
  time_ms signalling_since = 0;  ///< when the oldest signalling of it was queued
  std::size_t queued_octets() const;
  bool has_signalling() const;
};

class tx_flows {
public:
  tx_flows(const tx_limits& limits, security_port& security) : limits_(limits), security_(security) {}

  /// A signalling message of the security sublayer: one RLC SDU on LCID 28 or 29 (its PDCP header is added here) or 30.
  /// The first message of a flow and LCID goes at once; each later one first waits `hold`
  /// (ue_config::signalling_spread_ms).
  void enqueue_signalling(const security::send_message& m, time_ms now, time_ms hold = 0);
  /// Queues what has waited long enough.
  void release_held(time_ms now);
  time_ms next_held() const;  ///< INT64_MAX: nothing is held
  /// Application data. Returns false if the peer's queue is full.
  bool enqueue_data(peer_id peer, std::uint8_t lcid, security::sdu_type type, std::span<const std::uint8_t> data,
                    time_ms now);
  bool has_room(peer_id peer, std::size_t octets) const;

  /// Seals waiting data of every live link until `octets` of each are ready in RLC.
  void prepare(std::size_t octets, time_ms now);
  /// Flows with something to send, the most urgent first (signalling, then the one served longest ago).
  std::vector<tx_flow*> waiting();
  bool any_waiting() const;
  /// Octets that wait for this flow's peer, sealed or not.
  std::size_t backlog(const tx_flow& f) const;
  tx_flow* find(l2_id src, l2_id dst);

  /// Fills a transport block for one flow. Returns false, and takes nothing, when the flow has nothing to send.
  bool build(tx_flow& f, sl_sch_version version, std::span<std::uint8_t> transport_block, time_ms now);

  /// The link is gone: drops what waits for it.
  void drop_peer(peer_id peer);
  void expire(time_ms now);
  std::size_t n_flows() const { return flows_.size() + held_.size(); }
  std::size_t queued_plaintext_octets() const;
  const tx_counters& counters() const { return counters_; }

private:
  struct sdu {
    std::uint8_t lcid;
    security::sdu_type type;
    std::vector<std::uint8_t> data;
    time_ms since;
  };
  struct link_queue {
    std::deque<sdu> sdus;
    std::size_t octets = 0;
  };
  struct held_message {
    time_ms due;
    security::send_message message;
  };
  void queue_signalling(const security::send_message& m, time_ms now);
  bool holds(l2_id src, l2_id dst) const;
  tx_flow& flow_for(peer_id peer, l2_id src, l2_id dst, time_ms now);
  bool seal_one(peer_id peer, link_queue& q, time_ms now);

  tx_limits limits_;
  security_port& security_;
  std::map<peer_id, link_queue> queues_;
  std::deque<tx_flow> flows_;
  std::deque<held_message> held_;
  tx_counters counters_;
};

}  // namespace prose::mac
