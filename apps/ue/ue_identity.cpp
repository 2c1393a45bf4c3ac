#include "apps/ue/ue_identity.h"

#include <optional>
#include <string>
#include <utility>

#include "apps/lib/keys/code_file.h"
#include "apps/lib/keys/kd_file.h"
#include "apps/lib/keys/key_file.h"

namespace prose::apps {
namespace {

tl::unexpected<error> fail_at(const std::string& where, const error& e) {
  return fail(where.empty() ? e.message : where + ": " + e.message);
}

/// Every name of a file is that of a permitted peer.
template <class Map>
result<void> check_permitted(const Map& all, const security::peer_table& peers, const std::string& path,
                             const program_config& config) {
  for (const auto& [name, of_peer] : all)
    if (peers.find(name) == nullptr)
      return fail(path + ": '" + name + "' is not among the permitted peers; accepted: names of " +
                  (config.permissions.empty() ? "a permission file" : config.permissions));
  return {};
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
  if (auto ok = make_direct_links(config); !ok) return ok;
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
  cover_ = std::make_unique<mac::link_cover>(config.cover, *adapter_, random_, dh_);
  port_ = cover_.get();
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

/// Each permitted peer has a KD, and that of no other peer (TS 33.303 6.5: a KD is of exactly two UEs).
result<void> ue_identity::make_direct_links(const program_config& config) {
  if (!config.ts33303) return {};
  auto kds = keys::read_kds(config.kds);
  if (!kds) return fail_at(config.where.kds, kds.error());
  if (auto ok = check_permitted(*kds, security_->peers(), config.kds, config); !ok) return ok;
  for (const auto& p : security_->peers().all())
    if (!kds->contains(p->name))
      return fail(config.kds + ": no KD for '" + p->name + "'; accepted: one for each permitted peer (prose-keys kd)");
  auto table = security::ts33303::kd_table::make(std::move(*kds));
  if (!table) return fail(config.kds + ": " + table.error().message);
  auto links = *config.ts33303;
  links.keepalive_after_ms = config.security.links.keepalive_after_ms;
  links.keepalive_every_ms = links.keepalive_after_ms / 4;
  links.lost_after_ms = config.security.links.lost_after_ms;
  links.rekey_after_ms = config.security.links.rekey_after_ms;
  direct_links_ = std::make_unique<security::ts33303::direct_links>(links, std::move(*table), security_->peers(),
                                                                    security_->discovery());
  if (auto ok = make_codes(config); !ok) return ok;
  direct_adapter_ = std::make_unique<mac::ts33303_adapter>(*security_, *direct_links_, codes_.get());
  port_ = direct_adapter_.get();
  return {};
}

/// A peer without a code is not discovered, which is its user's choice.
result<void> ue_identity::make_codes(const program_config& config) {
  if (config.codes.empty()) return {};
  auto book = keys::read_codes(config.codes);
  if (!book) return fail_at(config.where.codes, book.error());
  if (!book->own) return fail(config.codes + ": no own code; accepted: a file that prose-keys code made");
  if (auto ok = check_permitted(book->of_peers, security_->peers(), config.codes, config); !ok) return ok;
  auto codes = security::ts33303::code_discovery::make(std::move(*book->own), std::move(book->of_peers),
                                                       security_->peers(), security_->discovery());
  if (!codes) return fail(config.codes + ": " + codes.error().message);
  codes_ = std::make_unique<security::ts33303::code_discovery>(std::move(*codes));
  return {};
}

std::uint64_t ue_identity::dropped(security::drop_reason why) const {
  return direct_links_ ? direct_links_->dropped(why) : security_->links().dropped(why);
}

std::size_t ue_identity::closing() const {
  return direct_links_ ? direct_links_->closing() : security_->links().closing() + cover_->closing();
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
