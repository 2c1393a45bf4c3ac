// Link cover: a UE shows a constant number of outgoing flows, whatever links it has. NOT 3GPP. It stands between the
// MAC and the security sublayer.
//
// - A flow is a place among `flows`. Each carries one record of the same size every `interval_ms`. What is in it (a
//   piece of an SDU, a PC5-S message of the security sublayer, or nothing) is encrypted. A place without a link carries
//   random octets under random identifiers.
// - All identifiers change in rounds, at UTC seconds that are a multiple of `round_s`. In a round each place shows a
//   Request, a Command, a Complete and a first record, each three times at fixed times. Those of links that are being
//   set up are real, the others random. At the end of the round all places change to their new identifiers at once.
// - So a link takes a place, or gives it back, only where a round ends. A link that is lost in between leaves its place
//   as it is: records of random octets go on under its identifiers. No message of a peer moves anything that is sent.
// - Each round draws anew which place a link has. So no place shows how long a link has been there, and a peer that
//   comes and goes cannot find out which places are others'.
// - Every choice of the MAC is drawn from streams of the place, not of the peer.
//
// With flows = 0 nothing changes but that cells of others are understood.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "mac/cover_cells.h"
#include "mac/security_port.h"

namespace prose::mac {

struct cover_config {
  int flows = 0;  ///< 0: off; up to 16
  int interval_ms = 500;
  int cell_octets = 128;                      ///< of plaintext, with the header of a cell
  int round_s = 60;                           ///< no longer than epoch_config::min_ms, so that no epoch ends in between
  std::size_t max_queued_octets = 64 * 1024;  ///< for one peer; what its place carries in data_lifetime_ms, at most
  time_ms data_lifetime_ms = 5'000;           ///< of data while there is no link
};

class link_cover final : public security_port {
public:
  /// `inner`, `system` and `dh` must outlive it. `system` seeds the streams of the places; `dh` makes the ephemeral
  /// keys that random set-up messages show.
  link_cover(const cover_config& config, security_port& inner, security::random_port& system, security::dh_port& dh);

  bool advance(slot_t t, time_ms now) override;
  std::span<const security::discovery_pdu> announcements(time_ms now) override { return inner_.announcements(now); }
  std::vector<security::discovery_pdu> queries(std::span<const peer_id> wanted, time_ms now) override {
    return inner_.queries(wanted, now);
  }
  std::optional<security::discovery_event> discovery(std::span<const std::uint8_t, security::discovery_octets> pdu,
                                                     time_ms now) override;
  /// With cover: notes that the peer is wanted; a later round asks. Returns false.
  bool connect(const security::peer_heard& heard, time_ms now, security::actions& out) override;
  result<security::received_data, security::drop_reason> receive(std::uint8_t lcid, l2_id src, l2_id dst,
                                                                 std::span<const std::uint8_t> octets, time_ms now,
                                                                 std::span<std::uint8_t> buffer,
                                                                 security::actions& out) override;
  result<security::sealed_pdu, security::drop_reason> seal(security::link_id link, std::uint8_t lcid,
                                                           security::sdu_type type, std::span<const std::uint8_t> data,
                                                           time_ms now, std::span<std::uint8_t> out) override {
    return inner_.seal(link, lcid, type, data, now, out);
  }
  void tick(time_ms now, security::actions& out) override;
  void release_due(time_ms now, security::actions& out) override;
  time_ms next_due() const override;
  /// With cover: refused. Each round makes new keys.
  bool rekey(security::link_id link, time_ms now, security::actions& out) override {
    return !covers() && inner_.rekey(link, now, out);
  }
  /// With cover: a link that a round has just set up goes a little later, when its place can tell the peer.
  bool release(security::link_id link, time_ms now, security::actions& out) override;
  std::optional<security::link_id> link_with(peer_id peer) const override { return inner_.link_with(peer); }
  std::optional<security::link_info> info(security::link_id link, time_ms now) const override {
    return inner_.info(link, now);
  }
  std::optional<security::link_identifiers> pending(peer_id peer) const override { return inner_.pending(peer); }
  security::random_port& random(security::stream_purpose p) override { return inner_.random(p); }
  security::random_port& random(security::stream_purpose p, peer_id peer) override;
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const override { inner_.append_own_l2_ids(now, out); }
  void append_own_l2_pairs(time_ms now, std::vector<security::l2_pair>& out) const override {
    inner_.append_own_l2_pairs(now, out);
  }

