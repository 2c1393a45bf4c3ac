// prose-keys: makes and shows keys and permission files. One line of base64 a key, as users of wireguard-tools know
// them.
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <iostream>

#include "apps/keys/code_command.h"
#include "apps/keys/kd_command.h"
#include "apps/keys/server_commands.h"
#include "apps/lib/common/command_line.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/dumps.h"
#include "apps/lib/common/program.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "security/crypto/x25519.h"

namespace {
using namespace prose;
using namespace prose::apps;
using namespace prose::keys;
constexpr const char* program = "prose-keys";

struct options {
  common_options common;
  std::string key, permits, file, name, public_key, psk, peer;
  bool psk_only = false, remove = false;
  server_options server;
};

struct tools {
  system_random random;
  security::crypto::mbedtls_x25519 dh{random};
  security::ports ports{random, dh};
};

void read_config(config_section& file, options& o) {
  file.read_path_here("key", o.key);
  file.read_path_here("permits", o.permits);
  read_server_options(file, o.server);
}

/// --print-config, with the consent list where it lies by default.
int print_effective(const config_section& file, options o) {
  o.server.consent = o.server.consent_path(o.key);
  auto now = file.in_force();
  read_config(now, o);
  return print_config(now.effective());
}

/// --check: every file that the configuration names, where it is there or has to be.
result<void> check(const options& o, tools& t) {
  if (!o.key.empty())
    if (auto key = read_private_key(o.key); !key) return tl::unexpected(key.error());
  if (!o.permits.empty() && ::access(o.permits.c_str(), F_OK) == 0) {
    const auto all = read_permissions(o.permits, t.dh, t.random);
    if (!all) return tl::unexpected(all.error());
    for (const auto& p : *all)
      if (!p.psk_path.empty())
        if (auto psk = read_psk(psk_file(o.permits, p.psk_path)); !psk)
          return fail(o.permits + ": " + p.name + ": psk=" + p.psk_path + ": " + psk.error().message);
  }
  return check_server_options(o.server, o.key);
}

int print_line(const std::string& text) {
  if (std::printf("%s\n", text.c_str()) < 0 || std::fflush(stdout) != 0)
    return report(program, "standard output does not take the result", exit_failure);
  return exit_ok;
}

int generate(const options& o, tools& t) {
  const auto emit = [&](security::bytes_view octets) {
    if (o.file.empty()) return print_line(to_base64(octets));
    const auto ok = write_secret(o.file, octets);
    return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
  };
  if (o.psk_only) {
    const auto psk = security::pre_shared_key::make([&](auto out) { t.random.fill(out); });
    return emit(psk.expose());
  }
  return emit(security::key_pair::generate(t.ports).private_key.expose());
}

result<security::static_private_key> own_key(const options& o) {
  const std::string& path = o.file.empty() ? o.key : o.file;
  if (!path.empty()) return read_private_key(path);
  if (::isatty(STDIN_FILENO) != 0) return fail("no key; accepted: FILE, --key FILE, or a key on standard input");
  std::string line;
  std::getline(std::cin, line);
  if (std::cin.bad()) return fail("standard input cannot be read");
  const auto octets = key_from_base64(pasted(line), "the private key on standard input");
  if (!octets) return tl::unexpected(octets.error());
  if (std::all_of(octets->begin(), octets->end(), [](auto b) { return b == 0; }))
    return fail("the private key on standard input is all zero");
  return security::static_private_key(*octets);
}

int show_public(const options& o, tools& t) {
  auto key = own_key(o);
  if (!key) return usage_error(program, key.error());
  return print_line(to_base64(t.dh.public_of(*key).octets));
}

/// A path of the command line, relative to the folder of `file`.
std::string path_from(const std::string& file, const std::string& path) {
  if (path.empty() || std::filesystem::path(path).is_absolute()) return path;
  std::error_code failed;
  const auto folder = std::filesystem::weakly_canonical(std::filesystem::absolute(file).parent_path(), failed);
  const auto at = std::filesystem::weakly_canonical(std::filesystem::absolute(path).parent_path(), failed) /
                  std::filesystem::path(path).filename();
  return failed ? std::filesystem::absolute(path).string() : at.lexically_proximate(folder).string();
}

int permit(const options& o, tools& t) {
  if (o.permits.empty())
    return report(program, "no permission file; accepted: --permits FILE or permits: in --config", exit_usage);
  std::vector<permission> all;
  if (::access(o.permits.c_str(), F_OK) == 0) {
    auto present = read_permissions(o.permits, t.dh, t.random);
    if (!present) return usage_error(program, present.error());
    all = std::move(*present);
  }
  std::optional<permission> now;
  if (o.remove) {
    if (std::none_of(all.begin(), all.end(), [&](const auto& p) { return p.name == o.name; }))
      return report(program, o.permits + ": no peer is named '" + o.name + "'", exit_usage);
  } else {
    if (!valid_name(o.name)) return report(program, "a name has 1 to 64 of a-z A-Z 0-9 . _ -", exit_usage);
    auto key = check_public_key(o.public_key, t.dh, t.random);
    if (!key) return usage_error(program, key.error());
    if (!o.psk.empty())
      if (auto psk = read_psk(o.psk); !psk) return usage_error(program, psk.error());
    if (!o.key.empty()) {
      auto own = read_private_key(o.key);
      if (!own) return usage_error(program, own.error());
      if (t.dh.public_of(*own) == *key) return report(program, "that is your own public key", exit_usage);
    }
    for (const auto& p : all) {
      if (p.name == o.name && p.key != *key)
        return report(
            program,
            o.permits + ": '" + o.name + "' has another key; if it changed for a good reason, --remove it first",
            exit_usage);
      if (p.name != o.name && p.key == *key)
        return report(program, o.permits + ": '" + p.name + "' has the same public key", exit_usage);
    }
    now = permission{o.name, *key, path_from(o.permits, o.psk)};
  }
  const auto ok = change_permission(o.permits, o.name, now ? &*now : nullptr, t.dh, t.random);
  return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
}

// The permission file's peers, then those of the consent list.
result<security::public_key> key_of_peer(const options& o, tools& t) {
  const auto& key = o.file.empty() ? o.key : o.file;
  const bool more = !o.server.cache.empty() ||
                    (!o.server.consent_path(key).empty() && ::access(o.server.consent_path(key).c_str(), F_OK) == 0);
  if (o.permits.empty() && !more)
    return fail("'" + o.peer +
                "' is no public key and there is no file to look it up; accepted: --permits FILE, --consent FILE, "
                "--cache FILE");
  if (!o.permits.empty()) {
    auto all = read_permissions(o.permits, t.dh, t.random);
    if (!all) return tl::unexpected(all.error());
    const auto at = std::find_if(all->begin(), all->end(), [&](const auto& p) { return p.name == o.peer; });
    if (at != all->end()) return at->key;
    if (!more) return fail(o.permits + ": no peer is named '" + o.peer + "'");
  }
  return known_key(o.server, key, o.peer);
}

int fingerprint(const options& o, tools& t) {
  auto own = own_key(o);
  if (!own) return usage_error(program, own.error());
  security::public_key other;
  if (o.peer.size() == 44) {
    auto key = check_public_key(o.peer, t.dh, t.random);
    if (!key) return usage_error(program, key.error());
    other = *key;
  } else {
    auto known = key_of_peer(o, t);
    if (!known) return usage_error(program, known.error());
    other = *known;
  }
  return print_line(fingerprint_text(t.dh.public_of(*own), other));
}
}  // namespace

