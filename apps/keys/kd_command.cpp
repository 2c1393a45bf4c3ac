#include "apps/keys/kd_command.h"

#include <algorithm>
#include <optional>

#include "apps/lib/common/program.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/consent_list.h"
#include "apps/lib/keys/kd_file.h"
#include "apps/lib/keys/key_file.h"

namespace prose::keys {
namespace {

using namespace prose::apps;

/// The table's own check, on copies: it refuses one KD, or one KD ID, of two peers.
result<void> check_separate(const kd_map& all) {
  kd_map copies;
  for (const auto& [name, kd] : all)
    copies.emplace(name, security::ts33303::shared_kd{kd.id, security::ts33303::kd_key(kd.kd.expose())});
  const auto table = security::ts33303::kd_table::make(std::move(copies));
  return table ? result<void>() : fail(table.error().message);
}

}  // namespace

kd_command::kd_command(apps::command& app, std::string& permits, server_options& server, std::string& key)
    : permits_(permits), server_(server), key_(key) {
  command_ =
      app.add_subcommand("kd",
                         "profile ts33303: a KD to share with one permitted peer, new (--to) or made by the peer "
                         "(--from); never send it over a network. Or the one that a server has for the pair "
                         "(--from-server): then the server can read and forge all that the pair says");
  command_.add_option("name", name_, "of the permitted peer").required();
  command_.add_option("--kds", kds_, "own file of KDs, created if need be").type_name("FILE").required();
  command_.add_option("--permits", permits_, "permission file").type_name("FILE");
  auto to = command_.add_option("--to", to_, "made for the peer, with mode 0600; must not exist").type_name("FILE");
  command_.add_option("--from", from_, "what the peer made with --to").type_name("FILE").excludes(to);
  command_.add_flag("--remove", remove_, "forgets the peer's KD");
  command_.add_flag("--from-server", from_server_,
                    "the server's KD of this pair, for a peer that the consent list binds");
  server_commands::add_connection(command_, server_, key_);
}

std::optional<int> kd_command::refuse_usage(const char* program, const server_commands& servers) const {
  const int ways = !to_.empty() + !from_.empty() + remove_ + from_server_;
  if (ways != 1)
    return report(program, "kd: accepted: one of --to FILE, --from FILE, --from-server and --remove", exit_usage);
  return from_server_ ? servers.check_connection(program) : std::nullopt;
}

/// The peer may have a KD: it is in the permission file.
result<void> kd_command::check_permitted(security::dh_port& dh, security::random_port& random) const {
  if (permits_.empty()) return fail("no permission file; accepted: --permits FILE or permits: in --config");
  const auto permitted = read_permissions(permits_, dh, random);
  if (!permitted) return tl::unexpected(permitted.error());
  if (std::ranges::none_of(*permitted, [this](const auto& p) { return p.name == name_; }))
    return fail(permits_ + ": no peer is named '" + name_ + "'; accepted: a permitted peer");
  return {};
}

/// The consent list holds here too: a server gives no KD for a name, or a key, that the user has not bound.
result<security::ts33303::shared_kd> kd_command::from_server(const server_commands& servers) const {
  const auto path = server_.consent_path(key_);
  if (path.empty()) return fail("no consent list; accepted: --consent FILE, or --key FILE beside which it lies");
  const auto list = read_consents(path);
  if (!list) return tl::unexpected(list.error());
  const auto c = list->entries.find(name_);
  if (c == list->entries.end() || !c->second.bound())
    return fail(path + ": '" + name_ + "' is not bound to a key; accepted: a peer that prose-keys grant bound");
  const auto server = servers.connect();
  if (!server) return tl::unexpected(server.error());
  auto told = (*server)->kd(name_);
  if (!told) return tl::unexpected(told.error());
  security::ts33303::shared_kd kd{told->id, security::ts33303::kd_key(told->kd)};
  security::wipe(told->kd);
  if (told->key != c->second.key())
    return fail("the server has another key of '" + name_ + "' than " + path + "; its KD is not taken");
  return kd;
}

int kd_command::run(const char* program, const server_commands& servers, security::dh_port& dh,
                    security::random_port& random) const {
  const auto wrong = [program](const std::string& why) { return report(program, why, exit_usage); };
  if (const auto code = refuse_usage(program, servers)) return *code;
  kd_map all;
  if (!is_absent(kds_)) {
    auto present = read_kds(kds_);
    if (!present) return usage_error(program, present.error());
    all = std::move(*present);
  }
  if (remove_) {
    if (all.erase(name_) == 0) return wrong(kds_ + ": no KD of '" + name_ + "'");
  } else {
    // From a server the consent list decides.
    const auto permitted = from_server_ ? result<void>() : check_permitted(dh, random);
    if (!permitted) return usage_error(program, permitted.error());
    if (all.contains(name_)) return wrong(kds_ + ": '" + name_ + "' has a KD; --remove it first");
    auto kd = from_server_    ? from_server(servers)
              : from_.empty() ? result<security::ts33303::shared_kd>(new_kd(random))
                              : read_kd(from_);
    if (!kd) return from_server_ ? run_error(program, kd.error()) : usage_error(program, kd.error());
    const auto& added = all.emplace(name_, std::move(*kd)).first->second;
    if (const auto ok = check_separate(all); !ok) return wrong(kds_ + ": " + ok.error().message);
    if (!to_.empty())
      if (const auto ok = write_kd(to_, added); !ok) return run_error(program, ok.error());
  }
  const auto ok = write_kds(kds_, all);
  return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
}

}  // namespace prose::keys
