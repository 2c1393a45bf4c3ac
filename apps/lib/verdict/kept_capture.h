// What is kept of a capture for the stolen keys: records, messages of set-ups, discovery messages, each within its
// limit.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "apps/lib/verdict/sdu_stream.h"

namespace prose::apps {

struct kept_record {
  std::uint64_t frame;
  std::uint32_t src, dst;
  std::uint8_t lcid;
  std::vector<std::uint8_t> pdu;
  bool alternative = false;  ///< one of several assemblies of the same blocks
};
struct kept_setup {
  std::uint64_t frame;
  double time_s;
  std::uint32_t src, dst;
  security::message_header header;
  std::vector<std::uint8_t> octets;  ///< PDCP header removed
};
struct kept_code {
  std::uint64_t frame;
  double time_s;
  security::discovery_pdu pdu;
};

struct kept_capture {
  static constexpr std::size_t max_setups = 20'000;
  static constexpr std::size_t max_codes = 100'000;
  using code = std::array<std::uint8_t, 24>;  ///< type and code

  std::size_t max_records = 0, max_octets = 0;
  std::vector<kept_record> records;
  std::vector<kept_setup> setups;
  std::map<code, kept_code> codes;

  static code code_of(const security::discovery_pdu& pdu) {
    code c{};
    std::copy_n(pdu.begin(), c.size(), c.begin());
    return c;
  }
  /// Each is false for what is beyond the limits.
  [[nodiscard]] bool add(const captured_sdu& s, bool alternative) {
    if (records.size() >= max_records || octets_ + s.octets.size() > max_octets) return false;
    records.push_back({s.frame, s.src, s.dst, s.lcid, {s.octets.begin(), s.octets.end()}, alternative});
    octets_ += s.octets.size();
    return true;
  }
  [[nodiscard]] bool add(const setup_view& m, std::uint64_t frame, double time_s) {
    const auto whole = [&] {
      std::string k(m.octets.begin(), m.octets.end());
      for (const std::uint32_t id : {m.src, m.dst})
        for (int i = 0; i < 24; i += 8) k.push_back(static_cast<char>(id >> i));
      return k;
    }();
    if (seen_setups_.contains(whole)) return true;  // repeated until it is answered
    if (setups.size() >= max_setups) return false;
    seen_setups_.insert(whole);
    setups.push_back({frame, time_s, m.src, m.dst, m.header, {m.octets.begin(), m.octets.end()}});
    return true;
  }
  [[nodiscard]] bool add_discovery(const captured_frame& f) {
    if (!f.crc_ok || f.octets.size() != security::discovery_octets) return true;
    kept_code k{f.number, f.time_s, {}};
    std::copy(f.octets.begin(), f.octets.end(), k.pdu.begin());
    const auto c = code_of(k.pdu);
    if (codes.contains(c)) return true;
    if (codes.size() >= max_codes) return false;
    codes.emplace(c, k);
    return true;
  }

private:
  std::size_t octets_ = 0;
  std::set<std::string> seen_setups_;
};

}  // namespace prose::apps
