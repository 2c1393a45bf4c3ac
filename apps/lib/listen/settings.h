// What prose-sniffer is told: configs/sniffer.yaml and the command line, which wins.
#pragma once

#include <string>
#include <vector>

#include "apps/lib/common/config.h"
#include "apps/lib/listen/capture.h"
#include "apps/lib/listen/recorded_carrier.h"
#include "apps/lib/listen/scene.h"
#include "common/result.h"
#include "phy/radio/radio.h"

namespace prose::apps {

struct sniffer_settings {
  // input: a recording or a device
  std::string iq;
  std::string device;
  int loop = 1;
  phy::radio_config radio = default_radio();
  bool rate_given = false;  ///< by the command line: then the carrier must be able to use it
  int metrics_port = -1;    ///< of 127.0.0.1; 0: any free one; -1: no metrics
  double queue_s = 1.0;     ///< how much a radio's samples may wait for processing
  double duration_s = 0;    ///< 0: to the end, or until stopped
  // what is known of it
  scene known;               ///< of the configuration file, or of its carrier file
  std::string carrier_file;  ///< instead of carrier and pools
  std::string scene_path, carrier;
  std::vector<std::string> pools;
  std::string sync;  ///< empty: gnss for a device, what the recording says, or slss
  // output
  std::string events, record, record_type = "cf32", annotate, pcap, keylog, look;
  std::vector<std::string> reports;  ///< *.html and *.htm: a page, others JSON
  bool report_failed = false;
  bool plain = false;
  // verdict
  bool verdict = false;
  std::string profile = "ltesl";  ///< security.profile of the UEs, which is not told on the air
  std::vector<std::string> compromised;
  double epoch_s = 0;                         ///< UTC at device time 0, as the UEs' epoch_s
  std::vector<std::string> known_plaintexts;  ///< files with octets that the links carried
  std::vector<std::string> names;             ///< that must not show on the air

  static phy::radio_config default_radio() {
    phy::radio_config r;
    r.device_args.clear();
    r.sample_rate_hz = 0;  // the carrier's own
    return r;
  }
};

inline const std::vector<std::string> profile_words{"ltesl", "ts33303"};
inline const std::vector<std::string> sync_words{"slss", "aligned", "blind", "gnss", "auto"};

/// Paths of input and key files are relative to the file, those of output to the working directory. Errors are one
/// line: file, line, key, what is wrong, what is accepted.
result<config_section> load_settings(const std::string& path, sniffer_settings& s);
result<config_section> parse_settings(const std::string& text, const std::string& path, sniffer_settings& s);
/// Notes in the file's record what the command line has changed since: config_section::in_force(). An error where no
/// configuration can say it.
result<void> note_settings(config_section& file, sniffer_settings s);

/// What the recording tells, under the configuration's carrier and pools, under those of the scene file, under those of
/// the command line. The recording's pools do not count where another prb or tm is told.
result<scene> scene_of(const sniffer_settings& s, const scene& recorded = {});
/// The last step of it: what nobody told is as the recording says. has_timing: the timing is `told`'s in any case.
scene filled_in(scene told, const scene& recorded, bool has_timing);
/// Nothing: it is to be tried. recorded: recorded_carrier::sync.
std::optional<listen_sync> sync_of(const sniffer_settings& s, const std::string& recorded = {});
/// The rate asked of a device: the settings' if the carrier can use it, else the carrier's own.
double rate_for(const sniffer_settings& s, const scene& known);

}  // namespace prose::apps
