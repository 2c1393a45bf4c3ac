// prose-ue: one UE on a radio, real or emulated.
#include <chrono>
#include <cstdio>
#include <optional>
#include <string>
#include <utility>

#include "apps/lib/common/command_line.h"
#include "apps/lib/common/config.h"
#include "apps/lib/common/dumps.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/program.h"
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "apps/ue/program.h"
#include "apps/ue/show.h"
#include "security/crypto/x25519.h"

namespace {
using namespace prose;
using namespace prose::apps;
constexpr const char* program = "prose-ue";

struct options {
  common_options common;
  program_config config;
  bool show = false, show_pools = false, as_json = false;
};

/// The configuration and the radio profile come first: the command line overrides them. Nothing without --config.
result<std::optional<config_section>> load_files(int argc, char** argv, program_config& c) {
  std::optional<config_section> file;
  if (const auto path = find_config_path(argc, argv); !path.empty()) {
    auto loaded = config_section::load(path);
    if (!loaded) return tl::unexpected(loaded.error());
    auto read = read_program_config(*loaded, path);
    if (!read) return tl::unexpected(read.error());
    c = std::move(*read);
    file = std::move(*loaded);
  }
  if (const auto profile = find_option(argc, argv, "--radio"); !profile.empty())
    if (auto ok = apply_radio_profile(c, profile); !ok) return tl::unexpected(ok.error());
  return file;
}

void add_options(command_line& app, options& o) {
  auto& c = o.config;
  app.add_option("--device", c.radio.device_args, "UHD device arguments, e.g. type=virtual,name=mary or type=b200")
      .type_name("ARGS");
  app.add_option("--radio", c.radio_profile,
                 "a radio profile, configs/radio_*.yaml; replaces what the configuration says of the radio")
      .type_name("FILE.yaml");
  app.add_option("--data", c.data, "where application data comes from and goes to").one_of(data_kinds);
  app.add_option("--duration", c.duration_s, "end after so many seconds of device time; 0: never")
      .check(number_in(0, 1e9));
  app.add_option("--events", c.events, "JSON Lines, one object an event; - is standard output").type_name("FILE|-");
  app.add_option(
         "--tx-log", c.tx_log,
         "JSON Lines: every transmission that the radio was given, with its subframe, channel, PRBs and the octets")
      .type_name("FILE");
  app.add_option("--keylog", c.keylog, "write record keys (needs allow_keylog: true in the configuration)")
      .type_name("FILE");
  app.add_flag(
      "--dumpable", c.dumpable,
      "let debuggers read this program's memory, and cores be written (needs allow_keylog: true in the configuration)");
  app.add_option("--metrics-port", c.metrics_port, "serve Prometheus metrics on 127.0.0.1; 0: any free port")
      .range(0, 65535);
  app.add_option("--control", c.control, "a Unix socket, mode 0600, that tells --show the status of this UE")
      .type_name("SOCKET");
  app.add_flag("--show", o.show,
               "tell the status of the UE that runs with this --control (peers, links, signal, traffic) and end; where "
               "none runs, what the files say: own key, peers, how long the mark keeps this UE silent");
  app.add_flag("--json", o.as_json, "--show as one JSON object");
  app.add_flag("--show-pools", o.show_pools,
               "print carrier, timing and pools as prose-sniffer's configuration takes them, and end; opens no radio");
}

int show(const options& o) {
  const double host_utc_s = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const auto told = o.show ? show_ue(o.config, host_utc_s, o.as_json) : result<shown>(shown{show_pools(o.config)});
  if (!told) return usage_error(program, told.error());
  if (!told->remark.empty()) report(program, told->remark, exit_ok);
  if (std::fputs(told->text.c_str(), stdout) < 0 || std::fflush(stdout) != 0)
    return report(program, "standard output does not take the result", exit_failure);
  return exit_ok;
}

/// Pre-shared keys that the permission file names. What is wrong with it is reported when it is opened.
void add_psk_files(const std::string& permissions, file_roles& files) {
  if (permissions.empty()) return;
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh{random};
  const auto permitted = keys::read_permissions(permissions, dh, random);
  if (!permitted) return;
  for (const auto& p : *permitted)
    if (!p.psk_path.empty()) files.reads("psk= of " + p.name, keys::psk_file(permissions, p.psk_path));
}

/// No file is both read and written.
result<void> check_files(const options& o) {
  const auto& c = o.config;
  file_roles files;
  files.reads("--config", o.common.config_path);
  files.reads("--radio", c.radio_profile);
  files.reads("carrier_file", c.carrier_file);
  files.reads("tx_limits", c.radio.limits.file);
  files.reads("identity.private_key", c.private_key);
  files.reads("identity.permissions", c.permissions);
  add_psk_files(c.permissions, files);
  files.reads("identity.mark", c.mark);
  files.reads("security.kds", c.kds);
  files.reads("security.codes", c.codes);
  if (!c.pc3.servers.empty()) {
    files.reads("pc3.consent", c.pc3.consent_path());
    files.reads("pc3.cache", c.pc3.cache);
    files.writes("pc3.keylog", c.pc3.keylog);
    for (const auto& s : c.pc3.servers)
      for (const auto& f : {s.client.identity.ca_path, s.client.identity.certificate_path, s.client.identity.key_path,
                            s.client.identity.psk_path})
        files.reads("pc3.servers", f);
  }
  if (c.data == "stdin") files.writes("--data stdin", "-");
  files.writes("--events", c.events);
  files.writes("--tx-log", c.tx_log);
  files.writes("--keylog", c.keylog);
  files.writes("--control", c.control);
  return files.check();
}
}  // namespace

static int run_main(int argc, char** argv) {
  options o;
  auto& c = o.config;
  const auto file = load_files(argc, argv, c);
  if (!file) return usage_error(program, file.error());
  command_line app(
      program,
      "A ProSe UE: discovers the peers that permit it, keeps a separately keyed link with each, and carries data on "
      "them.",
      o.common);
  add_options(app, o);
  if (const auto code = app.parse(argc, argv)) return *code;
  if (!*file) return report(program, "nothing to be; accepted: --config FILE.yaml (see configs/mary.yaml)", exit_usage);

  if (c.dumpable && !c.allow_keylog)
    return report(program, "--dumpable: the configuration does not permit it; accepted: allow_keylog: true in the file",
                  exit_usage);
  if (!c.dumpable)
    if (const auto ok = forbid_dumps(); !ok) return run_error(program, ok.error());
  if (o.as_json && !o.show) return report(program, "--json: is for --show", exit_usage);
  if (o.show || o.show_pools) return show(o);
  if (const auto ok = check_files(o); !ok) return usage_error(program, ok.error());
  if (o.common.print_config) {
    note_options(**file, c);
    return print_config((*file)->effective());
  }
  if (o.common.check) {
    const auto ok = ue_program::check(c);
    return ok ? report_right(program, o.common.config_path) : usage_error(program, ok.error());
  }
  auto ue = ue_program::make(c);
  if (!ue) return usage_error(program, ue.error());
  if (const auto done = (*ue)->run(); !done) return run_error(program, done.error());
  return exit_ok;
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
