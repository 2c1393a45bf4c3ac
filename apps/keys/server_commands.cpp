#include "apps/keys/server_commands.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iostream>

#include "apps/lib/common/command_line.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/function/tls.h"
#include "apps/lib/keys/consent_list.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "common/hex.h"
#include "security/crypto/x25519.h"
#include "security/identity.h"

namespace prose::keys {

using namespace prose::apps;

void read_server_options(config_section& file, server_options& o) {
  file.read("user", o.user);
  file.read_path_here("cache", o.cache);
  file.read_path_here("consent", o.consent);
  auto s = file.section("server");
  o.server = read_pc3_server(s, o.user, o.server);
}

result<void> check_server_options(const server_options& o, const std::string& key) {
  if (const auto path = o.consent_path(key); !path.empty()) {
    if (const auto list = read_consents(path); !list) return tl::unexpected(list.error());
    if (const auto waiting = pending_keys(path); !waiting) return tl::unexpected(waiting.error());
  }
  if (!o.cache.empty())
    if (const auto old = cached_peers(o.cache); !old) return tl::unexpected(old.error());
  const auto& c = o.server.client;
  if (c.server_name.empty()) return {};
  if (o.user.empty()) return fail("no user; accepted: --user NAME or user: in --config");
  auto identity = c.identity;
  if (!identity.psk_path.empty()) identity.psk_identity = o.user;
  const auto tls = function::tls_context::client(identity);
  return tls ? tls->check_dates() : tl::unexpected(tls.error());
}

std::string server_options::consent_path(const std::string& key) const {
  return !consent.empty() || key.empty() ? consent : default_consent_path(key);
}

result<security::public_key> known_key(const server_options& o, const std::string& key, const std::string& peer) {
  const auto path = o.consent_path(key);
  if (!path.empty()) {
    const auto list = read_consents(path);
    if (!list) return tl::unexpected(list.error());
    const auto waiting = pending_keys(path);
    if (!waiting) return tl::unexpected(waiting.error());
    if (const auto at = waiting->find(peer); at != waiting->end()) return at->second;
    if (const auto at = list->entries.find(peer); at != list->entries.end() && at->second.has_key())
      return at->second.key();
  }
  if (!o.cache.empty()) {
    const auto old = cached_peers(o.cache);
    if (!old) return tl::unexpected(old.error());
    if (const auto at = old->find(peer); at != old->end()) return at->second;
  }
  return fail((path.empty() ? o.cache : path) + ": no key of '" + peer + "' is known");
}

namespace {
constexpr const char* no_list =
    "no consent list; accepted: --consent FILE, or --key FILE beside which it lies (FILE.consent), or both in --config";
}

struct server_commands::parts {
  server_options& o;
  std::string& key;
  command ca{}, init{}, issue{}, reg{}, rotate{}, grant{}, withdraw{}, show{}, confirm{};

  void add_authority(command& app) {
    ca = app.add_subcommand("ca", "the private CA of servers and UEs");
    ca.require_subcommand();
    init = ca.add_subcommand("init", "a new CA: FOLDER/ca.crt and FOLDER/ca.key");
    issue = ca.add_subcommand(
        "issue", "a certificate, FOLDER/NAME.crt, and its TLS key, FOLDER/NAME.key: not the X25519 key that gen makes");
    issue.add_option("name", o.name, "of the user or the server").required();
    issue.add_flag("--server", o.for_server, "for a server; without, for a UE");
    for (auto s : {init, issue}) {
      s.add_option("--folder", o.folder, "created if need be").type_name("FOLDER");
      s.add_option("--ca", o.authority, "name of the CA");
      s.add_option("--days", o.days, "how long it is valid").range(1, 36500);
    }
  }

  int print(const std::string& text, std::string_view program) const {
    if (std::printf("%s\n", text.c_str()) < 0 || std::fflush(stdout) != 0)
      return report(program, "standard output does not take the result", exit_failure);
    return exit_ok;
  }

