// Octets as a PC5_DISCOVERY message of TS 33.303 6.1 under a code's keys: first octet which keys and how the rest is
// meant (as it is, or XORed onto a genuine message), second how far off the clock is. With a DUIK only the genuine one
// is taken, in its time; whatever is taken gives the same octets when it is sent again.
#include <cstdlib>

#include "security/ts33303/discovery.h"

using namespace prose::security;
using namespace prose::security::ts33303;

namespace {

/// Gives the MIC that a message had.
struct given_mic final : random_port {
  explicit given_mic(const discovery_mic& m) : mic(m) {}
  void fill(bytes_span out) override { std::ranges::copy(mic, out.begin()); }
  discovery_mic mic;
};

template <class Key>
Key key(std::uint8_t octet) {
  return Key::make([octet](auto out) { out[0] = octet; });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  code_security keys;
  if ((data[0] & 1) != 0) keys.dusk = key<scrambling_key>(1);
  if ((data[0] & 2) != 0) keys.duik = key<discovery_integrity_key>(2);
  if ((data[0] & 4) != 0) keys.duck = key<discovery_confidentiality_key>(3);
  keys.encrypted_bits.fill(0x5a);
  restricted_code code{};
  code[0] = 9;
  code_filter filter{code, {}};
  if ((data[0] & 8) != 0) filter.mask.fill(0xff);
  const std::uint32_t sent_at = 0xfffffff0, own = sent_at + data[1];
  given_mic zeros({});
  const auto genuine = protect_discovery(discovery_type::announcement, code, keys, sent_at, zeros);
  std::vector<std::uint8_t> pdu(data + 2, data + size);
  if ((data[0] & 16) != 0) {
    pdu.resize(genuine.size());
    for (std::size_t i = 0; i < pdu.size(); ++i) pdu[i] ^= genuine[i];
  }
  const auto opened = open_discovery(pdu, keys, filter, own);
  const auto age = static_cast<std::int8_t>(data[1]);
  const bool in_time = age <= unverified::max_offset_s && age >= -unverified::max_offset_s;
  const bool same = std::ranges::equal(pdu, genuine);
  if (same && data[1] < 128 && opened.has_value() != in_time) std::abort();
  if (!opened) return 0;
  if (keys.duik && !opened->mic_verified) std::abort();
  given_mic mic(opened->mic);
  if (!std::ranges::equal(protect_discovery(opened->type, opened->code, keys, opened->counter, mic), pdu)) std::abort();
  return 0;
}
