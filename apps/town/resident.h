// One UE of a town: the real MAC and security sublayer with keys made from the seed, and what happened to it. No radio.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <vector>

#include "mac/security_adapter.h"
#include "mac/ue.h"
#include "phy/dsp/random.h"

namespace prose::apps::town {

/// Random octets that follow from the seed. Only simulated UEs have such keys.
class seeded_octets final : public security::random_port {
public:
  explicit seeded_octets(std::uint64_t seed) : rng_(seed) {}
  void fill(security::bytes_span out) override;

private:
  phy::simulation_rng rng_;
};

struct traffic_config {
  double every_s = 5;  ///< mean time between two messages of a link in one direction; 0: none
  int octets = 60;
  std::int64_t until_ms = 0;  ///< what is sent later is not counted: it may not arrive in time
};

/// One permitted peer, as this UE saw it.
struct acquaintance {
  int who = 0;  ///< index of the UE
  mac::peer_id id = 0;
  std::int64_t both_on_ms = 0;      ///< since when both are switched on
  std::int64_t discovered_ms = -1;  ///< first heard
  std::uint64_t slots_heard = 0;    ///< slots of one second in which the peer was heard
  bool linked = false;
  std::uint32_t established = 0, failed = 0, lost = 0;
  std::vector<std::int64_t> set_up_ms;
  std::uint32_t sent = 0, counted = 0;  ///< messages; those that count
  std::int64_t next_send_ms = INT64_MAX;
  std::vector<bool> received;  ///< of the peer's messages, by number
  std::uint64_t delay_ms = 0, n_received = 0;
};

class resident {
public:
  /// dh is shared by all UEs of a town: it keeps no state of theirs.
  resident(int index, std::uint64_t seed, std::int64_t on_ms, const mac::ue_config& ue, security::dh_port& dh,
           const traffic_config& traffic);
  void permit(const resident& other);
  /// Everybody that is permitted is; call before the first step.
  void begin();

  /// Subframe `now` is over, `frames` were heard. `out` is what is sent, and events, which are noted here.
  void step(std::int64_t now, std::span<const mac::received_frame> frames, std::span<const double> subchannel_rssi_dbm,
            mac::step_output& out);
  std::int64_t wake() const { return wake_; }
  bool asks(std::uint8_t group_destination_id) { return ue_->addressed(group_destination_id); }
  const std::vector<acquaintance>& known() const { return known_; }
  mac::ue_counters counters() const { return ue_->counters(); }
  std::int64_t on_ms() const { return on_ms_; }
  const security::public_key& key() const { return public_; }
  int index() const { return index_; }
  float cfo_hz() const { return cfo_hz_; }

private:
  /// The mark of the slot clock counts as stored at once: there is no disk.
  class diskless final : public mac::security_adapter {
  public:
    explicit diskless(security::ue_security& s) : security_adapter(s), clock_(s.discovery().clock()) {}
    bool advance(mac::slot_t t, mac::time_ms now) override;

  private:
    security::slot_clock& clock_;
  };
  acquaintance* known(mac::peer_id id);
  void send_due(std::int64_t now);
  void note(std::int64_t now, const mac::step_output& out);
  void note_data(std::int64_t now, const mac::ev_data& d);
  void link_up(std::int64_t now, acquaintance& a);
  std::int64_t wait_ms();

  int index_;
  std::int64_t on_ms_;
  traffic_config traffic_;
  seeded_octets random_;
  phy::simulation_rng times_;
  float cfo_hz_;
  std::unique_ptr<security::ue_security> security_;
  std::unique_ptr<diskless> adapter_;
  std::unique_ptr<mac::ue> ue_;
  security::public_key public_;
  std::vector<acquaintance> known_;
  std::map<mac::peer_id, std::size_t> by_id_;
  std::int64_t wake_ = 0;
};

}  // namespace prose::apps::town
