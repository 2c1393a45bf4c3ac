// What a recording tells of its carrier: the SigMF extension "prose" (docs/captures.md). Its keys are those of a scene,
// and sync.
#pragma once

#include <string>

#include "apps/lib/listen/scene.h"
#include "phy/io/sigmf_meta.h"

namespace prose::apps {

struct recorded_carrier {
  scene known;
  std::string sync;  ///< one of sync_words but auto, or empty: not told
  bool told() const { return known.n_prb || known.tm || known.cp || !known.pools.empty(); }
};

/// file: names the metadata. What cannot be read is left out as a whole, and `remark` says why in one line.
recorded_carrier carrier_from(const phy::sigmf_meta& meta, const std::string& file, std::string& remark);

/// Less than the sample rate holds (23.04e6 a second: 75 PRB or 100). A verdict looks at the whole band unless the user
/// says otherwise: a recording could hide a part of it.
bool is_narrower(const recorded_carrier& c, double rate_hz);
/// The remark that it was left out for this.
std::string narrower_remark(const std::string& file);

/// sigmf_meta::prose of a recording whose carrier is this.
std::string extension_text(const recorded_carrier& c);

}  // namespace prose::apps
