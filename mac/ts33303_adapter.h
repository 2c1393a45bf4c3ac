// security_port with the direct links of TS 33.303 in the place of ours, and its codes where they are configured. The
// clock of discovery and the streams of random octets are those of security::ue_security.
#pragma once

#include "mac/security_adapter.h"
#include "security/ts33303/code_discovery.h"
#include "security/ts33303/direct_links.h"

namespace prose::mac {

class ts33303_adapter : public security_adapter {
public:
  /// Both outlive the adapter. The links of `s` itself are not used.
  /// With `codes`, which outlives it too, discovery is that of TS 33.303 6.1, model A alone.
  ts33303_adapter(security::ue_security& s, security::ts33303::direct_links& links,
                  security::ts33303::code_discovery* codes = nullptr)
      : security_adapter(s), links_(links), codes_(codes) {}

  std::span<const security::discovery_pdu> announcements(time_ms now) override {
    return codes_ != nullptr ? codes_->announcements(now) : security_adapter::announcements(now);
  }
  std::vector<security::discovery_pdu> queries(std::span<const peer_id> wanted, time_ms now) override {
    return codes_ != nullptr ? std::vector<security::discovery_pdu>{} : security_adapter::queries(wanted, now);
  }
  std::optional<security::discovery_event> discovery(std::span<const std::uint8_t, security::discovery_octets> pdu,
                                                     time_ms now) override {
    return codes_ != nullptr ? codes_->receive(pdu, now) : security_adapter::discovery(pdu, now);
  }

  bool connect(const security::peer_heard& heard, time_ms now, security::actions& out) override {
    return links_.connect(heard, now, out).has_value();
  }
  result<security::received_data, security::drop_reason> receive(std::uint8_t lcid, l2_id src, l2_id dst,
                                                                 std::span<const std::uint8_t> octets, time_ms now,
                                                                 std::span<std::uint8_t> buffer,
                                                                 security::actions& out) override {
    return links_.receive(lcid, src, dst, octets, now, buffer, out);
  }
  result<security::sealed_pdu, security::drop_reason> seal(security::link_id link, std::uint8_t lcid,
                                                           security::sdu_type type, std::span<const std::uint8_t> data,
                                                           time_ms now, std::span<std::uint8_t> out) override {
    return links_.seal(link, lcid, type, data, now, out);
  }
  void tick(time_ms now, security::actions& out) override { links_.tick(now, out); }
  void release_due(time_ms, security::actions&) override {}
  time_ms next_due() const override { return INT64_MAX; }
  bool rekey(security::link_id link, time_ms now, security::actions& out) override {
    return links_.rekey(link, now, out).has_value();
  }
  bool release(security::link_id link, time_ms now, security::actions& out) override {
    return links_.release(link, now, out).has_value();
  }
  std::optional<security::link_id> link_with(peer_id peer) const override { return links_.link_with(peer); }
  std::optional<security::link_info> info(security::link_id link, time_ms now) const override {
    return links_.info(link, now);
  }
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const override { links_.append_own_l2_ids(now, out); }
  void append_own_l2_pairs(time_ms now, std::vector<security::l2_pair>& out) const override {
    links_.append_own_l2_pairs(now, out);
  }
  bool protects_security_mode() const override { return true; }

private:
  security::ts33303::direct_links& links_;
  security::ts33303::code_discovery* codes_;
};

}  // namespace prose::mac
