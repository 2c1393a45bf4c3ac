// configs/*.yaml of prose-ue: what a UE is told, with defaults that work on the emulated air.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "apps/lib/pc3/pc3.h"
#include "apps/ue/data_port.h"
#include "common/result.h"
#include "mac/default_pools.h"
#include "mac/link_cover.h"
#include "mac/ue.h"
#include "phy/modem/monitor.h"
#include "phy/radio/radio.h"
#include "security/ts33303/direct_links.h"
#include "security/ue_security.h"

namespace prose::apps {

inline const std::vector<std::string> data_kinds{"tun", "udp", "stdin", "none"};

struct program_config {
  std::string name = "ue";
  // identity
  std::string private_key;  ///< file of prose-keys gen
  std::string permissions;  ///< file of prose-keys permit
  std::string mark;         ///< file of the slot mark; by default <private_key>.mark
  pc3_config pc3;           ///< servers that hold permissions; none: the file alone counts
  // radio
  phy::radio_config radio;
  std::string radio_profile;      ///< configs/radio_*.yaml; the keys of `radio` and the command line override it
  float tx_power_db = -12.0F;     ///< mean of a burst, relative to full scale
  float rsrp_offset_db = -30.0F;  ///< dBm of a resource element at full scale
  mac::ue_config ue = mac::default_ue_config(phy::transmission_mode::tm2, 25);
  phy::cyclic_prefix cp = phy::cyclic_prefix::normal;
  std::vector<phy::monitor_pool> pools;        ///< all that were told, in their order; none: those of `ue`
  std::vector<phy::monitor_pool> other_pools;  ///< of them, in which this UE only listens
  std::string carrier_file;                    ///< that told carrier and pools; empty: the configuration did
  security::ue_config security;
  mac::cover_config cover;
  std::optional<security::ts33303::direct_link_config> ts33303;  ///< security.profile: ts33303; without times of links
  std::string kds;                                               ///< file of prose-keys kd, of that profile
  std::string codes;       ///< file of prose-keys code, of that profile; empty: discovery is the default profile's
  double epoch_s = 1.7e9;  ///< UTC at device time 0
  bool epoch_from_system = false;  ///< take UTC from the host's clock at the start instead
  bool trust_device = false;       ///< a device more than a day from the host's clock is right
  std::vector<std::string> query;  ///< model B: peers to ask for until they are linked
  struct {
    std::string private_key, permissions, mark, query, time, kds, codes;
  } where;  ///< "FILE:LINE: key" of values that are judged only when they are used
  // data
  std::string data = "none";  ///< tun, udp, stdin, none
  tun_config tun;
  std::vector<data_peer> data_peers;  ///< settings of single peers, by name
  std::size_t max_queued_octets = 64 * 1024;
  // what it says
  std::string events;
  std::string keylog;
  std::string tx_log;  ///< what was sent, for whoever counts what a receiver missed
  bool allow_keylog = false;
  bool dumpable = false;  ///< memory may be read and dumped; needs allow_keylog
  int metrics_port = -1;  ///< -1: none
  std::string control;    ///< Unix socket that tells --show the status; empty: none
  double duration_s = 0;  ///< of device time; 0: until stopped
};

/// Errors are one line: file, line, key, what is wrong, what is accepted. Paths in the file are relative to it.
result<program_config> read_program_config(config_section& file, const std::string& path);
/// Notes in the file's record what options of the command line have changed since: config_section::in_force().
void note_options(const config_section& file, program_config c);

/// A radio profile (none: empty name) under a configuration: everything but the sample rate, which the carrier decides.
result<void> apply_radio_profile(program_config& c, const std::string& file);

}  // namespace prose::apps
