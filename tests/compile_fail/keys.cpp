// Each CASE must not compile; CASE 0 is the control that does. Run by ctest with -fsyntax-only.
#include <array>
#include <iostream>
#include <utility>

#include "security/crypto/aead.h"
#include "security/crypto/hash.h"
#include "security/ports.h"
#include "security/record.h"
#include "security/ts33303/algorithms.h"

using namespace prose::security;

[[maybe_unused]] static void use(pair_root_key& pair, link_root_key& link, record_key& record, announce_key& announce,
                                 static_private_key& own, ephemeral_private_key& ephemeral, pre_shared_key& psk,
                                 public_key& pub, dh_port& dh, record_iv& iv, handshake_key& handshake) {
  (void)pair, (void)link, (void)record, (void)announce, (void)own, (void)ephemeral, (void)psk, (void)pub, (void)dh,
      (void)iv, (void)handshake;
#if CASE == 0
  [[maybe_unused]] auto a = derive<announce_key>(pair);
  [[maybe_unused]] auto r = derive<link_root_key>(link);
  record_key moved = std::move(record);
  [[maybe_unused]] crypto::aead box(suite::aes_256_gcm, moved);
  (void)dh.agree(own, pub);  // what 10, 11, 13, 14 and 15 would be with the right key
  (void)dh.agree(ephemeral, pub);
  [[maybe_unused]] record_protection protection(suite::aes_256_gcm, std::move(moved), std::move(iv), 1);
  record_key from_octets{std::array<std::uint8_t, 32>{}};
  [[maybe_unused]] record_key again = record_key(std::array<std::uint8_t, 32>{});
#elif CASE == 1  // copied
  record_key copy = record;
#elif CASE == 2
  record_key other(std::array<std::uint8_t, 32>{});
  other = record;
#elif CASE == 3  // printed
  std::cout << record;
#elif CASE == 4  // compared with ==
  if (record == record) return;
#elif CASE == 5  // one kind for another
  record_key wrong = std::move(link);
#elif CASE == 6
  link_root_key wrong(std::move(pair));
#elif CASE == 7  // a step that the key schedule does not have
  auto wrong = derive<announce_key>(link);
#elif CASE == 8
  auto wrong = derive<link_root_key>(pair);
#elif CASE == 9  // a key of one purpose where another is wanted
  crypto::aead wrong(suite::aes_256_gcm, announce);
#elif CASE == 10
  (void)dh.agree(psk, pub);
#elif CASE == 11
  record_protection wrong(suite::aes_256_gcm, std::move(handshake), std::move(iv), 1);
#elif CASE == 12  // made from nothing
  record_key empty;
#elif CASE == 13  // an octet string is no key by itself
  record_key wrong = std::array<std::uint8_t, 32>{};
#elif CASE == 14  // wrong length
  record_key wrong(std::array<std::uint8_t, 16>{});
#elif CASE == 15  // private for public
  (void)dh.agree(own, own);
#endif
}
[[maybe_unused]] static void use_of_ts33303(ts33303::kd_key& kd, ts33303::kd_sess_key& kd_sess,
                                            ts33303::encryption_key& pek) {
  (void)kd, (void)kd_sess, (void)pek;
#if CASE == 0
  [[maybe_unused]] ts33303::ciphering c(ts33303::eea::aes, pek);
  [[maybe_unused]] auto pik = ts33303::derive_pik(kd_sess, ts33303::eia::aes);
#elif CASE == 16  // PEK for PIK
  [[maybe_unused]] ts33303::integrity i(ts33303::eia::aes, pek);
#elif CASE == 17  // KD for KD-sess
  [[maybe_unused]] auto pik = ts33303::derive_pik(kd, ts33303::eia::aes);
#elif CASE == 18  // EIA0
  [[maybe_unused]] auto pik = ts33303::derive_pik(kd_sess, ts33303::eea::none);
#endif
}
int main() { return 0; }
