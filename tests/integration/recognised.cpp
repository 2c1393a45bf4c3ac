// How many of a UE's sent discovery messages the stolen keys of a pair recognise. usage: recognised SENT.jsonl
// PRIVATE-KEY PUBLIC-KEY EPOCH_S SENT.jsonl: prose-ue --tx-log of the announcer, whose public key is given; the private
// key is the monitor's. Prints one line of JSON a message: its time and whether the pair's keys make it for any slot
// and kind near that time, as the thief of a monitor would find.
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "security/crypto/x25519.h"
#include "security/discovery_code.h"

using namespace prose;
using namespace prose::security;

int main(int argc, char** argv) {
  if (argc != 5) return std::fprintf(stderr, "usage: recognised SENT.jsonl PRIVATE-KEY PUBLIC-KEY EPOCH_S\n"), 2;
  keys::system_random random;
  crypto::mbedtls_x25519 dh{random};
  auto own = keys::read_private_key(argv[2]);
  auto announcer = keys::check_public_key(argv[3], dh, random);
  if (!own || !announcer) return std::fprintf(stderr, "recognised: no such key\n"), 2;
  const ports with{random, dh};
  peer_table peers(key_pair::from_private(std::move(*own), with), with);
  const auto id = peers.add("announcer", *announcer);
  if (!id) return std::fprintf(stderr, "recognised: %s\n", id.error().message.c_str()), 2;
  const auto& theirs = peers.find("announcer")->theirs;
  const double epoch_s = std::stod(argv[4]);

  constexpr slot_t window = 20;  // more than a monitor accepts
  std::set<discovery_pdu> made;
  slot_t done = 0;
  std::ifstream in(argv[1]);
  for (std::string line; std::getline(in, line);) {
    const auto e = nlohmann::json::parse(line, nullptr, false);
    if (e.is_discarded() || e.value("channel", "") != "PSDCH") continue;
    const auto hex = e.value("hex", "");
    discovery_pdu pdu{};
    if (hex.size() != 2 * pdu.size()) continue;
    for (std::size_t i = 0; i < pdu.size(); ++i)
      pdu[i] = static_cast<std::uint8_t>(std::stoi(hex.substr(2 * i, 2), nullptr, 16));
    const double t = e.value("t", 0.0);
    const auto now = static_cast<slot_t>(epoch_s + t);
    for (slot_t s = std::max(done + 1, now - window); s <= now + window; ++s) {
      for (const auto kind : {discovery_type::announcement, discovery_type::response, discovery_type::query})
        made.insert(make_discovery(kind, theirs, s));
      done = s;
    }
    std::printf("{\"t\":%.6f,\"recognised\":%s}\n", t, made.contains(pdu) ? "true" : "false");
  }
  return 0;
}
