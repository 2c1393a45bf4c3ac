// The abstract air of a town: what one subframe's transmissions become at each receiver. No samples. A loss is drawn
// from the curve of a block's SNR with interference counted as noise of its power; see README.md for what that leaves
// out.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "apps/town/curve_table.h"
#include "apps/town/ground.h"
#include "mac/transmission.h"
#include "mac/ue.h"
#include "phy/types/pool.h"

namespace prose::apps::town {

struct sent {
  int from;
  mac::subframe_transmission t;
};

/// What became of one channel of one transmission at one receiver within reach.
struct air_counters {
  std::uint64_t heard = 0;        ///< decoded, or a block that needed it no more
  std::uint64_t half_duplex = 0;  ///< the receiver sent
  std::uint64_t collided = 0;     ///< lost, and without others on its PRBs it would have been decoded
  std::uint64_t weak = 0;         ///< lost in any case
};

/// What one receiver took out of a subframe.
struct reception {
  struct item {
    const sent* of;
    float snr_db;   ///< with interference
    float rsrp_db;  ///< of an element of the channel, relative to noise; without interference
    bool pscch, block, psdch;
    int n_transmissions;  ///< combined in a block
  };
  std::vector<item> items;
  std::array<float, 20> subchannel_power{};  ///< TM4: relative to the noise of a resource element, noise included
};

class air {
public:
  /// `asks`: only blocks whose group destination ID the receiver asks for are decoded (TM2). The listener takes all.
  using asks_fn = bool (*)(void* context, int receiver, std::uint8_t group_destination_id);
  air(const mac::ue_config& ue, const ground& ground, const curve_table& curves, std::uint64_t seed);

  /// One subframe. Then receivers() heard something in it, or sent; those that sent have nothing.
  void subframe(std::int64_t now, std::span<const sent> transmissions, asks_fn asks, void* context);
  std::span<const std::uint32_t> receivers() const { return touched_; }
  const reception& of(std::uint32_t who) const { return receivers_[who].got; }

  struct totals {
    air_counters psdch, pscch, pssch;
    std::uint64_t receptions = 0;  ///< of transmissions within reach: what there is to hear
    // At the listener.
    std::uint64_t blocks_announced = 0, blocks_decoded = 0, discovery_sent = 0, discovery_decoded = 0;
  };
  const totals& counted() const { return totals_; }

private:
  static constexpr int max_prb = 50;
  struct heard_signal {
    std::uint32_t index;  ///< of the transmission
    std::uint32_t slot;   ///< of the receiver among those that hear it
    float snr;
  };
  /// A grant of TM2 that a receiver knows until the SC period ends.
  struct grant {
    int from;
    std::uint8_t destination;
    std::int64_t until;
  };
  struct receiver {
    std::vector<heard_signal> signals;
    reception got;
    std::vector<grant> grants;
    std::int64_t touched = -1;
    bool sends = false;
  };
  /// One channel of one transmission: where it is and how dense its power.
  struct part {
    int prb = 0, n_prb = 0, second = -1;  ///< second: the other PRB of a PSDCH
    float density = 0;                    ///< of the transmission's power, relative to all over the carrier
  };
  struct parts {
    part pscch, pssch, psdch;
  };
  struct combining {
    float snr = 0;  ///< summed over transmissions
    std::int16_t n = 0;
    bool done = false;
  };
  struct block_state {
    mac::transport_block kept;  ///< so that its address names no other block
    std::int64_t at;
    std::uint64_t number;
    bool announced = false;            ///< at the listener
    std::vector<combining> receivers;  ///< all within reach
  };

  parts parts_of(const mac::subframe_transmission& t) const;
  void reach(std::int64_t now, std::span<const sent> transmissions);
  void receive(std::int64_t now, std::uint32_t who, std::span<const sent> transmissions, asks_fn asks, void* context);
  void add_power(const part& p, float snr);
  void receive_discovery(std::uint32_t who, const heard_signal& s, const sent& x, reception::item& item);
  void receive_grant(std::int64_t now, std::uint32_t who, const heard_signal& s, const sent& x, reception::item& item);
  void receive_block(std::int64_t now, std::uint32_t who, const heard_signal& s, const sent& x, reception::item& item);
  bool knows(const receiver& r, const sent& x) const;
  block_state& block_of(std::int64_t now, const sent& x);
  void half_duplex(const sent& x);
  /// Ratio with interference, over the PRBs of the part; `alone`: without.
  double ratio(const part& p, float snr, bool alone) const;
  bool lost(channel c, int n_prb, double snr, std::uint64_t draw) const;
  std::uint64_t draw(std::uint64_t a, std::uint64_t b, std::uint64_t c) const;
  void forget_old(std::int64_t now);

  const ground& ground_;
  const curve_table& curves_;
  std::uint64_t seed_;
  int n_prb_, tm_, sc_period_;
  phy::v2x_pool_config v2x_;
  std::vector<receiver> receivers_;
  std::vector<std::uint32_t> touched_;
  std::vector<parts> parts_;
  std::array<float, max_prb> power_{};  ///< of a receiver's subframe
  std::unordered_map<const void*, block_state> blocks_;
  std::uint64_t next_block_ = 0;
  std::int64_t cleaned_ = 0;
  totals totals_;
};

}  // namespace prose::apps::town
