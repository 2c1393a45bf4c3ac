// The security sublayer of a UE of profile ts33303 without a disk, for sim_air: it owns its links.
#pragma once

#include <memory>
#include <utility>

#include "mac/ts33303_adapter.h"

namespace prose::mac::test {

/// The mark of the slot clock counts as stored at once.
class diskless_ts33303 final : public ts33303_adapter {
public:
  diskless_ts33303(security::ue_security& s, std::unique_ptr<security::ts33303::direct_links> links)
      : ts33303_adapter(s, *links), owned_(std::move(links)), clock_(s.discovery().clock()) {}
  bool advance(slot_t t, time_ms now) override {
    const bool ok = security_adapter::advance(t, now);
    if (const auto mark = clock_.mark_to_store()) clock_.mark_stored(*mark);
    return ok;
  }
  security::ts33303::direct_links& links() { return *owned_; }

private:
  std::unique_ptr<security::ts33303::direct_links> owned_;
  security::slot_clock& clock_;
};

}  // namespace prose::mac::test
