#include "apps/keys/server_commands.h"

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "apps/common/cli.h"
#include "apps/common/config.h"
#include "apps/function/tls.h"
#include "apps/keys/key_file.h"
#include "apps/keys/system_random.h"
#include "security/crypto/x25519.h"

namespace prose::keys {

using namespace prose::apps;

void read_server_options(config_section& file, const std::string& path, server_options& o) {
  file.read("user", o.user);
  file.read("cache", o.cache);
  if (!file.has("server")) {
    (void)file.section("server");
    return;
  }
  auto s = file.section("server");
  o.server = read_pc3_server(s, path, o.user);
}

struct server_commands::parts {
  server_options& o;
  std::string& key;
  CLI::App *ca = nullptr, *init = nullptr, *issue = nullptr, *reg = nullptr, *grant = nullptr, *withdraw = nullptr, *list = nullptr,
           *confirm = nullptr;

  int print(const std::string& text, std::string_view program) const {
    if (std::printf("%s\n", text.c_str()) < 0 || std::fflush(stdout) != 0)
      return report(program, "standard output does not take the result", exit_failure);
    return exit_ok;
  }

  int authority(std::string_view program) const {
    ::mkdir(o.folder.c_str(), 0700);
    const auto ok = init->parsed()
                        ? function::make_authority(o.folder, o.authority, o.days)
                        : function::issue_certificate(o.folder, o.authority, o.name,
                                                      o.for_server ? function::certificate_use::server : function::certificate_use::ue, o.days);
    return ok ? static_cast<int>(exit_ok) : usage_error(program, ok.error());
  }

  // Shows first; nothing is accepted before the user has seen it.
  int confirm_key(std::string_view program) const {
    if (o.cache.empty()) return report(program, "no cache; accepted: --cache FILE (pc3.cache of prose-ue) or cache: in --config", exit_usage);
    std::optional<security::static_private_key> own;
    if (!key.empty()) {
      auto k = read_private_key(key);
      if (!k) return usage_error(program, k.error());
      own = std::move(*k);
    }
    const auto pending = pending_key(o.cache, o.peer);
    if (!pending) return usage_error(program, pending.error());
    if (const int code = print("key " + to_base64(pending->octets), program); code != exit_ok) return code;
    if (own) {
      system_random random;
      security::crypto::mbedtls_x25519 dh{random};
      const auto text = fingerprint_text(dh.public_of(*own), *pending);
      if (const int code = print("fingerprint " + text, program); code != exit_ok) return code;
    }
    if (!o.yes && !asked(o.peer))
      return report(program, "the key of '" + o.peer + "' is not accepted; compare it with the peer by voice, then give --yes", exit_failure);
    const auto ok = confirm_pending(o.cache, o.peer, *pending);
    return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
  }

  static bool asked(const std::string& peer) {
    if (::isatty(STDIN_FILENO) == 0) return false;
    std::fprintf(stderr, "accept this key of %s? (yes/no) ", peer.c_str());
    std::string answer;
    return std::getline(std::cin, answer) && answer == "yes";
  }

