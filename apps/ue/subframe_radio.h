// The radio as local subframes: a stream of samples becomes the frames of one subframe, the MAC's transmissions become
// timed bursts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "apps/lib/common/events.h"
#include "apps/lib/common/sample_power.h"
#include "apps/ue/device_clock.h"
#include "apps/ue/frame_modem.h"
#include "apps/ue/program_config.h"
#include "common/result.h"
#include "mac/ue.h"
#include "phy/radio/burst_sender.h"
#include "phy/radio/radio.h"
#include "phy/sync/slss_search.h"

namespace prose::apps {

class subframe_radio {
public:
  /// Both must outlive the object. The clock gets its carrier and its first subframe from start().
  subframe_radio(const program_config& config, device_clock& clock) : config_(config), clock_(clock) {}
  /// Opens the log of what is sent; an empty path: none.
  result<void> open_log(const std::string& path);
  /// Modem and search. Opens no device.
  result<void> make_modem();
  result<void> open_device();
  /// Begins to receive; the clock stands at the first whole subframe.
  result<void> start();
  /// What was queued goes out first.
  void stop();

  /// Waits for the next samples. False: no more will come. Where the device's time leapt, local subframes go on behind
  /// a gap of up to one.
  result<bool> read();
  /// Ticks by which it leapt in the last read(); 0: it did not.
  std::int64_t time_jump() const { return time_jump_; }
  /// Subframes of device time by which the clock follows that leap. By device time (gnss) those are whole ones, and
  /// subframes have other numbers from then on; with SLSS the timing is the reference's and stays.
  std::int64_t renumbered() const;
  /// Whether all samples of a subframe were read.
  bool has(std::int64_t subframe) const;
  /// What is in a subframe, and where the MAC searches SLSS also what starts in the one before. Octets of the frames
  /// are valid until the next call.
  std::vector<mac::received_frame> receive(std::int64_t subframe, mac::ue& u);
  /// Drops samples that no subframe from the clock's on needs.
  void forget_old();

  result<void> transmit(std::span<const mac::subframe_transmission> transmissions);
  /// The timing jumped: forgets half-received blocks.
  void reset_modem() { modem_->reset(); }
  /// To be called now and then.
  void log_device_events();

  const phy::radio& device() const { return *device_; }
  const frame_modem& modem() const { return *modem_; }

private:
  bool by_device_time() const;
  std::int64_t stream_end() const { return stream_start_ + static_cast<std::int64_t>(stream_length_); }
  using antenna_views = std::vector<std::span<const phy::cf32>>;
  using antenna_samples = std::vector<std::vector<phy::cf32>>;
  antenna_views window(std::int64_t first_tick, std::size_t length, antenna_samples& copy) const;
  std::vector<mac::received_frame> search_slss(std::int64_t subframe);
  void receive_slss(std::int64_t subframe, std::int64_t first_tick, std::int64_t start,
                    std::vector<mac::received_frame>& found);
  void log_sent(const mac::subframe_transmission& t);
  void log_channel(const mac::subframe_transmission& t, const char* channel, int prb, int n_prb,
                   std::span<const std::uint8_t> octets, std::optional<int> n_sl_id = std::nullopt);

  const program_config& config_;
  device_clock& clock_;
  std::unique_ptr<frame_modem> modem_;
  std::unique_ptr<phy::radio> device_;
  bool withheld_told_ = false;
  std::unique_ptr<phy::burst_sender> sender_;  // after the device, which it uses to its end
  std::optional<phy::slss_search> search_;
  std::optional<sample_watch> watch_;
  event_writer sent_log_;
  std::size_t subframe_samples_ = 0;
  antenna_samples stream_;  // from tick stream_start_ on, stream_length_ samples of each antenna
  std::int64_t stream_start_ = 0;
  std::size_t stream_length_ = 0;
  std::int64_t time_jump_ = 0;
  std::vector<std::span<phy::cf32>> block_views_;  // where read() puts samples
  std::vector<phy::cf32> burst_;
};

}  // namespace prose::apps
