// security_port on security::ue_security. The caller keeps the mark on disk (slot_clock::mark_to_store).
#pragma once

#include "mac/security_port.h"
#include "security/ue_security.h"

namespace prose::mac {

class security_adapter : public security_port {
public:
  explicit security_adapter(security::ue_security& s) : s_(s) {}

  bool advance(slot_t t, time_ms now) override {
    const auto r = s_.discovery().advance(t, now);
    return r == security::slot_clock::step_result::advanced || r == security::slot_clock::step_result::unchanged;
  }
  std::span<const security::discovery_pdu> announcements(time_ms now) override {
    return s_.discovery().announcements(now);
  }
  std::vector<security::discovery_pdu> queries(std::span<const peer_id> wanted, time_ms now) override {
    return s_.discovery().queries(wanted, now);
  }
  std::optional<security::discovery_event> discovery(std::span<const std::uint8_t, security::discovery_octets> pdu,
                                                     time_ms now) override {
    return s_.discovery().receive(pdu, now);
  }
  bool connect(const security::peer_heard& heard, time_ms now, security::actions& out) override {
    return s_.links().connect(heard, now, out).has_value();
  }
  result<security::received_data, security::drop_reason> receive(std::uint8_t lcid, l2_id src, l2_id dst,
                                                                 std::span<const std::uint8_t> octets, time_ms now,
                                                                 std::span<std::uint8_t> buffer,
                                                                 security::actions& out) override {
    return s_.links().receive(lcid, src, dst, octets, now, buffer, out);
  }
  result<security::sealed_pdu, security::drop_reason> seal(security::link_id link, std::uint8_t lcid,
                                                           security::sdu_type type, std::span<const std::uint8_t> data,
                                                           time_ms now, std::span<std::uint8_t> out) override {
    return s_.links().seal(link, lcid, type, data, now, out);
  }
  void tick(time_ms now, security::actions& out) override { s_.links().tick(now, out); }
  void release_due(time_ms now, security::actions& out) override { s_.links().release_due(now, out); }
  time_ms next_due() const override { return s_.links().next_due(); }
  bool rekey(security::link_id link, time_ms now, security::actions& out) override {
    return s_.links().rekey(link, now, out).has_value();
  }
  bool release(security::link_id link, time_ms now, security::actions& out) override {
    return s_.links().release(link, now, out).has_value();
  }
  std::optional<security::link_id> link_with(peer_id peer) const override { return s_.links().link_with(peer); }
  std::optional<security::link_info> info(security::link_id link, time_ms now) const override {
    return s_.links().info(link, now);
  }
  std::optional<security::link_identifiers> pending(peer_id peer) const override {
    return security::pending_link(s_.links(), peer);
  }
  security::random_port& random(security::stream_purpose p) override { return s_.peers().stream(p); }
  security::random_port& random(security::stream_purpose p, peer_id peer) override {
    return s_.peers().stream(p, peer);
  }
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const override { s_.append_own_l2_ids(now, out); }
  void append_own_l2_pairs(time_ms now, std::vector<security::l2_pair>& out) const override {
    s_.append_own_l2_pairs(now, out);
  }

private:
  security::ue_security& s_;
};

}  // namespace prose::mac
