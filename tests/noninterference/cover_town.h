// Towns for link cover: John with a constant number of flows, and peers of his that are there or not. What an observer
// hears of John, without anything that is encrypted or drawn as an identifier.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "mac/link_cover.h"
#include "tests/mac/sim_air.h"

namespace prose::noninterference {

inline constexpr int cover_round_s = 15;
inline constexpr std::int64_t cover_round_ms = cover_round_s * 1000;

struct cover_town_config {
  phy::transmission_mode tm = phy::transmission_mode::tm2;
  int flows = 3;
  int interval_ms = 300;
  int cell_octets = 128;
  int peers = 3;      ///< permitted, whether they are there or not
  int present = 3;    ///< of these, the first ones
  bool mary = false;  ///< the first peer is Mary: what John sends under her link's identifiers is noted with its octets
  int talkers = 99;   ///< so many peers have something to send; the others' links carry nothing
  bool peers_covered = false;
  bool exact = false;  ///< streams from the seed and their labels alone; John's TM4 senses nothing
  std::uint64_t seed = 1;
};

/// One transmission of John's: when, where and in which format; octets of what is for Mary only.
struct cover_sight {
  std::int64_t subframe = 0;
  std::string what;
  bool operator==(const cover_sight&) const = default;
};

/// Of one block: the fields that are not encrypted.
struct heard_sdu {
  std::uint8_t lcid;
  std::size_t octets;
};
struct heard_cover_block {
  std::int64_t subframe;
  int node;
  mac::l2_id src, dst;
  int prb, n_prb;
  std::vector<heard_sdu> sdus;
  int padding_ones, ones;  ///< of the octets behind the headers
  std::size_t octets;
};

class cover_town {
public:
  explicit cover_town(const cover_town_config& c);
  void run(std::int64_t ms);
  /// To this moment of a round.
  void run_to(std::int64_t ms_in_round);
  bool linked(int peer);
  int places_with_links();
  /// Sources of John's links now, and whether the peer is a talker.
  std::map<mac::l2_id, bool> real_sources();
  /// John and the peers that are there send each other packets of random sizes at random times for so long. `answer`:
  /// the peers send as soon as they are given something, and not else.
  void talk(std::int64_t ms, std::uint64_t seed, bool answer = false);

  mac::test::sim_air air;
  mac::test::sim_node* john = nullptr;
  std::vector<mac::test::sim_node*> peers;
  std::vector<cover_sight> sights;        ///< John's
  int marys_blocks = 0;                   ///< of these, with octets
  std::vector<heard_cover_block> blocks;  ///< everybody's, the first transmission of each

private:
  void hear(int node, const mac::subframe_transmission& t);
  std::string marys_octets(const mac::subframe_transmission& t);
  void only_what_is_equal(int node, std::vector<mac::received_frame>& heard);
  void run_answering(std::int64_t until);
  cover_town_config config_;
  std::map<int, std::uint64_t> answered_;  // SDUs of John's, by peer
  security::discovery_pdu nobodys_message_{};
};

}  // namespace prose::noninterference
