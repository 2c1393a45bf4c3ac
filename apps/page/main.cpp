// prose-page: a live page of what the sniffer hears and what the UEs know, for browsers on this machine.
#include <csignal>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <string>
#include <thread>

#include "apps/lib/common/command_line.h"
#include "apps/lib/common/dumps.h"
#include "apps/lib/common/file_roles.h"
#include "apps/lib/common/log.h"
#include "apps/lib/common/program.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/common/stop.h"
#include "apps/lib/keys/system_random.h"
#include "apps/page/access.h"
#include "apps/page/assets.h"
#include "apps/page/options.h"
#include "apps/page/page_server.h"
#include "common/hex.h"

namespace {
using namespace prose;
using namespace prose::apps;
constexpr const char* program = "prose-page";

std::atomic<bool> address_wanted{false};
void on_usr1(int) { address_wanted.store(true, std::memory_order_relaxed); }

std::string draw() {
  keys::system_random random;
  std::array<std::uint8_t, 16> octets;
  random.fill(octets);
  return to_hex(octets);
}

void add_options(command_line& app, page::options& o) {
  app.add_option("--look", o.look, "the socket of prose-sniffer --look").type_name("SOCKET");
  app.add_option("--events", o.events, "what prose-sniffer --events writes; read as it grows").type_name("FILE");
  app.add_option("--ue", o.ues, "the name of a UE and what its prose-ue --events writes; once for each UE")
      .type_name("NAME=FILE");
  app.add_option("--verdict", o.verdict, "what prose-sniffer --report writes; read again when it changes")
      .type_name("FILE.json");
  app.add_option("--control", o.control, "the socket of the program that does what the page's buttons ask for")
      .type_name("SOCKET");
  app.add_option("--listen", o.listen, "address and port; port 0: any free one").type_name("IP:PORT").show_default();
  app.add_flag("--open-to-network", o.open_to_network,
               "accept an address for --listen that is not of this machine alone. The page is not encrypted");
  app.add_option("--assets", o.assets, "the page's own files, instead of those beside the program").type_name("FOLDER");
  app.add_option("--token-file", o.token_file,
                 "the address with its token is written there too (mode 0600), again with each SIGUSR1")
      .type_name("FILE");
}

result<void> check_files(const page::options& o, const common_options& common) {
  file_roles files;
  files.reads("--config", common.config_path);
  files.reads("--events", o.events);
  files.reads("--verdict", o.verdict);
  if (const auto s = page::sources_of(o))
    for (const auto& [name, file] : s->ues) files.reads("--ue " + name, file);
  files.writes("--token-file", o.token_file);
  return files.check();
}

/// A new address with its token: on standard output, and in the file that is asked for.
result<void> tell_address(page::access& gate, const page::endpoint& at, const page::options& o) {
  const bool wildcard = at.host == "0.0.0.0" || at.host == "::";
  const auto host = wildcard                                 ? std::string("127.0.0.1")
                    : at.host.find(':') == std::string::npos ? at.host
                                                             : "[" + at.host + "]";
  const auto address = "http://" + host + ":" + std::to_string(at.port) + "/?token=" + gate.new_token();
  if (!o.token_file.empty())
    if (auto ok = replace_private_file(o.token_file, address + "\n"); !ok)
      return fail("--token-file " + ok.error().message);
  if (std::printf("%s: %s\n", program, address.c_str()) < 0 || std::fflush(stdout) != 0)
    return fail("standard output does not take the address");
  return {};
}

int serve(const page::options& o, page::endpoint at, const page::sources& from, const page::assets& files) {
  page::access gate(draw);
  page::stream_hub hub;
  page::gatherer gatherer(from, hub);
  page::page_server server(gate, files, gatherer, hub);
  const auto port = server.listen_on(at.host, at.port);
  if (!port) return usage_error(program, port.error());
  at.port = *port;
  gate.listens_on(at.host, at.port);
  if (!page::is_loopback(at.host))
    log_warning("{}: open to the network, and not encrypted: whoever reads its traffic sees and does what you do",
                o.listen);
  std::signal(SIGUSR1, on_usr1);
  if (const auto ok = tell_address(gate, at, o); !ok) return run_error(program, ok.error());
  std::thread listener([&] { server.run(); });
  while (!stop_requested()) {
    if (address_wanted.exchange(false))
      if (const auto ok = tell_address(gate, at, o); !ok) log_warning("{}", ok.error().message);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  hub.close();
  gatherer.stop();
  server.stop();
  listener.join();
  return exit_ok;
}

}  // namespace

static int run_main(int argc, char** argv) {
  page::options o;
  common_options common;
  if (const auto ok = forbid_dumps(); !ok) return run_error(program, ok.error());
  const auto path = find_config_path(argc, argv);
  auto file = path.empty() ? config_section::parse("", "") : config_section::load(path);
  if (!file) return usage_error(program, file.error());
  page::read_config(*file, o);
  if (const auto ok = file->check(); !ok) return usage_error(program, ok.error());
  command_line app(program,
                   "A live page: what the sniffer hears beside what the UEs know. Prints the address to open once in a "
                   "browser; SIGUSR1 asks for another one.",
                   common);
  add_options(app, o);
  if (const auto code = app.parse(argc, argv)) return *code;
  const auto at = page::endpoint_of(o);
  if (!at) return usage_error(program, at.error());
  const auto from = page::sources_of(o);
  if (!from) return usage_error(program, from.error());
  if (const auto ok = check_files(o, common); !ok) return usage_error(program, ok.error());
  if (common.print_config) {
    auto now = file->in_force();
    page::read_config(now, o);
    return print_config(now.effective());
  }
  const auto files = page::assets::open(o.assets);
  if (!files) return usage_error(program, files.error());
  if (!o.token_file.empty())
    if (const auto ok = check_replaceable(o.token_file); !ok)
      return usage_error(program, {"--token-file " + ok.error().message});
  if (common.check) return report_right(program, path);
  return serve(o, *at, *from, *files);
}

int main(int argc, char** argv) { return prose::apps::run_program(program, run_main, argc, argv); }