  int authority(std::string_view program) const {
    ::mkdir(o.folder.c_str(), 0700);
    const auto ok = init.given()
                        ? function::make_authority(o.folder, o.authority, o.days)
                        : function::issue_certificate(
                              o.folder, o.authority, o.name,
                              o.for_server ? function::certificate_use::server : function::certificate_use::ue, o.days);
    return ok ? static_cast<int>(exit_ok) : usage_error(program, ok.error());
  }

  result<std::optional<security::static_private_key>> own_key() const {
    if (key.empty()) return std::optional<security::static_private_key>();
    auto k = read_private_key(key);
    if (!k) return tl::unexpected(k.error());
    return std::optional(std::move(*k));
  }
  static security::public_key public_of(const security::static_private_key& own) {
    system_random random;
    security::crypto::mbedtls_x25519 dh{random};
    return dh.public_of(own);
  }

  // Shows first; nothing is accepted before the user has seen it.
  int confirm_key(std::string_view program) const {
    const auto path = o.consent_path(key);
    if (path.empty()) return report(program, no_list, exit_usage);
    const auto own = own_key();
    if (!own) return usage_error(program, own.error());
    const auto waiting = pending_keys(path);
    if (!waiting) return usage_error(program, waiting.error());
    const auto at = waiting->find(o.peer);
    if (at == waiting->end())
      return report(program, path + ".pending: no key of '" + o.peer + "' waits for a confirmation", exit_usage);
    if (const int code = print("key " + to_base64(at->second.octets), program); code != exit_ok) return code;
    if (*own)
      if (const int code = print("fingerprint " + fingerprint_text(public_of(**own), at->second), program);
          code != exit_ok)
        return code;
    if (!o.yes && !asked(o.peer))
      return report(program,
                    "the key of '" + o.peer + "' is not accepted; compare it with the peer by voice, then give --yes",
                    exit_failure);
    const auto ok = change_consents(path, [&](consent_list& list) -> result<void> {
      const auto c = list.entries.find(o.peer);
      if (c == list.entries.end() || c->second.state == consent_state::withdrawn)
        return fail(path + ": '" + o.peer + "' is not granted");
      c->second = {consent_state::confirmed, at->second.octets};
      return {};
    });
    return ok ? static_cast<int>(exit_ok) : run_error(program, ok.error());
  }

  static bool asked(const std::string& peer) {
    if (::isatty(STDIN_FILENO) == 0) return false;
    std::fprintf(stderr, "accept this key of %s? (yes/no) ", peer.c_str());
    std::string answer;
    return std::getline(std::cin, answer) && answer == "yes";
  }

  bool with_server() const { return !o.server.client.server_name.empty(); }

  // An exit code where something that the server needs is missing or wrong.
  std::optional<int> check_server(std::string_view program, bool with_key = true) const {
    auto& c = o.server.client;
    if (!with_server()) return report(program, "no server; accepted: --server NAME or server: in --config", exit_usage);
    if (o.user.empty()) return report(program, "no user; accepted: --user NAME or user: in --config", exit_usage);
    if (!c.identity.psk_path.empty()) c.identity.psk_identity = o.user;
    if (auto tls = function::tls_context::client(c.identity); !tls)
      return usage_error(program, tls.error());
    else if (auto ok = tls->check_dates(); !ok)
      return usage_error(program, ok.error());
    if (with_key)
      if (auto own = own_key(); !own) return usage_error(program, own.error());
    if (reg.given() && key.empty())
      return report(program, "register needs the private key; accepted: --key FILE or key: in --config", exit_usage);
    return std::nullopt;
  }

  result<std::unique_ptr<function::client>> connect() const {
    auto own = own_key();
    if (!own) return tl::unexpected(own.error());
    auto server = function::client::connect(o.server.client);
    if (!server) return tl::unexpected(server.error());
    if (*own) {  // registering again changes nothing
      system_random random;
      security::crypto::mbedtls_x25519 dh{random};
      if (auto ok = (*server)->register_key(dh, **own, o.user, reg.given() && o.replace); !ok)
        return tl::unexpected(ok.error());
    }
    return server;
  }

