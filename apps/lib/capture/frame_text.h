// What Wireshark shows of a frame without a dissector for it: the name of the channel or message, and a line.
#pragma once

#include <string>

#include "apps/lib/capture/captured_frame.h"

namespace prose::apps {

struct frame_text {
  std::string protocol;  ///< "SCI format 1", "PC5-S DIRECT COMMUNICATION REQUEST"
  std::string info;
};
/// Of an SL-SCH PDU the message that begins in it, as far as its octets tell without a key.
frame_text text_of(const captured_frame& f);

}  // namespace prose::apps
