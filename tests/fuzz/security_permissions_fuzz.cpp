// Text as a permission file.
#include "apps/lib/keys/key_file.h"
#include "apps/lib/keys/system_random.h"
#include "security/crypto/x25519.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static prose::keys::system_random random;
  static prose::security::crypto::mbedtls_x25519 dh(random);
  const auto all = prose::keys::parse_permissions({reinterpret_cast<const char*>(data), size}, "fuzz", dh, random);
  if (all)
    for (const auto& p : *all)
      if (!prose::keys::valid_name(p.name)) __builtin_trap();
  return 0;
}
