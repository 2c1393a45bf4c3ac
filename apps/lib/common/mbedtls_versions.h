// What mbedTLS 2.28 (Debian 12, Ubuntu 22.04 and 24.04) and 3.6 (Debian 13) call differently. No other file asks for
// the version of the library, and none calls what one of them deprecates. Values are mbedTLS's: 0 for success.
#pragma once

#include <mbedtls/bignum.h>
#include <mbedtls/ctr_drbg.h>
#include <mbedtls/error.h>
#include <mbedtls/pk.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>
#include <mbedtls/ssl.h>
#include <mbedtls/version.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_MAJOR >= 3
#include <psa/crypto.h>
#endif

#include <cstddef>
#include <cstdint>
#include <span>

namespace prose::apps::mbed {

using octets = std::span<const std::uint8_t>;

/// Told of a TLS 1.2 session's master secret (48 octets) and of both randoms (32 octets each), in the middle of its
/// handshake.
using master_secret_sink = void (*)(void* self, const unsigned char* master, const unsigned char* client_random,
                                    const unsigned char* server_random);

#if !defined(MBEDTLS_PRIVATE)
#define MBEDTLS_PRIVATE(member) member
#endif
/// The description of the alert that MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE was about; the library has no other way to it.
inline int last_alert(const mbedtls_ssl_context& ssl) { return ssl.MBEDTLS_PRIVATE(in_msg)[1]; }

#if MBEDTLS_VERSION_MAJOR >= 3

/// Before the first key or session, as often as one likes: mbedTLS 3 hands work to PSA where it was built so.
inline int initialise() { return psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_PLATFORM_HW_ACCEL_FAILED; }

inline int sha256(octets in, std::span<std::uint8_t, 32> out) {
  return mbedtls_sha256(in.data(), in.size(), out.data(), 0);
}
inline int sha256_starts(mbedtls_sha256_context& c) { return mbedtls_sha256_starts(&c, 0); }
inline int sha256_update(mbedtls_sha256_context& c, octets in) {
  return mbedtls_sha256_update(&c, in.data(), in.size());
}
inline int sha256_finish(mbedtls_sha256_context& c, std::span<std::uint8_t, 32> out) {
  return mbedtls_sha256_finish(&c, out.data());
}
inline int sha512_starts(mbedtls_sha512_context& c) { return mbedtls_sha512_starts(&c, 0); }
inline int sha512_update(mbedtls_sha512_context& c, octets in) {
  return mbedtls_sha512_update(&c, in.data(), in.size());
}
inline int sha512_finish(mbedtls_sha512_context& c, std::span<std::uint8_t, 64> out) {
  return mbedtls_sha512_finish(&c, out.data());
}

/// A private key without a password; of PEM the terminating zero counts. `random` blinds.
inline int parse_key(mbedtls_pk_context& key, octets in, mbedtls_ctr_drbg_context& random) {
  return mbedtls_pk_parse_key(&key, in.data(), in.size(), nullptr, 0, mbedtls_ctr_drbg_random, &random);
}
inline int check_pair(const mbedtls_pk_context& open, const mbedtls_pk_context& secret,
                      mbedtls_ctr_drbg_context& random) {
  return mbedtls_pk_check_pair(&open, &secret, mbedtls_ctr_drbg_random, &random);
}
/// At most 20 octets, most significant first.
inline int set_serial(mbedtls_x509write_cert& w, std::span<std::uint8_t> serial) {
  return mbedtls_x509write_crt_set_serial_raw(&w, serial.data(), serial.size());
}

/// Nothing below TLS 1.2 and nothing above it.
inline void only_tls_1_2(mbedtls_ssl_config& config) {
  mbedtls_ssl_conf_min_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
  mbedtls_ssl_conf_max_tls_version(&config, MBEDTLS_SSL_VERSION_TLS1_2);
}
/// X25519 and P-256 first, whatever order the other side prefers. P-384 is there for certificates on that curve.
inline void only_strong_groups(mbedtls_ssl_config& config) {
  static constexpr std::uint16_t groups[] = {MBEDTLS_SSL_IANA_TLS_GROUP_X25519, MBEDTLS_SSL_IANA_TLS_GROUP_SECP256R1,
                                             MBEDTLS_SSL_IANA_TLS_GROUP_SECP384R1, MBEDTLS_SSL_IANA_TLS_GROUP_NONE};
  mbedtls_ssl_conf_groups(&config, groups);
}
/// Both are to be called: 2.28 tells of a secret by the configuration that connections share, 3.6 by the connection.
template <master_secret_sink sink>
void tell_master_secrets(mbedtls_ssl_config&, void*) {}
template <master_secret_sink sink>
void tell_master_secret(mbedtls_ssl_context& ssl, void* self) {
  mbedtls_ssl_set_export_keys_cb(
      &ssl,
      [](void* to, mbedtls_ssl_key_export_type type, const unsigned char* secret, std::size_t size,
         const unsigned char* client_random, const unsigned char* server_random, mbedtls_tls_prf_types) {
        if (type == MBEDTLS_SSL_KEY_EXPORT_TLS12_MASTER_SECRET && size == 48)
          sink(to, secret, client_random, server_random);
      },
      self);
}

#else

inline int initialise() { return 0; }

inline int sha256(octets in, std::span<std::uint8_t, 32> out) {
  return mbedtls_sha256_ret(in.data(), in.size(), out.data(), 0);
}
inline int sha256_starts(mbedtls_sha256_context& c) { return mbedtls_sha256_starts_ret(&c, 0); }
inline int sha256_update(mbedtls_sha256_context& c, octets in) {
  return mbedtls_sha256_update_ret(&c, in.data(), in.size());
}
inline int sha256_finish(mbedtls_sha256_context& c, std::span<std::uint8_t, 32> out) {
  return mbedtls_sha256_finish_ret(&c, out.data());
}
inline int sha512_starts(mbedtls_sha512_context& c) { return mbedtls_sha512_starts_ret(&c, 0); }
inline int sha512_update(mbedtls_sha512_context& c, octets in) {
  return mbedtls_sha512_update_ret(&c, in.data(), in.size());
}
inline int sha512_finish(mbedtls_sha512_context& c, std::span<std::uint8_t, 64> out) {
  return mbedtls_sha512_finish_ret(&c, out.data());
}

inline int parse_key(mbedtls_pk_context& key, octets in, mbedtls_ctr_drbg_context&) {
  return mbedtls_pk_parse_key(&key, in.data(), in.size(), nullptr, 0);
}
inline int check_pair(const mbedtls_pk_context& open, const mbedtls_pk_context& secret, mbedtls_ctr_drbg_context&) {
  return mbedtls_pk_check_pair(&open, &secret);
}
inline int set_serial(mbedtls_x509write_cert& w, std::span<std::uint8_t> serial) {
  mbedtls_mpi number;
  mbedtls_mpi_init(&number);
  int code = mbedtls_mpi_read_binary(&number, serial.data(), serial.size());
  if (code == 0) code = mbedtls_x509write_crt_set_serial(&w, &number);
  mbedtls_mpi_free(&number);
  return code;
}

inline void only_tls_1_2(mbedtls_ssl_config& config) {
  mbedtls_ssl_conf_min_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
  mbedtls_ssl_conf_max_version(&config, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
}
inline void only_strong_groups(mbedtls_ssl_config& config) {
  static constexpr mbedtls_ecp_group_id groups[] = {MBEDTLS_ECP_DP_CURVE25519, MBEDTLS_ECP_DP_SECP256R1,
                                                    MBEDTLS_ECP_DP_SECP384R1, MBEDTLS_ECP_DP_NONE};
  mbedtls_ssl_conf_curves(&config, groups);
}
template <master_secret_sink sink>
void tell_master_secrets(mbedtls_ssl_config& config, void* self) {
  mbedtls_ssl_conf_export_keys_ext_cb(
      &config,
      [](void* to, const unsigned char* master, const unsigned char*, std::size_t, std::size_t, std::size_t,
         const unsigned char* client_random, const unsigned char* server_random, mbedtls_tls_prf_types) {
        sink(to, master, client_random, server_random);
        return 0;
      },
      self);
}
template <master_secret_sink sink>
void tell_master_secret(mbedtls_ssl_context&, void*) {}

#endif
}  // namespace prose::apps::mbed
