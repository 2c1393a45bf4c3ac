// A scene of any content, of a file of its own or in a recording, then checked against a file: an error of one line or
// a carrier, never a crash.
#include <cstdlib>
#include <string_view>

#include "apps/lib/listen/recorded_carrier.h"
#include "apps/lib/listen/scene.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::apps;
  const std::string_view text{reinterpret_cast<const char*>(data), size};
  const auto s = parse_scene(text, "s.json");
  if (!s) {
    if (s.error().message.find('\n') != std::string::npos) std::abort();
  } else {
    for (const double rate : {1.92e6, 7.68e6, 11.52e6, 15.36e6, 30.72e6}) {
      std::string assumed;
      const auto c = carrier_of(*s, {"x.sigmf-meta", "global.core:sample_rate", rate, 100'000}, assumed);
      if (c && c->samples_per_subframe() <= 0) std::abort();
    }
  }
  prose::phy::sigmf_meta meta;
  meta.sample_rate_hz = 7.68e6;
  meta.prose = text;
  std::string remark, none;
  const auto told = carrier_from(meta, "x.sigmf-meta", remark);
  if (remark.find('\n') != std::string::npos || (!remark.empty() && told.told())) std::abort();
  meta.prose = extension_text(told);
  if (extension_text(carrier_from(meta, "x.sigmf-meta", none)) != meta.prose || !none.empty()) std::abort();
  scene t;
  (void)apply_carrier_text(text, "--carrier", t);
  (void)apply_pool_text(text, "--pool", t);
  return 0;
}
