// An ideal air for UEs without a radio: subframes, losses, collisions, half-duplex. Simulated time only; seeds are
// printed by the tests. Nodes run the real MAC and the real security sublayer.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "mac/link_cover.h"
#include "mac/ue.h"
#include "security/crypto/x25519.h"
#include "tests/mac/diskless_adapter.h"

namespace prose::mac::test {

class seeded_random final : public security::random_port {
public:
  explicit seeded_random(std::uint64_t seed) : rng_(seed) {}
  void fill(security::bytes_span out) override {
    for (auto& b : out) b = static_cast<std::uint8_t>(rng_());
  }

private:
  std::mt19937_64 rng_;
};

struct air_config {
  double loss = 0;          ///< probability that a receiver misses a subframe
  bool collisions = true;   ///< overlapping PRBs destroy both
  bool half_duplex = true;  ///< who sends hears nothing in that subframe
  std::uint64_t seed = 1;
  /// Of a node's generator, from its seed; empty: seeded_random.
  std::function<std::unique_ptr<security::random_port>(std::uint64_t)> random{};
};

/// What became of one transmission at one receiver.
enum class outcome : std::uint8_t {
  not_sent,
  heard,        ///< of a block: also one that was heard before
  half_duplex,  ///< the receiver sent in that subframe
  collided,     ///< with a transmission on the same PRBs
  no_sci,       ///< no SCI of its SC period was heard
};

class sim_air;

/// Another security_port in the place of diskless_adapter, made whenever a node starts.
using port_maker = std::function<std::unique_ptr<security_port>(int node, security::ue_security&)>;

/// One UE with its keys. `restart` wipes everything but the key pair, the permissions and the mark.
class sim_node {
public:
  sim_node(sim_air& air, int index, std::string name, const ue_config& config, const security::ue_config& sec,
           std::uint64_t seed, const std::optional<cover_config>& cover, port_maker port = {});
  void permit(const sim_node& other);
  void restart(const ue_config* changed = nullptr);
  void kill() { on = false; }

  ue& mac() { return *ue_; }
  security::ue_security& sec() { return *security_; }
  /// Null where the node was added without one.
  link_cover* cover() { return cover_.get(); }
  peer_id id_of(const sim_node& other) const;
  const std::string& name() const { return name_; }
  const security::public_key& key() const { return public_; }

  bool on = true;
  std::int64_t clock_offset_ms = 0;  ///< of UTC
  std::vector<ue_event> events;      ///< all since the start or the last restart
  std::set<int> discovered;          ///< indices of nodes
  std::map<int, std::vector<std::vector<std::uint8_t>>> received;
  std::map<int, int> established, lost, rekeys, epochs, failed;
  std::string lost_because;
  int data_before_link = 0;  ///< SDUs of peers whose link had not been told of, or was told to be lost
  bool keep_data = true;
  std::map<int, std::uint64_t> received_octets, received_sdus;
  int index() const { return index_; }
  int index_of(peer_id p) const { return by_peer_.at(p); }

private:
  friend class sim_air;
  void build();
  void take(const step_output& out);
  sim_air& air_;
  int index_;
  std::string name_;
  ue_config config_;
  security::ue_config sec_config_;
  std::optional<cover_config> cover_config_;
  std::unique_ptr<security::random_port> random_;
  security::crypto::mbedtls_x25519 dh_;
  std::vector<std::uint8_t> private_octets_;
  security::public_key public_;
  std::map<int, security::public_key> permitted_;
  std::map<peer_id, int> by_peer_;
  std::set<peer_id> told_linked_;
  std::unique_ptr<security::ue_security> security_;
  port_maker make_port_;
  std::unique_ptr<security_port> adapter_;
  std::unique_ptr<link_cover> cover_;
  std::unique_ptr<ue> ue_;
  std::int64_t wake_ = 0;
  std::int64_t booted_at_ = 0;
  std::optional<slot_t> mark_;
  std::map<std::pair<int, std::int64_t>, std::int64_t> known_sci_;  // (transmitter, SC period) -> heard at
  std::uint64_t boots_ = 0;
};

class sim_air {
public:
  explicit sim_air(const air_config& config) : config_(config), rng_(config.seed) {}
  sim_node& add(const std::string& name, const ue_config& config, const security::ue_config& sec = {},
                const std::optional<cover_config>& cover = {}, port_maker port = {});
  /// Mutual permission.
  void permit(sim_node& a, sim_node& b) { a.permit(b), b.permit(a); }
  /// Runs until now + subframes.
  void run(std::int64_t subframes);
  /// Runs until the condition holds; false after `subframes`.
  bool run_until(const std::function<bool()>& done, std::int64_t subframes);

  std::int64_t now = 0;
  air_config& config() { return config_; }
  std::deque<sim_node>& nodes() { return nodes_; }
  /// Called with every transmission that goes on the air.
  std::function<void(int node, const subframe_transmission&)> on_air;
  /// Called for every transmission and node that is on: what became of its PSCCH and of its PSSCH.
  std::function<void(int from, int to, const subframe_transmission&, outcome pscch, outcome pssch)> on_outcome;
  /// May add to what a node hears in this subframe. What it adds must live until its next call.
  std::function<void(int node, std::vector<received_frame>& heard)> inject;
  /// May say that b does not hear a.
  std::function<bool(int a, int b)> hears;
  std::uint64_t collisions = 0, deliveries = 0, half_duplex = 0;
  static constexpr std::int64_t utc_epoch_ms = 1'700'000'000'000;
  slot_t slot_of(const sim_node& n) const {
    return static_cast<slot_t>((utc_epoch_ms + now + n.clock_offset_ms) / 1000);
  }

private:
  friend class sim_node;
  struct on_the_air {
    int node;
    subframe_transmission t;
  };
  void tick();
  air_config config_;
  std::mt19937_64 rng_;
  std::deque<sim_node> nodes_;
  std::map<std::int64_t, std::vector<on_the_air>> air_;
  struct delivered {
    transport_block block;  // keeps the address from being used again
    std::vector<bool> to;
    std::int64_t at;
  };
  std::unordered_map<const void*, delivered> delivered_;
  std::deque<std::pair<std::int64_t, const void*>> delivered_order_;
  step_output output_;
};

}  // namespace prose::mac::test
