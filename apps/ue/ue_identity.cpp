#include "apps/ue/ue_identity.h"

#include <optional>
#include <string>
#include <utility>

#include "apps/lib/keys/key_file.h"

namespace prose::apps {
namespace {

tl::unexpected<error> fail_at(const std::string& where, const error& e) {
  return fail(where.empty() ? e.message : where + ": " + e.message);
}

// Peers that a server may permit later have a slot from the start, as servers have.
void reserve_slots(const program_config& config, const security::ue_security& security, peer_slots& slots) {
  for (const auto& d : config.data_peers)
    if (security.peers().find(d.name) == nullptr) slots.add_peer(d.name, 0);
  for (const auto& s : config.pc3.servers) slots.add_server(s.client.server_name);
}

}  // namespace

result<void> ue_identity::open(const program_config& config, peer_slots& slots) {
  if (auto ok = make_security(config); !ok) return ok;
  if (auto ok = permit_peers(config, slots); !ok) return ok;
  if (config.pc3.servers.empty()) return check_names(config);
  reserve_slots(config, *security_, slots);
  return {};
}

result<void> ue_identity::make_security(const program_config& config) {
  auto key = keys::read_private_key(config.private_key);
  if (!key) return fail_at(config.where.private_key, key.error());
  auto mark = keys::read_mark(config.mark);
  if (!mark) return fail_at(config.where.mark, mark.error());
  // Without a mark a restarted UE would use slots twice, so a UE that cannot write it does not start.
  if (const auto ok = keys::check_mark_writable(config.mark); !ok)
    return fail_at(config.where.mark, error{ok.error().message + "; accepted: identity.mark in a folder where " +
                                            config.name + " may write"});
  auto sc = config.security;
  sc.stored_mark = *mark;
  const security::ports ports{random_, dh_, &work_};
  security_ =
      std::make_unique<security::ue_security>(sc, security::key_pair::from_private(std::move(*key), ports), ports);
  adapter_ = std::make_unique<mac::security_adapter>(*security_);
  port_ = std::make_unique<mac::link_cover>(config.cover, *adapter_, random_, dh_);
  return {};
}

result<void> ue_identity::permit_peers(const program_config& config, peer_slots& slots) {
  if (config.permissions.empty()) return {};
  auto permitted = keys::read_permissions(config.permissions, dh_, random_);
  if (!permitted) return fail_at(config.where.permissions, permitted.error());
  for (auto& p : *permitted) {
    std::optional<security::pre_shared_key> psk;
    if (!p.psk_path.empty()) {
      auto k = keys::read_psk(keys::psk_file(config.permissions, p.psk_path));
      if (!k) return fail(config.permissions + ": " + p.name + ": psk=" + p.psk_path + ": " + k.error().message);
      psk = std::move(*k);
    }
    auto id = security_->add_peer(p.name, p.key, std::move(psk));
    if (!id) return fail(config.permissions + ": " + p.name + ": " + id.error().message);
    slots.add_peer(p.name, *id);
  }
  return {};
}

/// Without servers every name of the configuration is one of the permission file.
result<void> ue_identity::check_names(const program_config& config) const {
  const auto& peers = security_->peers();
  const auto unknown = [&](const std::string& where, const std::string& name) {
    std::string known;
    for (const auto& p : peers.all()) known += (known.empty() ? "" : ", ") + p->name;
    return fail(where + ": '" + name + "' is not among the permitted peers; accepted: " +
                (known.empty() ? "none, since nobody is permitted" : known));
  };
  for (const auto& d : config.data_peers)
    if (peers.find(d.name) == nullptr) return unknown(d.where, d.name);
  for (const auto& q : config.query)
    if (peers.find(q) == nullptr) return unknown(config.where.query, q);
  return {};
}

}  // namespace prose::apps
