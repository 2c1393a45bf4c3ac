#include "apps/lib/verdict/marker_scan.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "apps/lib/verdict/statistics.h"

namespace prose::apps {
namespace {

constexpr std::string_view protocol_strings[] = {
    "HTTP/1.",    "HTTP/2",    "GET / ",
    "POST /",     "Host: ",    "SSH-2.0",
    "User-Agent", "Content-",  "abcdefghijklmnopqrstuvw" /* ping on Windows */,
    "<html",      "{\"event\""};

std::span<const std::uint8_t> octets_of(std::string_view s) {
  return {reinterpret_cast<const std::uint8_t*>(s.data()), s.size()};
}

std::uint64_t load(const std::uint8_t* p) {
  std::uint64_t w = 0;
  std::memcpy(&w, p, 8);
  return w;
}

bool printable(std::uint8_t c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r' || c == '\t'; }
constexpr double printable_share = 98.0 / 256;

bool checksum_holds(std::span<const std::uint8_t> header) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < header.size(); i += 2)
    sum += static_cast<std::uint32_t>(header[i] << 8 | header[i + 1]);
  while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

/// Chance that random octets of this shape are taken for such a header.
constexpr double ipv4_chance =
    11.0 / 256 * 2 / 65536 / 65536;  // version 4 and IHL 5..15, one of two lengths, the checksum
constexpr double ipv6_chance = 1.0 / 16 * 2 / 65536 * 4 / 256;  // version 6, one of two lengths, four next headers

}  // namespace

void string_search::add(std::span<const std::uint8_t> octets, bool whole_only) {
  if (octets.size() < shortest_wanted_string) return;
  if (octets.size() < window || whole_only) {
    short_.emplace_back(octets.begin(), octets.end());
    per_octet_ += std::exp2(-8.0 * static_cast<double>(octets.size()));
    return;
  }
  for (std::size_t i = 0; i + window <= octets.size(); ++i) windows_.insert(load(octets.data() + i));
  per_octet_ += static_cast<double>(octets.size() - window + 1) * std::exp2(-64.0);
}

std::uint64_t string_search::scan(std::span<const std::uint8_t> octets) {
  expected_ += per_octet_ * static_cast<double>(octets.size());
  std::uint64_t found = 0;
  if (!windows_.empty())
    for (std::size_t i = 0; i + window <= octets.size();) {
      const bool here = windows_.contains(load(octets.data() + i));
      found += here ? 1 : 0;
      i += here ? window : 1;
    }
  for (const auto& s : short_)
    for (auto at = octets.begin();;) {
      at = std::search(at, octets.end(), s.begin(), s.end());
      if (at == octets.end()) break;
      ++found;
      at += static_cast<std::ptrdiff_t>(s.size());
    }
  return found;
}

void marker_scan::tally::scan(std::span<const std::uint8_t> octets, std::uint64_t frame) {
  if (strings.empty()) return;
  looked_at += octets.size();
  if (const auto n = strings.scan(octets); n > 0) {
    found += n;
    frames.add(frame);
  }
}

void marker_scan::run::take(std::size_t length, std::uint64_t frame) {
  if (length <= longest) return;
  longest = length;
  frames = {};
  frames.add(frame);
}

marker_scan::marker_scan(const verdict_options& o) {
  for (const auto& k : o.known_plaintexts) known_raw_.strings.add(k), known_body_.strings.add(k);
  for (const auto& n : o.names) identity_.strings.add(octets_of(n), true);
  if (o.compromised)
    for (const auto& f : *o.compromised) {
      for (const auto& p : f.publics) identity_.strings.add(p.octets);
      for (const auto& n : f.names) identity_.strings.add(octets_of(n), true);
    }
  for (const auto s : protocol_strings) patterns_.strings.add(octets_of(s), true);
}

void marker_scan::add_raw(std::span<const std::uint8_t> octets, std::uint64_t frame) {
  known_raw_.scan(octets, frame);
  identity_.scan(octets, frame);
}

void marker_scan::headers(std::span<const std::uint8_t> b, std::uint64_t frame) {
  ++bodies_;
  const auto fits = [&](std::size_t length) {
    return length == b.size() || length + 16 == b.size();
  };  // with or without a tag
  if (b.size() >= 20 && b[0] >= 0x45 && b[0] <= 0x4f && fits(static_cast<std::size_t>(b[2] << 8 | b[3]))) {
    const std::size_t header = 4U * (b[0] & 15U);
    if (header <= b.size() && checksum_holds(b.first(header))) ++ipv4_, ipv4_frames_.add(frame);
  }
  if (b.size() >= 40 && b[0] >> 4 == 6 && fits(static_cast<std::size_t>(b[4] << 8 | b[5]) + 40) &&
      (b[6] == 6 || b[6] == 17 || b[6] == 58 || b[6] == 0))
    ++ipv6_, ipv6_frames_.add(frame);
}

void marker_scan::runs(std::span<const std::uint8_t> b, std::uint64_t frame) {
  std::size_t ascii = 0, equal = 1, counting = 1;
  for (std::size_t i = 0; i < b.size(); ++i) {
    ascii = printable(b[i]) ? ascii + 1 : 0;
    equal = i > 0 && b[i] == b[i - 1] ? equal + 1 : 1;
    counting = i > 0 && b[i] == static_cast<std::uint8_t>(b[i - 1] + 1) ? counting + 1 : 1;
    ascii_.take(ascii, frame);
    equal_.take(equal, frame);
    counting_.take(counting, frame);
  }
  for (auto* r : {&ascii_, &equal_, &counting_}) r->octets += b.size();
}

void marker_scan::add_body(std::span<const std::uint8_t> body, std::uint64_t frame) {
  known_body_.scan(body, frame);
  patterns_.scan(body, frame);
  headers(body, frame);
  runs(body, frame);
}

void marker_scan::judge(check_report& out) const {
  // The same octets may be seen in a frame and in the record put together from it: two tests in one, hence the factor.
  const double p_raw = poisson_tail(known_raw_.strings.expected(), known_raw_.found);
  const double p_body = poisson_tail(known_body_.strings.expected(), known_body_.found);
  const auto& known = p_raw <= p_body ? known_raw_ : known_body_;
  out.test("content", "known_plaintext", static_cast<double>(known.found), std::min(1.0, 2 * std::min(p_raw, p_body)),
           known.looked_at, "a known plaintext is on the air in the clear, " + std::to_string(known.found) + " places",
           known.frames);
  out.test("identity", "names_and_keys", static_cast<double>(identity_.found),
           poisson_tail(identity_.strings.expected(), identity_.found), identity_.looked_at,
           "names or public keys are on the air in the clear, " + std::to_string(identity_.found) + " places",
           identity_.frames);
  out.test("content", "protocol_strings", static_cast<double>(patterns_.found),
           poisson_tail(patterns_.strings.expected(), patterns_.found), patterns_.looked_at,
           "strings of well-known protocols, " + std::to_string(patterns_.found) + " places", patterns_.frames);
  const auto records = static_cast<double>(bodies_);
  out.test("content", "ipv4_headers", static_cast<double>(ipv4_), poisson_tail(records * ipv4_chance, ipv4_), bodies_,
           std::to_string(ipv4_) + " records begin with an IPv4 header in the clear", ipv4_frames_);
  out.test("content", "ipv6_headers", static_cast<double>(ipv6_), poisson_tail(records * ipv6_chance, ipv6_), bodies_,
           std::to_string(ipv6_) + " records begin with an IPv6 header in the clear", ipv6_frames_);
  // Union bound over the places at which a run may begin.
  const auto run_test = [&](const char* check, const run& r, double share, std::size_t free, const char* what) {
    const double p =
        r.longest > free ? static_cast<double>(r.octets) * std::pow(share, static_cast<double>(r.longest - free)) : 1.0;
    out.test("content", check, static_cast<double>(r.longest), std::min(1.0, p), r.octets,
             std::string("a run of ") + std::to_string(r.longest) + ' ' + what, r.frames);
  };
  run_test("ascii_run", ascii_, printable_share, 0, "printable characters");
  run_test("equal_octets", equal_, 1.0 / 256, 1, "equal octets");
  run_test("counting_octets", counting_, 1.0 / 256, 1, "octets that count up");
}

}  // namespace prose::apps
