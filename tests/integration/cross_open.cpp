// Tries every record that a sniffer caught against every logged key of two links. usage: cross_open EVENTS.jsonl KEYLOG
// KEYLOG KD-sess IDs are not believed: each key is tried under the ID that the record carries, so that only the tag
// decides.
#include <array>
#include <cstdio>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "mac/rlc_um.h"
#include "mac/sl_sch.h"
#include "security/export.h"
#include "security/pdcp.h"

using namespace prose;

namespace {
std::vector<std::uint8_t> octets_of(const std::string& hex) {
  std::vector<std::uint8_t> out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2)
    out.push_back(static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  return out;
}
std::vector<security::logged_key> keys_of(const char* path) {
  std::vector<security::logged_key> keys;
  std::ifstream in(path);
  for (std::string line; std::getline(in, line);)
    if (auto k = security::parse_key_log_line(line)) keys.push_back(std::move(*k));
  return keys;
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return std::fprintf(stderr, "usage: cross_open EVENTS.jsonl KEYLOG KEYLOG\n"), 2;
  std::array<std::vector<security::logged_key>, 2> links{keys_of(argv[2]), keys_of(argv[3])};
  std::map<std::tuple<std::uint32_t, std::uint32_t, int>, mac::rlc_um_rx> entities;
  mac::rlc_um_counters rlc;
  std::set<std::string> seen;
  std::array<std::uint64_t, 4> opened{};  // by neither, the first link's keys, the second's, both
  std::uint64_t blocks = 0;
  std::ifstream in(argv[1]);
  for (std::string line; std::getline(in, line);) {
    const auto e = nlohmann::json::parse(line, nullptr, false);
    if (e.is_discarded() || e.value("event", "") != "tb" || !e.value("crc_ok", false)) continue;
    const auto hex = e.value("hex", "");
    const auto tb = octets_of(hex);
    mac::sl_sch_pdu pdu;
    if (mac::parse(tb, pdu) != mac::sl_sch_status::ok || !seen.insert(hex).second) continue;
    ++blocks;
    for (const auto& s : pdu.all()) {
      if (s.lcid == mac::lcid_pc5s_unprotected || s.lcid == mac::lcid_pc5s_security_mode) continue;
      entities[{pdu.header.src, pdu.header.dst, s.lcid}].receive(s.data, rlc, [&](std::span<const std::uint8_t> sdu) {
        const auto h = security::read_pdcp_header(sdu);
        if (!h) return;
        unsigned by = 0;
        for (unsigned l = 0; l < 2; ++l)
          for (auto& k : links[l]) {
            k.kd_sess_id = h->kd_sess_id;
            if (security::open_with(k, static_cast<std::uint8_t>(s.lcid), sdu)) by |= 1U << l;
          }
        ++opened[by];
      });
    }
  }
  std::printf("{\"blocks\":%llu,\"neither\":%llu,\"first\":%llu,\"second\":%llu,\"both\":%llu,\"keys\":[%zu,%zu]}\n",
              static_cast<unsigned long long>(blocks), static_cast<unsigned long long>(opened[0]),
              static_cast<unsigned long long>(opened[1]), static_cast<unsigned long long>(opened[2]),
              static_cast<unsigned long long>(opened[3]), links[0].size(), links[1].size());
  return 0;
}
