// Real programs on an emulated air of their own: prose-air, prose-ue processes with keys and configurations made for
// the occasion, and their events. What is claimed is judged afterwards from those events and from what the attacker's
// radios heard.
#pragma once

#include <sys/types.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/adversary/node.h"

namespace prose::adversary {

using json = nlohmann::json;

struct ue_settings {
  std::string model = "a";  ///< discovery.model
  int tm = 2;
  int entries = 16, per_period = 6;
  std::string link = "";  ///< further lines of the section link, "key: value\n" each
  std::string time = "";  ///< of the section time
  std::string discovery = "";
  std::string sidelink = "";
  std::vector<std::string> arguments;
  std::string program = "";  ///< instead of prose-ue: one that takes the same options
};

class town {
public:
  /// air_yaml: what prose-air is told besides speed and stall time (nodes, pairs).
  explicit town(const std::string& air_yaml = "default: {gain_db: -20}\nnodes:\n  \"*\": {noise_dbfs: -60}\n");
  ~town();
  town(const town&) = delete;
  town& operator=(const town&) = delete;

  /// Makes a key; twice for one name: a new identity.
  void make_key(const std::string& name);
  void permit(const std::string& a, const std::string& b);  ///< mutual
  /// Starts prose-ue and waits (wall time; the air stands still) until it has joined the air. The name of the process
  /// may differ from that of the identity, so that an identity can be run twice.
  void start(const std::string& name, const ue_settings& s = {}, const std::string& identity = "");
  /// Starts prose-sniffer on the carrier of configs/sniffer.yaml, the radio named as the process, and waits until it
  /// has its device.
  void sniff(const std::string& name, const std::vector<std::string>& arguments);
  /// Starts a receiver named "ear" that notes the power of every subframe, and what it has noted so far (waits for
  /// subframe `to`).
  void listen();
  std::vector<float> heard_power(std::int64_t from, std::int64_t to);
  void kill(const std::string& name);       ///< SIGKILL: no good-bye
  void terminate(const std::string& name);  ///< SIGINT; needs the air to go on, see stop()
  /// SIGINT, and the air goes on until it has ended. Its exit code.
  int stop(const std::string& name, node& clock);
  bool running(const std::string& name);
  pid_t pid(const std::string& name) const { return ues_.at(name).pid; }

  /// "peer text" on standard input: data for a peer.
  void say(const std::string& name, const std::string& peer, const std::string& text);
  /// Lines "peer text" that the UE has printed so far.
  std::vector<std::string> printed(const std::string& name);

  const std::vector<json>& events(const std::string& name);
  std::size_t count(const std::string& name, const std::string& event, const std::string& peer = "");
  /// The last event of the kind (with the peer), or null.
  json last(const std::string& name, const std::string& event, const std::string& peer = "");
  bool linked(const std::string& a, const std::string& b);
  /// Sum of `count` of the `rejected` events with this reason.
  std::uint64_t rejected(const std::string& name, const std::string& reason);
  std::map<std::string, std::uint64_t> rejected(const std::string& name);
  /// Anonymous memory, swapped or not, as counted page by page: VmRSS also moves with pages of files, and is exact to
  /// some 100 KiB only.
  long memory_kib(const std::string& name);
  long cpu_ms(const std::string& name);

  std::string file(const std::string& name) const { return dir_ + "/" + name; }
  const std::string& air() const { return air_; }
  node_config radio(const std::string& name) const { return {.name = name, .air = air_}; }
  std::string log(const std::string& name) const;

private:
  struct process {
    pid_t pid = -1;
    int in = -1;
    std::string identity;
    std::size_t read = 0;
    std::vector<json> events;
    bool ended = false;
    int code = 0;
  };
  pid_t spawn(const std::vector<std::string>& argv, const std::string& log, int* in, const std::string& out);
  bool reap(process& p);

  std::string dir_, air_;
  pid_t air_pid_ = -1, ear_pid_ = -1;
  std::map<std::string, process> ues_;
  std::map<std::string, std::string> publics_;
};

/// John sends n numbered lines to Peter, five a second; the share of them that Peter prints within two seconds after
/// the last.
double delivery(town& t, node& m, const std::string& tag, int n);

}  // namespace prose::adversary
