// prose-function: the ProSe Function. Registers UEs, holds who permits whom, hands out the public keys of mutual peers.
#include <sys/resource.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "apps/function/audit_log.h"
#include "apps/function/options.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/dumps.h"
#include "apps/lib/common/events.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/metrics.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/function/postgres.h"
#include "apps/lib/function/server.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "security/crypto/x25519.h"

namespace {
using namespace prose;
using namespace prose::apps;
using function::options;
constexpr const char* program = "prose-function";

/// NAME=KEY, given by the operator. A server that runs on the same store notifies the peers within a second.
int replace_key(const options& o) {
  const auto at = o.replace.find('=');
  if (at == std::string::npos)
    return report(program, "--replace-key " + o.replace + ": accepted is NAME=KEY, the key in base64", exit_usage);
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh{random};
  const auto key = keys::check_public_key(o.replace.substr(at + 1), dh, random);
  if (!key) return usage_error(program, key.error());
  auto store = function::store::open(o.server.store_path);
  if (!store) return usage_error(program, store.error());
  const auto done = (*store)->replace_key(o.replace.substr(0, at), *key);
  if (!done) return run_error(program, done.error());
  if (*done != function::refusal::none)
    return report(program, "--replace-key " + o.replace.substr(0, at) + ": " + std::string(function::describe(*done)),
                  exit_failure);
  return exit_ok;
}

/// Users, permissions and changes of a file of SQLite go into the store that is configured.
int migrate(const options& o) {
  const auto done = function::migrate(o.migrate, o.server.store_path);
  if (!done) return usage_error(program, done.error());
  return report(program,
                "copied: " + std::to_string(done->users) + " users, " + std::to_string(done->permissions) +
                    " permissions, " + std::to_string(done->changes) + " changes, " + std::to_string(done->replaced) +
                    " replaced keys",
                exit_ok);
}

/// A descriptor for each connection, and some for the rest.
void allow_descriptors(int connections) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = std::min<rlim_t>(static_cast<rlim_t>(connections) + 64, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void add_options(command_line& app, options& o) {
  auto& c = o.server;
  app.add_option("--name", c.name, "of the server; default: the common name of its certificate");
  app.add_option("--address", c.address, "to listen on").type_name("IP");
  app.add_option("--port", c.port, "0: any free one").range(0, 65535);
  app.add_option("--ca", c.identity.ca_path, "certificate of the private CA (prose-keys ca init)").type_name("FILE");
  app.add_option("--certificate", c.identity.certificate_path, "own certificate").type_name("FILE");
  app.add_option("--key", c.identity.key_path, "own private key").type_name("FILE");
  app.add_option("--psks", c.identity.psk_folder, "pre-shared keys NAME.psk, beside certificates or instead of them")
      .type_name("FOLDER");
  app.add_option(
         "--kd-secret", c.kd_secret_path,
         "of which the KDs of profile ts33303 are made (prose-keys gen --psk): who has it reads all those links")
      .type_name("FILE");
  app.add_option("--store", c.store_path, "SQLite database, or PostgreSQL's: postgresql://USER@HOST:PORT/DATABASE")
      .type_name("FILE|URL");
  app.add_option("--audit", o.audit, "JSON Lines of who did what, without secrets; - is standard output")
      .type_name("FILE|-");
  app.add_option("--metrics-port", o.metrics_port, "serve Prometheus metrics on 127.0.0.1; 0: any free port")
      .range(0, 65535);
  app.add_flag("--echo", c.application.echo, "send application data back to its sender");
  app.add_option(
         "--replace-key", o.replace,
         "the operator's word for a user whose device and certificate are lost: another public key; ends at once")
      .type_name("NAME=KEY");
  app.accept_options_after_subcommand();
  auto move = app.add_subcommand("migrate",
                                 "copy a store of SQLite, whose server was stopped, into an empty one of PostgreSQL");
  move.add_option("file", o.migrate, "SQLite database").type_name("FILE").required();
}

/// No file is both read and written.
result<void> check_files(const options& o) {
  const auto& c = o.server;
  file_roles files;
  files.reads("--config", o.common.config_path);
  files.reads("--ca", c.identity.ca_path);
  files.reads("--certificate", c.identity.certificate_path);
  files.reads("--key", c.identity.key_path);
  files.reads("kd_secret", c.kd_secret_path);
  if (!function::is_postgres(c.store_path)) files.reads("--store", c.store_path);
  files.writes("--audit", o.audit);
  return files.check();
}

/// The list of denied users as the configuration has it now. Nothing, and a line, if it cannot be told.
std::optional<std::set<std::string>> denied_now(const std::string& config_path, function::audit_log& audit) {
  auto denied = function::read_denied(config_path);
  event told = function::now_event(denied ? "denied_read" : "denied_unreadable");
  if (denied) {
    told.add("users", denied->size());
  } else {
    told.add("error", denied.error().message);
    log_error("{}; the list of denied users stays as it was", denied.error().message);
  }
  audit.write(told);
  if (!denied) return std::nullopt;
  return std::move(*denied);
}

/// Counts alone: users are named in the audit log, which others cannot read.
std::string metrics_of(const function::server_counters& c) {
  metrics_page page;
  page.gauge("prose_function_connections", "Open connections", static_cast<double>(c.open));
  page.gauge("prose_function_waiting", "Users that wait for news", static_cast<double>(c.waiting));
  const auto connections = [&](std::uint64_t n, const char* result) {
    page.counter("prose_function_connections_total", "Connections by what became of them", n, result);
  };
  connections(c.accepted, "result=\"accepted\"");
  connections(c.refused_connections, "result=\"refused\"");
  connections(c.evicted, "result=\"evicted\"");
  connections(c.timed_out, "result=\"timed_out\"");
  page.counter("prose_function_handshakes_total", "TLS handshakes", c.handshakes, "result=\"done\"");
  page.counter("prose_function_handshakes_total", "TLS handshakes", c.failed_handshakes, "result=\"failed\"");
  page.counter("prose_function_requests_total", "Requests", c.requests);
  page.counter("prose_function_requests_bad_total", "Requests that could not be read", c.bad_requests);
  page.counter("prose_function_requests_limited_total", "Requests above a user's rate", c.rate_limited);
  page.counter("prose_function_data_received_total", "Packets of application data from users", c.data_in);
  page.counter("prose_function_data_sent_total", "Packets of application data to users", c.data_out);
  page.counter("prose_function_data_dropped_total", "Packets of application data that were dropped", c.data_dropped);
  return page.text();
}

int serve(const options& o) {
  auto c = o.server;
  // Only the server's own user may read what it writes, the database and its log included.
  umask(077);
  allow_descriptors(c.limits.max_connections + c.limits.max_half_open);
  keys::system_random random;
  std::optional<function::audit_log> audit;
  if (std::error_code e; std::filesystem::is_regular_file(o.common.config_path, e)) {
    c.read_denied = [&] { return denied_now(o.common.config_path, *audit); };
    take_hangups();
  }
  auto server = function::server::open(c, random, [&](const function::audit_record& r) {
    log_debug("{} {}: {}", r.address, r.account, r.what);
    audit->write(r);
  });
  if (!server) return usage_error(program, server.error());
  const auto metrics = metrics_server::open(o.metrics_port);
  if (!metrics) return usage_error(program, metrics.error());
  // Only now: a start that fails, as when the port is another server's, leaves no trace in its log.
  auto opened = function::audit_log::open(o.audit, o.rotation);
  if (!opened) return usage_error(program, opened.error());
  audit = std::move(*opened);
  log_info("listening on {} port {}", c.address, (*server)->port());
  event started = function::now_event("started");
  started.add("address", c.address).add("port", (*server)->port());
  audit->write(started);
  std::thread watch([&] {
    while (!stop_requested()) {
      if (hangup_taken()) (*server)->reload();
      if (*metrics) (*metrics)->publish(metrics_of((*server)->counters()));
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    (*server)->stop();
  });
  const auto done = (*server)->run();
  request_stop();
  watch.join();
  audit->finish();
  if (!done) return run_error(program, done.error());
  if (audit->lost() > 0)
    return report(program, "--audit " + o.audit + ": " + std::to_string(audit->lost()) + " lines could not be written",
                  exit_failure);
  return exit_ok;
}

/// --check: as serve(), with no socket and no database opened.
int check(const options& o) {
  if (const auto ok = function::server::check(o.server); !ok) return usage_error(program, ok.error());
  if (const auto audit = function::audit_log::open(o.audit, o.rotation); !audit)
    return usage_error(program, audit.error());
  return report_right(program, o.common.config_path);
}

}  // namespace

static int run_main(int argc, char** argv) {
  options o;
  if (const auto ok = forbid_dumps(); !ok) return run_error(program, ok.error());
  const auto path = find_config_path(argc, argv);
  auto file = path.empty() ? config_section::parse("", "") : config_section::load(path);
  if (!file) return usage_error(program, file.error());
  if (auto ok = function::read_config(*file, path, o); !ok) return usage_error(program, ok.error());
  command_line app(
      program,
      "The ProSe Function: registers UEs over TLS, holds permissions, hands out the public keys of peers that permit "
      "each other.",
      o.common);
  add_options(app, o);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (function::is_postgres(o.server.store_path))
    if (const auto ok = function::store::check(o.server.store_path); !ok) return usage_error(program, ok.error());
  if (!o.migrate.empty() && !o.common.only_asks()) {
    umask(077);
    return migrate(o);
  }
  if (!o.replace.empty() && !o.common.only_asks()) {
    umask(077);
    return replace_key(o);
  }
  if (const auto ok = check_files(o); !ok) return usage_error(program, ok.error());
  if (o.common.print_config) {
    auto now = file->in_force();
    (void)function::read_config(now, "", o);
    return print_config(now.effective());
  }
  return o.common.check ? check(o) : serve(o);
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
