#include "apps/keys/code_command.h"

#include <algorithm>
#include <utility>

#include "apps/lib/common/program.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/keys/code_file.h"
#include "apps/lib/keys/key_file.h"

namespace prose::keys {
namespace {
using namespace prose::apps;

/// The peer's code, in the book.
result<void> take_code(code_book& all, const std::string& name, const std::string& from) {
  auto code = read_code(from);
  if (!code) return tl::unexpected(code.error());
  if (all.own && all.own->code == code->code) return fail("'" + name + "' has this UE's own code");
  for (const auto& [other, known] : all.of_peers)
    if (known.code == code->code) return fail("'" + other + "' and '" + name + "' have the same code");
  all.of_peers.emplace(name, std::move(*code));
  return {};
}

}  // namespace

code_command::code_command(apps::command& app, std::string& permits) : permits_(permits) {
  command_ =
      app.add_subcommand("code",
                         "profile ts33303: the own code of restricted discovery for monitors (--to), or a permitted "
                         "peer's (NAME --from); who has a code can announce it; never send it over a network");
  command_.add_option("name", name_, "of the permitted peer whose code it is");
  command_.add_option("--codes", codes_, "own file of codes, created with a new own code if need be")
      .type_name("FILE")
      .required();
  command_.add_option("--permits", permits_, "permission file").type_name("FILE");
  auto to =
      command_.add_option("--to", to_, "the own code for a monitor, with mode 0600; must not exist").type_name("FILE");
  command_.add_option("--from", from_, "what the peer made with --to").type_name("FILE").excludes(to);
  command_.add_flag("--remove", remove_, "forgets the peer's code");
}

int code_command::run(const char* program, security::dh_port& dh, security::random_port& random) const {
  const auto wrong = [program](const std::string& why) { return report(program, why, exit_usage); };
  const bool own = !to_.empty();
  if (own == !name_.empty() || (!own && from_.empty() == !remove_) || (own && remove_))
    return wrong("code: accepted: --to FILE for the own code, or NAME with --from FILE or --remove");
  code_book all;
  if (!is_absent(codes_)) {
    auto present = read_codes(codes_);
    if (!present) return usage_error(program, present.error());
    all = std::move(*present);
  }
  if (!all.own) all.own = security::ts33303::make_code(random);
  if (remove_) {
    if (all.of_peers.erase(name_) == 0) return wrong(codes_ + ": no code of '" + name_ + "'");
  } else if (!own) {
    if (permits_.empty()) return wrong("no permission file; accepted: --permits FILE or permits: in --config");
    const auto permitted = read_permissions(permits_, dh, random);
    if (!permitted) return usage_error(program, permitted.error());
    if (std::ranges::none_of(*permitted, [this](const auto& p) { return p.name == name_; }))
      return wrong(permits_ + ": no peer is named '" + name_ + "'; accepted: a permitted peer");
    if (all.of_peers.contains(name_)) return wrong(codes_ + ": '" + name_ + "' has a code; --remove it first");
    if (const auto ok = take_code(all, name_, from_); !ok) return usage_error(program, ok.error());
  }
  if (const auto ok = write_codes(codes_, all); !ok) return run_error(program, ok.error());
  if (!own) return exit_ok;
  const auto ok = write_code(to_, *all.own);
  return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
}

}  // namespace prose::keys
