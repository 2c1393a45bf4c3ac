// What is odd about a recording, told on stderr once everything that was asked for is known to be right.
#pragma once

#include "apps/lib/common/sample_power.h"
#include "phy/io/sigmf_reader.h"

namespace prose::apps {

/// told_rate_hz: what --rate says of the recording; 0: nothing.
void tell_remarks(const phy::sigmf_reader& recording, double told_rate_hz = 0);

/// Warns if the samples that were read cannot be what the metadata says.
void tell_oddity(const phy::sigmf_reader& recording, const sample_power& samples);

}  // namespace prose::apps
