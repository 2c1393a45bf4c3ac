#include "apps/lib/function/pair_kd.h"

#include <utility>

#include "security/crypto/hash.h"

namespace prose::function {

pair_kd derive_pair_kd(const security::pre_shared_key& secret, const pair_member& a, const pair_member& b) {
  const auto& [low, high] = a.name < b.name ? std::pair(a, b) : std::pair(b, a);
  pair_kd out;
  // Names have no zero octet, so no two pairs have the same text.
  const auto derive = [&](const char* label, security::bytes_span to) {
    std::string info = label;
    for (const auto* m : {&low, &high}) {
      info.append(1, '\0').append(m->name).append(1, '\0');
      info.append(m->key.octets.begin(), m->key.octets.end());
    }
    security::crypto::hkdf_expand(secret.expose(), security::crypto::as_bytes(info), to);
  };
  derive("LTESL ts33303 KD", out.kd);
  std::array<std::uint8_t, 4> id{};
  derive("LTESL ts33303 KD ID", id);
  for (const auto o : id) out.id = out.id << 8 | o;
  return out;
}

}  // namespace prose::function
