#include "apps/lib/common/remarks.h"

#include "apps/lib/common/log.h"

namespace prose::apps {

void tell_remarks(const phy::sigmf_reader& recording, double told_rate_hz) {
  for (const auto& r : recording.meta().remarks) log_warning("{}: {}", recording.meta_path(), r);
  if (told_rate_hz > 0 && told_rate_hz != recording.sample_rate_hz())
    log_warning("{}: global.core:sample_rate {:.10g} holds, not --rate", recording.meta_path(),
                recording.sample_rate_hz());
}

}  // namespace prose::apps