  int register_key(std::string_view program) const {
    if (const auto code = check_server(program)) return *code;
    const auto server = connect();
    return server ? static_cast<int>(exit_ok) : run_error(program, server.error());
  }

  // Peers of the permission file with whom there is a pre-shared key.
  result<std::vector<std::string>> peers_with_psk(security::dh_port& dh, security::random_port& random) const {
    std::vector<std::string> out;
    if (o.permits.empty()) return out;
    const auto all = read_permissions(o.permits, dh, random);
    if (!all) return tl::unexpected(all.error());
    for (const auto& p : *all)
      if (!p.psk_path.empty()) out.push_back(p.name);
    return out;
  }

  // An exit code if the server could not be told.
  std::optional<int> register_fresh(std::string_view program, security::dh_port& dh,
                                    const security::static_private_key& fresh, const std::string& fresh_path) const {
    if (const auto code = check_server(program, false)) return code;
    const auto late = [&](const error& e) {
      return report(program,
                    "the key is as it was; the new one waits in " + fresh_path + " for the next rotate: " + e.message,
                    exit_failure);
    };
    const auto server = function::client::connect(o.server.client);
    if (!server) return late(server.error());
    if (const auto ok = (*server)->register_key(dh, fresh, o.user, true); !ok) return late(ok.error());
    return std::nullopt;
  }

  struct rotated_list {
    std::string again;   // names whose fingerprint was compared with the old key
    std::string prints;  // lines: the fingerprint with each bound peer
  };
  static result<rotated_list> rotate_list(const std::string& path, const security::public_key& own) {
    rotated_list out;
    const auto ok = change_consents(path, [&](consent_list& list) -> result<void> {
      for (auto& [name, c] : list.entries) {
        if (c.state == consent_state::fingerprint) {  // compared with the old key
          c = {};
          out.again += ' ' + name;
        }
        if (c.bound())
          out.prints.append("fingerprint ")
              .append(name)
              .append(" ")
              .append(fingerprint_text(own, c.key()))
              .append("\n");
      }
      return {};
    });
    if (!ok) return tl::unexpected(ok.error());
    return out;
  }

  void advise_after_rotation(std::string_view program, const std::string& again,
                             const std::vector<std::string>& with_psk) const {
    const auto say = [&](const std::string& text) {
      std::fprintf(stderr, "%.*s: %s\n", static_cast<int>(program.size()), program.data(), text.c_str());
    };
    say("the key is new; start prose-ue again. Peers see it as pending and confirm it by the fingerprint");
    if (!with_server())
      say("no server was told: the old key stays valid until each peer has withdrawn it by hand and permitted the new "
          "one");
    if (!again.empty()) say("their fingerprints were compared with the old key; they are pending now:" + again);
    for (const auto& name : with_psk)
      say("agree upon a new pre-shared key with " + name +
          " (prose-keys gen --psk FILE): the old one is as lost as the old key");
  }

