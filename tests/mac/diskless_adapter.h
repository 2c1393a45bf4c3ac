// The security sublayer of a UE without a disk.
#pragma once

#include "mac/security_adapter.h"

namespace prose::mac::test {

/// The mark of the slot clock counts as stored at once.
class diskless_adapter final : public security_adapter {
public:
  explicit diskless_adapter(security::ue_security& s) : security_adapter(s), clock_(s.discovery().clock()) {}
  bool advance(slot_t t, time_ms now) override {
    const bool ok = security_adapter::advance(t, now);
    if (const auto mark = clock_.mark_to_store()) clock_.mark_stored(*mark);
    return ok;
  }

private:
  security::slot_clock& clock_;
};

}  // namespace prose::mac::test