  int talk(std::string_view program) const {
    auto& c = o.server.client;
    if (c.server_name.empty()) return report(program, "no server; accepted: --server NAME or server: in --config", exit_usage);
    if (o.user.empty()) return report(program, "no user; accepted: --user NAME or user: in --config", exit_usage);
    if (!c.identity.psk_path.empty()) c.identity.psk_identity = o.user;
    if (auto tls = function::tls_context::client(c.identity); !tls) return usage_error(program, tls.error());
    std::optional<security::static_private_key> own;
    if (!key.empty()) {
      auto k = read_private_key(key);
      if (!k) return usage_error(program, k.error());
      own = std::move(*k);
    } else if (reg->parsed()) {
      return report(program, "register needs the private key; accepted: --key FILE or key: in --config", exit_usage);
    }
    auto server = function::client::connect(c);
    if (!server) return run_error(program, server.error());
    if (own) {  // registering again changes nothing
      system_random random;
      security::crypto::mbedtls_x25519 dh{random};
      if (auto ok = (*server)->register_key(dh, *own, o.user, reg->parsed() && o.replace); !ok) return run_error(program, ok.error());
    }
    if (list->parsed()) {
      auto all = (*server)->list();
      if (!all) return run_error(program, all.error());
      for (const auto& g : all->granted) {
        const auto m = std::find_if(all->mutual.begin(), all->mutual.end(), [&](const auto& p) { return p.name == g; });
        const std::string line = m == all->mutual.end() ? g : g + ' ' + to_base64(m->key.octets);
        if (const int code = print(line, program); code != exit_ok) return code;
      }
      return exit_ok;
    }
    result<void> ok{};
    if (grant->parsed()) ok = (*server)->grant(o.peer);
    if (withdraw->parsed()) ok = (*server)->withdraw(o.peer);
    return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
  }
};

server_commands::server_commands(CLI::App& app, server_options& o, std::string& key)
    : p_(std::make_unique<parts>(parts{.o = o, .key = key})) {
  auto& p = *p_;
  p.ca = app.add_subcommand("ca", "the private CA of servers and UEs");
  p.ca->require_subcommand(1);
  p.init = p.ca->add_subcommand("init", "a new CA: FOLDER/ca.crt and FOLDER/ca.key");
  p.issue = p.ca->add_subcommand("issue", "a certificate: FOLDER/NAME.crt and FOLDER/NAME.key");
  p.issue->add_option("name", o.name, "of the user or the server")->required();
  p.issue->add_flag("--server", o.for_server, "for a server; without, for a UE");
  for (auto* s : {p.init, p.issue}) {
    s->add_option("--folder", o.folder, "created if need be")->type_name("FOLDER");
    s->add_option("--ca", o.authority, "name of the CA");
    s->add_option("--days", o.days, "how long it is valid")->check(CLI::Range(1, 36500));
  }
  p.reg = app.add_subcommand("register", "registers the public key at the server (prose-ue does so itself)");
  p.reg->add_flag("--replace", o.replace, "another key than before; peers must confirm it");
  p.grant = app.add_subcommand("grant", "permits a peer at the server; it takes effect once the peer grants too");
  p.withdraw = app.add_subcommand("withdraw", "withdraws a permission at the server");
  p.list = app.add_subcommand("list", "whom we granted; with the public key where it is mutual");
  p.confirm = app.add_subcommand("confirm", "shows the changed key of a peer and, with --key, the pair's fingerprint; accepts it once you say so");
  p.confirm->add_option("--cache", o.cache, "pc3.cache of prose-ue")->type_name("FILE");
  p.confirm->add_flag("--yes", o.yes, "accepts it without asking");
  for (auto* s : {p.grant, p.withdraw, p.confirm}) s->add_option("peer", o.peer, "name of the peer")->required();
  for (auto* s : {p.reg, p.grant, p.withdraw, p.list}) {
    auto& c = o.server.client;
    s->add_option("--server", c.server_name, "name in the server's certificate");
    s->add_option("--address", c.address, "of the server")->type_name("IP");
    s->add_option("--port", c.port)->check(CLI::Range(1, 65535));
    s->add_option("--ca", c.identity.ca_path, "certificate of the CA")->type_name("FILE");
    s->add_option("--certificate", c.identity.certificate_path, "own certificate")->type_name("FILE");
    s->add_option("--tls-key", c.identity.key_path, "its private key")->type_name("FILE");
    s->add_option("--psk", c.identity.psk_path, "pre-shared key instead of a certificate")->type_name("FILE");
    s->add_option("--user", o.user, "own user name");
  }
  for (auto* s : {p.reg, p.grant, p.withdraw, p.list, p.confirm}) s->add_option("--key", key, "own X25519 private key")->type_name("FILE");
}
server_commands::~server_commands() = default;

std::optional<int> server_commands::run(std::string_view program) {
  auto& p = *p_;
  if (p.ca->parsed()) return p.authority(program);
  if (p.confirm->parsed()) return p.confirm_key(program);
  if (p.reg->parsed() || p.grant->parsed() || p.withdraw->parsed() || p.list->parsed()) return p.talk(program);
  return std::nullopt;
}

}  // namespace prose::keys