  // A new own key, for a device that was lost or seized. If the server or the power fails, the steps that were done
  // stay done and the next call continues.
  int rotate_key(std::string_view program) const {
    if (key.empty())
      return report(program, "rotate needs the place of the private key; accepted: --key FILE or key: in --config",
                    exit_usage);
    system_random random;
    security::crypto::mbedtls_x25519 dh{random};
    const auto with_psk = peers_with_psk(dh, random);
    if (!with_psk) return usage_error(program, with_psk.error());
    const auto list_path = o.consent_path(key);
    if (const auto list = read_consents(list_path); !list) return usage_error(program, list.error());
    const auto fresh_path = key + ".rotating";
    if (is_absent(fresh_path)) {
      const auto pair = security::key_pair::generate(security::ports{random, dh});
      if (const auto ok = write_secret(fresh_path, pair.private_key.expose()); !ok)
        return run_error(program, ok.error());
    }
    const auto fresh = read_private_key(fresh_path);
    if (!fresh) return usage_error(program, fresh.error());
    if (with_server())
      if (const auto code = register_fresh(program, dh, *fresh, fresh_path)) return *code;
    if (std::rename(fresh_path.c_str(), key.c_str()) != 0)
      return report(program, key + ": " + std::strerror(errno), exit_failure);
    // The mark belongs to the codes of the old key.
    const auto mark = o.mark.empty() ? key + ".mark" : o.mark;
    if (std::remove(mark.c_str()) != 0 && errno != ENOENT)
      return report(program, mark + ": " + std::strerror(errno) + "; remove it: it is the old key's", exit_failure);
    const auto own = dh.public_of(*fresh);
    const auto rotated = rotate_list(list_path, own);
    if (!rotated) return run_error(program, rotated.error());
    advise_after_rotation(program, rotated->again, *with_psk);
    return print(rotated->prints + "key " + to_base64(own.octets), program);
  }

  // The peers that an earlier version linked, once: later a cache may hold what a server made up.
  int import_cache(std::string_view program, const std::string& path) const {
    if (o.cache.empty())
      return report(program, "no cache; accepted: --cache FILE (pc3.cache of prose-ue) or cache: in --config",
                    exit_usage);
    if (!o.peer.empty() || o.trust_first || !o.fingerprint.empty())
      return report(program,
                    "--from-cache takes no name and no other option; accepted: grant --from-cache --cache FILE",
                    exit_usage);
    const auto old = cached_peers(o.cache);
    if (!old) return usage_error(program, old.error());
    std::string added;
    const auto ok = change_consents(path, [&](consent_list& list) -> result<void> {
      if (list.imported) return fail(path + ": the cache was imported before; accepted: grant NAME");
      list.imported = true;
      for (const auto& [name, k] : *old)
        if (list.entries.emplace(name, consent{consent_state::first, k.octets}).second) added += name + '\n';
      return {};
    });
    if (!ok) return usage_error(program, ok.error());
    if (added.empty()) return exit_ok;
    added.pop_back();
    return print(added, program);
  }

  using fingerprint_value = std::optional<std::array<std::uint8_t, 32>>;

  // The entry of a granted peer. `wanted`: the fingerprint that was compared; `waiting`: the key that a server gave, or
  // null. Returns the fingerprint of the waiting key if it is another one.
  result<std::string> grant_in(consent_list& list, const std::optional<security::static_private_key>& own,
                               const fingerprint_value& wanted, const security::public_key* waiting) const {
    const bool is_new = !list.entries.contains(o.peer) || list.entries[o.peer].state == consent_state::withdrawn;
    auto& c = list.entries[o.peer];
    if (is_new) c = {};
    if (!wanted) {
      if (c.state == consent_state::suspended)
        return fail("a server told of another key of '" + o.peer +
                    "': compare its fingerprint by voice (prose-keys list), then grant with --fingerprint; or "
                    "withdraw first");
      if (o.trust_first && c.state == consent_state::pending) c.state = consent_state::trust_first;
      return std::string();
    }
    // Bound at once where the key is here already. prose-ue does it otherwise.
    const auto fits = [&](const security::public_key& k) {
      return security::pair_fingerprint(public_of(*own), k) == *wanted;
    };
    if (own && waiting != nullptr && fits(*waiting)) {
      c = {consent_state::confirmed, waiting->octets};
    } else if (own && c.has_key() && fits(c.key())) {
      c.state = consent_state::confirmed;
    } else {
      c = {consent_state::fingerprint, *wanted};
      if (own && waiting != nullptr) return fingerprint_text(public_of(*own), *waiting);
    }
    return std::string();
  }

