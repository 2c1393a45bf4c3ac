// What prose-ue --show tells: of a running UE, or of its files. As one JSON object, and as text made of that object.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/ue/link_filter.h"
#include "apps/ue/peer_timing.h"
#include "common/result.h"
#include "mac/ue.h"
#include "phy/radio/radio.h"
#include "security/link_engine.h"

namespace prose::apps {

/// Of the link: the suite, or the algorithms of another profile.
inline const char* algorithms_of(const security::link_info& i) {
  return i.algorithms != nullptr ? i.algorithms : security::name_of(i.suite_used);
}

struct peer_status {
  std::string name, key;                ///< the public key in base64
  std::string fingerprint;              ///< of the pair of keys, what both users compare by voice
  address_pair ipv6{}, ipv4{};          ///< as the host knows them; length 0: none
  std::optional<double> heard_age_s{};  ///< since it was discovered; nothing: not in this run, or lost since
  std::optional<security::link_info> link{};
  double up_s = 0, epoch_age_s = 0;  ///< of the link
  std::optional<mac::ue::peer_hearing> signal{};
  double signal_age_s = 0;
  std::optional<peer_timing::trend> timing{};  ///< of the link
  std::uint64_t rx_octets = 0, tx_octets = 0;
  std::uint64_t packets_dropped = 0;   ///< of the host, not taken
  std::uint64_t packets_filtered = 0;  ///< held back by the link's filter, either way
};

struct running_status {
  double device_s = 0, up_s = 0, utc_s = 0;
  double host_utc_s = 0;  ///< when this was told
  std::string device, data, sync;
  int n_sl_id = 0;
  double sample_rate_hz = 1;
  phy::radio_counters radio{};
  mac::ue_counters mac{};
  std::uint64_t blocks_ok = 0, blocks_failed = 0;
  /// Link cover; told to this UE's user alone.
  int cover_flows = 0, cover_shown = 0, cover_links = 0;
};

struct ue_status {
  std::string name, key;
  double silent_s = 0;  ///< for which the mark still keeps discovery silent
  std::string silent_until{};
  std::vector<peer_status> peers{};
  std::optional<running_status> running{};  ///< nothing: what the files say
};

/// One object, on one line, without a line end.
std::string to_json(const ue_status& s);
/// The text for people of what to_json() gave, in a running UE. `host_utc_s`: now, to tell how old the status is.
result<std::string> status_text(const std::string& json, double host_utc_s);

}  // namespace prose::apps
