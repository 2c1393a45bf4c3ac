// The attacker's radio: one more emulated USRP on the air of real prose-ue processes. It hears every block of the TM2
// pool and every discovery message, whomever they are for, and sends whatever it is told in the subframes it is told.
// Nothing in here knows a key.
//
// The air runs in lock step (prose-air --speed max): while nobody calls step(), device time stands still for everybody.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "mac/default_pools.h"
#include "mac/rlc_um.h"
#include "mac/sl_sch.h"
#include "mac/ue.h"
#include "phy/modem/subframe_receiver.h"
#include "phy/modem/transmitter.h"
#include "phy/radio/radio.h"
#include "phy/types/pool.h"

namespace prose::adversary {

using octets = std::vector<std::uint8_t>;

/// A transport block as it was on the air, with the SCI that announced it.
struct heard_block {
  std::int64_t subframe = 0;
  phy::sci_format0 sci;
  octets tb;
  float snr_db = 0, cfo_hz = 0;
};
/// An RLC SDU: a PDCP PDU from src to dst (24 bits each) on a logical channel.
struct message {
  std::int64_t subframe = 0;
  std::uint32_t src = 0, dst = 0;
  std::uint8_t lcid = 0;
  octets pdu{};
  float cfo_hz = 0;
};
struct heard_discovery {
  std::int64_t subframe = 0;
  int resource = 0;
  security::discovery_pdu pdu{};
  float cfo_hz = 0;
};
struct heard_slss {
  std::int64_t subframe = 0;
  int n_sl_id = 0;
};

struct node_config {
  std::string name = "mallory";
  std::string air;
  mac::ue_config pools = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  float power_db = -12.0F;  ///< mean of a burst relative to full scale, as the UEs' own
  bool look_for_slss = false;
  bool decode = true;  ///< false: power only
  /// Reception begins so long after the device was opened. An air without receivers goes on with the wall clock
  /// meanwhile, and a loaded machine may take its time; with one, its time stands still.
  int begin_after_subframes = 500;
};

class node {
public:
  /// Ends the test program with a message where the device cannot be opened.
  explicit node(const node_config& config);
  ~node();

  /// Reads, decodes and answers one subframe.
  void step();
  void run(double seconds);
  /// Until the condition holds; false after so many seconds of device time.
  bool run_until(const std::function<bool()>& done, double seconds);
  std::int64_t now() const {
    return subframe_;
  }  ///< the next subframe to be read; subframe n begins at device time n ms
  double seconds() const { return static_cast<double>(subframe_) / 1000; }
  security::slot_t slot() const { return static_cast<security::slot_t>(1'700'000'000 + subframe_ / 1000); }

  // --- what was heard, in order ---
  std::vector<heard_block> blocks;
  std::vector<message> messages;
  std::vector<heard_discovery> discovery;
  std::vector<heard_slss> slss;
  std::vector<float> power_db;  ///< of each subframe since first_subframe
  std::int64_t first_subframe = 0;
  std::uint64_t n_sci = 0;
  std::function<void(const message&)> on_message;
  std::function<void(const heard_discovery&)> on_discovery;
  std::function<void(const heard_block&)> on_block;
  std::function<void()> on_subframe;  ///< after each

  // --- what is sent ---
  /// As an SDU of its own, in the next SC period with room, or not before a subframe. A block carries SDUs of one (src,
  /// dst).
  void send(message m, std::int64_t not_before = 0) { queue_.push_back({not_before, std::move(m)}); }
  /// A transport block as it is, under the destination octet given; it must fit the attacker's block (block_octets()).
  void send_block(octets tb, std::uint8_t dst_lsb, std::int64_t not_before = 0);
  /// The very block, with the very SCI, in the next period: the replay of a recording. One a period.
  void send_copy(const heard_block& b, std::int64_t not_before = 0) { copies_.push_back({not_before, b}); }
  /// A discovery message in the next free resource, or not before a subframe.
  void send_discovery(const security::discovery_pdu& pdu, std::int64_t not_before = 0) {
    announcements_.push_back({not_before, pdu});
  }
  /// Anything at all: samples of the transmissions are summed in the subframe. Payloads are copied.
  void send_raw(std::int64_t subframe, phy::transmission t);
  /// Noise of so many dB relative to full scale over the whole band in this subframe.
  /// Samples as they were received, stronger by `gain`.
  void send_samples(std::int64_t subframe, std::vector<phy::cf32> samples, float gain);
  bool record = false;  ///< keep the samples of every subframe with something in it
  std::map<std::int64_t, std::vector<phy::cf32>> recorded;
  void jam(std::int64_t subframe, float noise_db) { jam_[subframe] = noise_db; }
  std::size_t unsent() const { return queue_.size() + blocks_.size() + copies_.size() + announcements_.size(); }
  void clear_unsent() { queue_.clear(), blocks_.clear(), copies_.clear(), announcements_.clear(); }
  std::size_t block_octets() const;
  std::uint64_t blocks_sent = 0, messages_sent = 0, discovery_sent = 0;
  std::int64_t last_sent = 0;  ///< last subframe with something scheduled
  std::uint64_t lates() const { return radio_->counters().lates; }

  const phy::comm_pool& comm() const { return *comm_; }
  const phy::discovery_pool& discovery_pool() const { return *discovery_pool_; }
  const phy::carrier_config& carrier() const { return carrier_; }
  static int absolute(std::int64_t subframe) { return static_cast<int>(subframe % phy::n_absolute_subframes); }
  float power() const { return config_.power_db; }

private:
  struct grant {
    phy::sci_format0 sci;
    phy::soft_buffer buffer{1};
    int block = -1;
    bool done = false;
    float cfo_hz = 0;
  };
  template <class T>
  struct pending {
    std::int64_t not_before;
    T what;
  };
  struct raw_block {
    octets tb;
    std::uint8_t dst_lsb;
  };
  struct owned {
    phy::transmission t;
    octets bits;
  };
  void receive(std::span<const phy::cf32> samples);
  void receive_comm(int absolute);
  void demultiplex(const heard_block& b);
  void plan_period(std::int64_t start);
  void plan_block(std::int64_t start, int stream, int first_block, const raw_block& b, bool announce);
  void plan_grant(std::int64_t start, const phy::sci_format0& sci, int pscch_resource, int first_block,
                  const octets& tb, bool announce);
  void plan_discovery(std::int64_t subframe);
  void transmit(std::int64_t subframe);

  node_config config_;
  phy::carrier_config carrier_;
  std::unique_ptr<phy::radio> radio_;
  std::optional<phy::subframe_receiver> rx_;
  std::optional<phy::transmitter> tx_;
  std::optional<phy::comm_pool> comm_;
  std::optional<phy::discovery_pool> discovery_pool_;
  std::int64_t subframe_ = 0;
  std::vector<phy::cf32> samples_, burst_;
  octets bits_;
  std::vector<grant> grants_;
  std::int64_t period_ = -1;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>, mac::rlc_um_rx> rlc_;
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>, std::uint8_t> sn_;

  std::deque<pending<message>> queue_;
  std::deque<pending<raw_block>> blocks_;
  std::deque<pending<heard_block>> copies_;
  std::deque<pending<security::discovery_pdu>> announcements_;
  std::map<std::int64_t, std::vector<owned>> schedule_;
  std::map<std::int64_t, float> jam_;
  std::map<std::int64_t, std::vector<phy::cf32>> copies_of_samples_;
  std::uint64_t noise_state_ = 88172645463325252ULL;
};

}  // namespace prose::adversary
