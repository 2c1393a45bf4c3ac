// A whole UE (MAC and security sublayer) under frames from the air: blocks, discovery messages, SCI 1 and SLSS in any
// order. The input is a list of: kind, length, octets. Nothing may crash, grow without bound or be taken for a peer's
// data.
#include <cstdlib>
#include <random>

#include "mac/default_pools.h"
#include "mac/ue.h"
#include "security/crypto/x25519.h"
#include "tests/fuzz/fixed_random.h"
#include "tests/mac/diskless_adapter.h"

using namespace prose;
using namespace prose::mac;

namespace {
using prose::fuzz::fixed_random;
struct bench {
  fixed_random random;
  security::crypto::mbedtls_x25519 dh{random};
  security::ue_security sec{{}, security::key_pair::generate({random, dh}), {random, dh}};
  test::diskless_adapter port{sec};
  std::unique_ptr<ue> u;
  std::int64_t now = 0;
  explicit bench(phy::transmission_mode tm) {
    const auto other = security::key_pair::generate({random, dh});
    if (!sec.add_peer("other", other.public_part)) std::abort();
    auto made = ue::make(default_ue_config(tm, 25), port);
    if (!made) std::abort();
    u = std::move(*made);
  }
};
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static bench benches[2]{bench(phy::transmission_mode::tm2), bench(phy::transmission_mode::tm4)};
  step_output out;
  for (auto& b : benches) {
    const auto slot = [&] { return static_cast<slot_t>(1'000'000 + b.now / 1000); };
    std::size_t pos = 0;
    while (pos + 2 <= size) {
      const int kind = data[pos] % 5;
      const std::size_t n = std::min<std::size_t>(data[pos + 1], size - pos - 2);
      std::span<const std::uint8_t> body{data + pos + 2, n};
      pos += 2 + n;
      b.now += 1 + kind * 7;
      received_frame f{b.now, rx_block{body, std::nullopt}};
      std::vector<std::uint8_t> addressed;
      std::vector<l2_id> own;
      std::array<std::uint8_t, 29> discovery{};
      if (kind == 0 || kind == 1) {
        // As if to us: otherwise the destination filter would stop nearly everything.
        addressed.assign(body.begin(), body.end());
        b.port.append_own_l2_ids(b.now, own);
        if (!own.empty() && addressed.size() >= 7) {
          const auto id = own[addressed[3] % own.size()];
          addressed[4] = static_cast<std::uint8_t>(id >> 16);
          addressed[5] = static_cast<std::uint8_t>(id >> 8);
          if (kind == 1) addressed[6] = static_cast<std::uint8_t>(id);
          f.content =
              kind == 1 ? rx_block{addressed, std::nullopt} : rx_block{addressed, static_cast<std::uint8_t>(id)};
        }
      } else if (kind == 2) {
        std::copy_n(body.begin(), std::min<std::size_t>(n, 29), discovery.begin());
        f.content = rx_discovery{discovery};
      } else if (kind == 3 && n >= 4) {
        phy::sci_format1 sci;
        sci.priority = body[0] & 7, sci.resource_reservation = body[0] >> 4, sci.frequency_location = body[1] & 7;
        sci.time_gap = body[2] & 15, sci.mcs = body[2] >> 3;
        f.content = rx_sci1{sci, body[3], -80};
      } else if (n >= 4) {
        f.content = rx_slss{
            {body[0] * 2, (body[1] & 1) != 0, body[2] * 256 + body[3], b.now, -90.0 + body[1], body[1] - 128.0}};
      }
      b.u->step({b.now, b.now, slot(), {&f, 1}, {}}, out);
      for (const auto& e : out.events)
        if (std::holds_alternative<ev_data>(e) || std::holds_alternative<ev_link_established>(e) ||
            std::holds_alternative<ev_peer_discovered>(e))
          std::abort();
      if (b.u->held_items() > 2000) std::abort();
    }
  }
  return 0;
}