  bool covers() const override { return config_.flows > 0; }
  bool enqueue(peer_id peer, security::sdu_type type, std::span<const std::uint8_t> data, time_ms now) override;
  bool has_room(peer_id peer, std::size_t octets) const override;
  std::size_t queued_octets() const override;
  std::uint64_t expired() const override { return expired_; }
  void sift(security::actions& actions, time_ms now) override;

  /// Links whose peers are still to be told of a release; how long that may take from now on.
  std::size_t closing() const;
  time_ms longest_goodbye_ms() const;
  /// For the user of this UE alone.
  struct place_status {
    bool shown = false;  ///< no flow before the first round is over
    peer_id peer = 0;    ///< whose link it carries; 0: a dummy
  };
  std::vector<place_status> status() const;
  const cover_config& config() const { return config_; }
  /// The peer's link changes with each round, because it or this UE has cover.
  bool changes_in_rounds(peer_id peer) const { return covers() || in_.contains(peer); }

private:
  enum class message : std::uint8_t { request, command, complete, first_record };
  static constexpr std::array all_messages{message::request, message::command, message::complete,
                                           message::first_record};
  struct identifiers {
    l2_id src = 0, dst = 0;
    std::uint16_t kd_sess_id = 0;
    bool operator==(const identifiers&) const = default;
  };
  struct set_up_message {
    l2_id src = 0, dst = 0;
    std::vector<std::uint8_t> octets;  // empty: not there yet
  };
  struct place {
    // What is shown.
    bool shown = false;
    identifiers ids;
    std::uint16_t sn = 0;
    peer_id peer = 0;                               // 0: a dummy
    security::link_id link = 0;                     // 0: a dummy, or a link that is not there yet or no longer
    std::vector<std::vector<std::uint8_t>> sealed;  // records that go before all others
    // The round.
    peer_id asked = 0, answered = 0, next_peer = 0;
    std::array<set_up_message, all_messages.size()> messages;
    bool chosen = false;  // next is
    identifiers next;
  };
  struct planned {
    time_ms at;
    std::size_t place;
    message what;
  };
  struct heard_peer {
    security::peer_heard heard;
    time_ms at;
  };

  void plan(time_ms now, security::actions& out);
  void choose_identifiers(std::size_t index);
  void change_identifiers();
  std::optional<identifiers> identifiers_with(peer_id peer) const;
  void join(place& p, time_ms now);
  void send_set_up(const planned& p, security::actions& out);
  void make_dummy(place& p, std::size_t index, message what);
  void send_cell(std::size_t index, time_ms now, security::actions& out);
  bool seal_cell(place& p, std::vector<std::uint8_t>& pdu, std::span<const std::uint8_t> cell, time_ms now);
  void keep_set_up(const security::send_message& m);
  void keep_signalling(security::send_message& m, time_ms now);
  result<security::received_data, security::drop_reason> open_cell(const security::received_data& r, time_ms now,
                                                                   security::actions& out);
  void on_goodbye(const security::received_data& r, time_ms now, security::actions& out);
  bool carries(security::link_id link) const;
  peer_id waits_for_place(security::link_id link, time_ms now) const;
  place* next_place_of(peer_id peer);
  place* place_for_answer(peer_id peer);
  place* free_place(peer_id peer);
  void draw_order();
  bool takes_requests(time_ms now) const;
  bool is_new(peer_id peer) const;
  time_ms next_round_step() const;
  security::random_port& octets_of(std::size_t index);  // identifiers and octets of a place that has no link
  l2_id draw_l2(std::size_t index);
  time_ms cell_time(std::int64_t n) const;

  cover_config config_;
  security_port& inner_;
  security::random_port& system_;
  security::dh_port& dh_;
  std::map<std::pair<peer_id, security::stream_purpose>, std::unique_ptr<security::random_port>> streams_;
  std::vector<place> places_;
  std::map<peer_id, heard_peer> heard_;
  std::map<peer_id, time_ms> wanted_;
  std::vector<security::link_id> leaving_;          // to be released once the round under way has given them a place
  std::map<peer_id, security::link_id> was_shown_;  // the last link of a peer that had a place
  std::map<peer_id, cell_cutter> out_;
  std::map<peer_id, cell_joiner> in_;
  // The round that comes or is under way.
  time_ms round_at_ = INT64_MAX;
  bool planned_ = false;
  std::vector<planned> plan_;       // by time
  std::vector<std::size_t> order_;  // of the places, for this round's links
  std::size_t plan_done_ = 0;
  time_ms first_cell_ = INT64_MAX;
  std::int64_t cells_ = 0;  // so many were due so far, of all places
  std::uint64_t expired_ = 0;
  std::vector<std::uint8_t> nested_;
};

}  // namespace prose::mac