static int run_main(int argc, char** argv) {
  options o;
  if (const auto ok = forbid_dumps(); !ok) return run_error(program, ok.error());
  const auto path = find_config_path(argc, argv);
  auto file = path.empty() ? config_section::parse("", "") : config_section::load(path);
  if (!file) return usage_error(program, file.error());
  read_config(*file, o);
  if (const auto ok = file->check(); !ok) return usage_error(program, ok.error());

  command_line app(program,
                   "Makes keys, permission files and certificates; keeps the consent list and tells a server of it.",
                   o.common);

  app.require_subcommand();
  auto gen = app.add_subcommand(
      "gen", "a new private key (or with --psk a pre-shared key): to FILE with mode 0600, or to standard output");
  gen.add_option("file", o.file, "created; must not exist").type_name("FILE");
  gen.add_flag("--psk", o.psk_only, "a key to share with one peer in person; never send it over a network");
  auto pub = app.add_subcommand("pub", "the public key of a private key (FILE, --key, or standard input)");
  pub.add_option("file", o.file).type_name("FILE");
  pub.add_option("--key", o.key, "own private key").type_name("FILE");
  auto per = app.add_subcommand("permit", "permits a peer: it may discover us and we it, once it permits us too");
  per.add_option("name", o.name, "what we call the peer").required();
  auto key_option = per.add_option("public-key", o.public_key, "44 characters of base64");
  per.add_option("--permits", o.permits, "permission file, created if need be").type_name("FILE");
  per.add_option("--psk", o.psk, "pre-shared key of the pair (prose-keys gen --psk FILE)").type_name("FILE");
  per.add_option("--key", o.key, "own private key, to notice one's own public key").type_name("FILE");
  per.add_flag("--remove", o.remove, "withdraws the permission");
  auto fin = app.add_subcommand("fingerprint", "what both users read to each other to know that nobody swapped keys");
  fin.add_option("peer", o.peer, "a name of the permission file or of the consent list, or a public key").required();
  fin.add_option("--key", o.key, "own private key").type_name("FILE");
  fin.add_option("--permits", o.permits, "permission file").type_name("FILE");
  fin.add_option("--consent", o.server.consent, "consent list; default: the private key's name with .consent")
      .type_name("FILE");
  fin.add_option("--cache", o.server.cache, "pc3.cache of a prose-ue of version 0.1").type_name("FILE");
  const kd_command kd(app, o.permits, o.server, o.key);
  const code_command own_code(app, o.permits);
  server_commands commands(app, o.server, o.key);
  if (const auto code = app.parse(argc, argv)) return *code;
  tools t;
  if (o.common.print_config) return print_effective(*file, o);
  if (o.common.check) {
    const auto ok = check(o, t);
    return ok ? report_right(program, path) : usage_error(program, ok.error());
  }
  if (const auto code = commands.run(program)) return *code;

  if (gen.given()) return generate(o, t);
  if (pub.given()) return show_public(o, t);
  if (fin.given()) return fingerprint(o, t);
  if (kd.given()) return kd.run(program, commands, t.dh, t.random);
  if (own_code.given()) return own_code.run(program, t.dh, t.random);
  if (!o.remove && !key_option.given())
    return report(program, "permit needs a public key (or --remove); see --help", exit_usage);
  return permit(o, t);
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