  /// What a grant has come to at this side.
  static std::string granted_text(const std::string& name, const consent& c) {
    switch (c.state) {
      case consent_state::first:
      case consent_state::confirmed:
        return name + " in effect: bound to the key " + to_base64(c.value);
      case consent_state::trust_first:
        return name + " pending: the first key that a server gives of it is bound";
      case consent_state::fingerprint:
        return name + " pending: the key with this fingerprint is bound once a server gives it";
      default:
        return name + " pending: nothing goes to it before its key is accepted (prose-keys confirm " + name +
               ", or grant " + name + " --fingerprint F)";
    }
  }

  int grant_peer(std::string_view program) const {
    const auto path = o.consent_path(key);
    if (path.empty()) return report(program, no_list, exit_usage);
    if (o.from_cache) return import_cache(program, path);
    if (o.peer.empty()) return report(program, "grant needs a name (or --from-cache); see --help", exit_usage);
    if (!valid_name(o.peer) || o.peer == o.user)
      return report(program, "a name has 1 to 64 of a-z A-Z 0-9 . _ - and is not one's own", exit_usage);
    fingerprint_value wanted;
    if (!o.fingerprint.empty()) {
      const auto f = fingerprint_from_text(o.fingerprint);
      if (!f) return report(program, "--fingerprint: " + f.error().message, exit_usage);
      wanted = *f;
    }
    if (with_server())
      if (const auto code = check_server(program)) return *code;
    auto own = own_key();
    if (!own) return usage_error(program, own.error());
    const auto waiting = pending_keys(path);
    if (!waiting) return usage_error(program, waiting.error());
    const auto at = waiting->find(o.peer);
    std::string differs, state;
    const auto ok = change_consents(path, [&](consent_list& list) -> result<void> {
      auto granted = grant_in(list, *own, wanted, at == waiting->end() ? nullptr : &at->second);
      if (!granted) return tl::unexpected(granted.error());
      differs = std::move(*granted);
      state = granted_text(o.peer, list.entries[o.peer]);
      return {};
    });
    if (!ok) return usage_error(program, ok.error());
    if (with_server()) {
      const auto server = connect();
      if (!server)
        return report(program, "granted in " + path + ", but the server was not told: " + server.error().message,
                      exit_failure);
      if (const auto told = (*server)->grant(o.peer); !told)
        return report(program, "granted in " + path + ", but the server was not told: " + told.error().message,
                      exit_failure);
    }
    if (!differs.empty())
      return report(program,
                    "the key of '" + o.peer + "' that waits has another fingerprint: " + differs +
                        "; nothing goes to it. Whoever gave it to the server is not whom you compared with",
                    exit_failure);
    return print(state, program);
  }

  static std::string granted_names(const consent_list& list) {
    std::string names;
    for (const auto& [name, c] : list.entries)
      if (c.state != consent_state::withdrawn) names += (names.empty() ? "" : ", ") + name;
    return names.empty() ? "nobody, since nobody is granted" : names;
  }

  // In force at once, whether or not the server can be told.
  int withdraw_peer(std::string_view program) const {
    const auto path = o.consent_path(key);
    if (path.empty()) return report(program, no_list, exit_usage);
    if (!valid_name(o.peer)) return report(program, "a name has 1 to 64 of a-z A-Z 0-9 . _ -", exit_usage);
    const auto ok = change_consents(path, [&](consent_list& list) -> result<void> {
      // A server may know of a grant that this list does not.
      if (const auto at = list.entries.find(o.peer);
          !with_server() && (at == list.entries.end() || at->second.state == consent_state::withdrawn))
        return fail(path + ": '" + o.peer + "' is not granted; accepted: " + granted_names(list));
      list.entries[o.peer] = {consent_state::withdrawn, {}};
      return {};
    });
    if (!ok) return usage_error(program, ok.error());
    if (!with_server()) return exit_ok;
    if (const auto code = check_server(program)) return *code;
    const auto late = [&](const error& e) {
      return report(program,
                    "withdrawn in " + path +
                        " and in force; the server was not told (prose-ue tells it when it can): " + e.message,
                    exit_failure);
    };
    const auto server = connect();
    if (!server) return late(server.error());
    const auto told = (*server)->withdraw(o.peer);
    return told ? static_cast<int>(exit_ok) : late(told.error());
  }

