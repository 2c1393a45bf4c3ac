// The only user of uhd::usrp::multi_usrp: continuous timed reception and timed bursts on any UHD device, real or
// emulated.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"
#include "phy/radio/transmit_limits.h"
#include "phy/types/cf32.h"
#include "phy/types/sample_source.h"

namespace prose::phy {

/// Empty strings and zeros mean "what the device does by default".
struct radio_config {
  std::string device_args = "type=virtual";  ///< UHD device arguments, as --args of UHD's own programs
  std::string clock_source;                  ///< internal, external, gpsdo
  std::string
      time_source;     ///< internal, external, gpsdo; with external or gpsdo the PPS starts device time when locked
  std::string subdev;  ///< "A:A", for both directions
  std::string rx_antenna;
  std::string tx_antenna;
  double master_clock_hz =
      0.0;  ///< some devices take it only at opening; read back and refused on more than 1 Hz of error
  double sample_rate_hz = 15.36e6;  ///< rate of every span and tick of this interface
  double device_rate_hz =
      0.0;  ///< rate asked of the device when it cannot give sample_rate_hz: a resampler bridges them
  double center_freq_hz = 5.9e9;
  double rx_gain_db = 0.0;
  double tx_gain_db = 0.0;
  double bandwidth_hz = 0.0;
  int n_rx_antennas = 1;
  bool transmits = true;        ///< false: no transmitter is opened or set
  transmit_limits limits = {};  ///< what they do not allow is refused, or withheld
  double occupied_hz = 0.0;     ///< by what is sent; 0: sample_rate_hz
  double turnaround_s = 0.0;  ///< after an own burst the receiver is taken to be deaf for so long (X310: about 0.3 ms)
  bool blank_own_bursts =
      true;  ///< a half-duplex UE: received samples of own bursts and of the turnaround become zeros
  bool realtime_priority = false;  ///< ask for it; without the right to it the radio carries on and tells so
  bool require_lock =
      false;  ///< no lock is an error; otherwise the radio then runs free on its own clock and says so in notes()
  double lock_timeout_s = 5.0;      ///< how long to wait for reference and PPS lock
  double receive_timeout_s = 1.0;   ///< a receiver that gives nothing for so long is an error
  double transmit_timeout_s = 1.0;  ///< a transmitter that takes nothing for so long is an error
  double claim_timeout_s = 8.0;     ///< how long to try a device that another program uses; UHD lets go after 5 s
  /// Called with a line when open() has to wait, and, from the thread that reads or sends, without a right to priority.
  std::function<void(const std::string&)> tell = {};
  /// Called from UHD's thread with errors that UHD logs later, for the whole process: of the open radios the newest is
  /// told. It must not open or close a radio.
  std::function<void(const std::string&)> warn = {};
  std::function<bool()> stops = {};  ///< asked meanwhile: true ends the waiting
};

enum class radio_event_kind : std::uint8_t { overflow, underflow, late, sequence_error, burst_done, restart, withheld };

struct radio_event {
  radio_event_kind kind;
  std::int64_t tick;  ///< device time in samples at sample_rate_hz; -1 when the device does not tell
};

struct radio_counters {
  std::uint64_t overflows = 0;
  std::uint64_t underflows = 0;
  std::uint64_t lates = 0;            ///< bursts dropped because their time had passed, here or by the device
  std::uint64_t withheld = 0;         ///< bursts, or their rest, that the duty cycle did not allow
  std::uint64_t sequence_errors = 0;  ///< packets lost on the way to or from the device
  std::uint64_t timeouts = 0;
  std::uint64_t restarts = 0;    ///< reception had stopped and began again
  std::uint64_t time_jumps = 0;  ///< the device's time leapt while it received: read_status::time_jump
  std::uint64_t bursts_sent = 0;
  std::uint64_t bursts_done = 0;  ///< acknowledged by the device
  std::uint64_t samples_received = 0;
  std::uint64_t samples_lost = 0;  ///< as far as time stamps tell
};

enum class transmit_status : std::uint8_t { sent, late, withheld };

/// A burst longer than memory goes out in pieces that follow each other without a gap.
enum class burst_piece : std::uint8_t { whole, first, middle, last };

/// One radio. read() belongs to one thread and transmit() to one thread (which may be the same); the other members may
/// be called from any thread. A tick is one sample period: tick n is device time n / sample_rate_hz; ticks are 64-bit
/// integers throughout.
class radio : public sample_source {
public:
  /// Opens, configures and reads back; the error is one line that names the setting and what the device accepts.
  static result<std::unique_ptr<radio>> open(const radio_config&);
  /// What open() would refuse of these settings whatever the device; looks for none.
  static result<void> check(const radio_config&);
  ~radio() override;
  radio(const radio&) = delete;
  radio& operator=(const radio&) = delete;

  /// Starts continuous reception, at once or at a tick. Called by the first read() if not before.
  result<std::int64_t> start(std::optional<std::int64_t> at_tick = std::nullopt);
  void stop();

  double sample_rate_hz() const override;
  int n_antennas() const override;
  /// Blocks until the spans are full, an overflow cuts the block short, or the radio fails. Reception that stops once
  /// samples have come (UHD's own restart after an overflow was too late, or a cable was out) is started again, once;
  /// what is missing is a gap. A device that is gone is not closed any more: UHD would wait for it.
  result<read_status> read(std::span<const std::span<cf32>> out) override;
  /// One antenna.
  result<read_status> read(std::span<cf32> out);

  /// Queues one burst that starts at `start_tick` exactly. A burst whose time has passed is dropped and counted, never
  /// sent late; so is one that the duty cycle of radio_config::limits does not allow (a burst in pieces ends then).
  /// Blocks only while the device's buffers are full. Pieces: `first` starts the burst at its start_tick, the others
  /// carry on (their start_tick is not looked at), `last` ends it. A device that reports `late` or `underflow` drops
  /// what follows until the next burst. Not with device_rate_hz set: its resampler works on whole bursts. `begun` is
  /// called when the device has the first samples of the burst.
  result<transmit_status> transmit(std::int64_t start_tick, std::span<const cf32> burst,
                                   burst_piece piece = burst_piece::whole, const std::function<void()>& begun = {});
  /// transmit() in two steps, so that one thread can learn what becomes of a whole burst that another one hands over.
  /// admit() counts its air time. Any thread.
  transmit_status admit(std::int64_t start_tick, std::size_t n_samples);
  result<transmit_status> transmit_admitted(std::int64_t start_tick, std::span<const cf32> burst,
                                            burst_piece piece = burst_piece::whole,
                                            const std::function<void()>& begun = {});
  /// The limit in words ("a duty cycle of 0.1 within 3600 s: ISM 2.4 GHz"); empty without one.
  std::string duty_limit() const;
  /// Whether samples beyond this time were read. Any thread.
  bool has_read_beyond(std::int64_t tick) const;

  /// Device time now. Costs a round trip to real hardware; an error when the device is gone.
  result<std::int64_t> now_tick() const;
  /// The next event, oldest first; empty when there is none.
  std::optional<radio_event> poll_event();
  radio_counters counters() const;

  result<double> set_rx_gain_db(double gain_db);
  result<double> set_tx_gain_db(double gain_db);
  /// An error when the device does not tune there; then it is back where it was.
  result<double> set_center_freq_hz(double freq_hz);

  /// What the device said of itself, and remarks worth one line each in a log.
  const std::string& description() const;
  const std::vector<std::string>& notes() const;
  std::int64_t turnaround_ticks() const;

private:
  radio();
  struct impl;
  std::unique_ptr<impl> impl_;
};

}  // namespace prose::phy
