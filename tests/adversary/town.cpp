#include "tests/adversary/town.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "prose_test_paths.h"
#include "security/crypto/x25519.h"

namespace prose::adversary {

namespace {
constexpr int wall_patience_s = 60;  // for a process to start on a loaded machine

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "adversary town: %s\n", what.c_str());
  std::abort();
}
std::string slurp(const std::string& path) {
  std::ifstream f(path);
  std::stringstream s;
  s << f.rdbuf();
  return s.str();
}
void nap() { std::this_thread::sleep_for(std::chrono::milliseconds(5)); }
}  // namespace

town::town(const std::string& air_yaml) {
  static int number = 0;
  signal(SIGPIPE, SIG_IGN);
  air_ = "adv" + std::to_string(getpid()) + "_" + std::to_string(number++);
  char pattern[] = "/tmp/prose-adversary-XXXXXX";
  if (mkdtemp(pattern) == nullptr) die("no temporary folder");
  dir_ = pattern;
  // A stall limit far above what a test ever thinks: the air waits for every receiver.
  std::ofstream(file("air.yaml")) << "speed: max\nstall_ms: 120000\nlead_us: 500\n" << air_yaml;
  air_pid_ = spawn({PROSE_BINARY_DIR "/bin/prose-air", "--config", file("air.yaml"), "--air", air_, "--start", "0"},
                   "air", nullptr, file("air.out"));
  for (int i = 0; i < wall_patience_s * 200; ++i) {
    if (slurp(file("air.out")).find("ready") != std::string::npos) return;
    nap();
  }
  die("prose-air does not start: " + log("air"));
}

town::~town() {
  for (auto& [name, p] : ues_) {
    if (!reap(p)) {
      ::kill(p.pid, SIGKILL);
      waitpid(p.pid, nullptr, 0);
    }
    if (p.in >= 0) close(p.in);
  }
  if (ear_pid_ > 0) {
    ::kill(ear_pid_, SIGKILL);
    waitpid(ear_pid_, nullptr, 0);
  }
  ::kill(air_pid_, SIGTERM);
  waitpid(air_pid_, nullptr, 0);
  if (std::getenv("PROSE_ADVERSARY_KEEP") == nullptr)
    std::filesystem::remove_all(dir_);
  else
    std::fprintf(stderr, "kept: %s\n", dir_.c_str());
}

std::string town::log(const std::string& name) const { return slurp(dir_ + "/" + name + ".log"); }

