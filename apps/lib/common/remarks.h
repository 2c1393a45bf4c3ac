// What is odd about a recording, told on stderr once everything that was asked for is known to be right.
#pragma once

#include "phy/io/sigmf_reader.h"

namespace prose::apps {

/// told_rate_hz: what --rate says of the recording; 0: nothing.
void tell_remarks(const phy::sigmf_reader& recording, double told_rate_hz = 0);

}  // namespace prose::apps
