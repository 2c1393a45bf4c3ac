#include "apps/keys/kd_command.h"

#include <algorithm>
#include <optional>

#include "apps/lib/common/program.h"
#include "apps/lib/common/safe_file.h"
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

kd_command::kd_command(apps::command& app, std::string& permits) : permits_(permits) {
  command_ =
      app.add_subcommand("kd",
                         "profile ts33303: a KD to share with one permitted peer, new (--to) or made by the peer "
                         "(--from); never send it over a network");
  command_.add_option("name", name_, "of the permitted peer").required();
  command_.add_option("--kds", kds_, "own file of KDs, created if need be").type_name("FILE").required();
  command_.add_option("--permits", permits_, "permission file").type_name("FILE");
  auto to = command_.add_option("--to", to_, "made for the peer, with mode 0600; must not exist").type_name("FILE");
  command_.add_option("--from", from_, "what the peer made with --to").type_name("FILE").excludes(to);
  command_.add_flag("--remove", remove_, "forgets the peer's KD");
}

int kd_command::run(const char* program, security::dh_port& dh, security::random_port& random) const {
  const auto wrong = [program](const std::string& why) { return report(program, why, exit_usage); };
  if (remove_ ? !to_.empty() || !from_.empty() : to_.empty() && from_.empty())
    return wrong("kd: accepted: one of --to FILE, --from FILE and --remove");
  kd_map all;
  if (!is_absent(kds_)) {
    auto present = read_kds(kds_);
    if (!present) return usage_error(program, present.error());
    all = std::move(*present);
  }
  if (remove_) {
    if (all.erase(name_) == 0) return wrong(kds_ + ": no KD of '" + name_ + "'");
  } else {
    if (permits_.empty()) return wrong("no permission file; accepted: --permits FILE or permits: in --config");
    const auto permitted = read_permissions(permits_, dh, random);
    if (!permitted) return usage_error(program, permitted.error());
    if (std::ranges::none_of(*permitted, [this](const auto& p) { return p.name == name_; }))
      return wrong(permits_ + ": no peer is named '" + name_ + "'; accepted: a permitted peer");
    if (all.contains(name_)) return wrong(kds_ + ": '" + name_ + "' has a KD; --remove it first");
    auto kd = from_.empty() ? result<security::ts33303::shared_kd>(new_kd(random)) : read_kd(from_);
    if (!kd) return usage_error(program, kd.error());
    const auto& added = all.emplace(name_, std::move(*kd)).first->second;
    if (const auto ok = check_separate(all); !ok) return wrong(kds_ + ": " + ok.error().message);
    if (!to_.empty())
      if (const auto ok = write_kd(to_, added); !ok) return run_error(program, ok.error());
  }
  const auto ok = write_kds(kds_, all);
  return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
}

}  // namespace prose::keys
