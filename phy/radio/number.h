// Numbers in the messages of a radio.
#pragma once

#include <cstdio>
#include <string>

namespace prose::phy {

inline std::string number(double v) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", v);
  return text;
}

}  // namespace prose::phy
