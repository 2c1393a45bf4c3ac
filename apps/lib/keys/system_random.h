#pragma once

#include "security/ports.h"

namespace prose::keys {

/// The kernel's generator. Ends the program if it fails: predictable keys are worse.
class system_random final : public security::random_port {
public:
  void fill(security::bytes_span out) override;
};

}  // namespace prose::keys