pid_t town::spawn(const std::vector<std::string>& argv, const std::string& log_name, int* in, const std::string& out) {
  int pipe_ends[2] = {-1, -1};
  if (in != nullptr && pipe2(pipe_ends, O_CLOEXEC) != 0) die("no pipe");
  const pid_t pid = fork();
  if (pid < 0) die("no process");
  if (pid == 0) {
    const int err = open(file(log_name + ".log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int std_out = open(out.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    const int std_in = in != nullptr ? pipe_ends[0] : open("/dev/null", O_RDONLY);
    dup2(std_in, 0), dup2(std_out, 1), dup2(err, 2);
    std::vector<char*> args;
    for (const auto& a : argv) args.push_back(const_cast<char*>(a.c_str()));
    args.push_back(nullptr);
    execv(args[0], args.data());
    std::_Exit(127);
  }
  if (in != nullptr) {
    close(pipe_ends[0]);
    *in = pipe_ends[1];
  }
  return pid;
}

void town::make_key(const std::string& name) {
  keys::system_random random;
  security::crypto::mbedtls_x25519 dh(random);
  const auto pair = security::key_pair::generate({random, dh});
  std::filesystem::remove(file(name + ".key"));
  if (const auto ok = keys::write_secret(file(name + ".key"), pair.private_key.expose()); !ok) die(ok.error().message);
  publics_[name] = keys::to_base64(pair.public_part.octets);
}

void town::permit(const std::string& a, const std::string& b) {
  std::ofstream(file(a + ".permit"), std::ios::app) << b << ' ' << publics_.at(b) << '\n';
  std::ofstream(file(b + ".permit"), std::ios::app) << a << ' ' << publics_.at(a) << '\n';
}

void town::start(const std::string& name, const ue_settings& s, const std::string& identity) {
  const std::string id = identity.empty() ? name : identity;
  std::ofstream c(file(name + ".yaml"));
  c << "name: " << name << "\nidentity:\n  private_key: " << id << ".key\n";
  if (std::filesystem::exists(file(id + ".permit"))) c << "  permissions: " << id << ".permit\n";
  c << "  mark: " << name << ".mark\ndevice: type=virtual,name=" << name << ",air=" << air_ << "\n"
    << "carrier:\n  prb: 25\n  tm: " << s.tm << "\nradio:\n  center_freq_hz: 5.9e9\n  tx_power_db: -12\n"
    << "time:\n  source: " << (s.time.find("slss") == std::string::npos ? "gnss\n" : "slss\n");
  if (s.time.find("epoch_s") == std::string::npos)
    c << "  utc: configured\n  epoch_s: 1.7e9\n";
  else
    c << s.time;
  c << "discovery:\n  model: " << s.model << "\n  entries: " << s.entries << "\n  per_period: " << s.per_period << "\n"
    << s.discovery;
  if (!s.link.empty()) c << "link:\n" << s.link;
  if (!s.sidelink.empty()) c << "sidelink:\n" << s.sidelink;
  c << "data:\n  kind: stdin\nallow_keylog: true\n";
  c.close();
  if (const auto old = ues_.find(name); old != ues_.end()) {
    if (!reap(old->second)) die(name + " runs already");
    if (old->second.in >= 0) close(old->second.in);
    ues_.erase(old);
    std::filesystem::remove(file(name + ".jsonl"));
  }
  auto& p = ues_[name];
  p.identity = id;
  std::vector<std::string> argv{s.program.empty() ? PROSE_BINARY_DIR "/bin/prose-ue" : s.program,
                                "--config",
                                file(name + ".yaml"),
                                "--events",
                                file(name + ".jsonl"),
                                "--keylog",
                                file(name + ".keylog"),
                                "--dumpable"};  // row 3 and row 9 read its memory
  argv.insert(argv.end(), s.arguments.begin(), s.arguments.end());
  p.pid = spawn(argv, name, &p.in, file(name + ".out"));
  for (int i = 0; i < wall_patience_s * 200; ++i) {
    if (count(name, "started") != 0) return;
    if (reap(p)) break;
    nap();
  }
  die(name + " does not start: " + log(name));
}

void town::sniff(const std::string& name, const std::vector<std::string>& arguments) {
  auto& p = ues_[name];
  std::vector<std::string> argv{PROSE_BINARY_DIR "/bin/prose-sniffer",        "--config",
                                PROSE_SOURCE_DIR "/configs/sniffer.yaml",     "--device",
                                "type=virtual,name=" + name + ",air=" + air_, "--plain"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  p.pid = spawn(argv, name, nullptr, file(name + ".out"));
  for (int i = 0; i < wall_patience_s * 200; ++i) {
    if (log(name).find("name=" + name) != std::string::npos || log(name).find("Msps") != std::string::npos) return;
    if (reap(p)) break;
    nap();
  }
  die(name + " does not start: " + log(name));
}

void town::listen() {
  ear_pid_ = spawn({std::filesystem::read_symlink("/proc/self/exe").string(), "--ear", air_, file("ear.f32")}, "ear",
                   nullptr, file("ear.out"));
  for (int i = 0; i < wall_patience_s * 200; ++i) {
    std::error_code e;
    if (std::filesystem::file_size(file("ear.f32"), e) >= sizeof(std::int64_t) && !e) return;
    nap();
  }
  die("the ear does not start: " + log("ear"));
}

std::vector<float> town::heard_power(std::int64_t from, std::int64_t to) {
  for (int i = 0; i < wall_patience_s * 200; ++i) {
    std::ifstream f(file("ear.f32"), std::ios::binary);
    std::int64_t first = 0;
    f.read(reinterpret_cast<char*>(&first), sizeof first);
    if (from < first) die("the ear was not there yet");
    std::vector<float> out(static_cast<std::size_t>(to - from));
    f.seekg(static_cast<std::streamoff>(sizeof first + static_cast<std::size_t>(from - first) * sizeof(float)));
    if (f.read(reinterpret_cast<char*>(out.data()), static_cast<std::streamsize>(out.size() * sizeof(float))))
      return out;
    nap();
  }
  die("the ear has fallen silent: " + log("ear"));
}

bool town::reap(process& p) {
  if (p.ended) return true;
  int status = 0;
  if (waitpid(p.pid, &status, WNOHANG) != p.pid) return false;
  p.ended = true;
  p.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return true;
}
bool town::running(const std::string& name) { return !reap(ues_.at(name)); }
void town::kill(const std::string& name) {
  auto& p = ues_.at(name);
  ::kill(p.pid, SIGKILL);
  while (!reap(p)) nap();
}
void town::terminate(const std::string& name) { ::kill(ues_.at(name).pid, SIGINT); }
int town::stop(const std::string& name, node& clock) {
  terminate(name);
  auto& p = ues_.at(name);
  for (int i = 0; i < 20'000 && !reap(p); ++i) clock.step();
  for (int i = 0; i < 2000 && !reap(p); ++i) nap();
  if (!reap(p)) die(name + " does not end");
  return p.code;
}

void town::say(const std::string& name, const std::string& peer, const std::string& text) {
  const std::string line = peer + " " + text + "\n";
  if (write(ues_.at(name).in, line.data(), line.size()) != static_cast<ssize_t>(line.size()))
    die(name + " takes no data: " + log(name));
}
std::vector<std::string> town::printed(const std::string& name) {
  std::istringstream in(slurp(file(name + ".out")));
  std::vector<std::string> lines;
  for (std::string l; std::getline(in, l);) lines.push_back(l);
  return lines;
}

const std::vector<json>& town::events(const std::string& name) {
  auto& p = ues_.at(name);
  std::ifstream f(file(name + ".jsonl"));
  f.seekg(static_cast<std::streamoff>(p.read));
  std::stringstream s;
  s << f.rdbuf();
  const std::string text = s.str();
  std::size_t at = 0;
  for (auto end = text.find('\n'); end != std::string::npos; at = end + 1, end = text.find('\n', at))
    p.events.push_back(json::parse(text.begin() + at, text.begin() + end));
  p.read += at;
  return p.events;
}
std::size_t town::count(const std::string& name, const std::string& event, const std::string& peer) {
  std::size_t n = 0;
  for (const auto& e : events(name)) n += e["event"] == event && (peer.empty() || e.value("peer", "") == peer);
  return n;
}
json town::last(const std::string& name, const std::string& event, const std::string& peer) {
  json out;
  for (const auto& e : events(name))
    if (e["event"] == event && (peer.empty() || e.value("peer", "") == peer)) out = e;
  return out;
}
bool town::linked(const std::string& a, const std::string& b) {
  return count(a, "link_established", b) != 0 && count(b, "link_established", a) != 0;
}
std::map<std::string, std::uint64_t> town::rejected(const std::string& name) {
  std::map<std::string, std::uint64_t> out;
  for (const auto& e : events(name))
    if (e["event"] == "rejected") out[e.value("reason", "?")] += e.value("count", std::uint64_t{1});
  return out;
}
std::uint64_t town::rejected(const std::string& name, const std::string& reason) { return rejected(name)[reason]; }

long town::memory_kib(const std::string& name) {
  std::ifstream f("/proc/" + std::to_string(ues_.at(name).pid) + "/smaps_rollup");
  long sum = 0;
  for (std::string l; std::getline(f, l);)
    for (const auto* part : {"Anonymous:", "Swap:"})
      if (l.rfind(part, 0) == 0) sum += std::atol(l.c_str() + std::strlen(part));
  if (sum == 0) die("no smaps_rollup of " + name);
  return sum;
}
long town::cpu_ms(const std::string& name) {
  const std::string s = slurp("/proc/" + std::to_string(ues_.at(name).pid) + "/stat");
  const auto at = s.rfind(')');
  if (at == std::string::npos) return -1;
  std::istringstream in(s.substr(at + 2));
  std::string field;
  long utime = 0, stime = 0;
  for (int i = 3; in >> field; ++i) {
    if (i == 14) utime = std::atol(field.c_str());
    if (i == 15) stime = std::atol(field.c_str());
  }
  return (utime + stime) * 1000 / sysconf(_SC_CLK_TCK);
}

double delivery(town& t, node& m, const std::string& tag, int n) {
  for (int i = 0; i < n; ++i) t.say("john", "peter", tag + " " + std::to_string(i)), m.run(0.2);
  m.run(2);
  std::set<std::string> got;
  for (const auto& l : t.printed("peter"))
    if (l.find(" " + tag + " ") != std::string::npos) got.insert(l);
  return static_cast<double>(got.size()) / n;
}

}  // namespace prose::adversary
