// Octets as a PDCP PDU under a security context: first octet for the LCID, the rest is XORed onto a genuine PDU of that
// channel, or is the PDU. Nothing but the genuine one is taken, once.
#include <cstdlib>
#include <vector>

#include "security/ts33303/context.h"

using namespace prose::security;
using namespace prose::security::ts33303;
using bytes = std::vector<std::uint8_t>;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  static constexpr std::array<std::uint8_t, 4> channels{1, 10, 29, 30};
  const auto lcid = channels[data[0] % 4U];
  const auto key = kd_sess_key::make([](auto out) { out[0] = 1; });
  auto from = *security_context::make({0x0102, side::requesting}, key),
       to = *security_context::make({0x0102, side::commanding}, key);
  bytes genuine(24), pdu(data + 1, data + size);
  if (!from.protect(lcid, carries_data(lcid) ? sdu_type::ip : sdu_type::pc5s, bytes(15, 9), genuine)) std::abort();
  if ((data[0] & 4) != 0) {
    pdu.resize(genuine.size());
    for (std::size_t i = 0; i < pdu.size(); ++i) pdu[i] ^= genuine[i];
  }
  bytes out(pdu.size()), again(genuine.size());
  if (to.open(lcid, pdu, out).has_value() != (pdu == genuine)) std::abort();
  if (to.open(lcid, genuine, again).has_value() != (pdu != genuine)) std::abort();
  return 0;
}