  // NAME KEY STATE, and what there is to compare; with a server, what it knows.
  int show_list(std::string_view program) const {
    const auto path = o.consent_path(key);
    if (path.empty() && !with_server()) return report(program, no_list, exit_usage);
    if (with_server())
      if (const auto code = check_server(program)) return *code;
    auto own = own_key();
    if (!own) return usage_error(program, own.error());
    consent_list list;
    permission_book::key_map waiting;
    if (!path.empty()) {
      auto l = read_consents(path);
      if (!l) return usage_error(program, l.error());
      list = std::move(*l);
      auto w = pending_keys(path);
      if (!w) return usage_error(program, w.error());
      waiting = std::move(*w);
    }
    std::map<std::string, std::string> at_server;
    std::optional<error> unreachable;
    if (with_server()) {
      const auto server = connect();
      const auto all = server ? (*server)->list() : tl::unexpected(server.error());
      if (!all) {
        unreachable = all.error();
      } else {
        for (const auto& g : all->granted) at_server[g] = "granted";
        for (const auto& m : all->mutual) {
          at_server[m.name] = "mutual";
          if (const auto c = list.entries.find(m.name);
              c != list.entries.end() && c->second.state != consent_state::withdrawn && !c->second.has_key())
            waiting[m.name] = m.key;
        }
      }
    }
    for (const auto& [name, where] : at_server) list.entries.try_emplace(name, consent{consent_state::withdrawn, {}});
    for (const auto& [name, c] : list.entries) {
      const auto known = at_server.find(name);
      if (c.state == consent_state::withdrawn && known == at_server.end()) continue;
      const auto at = waiting.find(name);
      const bool waits = at != waiting.end() && !c.bound();
      std::string line = name + ' ' +
                         (waits         ? to_base64(at->second.octets)
                          : c.has_key() ? to_base64(c.value)
                                        : "-") +
                         ' ';
      line += c.state == consent_state::withdrawn ? "not-granted" : std::string(name_of(c.state));
      if (c.state == consent_state::fingerprint) line += " wanted=" + to_hex(c.value);
      if (at != waiting.end() && !waits) line += " offered=" + to_base64(at->second.octets);
      if (at != waiting.end() && *own)
        line += " fingerprint=" + to_hex(security::pair_fingerprint(public_of(**own), at->second));
      if (known != at_server.end()) line += " server=" + known->second;
      if (const int code = print(line, program); code != exit_ok) return code;
    }
    return unreachable ? run_error(program, *unreachable) : static_cast<int>(exit_ok);
  }
};

namespace {
void add_server_options(command s, server_options& o) {
  auto& c = o.server.client;
  s.add_option("--server", c.server_name, "name in the server's certificate");
  s.add_option("--address", c.address, "of the server").type_name("IP");
  s.add_option("--port", c.port).range(1, 65535);
  s.add_option("--ca", c.identity.ca_path, "certificate of the CA").type_name("FILE");
  s.add_option("--certificate", c.identity.certificate_path, "own certificate").type_name("FILE");
  s.add_option("--tls-key", c.identity.key_path, "its private key").type_name("FILE");
  s.add_option("--psk", c.identity.psk_path, "pre-shared key instead of a certificate").type_name("FILE");
  s.add_option("--user", o.user, "own user name");
}
}  // namespace

void server_commands::add_connection(command s, server_options& o, std::string& key) {
  add_server_options(s, o);
  s.add_option("--key", key, "own private key").type_name("FILE");
  s.add_option("--consent", o.consent, "consent list; default: the private key's name with .consent").type_name("FILE");
}

std::optional<int> server_commands::check_connection(std::string_view program) const {
  return p_->check_server(program);
}

result<std::unique_ptr<function::client>> server_commands::connect() const { return p_->connect(); }

server_commands::server_commands(command& app, server_options& o, std::string& key)
    : p_(std::make_unique<parts>(parts{.o = o, .key = key})) {
  auto& p = *p_;
  p.add_authority(app);
  p.reg = app.add_subcommand("register", "registers the public key at the server (prose-ue does so itself)");
  p.reg.add_flag("--replace", o.replace, "another key than before; peers must confirm it");
  p.rotate = app.add_subcommand("rotate",
                                "replaces one's own key by a new one, with a new mark, and tells the server if one is "
                                "named (with one's certificate; the old key is not "
                                "needed). Prints the new public key and the fingerprint with each peer");
  p.rotate.add_option("--permits", o.permits, "permission file: tells whose pre-shared keys are to be renewed")
      .type_name("FILE");
  p.rotate
      .add_option("--mark", o.mark,
                  "the slot mark of the old key, which is removed; default: the private key's name with .mark")
      .type_name("FILE");
  p.grant = app.add_subcommand("grant",
                               "grants a peer: in the consent list, and at the server if one is named. It takes effect "
                               "once the peer grants too and its key is "
                               "accepted: by --fingerprint now or in a second grant, or as the first one with "
                               "--trust-first; until then the key is pending");
  auto fingerprint =
      p.grant
          .add_option("--fingerprint", o.fingerprint, "of the pair, compared by voice: the only key that is accepted")
          .type_name("F");
  p.grant
      .add_flag("--trust-first", o.trust_first,
                "accepts the first key that a server gives: a server that lies then gets away with it")
      .excludes(fingerprint);
  p.grant.add_flag("--from-cache", o.from_cache, "instead of a name, once: the peers that version 0.1 kept in --cache");
  p.withdraw = app.add_subcommand("withdraw",
                                  "withdraws a grant: in the consent list, so that a running prose-ue ends the link "
                                  "within a second, then at the server if one is named");
  p.show = app.add_subcommand("list",
                              "the consent list, a line a name: NAME KEY|- STATE, the fingerprint to compare, and with "
                              "a server what it knows. States: pending, trust-first, "
                              "fingerprint (no key accepted yet), first, confirmed, suspended (the key changed), "
                              "not-granted (at the server only)");
  p.confirm = app.add_subcommand(
      "confirm", "shows the pending key of a peer and, with --key, the pair's fingerprint; accepts it once you say so");
  for (auto s : {p.grant, p.confirm}) s.add_option("--cache", o.cache, "pc3.cache of prose-ue").type_name("FILE");
  for (auto s : {p.grant, p.withdraw, p.show, p.confirm, p.rotate})
    s.add_option("--consent", o.consent, "the consent list; default: the private key's name with .consent")
        .type_name("FILE");
  p.confirm.add_flag("--yes", o.yes, "accepts it without asking");
  p.grant.add_option("peer", o.peer, "name of the peer");
  for (auto s : {p.withdraw, p.confirm}) s.add_option("peer", o.peer, "name of the peer").required();
  for (auto s : {p.reg, p.rotate, p.grant, p.withdraw, p.show}) add_server_options(s, o);
  for (auto s : {p.reg, p.rotate, p.grant, p.withdraw, p.show, p.confirm})
    s.add_option("--key", key, "own X25519 private key").type_name("FILE");
}
server_commands::~server_commands() = default;

std::optional<int> server_commands::run(std::string_view program) {
  auto& p = *p_;
  if (p.ca.given()) return p.authority(program);
  if (p.confirm.given()) return p.confirm_key(program);
  if (p.reg.given()) return p.register_key(program);
  if (p.rotate.given()) return p.rotate_key(program);
  if (p.grant.given()) return p.grant_peer(program);
  if (p.withdraw.given()) return p.withdraw_peer(program);
  if (p.show.given()) return p.show_list(program);
  return std::nullopt;
}

}  // namespace prose::keys
