#include "apps/lib/common/remarks.h"

#include "apps/lib/common/log.h"

namespace prose::apps {

void tell_remarks(const phy::sigmf_reader& recording, double told_rate_hz) {
  for (const auto& r : recording.meta().remarks) log_warning("{}: {}", recording.meta_path(), r);
  if (told_rate_hz > 0 && told_rate_hz != recording.sample_rate_hz())
    log_warning("{}: global.core:sample_rate {:.10g} holds, not --rate", recording.meta_path(),
                recording.sample_rate_hz());
}

void tell_oddity(const phy::sigmf_reader& recording, const sample_power& samples) {
  if (const auto odd = samples.oddity(); !odd.empty())
    log_warning("{}: {}: is this {}?", recording.data_path(), odd, phy::name_of(recording.meta().datatype));
}

}  // namespace prose::apps
