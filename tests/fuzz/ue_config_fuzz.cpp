// configs/*.yaml of prose-ue: any text gives a configuration that the UE and the modem take or refuse in words, or one
// line of complaint. What is taken also sends: a set-up request, in a block of the size that the configuration gives.
#include <cstdlib>
#include <random>
#include <string>

#include "apps/lib/common/config.h"
#include "apps/ue/frame_modem.h"
#include "apps/ue/program_config.h"
#include "mac/ue.h"
#include "security/crypto/x25519.h"
#include "tests/fuzz/fixed_random.h"
#include "tests/mac/diskless_adapter.h"

using namespace prose::apps;
namespace mac = prose::mac;
namespace security = prose::security;

namespace {
using prose::fuzz::fixed_random;

/// Runs the MAC alone until a block went out.
void send_one_block(mac::ue_config c, fixed_random& random) {
  static security::crypto::mbedtls_x25519 dh{random};
  static security::ue_security sec{{}, security::key_pair::generate({random, dh}), {random, dh}};
  mac::test::diskless_adapter port{sec};
  c.sync.mode = mac::time_mode::gnss;
  auto u = mac::ue::make(c, port);
  if (!u) {
    if (u.error().message.empty() || u.error().message.find('\n') != std::string::npos) std::abort();
    return;
  }
  mac::step_output out;
  security::actions request;
  request.push_back(security::send_message{.peer = 1,
                                           .lcid = mac::lcid_pc5s_unprotected,
                                           .src = 0x123456,
                                           .dst = 0x654321,
                                           .octets = std::vector<std::uint8_t>(100, 1)});
  (*u)->apply(request, out);
  // A pool may begin anywhere in the cycle of the DFN, and the first draws may find no place.
  for (std::int64_t n = 0; n < 3 * mac::dfn_subframes; ++n) {
    (*u)->step({n, n, std::nullopt, {}, {}}, out);
    for (const auto& t : out.transmissions)
      if (t.pssch) {
        if (t.pssch->block->size() != static_cast<std::size_t>(t.pssch->config.tbs / 8)) std::abort();
        auto pdu = std::make_unique<mac::sl_sch_pdu>();
        if (mac::parse(*t.pssch->block, *pdu) != mac::sl_sch_status::ok || pdu->n_sdus == 0) std::abort();
        return;
      }
  }
  std::abort();  // taken, and never able to send
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static fixed_random random;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const char* key : {"radio_profile", "carrier_file"})
    if (text.find(key) != std::string::npos) return 0;  // would read a file of any name
  auto file = config_section::parse(text, "fuzz.yaml");
  if (!file) return 0;
  const auto c = read_program_config(*file, "fuzz.yaml");
  if (!c) {
    if (c.error().message.empty() || c.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  send_one_block(c->ue, random);
  const auto modem = frame_modem::make({c->ue, c->radio.sample_rate_hz, c->radio.n_rx_antennas, c->tx_power_db,
                                        c->rsrp_offset_db, c->cp, c->other_pools});
  if (!modem && modem.error().message.empty()) std::abort();
  return 0;
}
