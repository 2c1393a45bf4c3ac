// Opens what a key log opens: SL-SCH PDUs through RLC and PDCP to the plaintext of records. For capture files; the
// verdict has its own, wider search.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "apps/lib/capture/captured_frame.h"
#include "common/result.h"
#include "mac/rlc_um.h"
#include "security/export.h"

namespace prose::apps {

/// Lines of key_log_lines(); blank lines and lines that begin with # are left out. Errors are one line: path, line,
/// what is wrong.
result<std::vector<security::logged_key>> parse_key_log(std::string_view text, const std::string& path);

class link_opener {
public:
  /// The file may grow while it is used: it is read again when something does not open.
  static result<link_opener> open(const std::string& path);
  /// For tests and fuzzing: a fixed log.
  explicit link_opener(std::vector<security::logged_key> keys) : keys_(std::move(keys)) {}

  struct opened {
    std::uint32_t src = 0, dst = 0;
    std::uint8_t lcid = 0;
    std::uint8_t sdu_type = 0;  ///< 0 IP, 1 ARP, 2 PC5-S, 3 non-IP
    std::span<const std::uint8_t> data;
  };
  /// Frames in the order of the capture, each transport block once (not its repetitions).
  void add(const captured_frame& f, const std::function<void(const opened&)>& give);
  std::uint64_t n_opened() const { return n_opened_; }
  std::uint64_t n_closed() const { return n_closed_; }
  /// Of a link that the log names, more blocks were heard under the same layer-2 IDs than are tried as parts of its
  /// SDUs: some may not have been opened.
  bool bound_hit() const { return bound_hit_; }

private:
  using flow_name = std::pair<std::uint32_t, std::uint32_t>;
  /// Anybody may send under these IDs, so several assemblies are tried, as a UE does.
  struct flow {
    explicit flow(std::list<flow_name>::iterator at) : rlc(limits), place(at) {}
    mac::rlc_um_candidates rlc;
    std::list<flow_name>::iterator place;
    bool opened = false;  // something of it
  };
  flow& flow_of(const flow_name& name);
  bool named(const flow_name& name) const;
  bool sdu(std::uint32_t src, std::uint32_t dst, std::uint8_t lcid, std::span<const std::uint8_t> pdu,
           const std::function<void(const opened&)>& give);
  bool read_again();

  static constexpr mac::rlc_um_candidate_limits limits{};
  static constexpr std::size_t max_flows = 512;             // of 75 KB each, if all of it is used
  static constexpr std::size_t octets_a_frame = 64 * 1024;  // of SDUs that do not open
  std::string path_;
  std::uintmax_t size_read_ = 0;
  std::vector<security::logged_key> keys_;
  std::map<flow_name, flow> flows_;
  std::list<flow_name> by_use_;  // most recent last
  std::unique_ptr<mac::rlc_um_workspace> work_ = std::make_unique<mac::rlc_um_workspace>(limits);
  std::uint64_t n_opened_ = 0, n_closed_ = 0;
  bool bound_hit_ = false;
};

}  // namespace prose::apps
