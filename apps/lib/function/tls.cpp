#include "apps/lib/function/tls.h"

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/oid.h>
#include <mbedtls/pk.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>

#include "apps/lib/common/mbedtls_versions.h"
#include "apps/lib/common/safe_file.h"
#include "apps/lib/function/pem.h"
#include "apps/lib/function/psk_folder.h"
#include "apps/lib/function/store.h"
#include "apps/lib/keys/key_file.h"

namespace prose::function {
namespace mbed = apps::mbed;
namespace {

std::string describe_code(int code) {
  char text[160];
  mbedtls_strerror(code, text, sizeof text);
  return text;
}

constexpr int suites[] = {MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
                          MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
                          MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
                          MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
                          MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
                          MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
                          0};
constexpr int psk_suites[] = {MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, 0};
constexpr int all_suites[] = {
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,     MBEDTLS_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
    MBEDTLS_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,     MBEDTLS_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
    MBEDTLS_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, MBEDTLS_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
    MBEDTLS_TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256, 0};

int send_socket(void* context, const unsigned char* data, std::size_t size) {
  const auto n = send(*static_cast<int*>(context), data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (n >= 0) return static_cast<int>(n);
  return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_SEND_FAILED;
}

int receive_socket(void* context, unsigned char* data, std::size_t size) {
  const auto n = recv(*static_cast<int*>(context), data, size, MSG_DONTWAIT);
  if (n >= 0) return static_cast<int>(n);
  return errno == EAGAIN || errno == EINTR ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_RECV_FAILED;
}

/// RFC 5246 7.2; those that certificates and keys can cause.
std::string alert_text(int description) {
  switch (description) {
    case 20:
    case 51:
      return "wrong key (alert " + std::to_string(description) + ")";
    case 40:
      return "no agreement, or a wrong key (alert 40)";
    case 42:
      return "bad certificate (alert 42)";
    case 43:
      return "unsupported certificate (alert 43)";
    case 44:
      return "certificate revoked (alert 44)";
    case 45:
      return "certificate expired (alert 45)";
    case 46:
      return "certificate unknown (alert 46)";
    case 48:
      return "certificate of an unknown authority (alert 48)";
    case 49:
      return "access denied (alert 49)";
    case 70:
      return "TLS version refused (alert 70)";
    case 115:
      return "unknown pre-shared key identity (alert 115)";
    default:
      return "alert " + std::to_string(description);
  }
}

std::string common_name(const mbedtls_x509_crt* crt) {
  if (crt == nullptr) return {};
  for (const auto* name = &crt->subject; name != nullptr; name = name->next) {
    if (MBEDTLS_OID_CMP(MBEDTLS_OID_AT_CN, &name->oid) == 0)
      return {reinterpret_cast<const char*>(name->val.p), name->val.len};
  }
  return {};
}

}  // namespace

struct tls_context::state {
  mbedtls_entropy_context entropy;
  mbedtls_ctr_drbg_context random;
  mbedtls_x509_crt authority;
  mbedtls_x509_crt own;
  mbedtls_pk_context key;
  mbedtls_ssl_config config;
  // A session's secret (with mbedTLS 2.28) and a client's PSK identity come to callbacks of the shared configuration,
  // in the middle of that connection's handshake step; the step notes which connection it is (one thread a context).
  std::array<std::uint8_t, 32>* exporting = nullptr;
  std::string* psk_identity = nullptr;
  tls_secret_observer observer;
  std::optional<psk_folder> psks;

  void observe(const unsigned char* master, const unsigned char* client_random, const unsigned char* server_random) {
    if (!observer) return;
    tls_secret secret;
    std::copy_n(master, secret.master.size(), secret.master.begin());
    std::copy_n(client_random, secret.client_random.size(), secret.client_random.begin());
    std::copy_n(server_random, secret.server_random.size(), secret.server_random.begin());
    observer(secret);
    security::wipe(secret.master);
  }

  /// Server: the key of an identity.
  static int find_psk(void* self, mbedtls_ssl_context* ssl, const unsigned char* identity, std::size_t size) {
    auto* s = static_cast<state*>(self);
    const std::string name(reinterpret_cast<const char*>(identity), std::min(size, max_name_bytes + 1));
    // An unknown name fails at the end of the handshake, as a wrong key does, and costs the same, so that names cannot
    // be probed.
    std::array<unsigned char, 32> unknown{};
    mbedtls_ctr_drbg_random(&s->random, unknown.data(), unknown.size());
    const auto psk = s->psks->find(name);
    if (!psk) return mbedtls_ssl_set_hs_psk(ssl, unknown.data(), unknown.size());
    if (s->psk_identity != nullptr) *s->psk_identity = name;
    return mbedtls_ssl_set_hs_psk(ssl, psk->expose().data(), psk->expose().size());
  }

  state() {
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&random);
    mbedtls_x509_crt_init(&authority);
    mbedtls_x509_crt_init(&own);
    mbedtls_pk_init(&key);
    mbedtls_ssl_config_init(&config);
  }
  ~state() {
    mbedtls_ssl_config_free(&config);
    mbedtls_pk_free(&key);
    mbedtls_x509_crt_free(&own);
    mbedtls_x509_crt_free(&authority);
    mbedtls_ctr_drbg_free(&random);
    mbedtls_entropy_free(&entropy);
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  result<void> load_certificate(const tls_identity& identity);
  std::string ca_path, certificate_path;
  result<void> load_psk(const tls_identity& identity, bool is_server);

  static void take_master(void* self, const unsigned char* master, const unsigned char* client_random,
                          const unsigned char* server_random) {
    auto* s = static_cast<state*>(self);
    if (s->exporting != nullptr && mbed::sha256({master, 48}, *s->exporting) != 0) s->exporting->fill(0);
    s->observe(master, client_random, server_random);
  }
};

tls_context::tls_context(std::unique_ptr<state> s) : s_(std::move(s)) {}
tls_context::tls_context(tls_context&&) noexcept = default;
tls_context& tls_context::operator=(tls_context&&) noexcept = default;
tls_context::~tls_context() = default;
result<void> tls_context::check_dates() const {
  const auto text = [](const mbedtls_x509_time& t) {
    char out[32];
    std::snprintf(out, sizeof out, "%04d-%02d-%02d %02d:%02d UTC", t.year, t.mon, t.day, t.hour, t.min);
    return std::string(out);
  };
  const auto check = [&](const std::string& path, const mbedtls_x509_crt& crt) -> result<void> {
    if (mbedtls_x509_time_is_past(&crt.valid_to) != 0)
      return fail(path + ": expired on " + text(crt.valid_to) + "; accepted: a certificate that is valid today");
    if (mbedtls_x509_time_is_future(&crt.valid_from) != 0)
      return fail(path + ": valid only from " + text(crt.valid_from) + " on; is the clock right?");
    return {};
  };
  // Of several authorities (the old one and the new) one is enough; of the own certificates the first counts.
  result<void> authority;
  for (const auto* c = &s_->authority; c != nullptr && c->raw.p != nullptr; c = c->next) {
    auto ok = check(s_->ca_path, *c);
    if (ok || c == &s_->authority) authority = std::move(ok);
    if (authority) break;
  }
  if (!authority || s_->own.raw.p == nullptr) return authority;
  return check(s_->certificate_path, s_->own);
}

std::string tls_context::own_name() const { return s_->own.raw.p == nullptr ? "" : common_name(&s_->own); }
void tls_context::observe_secrets(tls_secret_observer observer) { s_->observer = std::move(observer); }

result<tls_context> tls_context::server(const tls_identity& identity) { return load(identity, true); }
result<tls_context> tls_context::client(const tls_identity& identity) { return load(identity, false); }

result<void> tls_context::state::load_certificate(const tls_identity& identity) {
  ca_path = identity.ca_path;
  certificate_path = identity.certificate_path;
  for (const auto& [path, chain, what] : {std::tuple{&identity.ca_path, &authority, "a CA certificate"},
                                          std::tuple{&identity.certificate_path, &own, "a certificate"}}) {
    const auto pem = apps::read_trusted_file(*path);
    if (!pem) return tl::unexpected<error>(pem.error());
    if (const int c = mbedtls_x509_crt_parse(chain, octets_of(*pem), pem_size(*pem)); c != 0)
      return fail(*path + ": not " + what + ": " + describe_code(c));
  }
  auto pem = apps::read_private_file(identity.key_path);
  if (!pem) return tl::unexpected<error>(pem.error());
  const bool is_pem = pem->find("-----BEGIN ") != std::string::npos;
  const int key_code = mbed::parse_key(key, {octets_of(*pem), pem_size(*pem)}, random);
  const int pair_code = key_code != 0 ? key_code : mbed::check_pair(own.pk, key, random);
  security::wipe({reinterpret_cast<std::uint8_t*>(pem->data()), pem->size()});
  if (key_code != 0 && !is_pem)
    return fail(
        identity.key_path +
        ": not a private key of TLS; accepted: the one that prose-keys ca issue made beside the certificate (PEM), "
        "not the X25519 key of prose-keys gen");
  if (key_code != 0) return fail(identity.key_path + ": not a private key: " + describe_code(key_code));
  if (pair_code != 0) return fail(identity.key_path + ": not the key of " + identity.certificate_path);
  mbedtls_ssl_conf_ca_chain(&config, &authority, nullptr);
  if (const int c = mbedtls_ssl_conf_own_cert(&config, &own, &key); c != 0)
    return fail(identity.certificate_path + ": " + describe_code(c));
  return {};
}

result<void> tls_context::state::load_psk(const tls_identity& identity, bool is_server) {
  if (is_server) {
    auto folder = psk_folder::open(identity.psk_folder);
    if (!folder) return tl::unexpected<error>(folder.error());
    psks = std::move(*folder);
    mbedtls_ssl_conf_psk_cb(&config, find_psk, this);
    return {};
  }
  if (!valid_name(identity.psk_identity)) return fail("TLS: a pre-shared key needs the user's name");
  const auto psk = keys::read_psk(identity.psk_path);
  if (!psk) return tl::unexpected<error>(psk.error());
  if (const int c = mbedtls_ssl_conf_psk(&config, psk->expose().data(), psk->expose().size(),
                                         reinterpret_cast<const unsigned char*>(identity.psk_identity.data()),
                                         identity.psk_identity.size());
      c != 0)
    return fail(identity.psk_path + ": " + describe_code(c));
  return {};
}

result<tls_context> tls_context::load(const tls_identity& identity, bool is_server) {
  if (const int c = mbed::initialise(); c != 0)
    return fail("TLS: the cryptography does not begin: " + describe_code(c));
  auto s = std::make_unique<state>();
  if (const int c = mbedtls_ctr_drbg_seed(&s->random, mbedtls_entropy_func, &s->entropy, nullptr, 0); c != 0)
    return fail("TLS: no entropy: " + describe_code(c));
  auto* config = &s->config;
  mbedtls_ssl_config_defaults(config, is_server ? MBEDTLS_SSL_IS_SERVER : MBEDTLS_SSL_IS_CLIENT,
                              MBEDTLS_SSL_TRANSPORT_STREAM, MBEDTLS_SSL_PRESET_DEFAULT);
  const bool with_psk = is_server ? !identity.psk_folder.empty() : !identity.psk_path.empty();
  const bool with_certificate =
      !identity.ca_path.empty() || !identity.certificate_path.empty() || !identity.key_path.empty();
  if (!with_psk && !with_certificate) return fail("TLS: neither a certificate nor a pre-shared key is given");
  if (!is_server && with_psk && with_certificate)
    return fail("TLS: accepted are ca, certificate and key, or a pre-shared key, not both");
  if (with_certificate) {
    if (auto ok = s->load_certificate(identity); !ok) return tl::unexpected<error>(ok.error());
  }
  if (with_psk) {
    if (auto ok = s->load_psk(identity, is_server); !ok) return tl::unexpected<error>(ok.error());
  }
  mbedtls_ssl_conf_ciphersuites(config, !with_psk ? suites : with_certificate ? all_suites : psk_suites);

  mbedtls_ssl_conf_rng(config, mbedtls_ctr_drbg_random, &s->random);
  mbedtls_ssl_conf_authmode(config, MBEDTLS_SSL_VERIFY_REQUIRED);
  // TLS 1.3 too is refused, though mbedTLS 3.6 knows it: the same rules hold with either library, and fingerprints, key
  // logs and the search for an opened session are about the one master secret of TLS 1.2.
  mbed::only_tls_1_2(*config);
  mbed::only_strong_groups(*config);
#if defined(MBEDTLS_SSL_RENEGOTIATION)
  mbedtls_ssl_conf_renegotiation(config, MBEDTLS_SSL_RENEGOTIATION_DISABLED);
#endif
#if defined(MBEDTLS_SSL_SESSION_TICKETS) && defined(MBEDTLS_SSL_CLI_C)
  // A resumed session would share its master secret with the one before.
  mbedtls_ssl_conf_session_tickets(config, MBEDTLS_SSL_SESSION_TICKETS_DISABLED);
#endif
  mbed::tell_master_secrets<state::take_master>(*config, s.get());
  return tls_context(std::move(s));
}

struct tls_connection::state {
  mbedtls_ssl_context ssl;
  tls_context::state* context = nullptr;
  int socket = -1;
  int last_code = 0;
  std::size_t in_record = 0;  // octets of a write that has not ended
  std::array<std::uint8_t, 32> fingerprint{};
  std::string psk_identity;

  state() { mbedtls_ssl_init(&ssl); }
  ~state() { mbedtls_ssl_free(&ssl); }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  tls_status status_of(int code) {
    if (code >= 0) return tls_status::done;
    last_code = code;
    if (code == MBEDTLS_ERR_SSL_WANT_READ) return tls_status::want_read;
    if (code == MBEDTLS_ERR_SSL_WANT_WRITE) return tls_status::want_write;
    if (code == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || code == MBEDTLS_ERR_SSL_CONN_EOF) return tls_status::closed;
    return tls_status::failed;
  }
};

tls_connection::tls_connection(std::unique_ptr<state> s) : s_(std::move(s)) {}
tls_connection::tls_connection(tls_connection&&) noexcept = default;
tls_connection& tls_connection::operator=(tls_connection&&) noexcept = default;
tls_connection::~tls_connection() = default;

result<tls_connection> tls_connection::make(const tls_context& context, int socket, const std::string& server_name) {
  auto s = std::make_unique<state>();
  s->context = context.s_.get();
  s->socket = socket;
  if (const int c = mbedtls_ssl_setup(&s->ssl, &s->context->config); c != 0) return fail("TLS: " + describe_code(c));
  if (!server_name.empty()) {
    if (const int c = mbedtls_ssl_set_hostname(&s->ssl, server_name.c_str()); c != 0)
      return fail("TLS: " + describe_code(c));
  }
  mbedtls_ssl_set_bio(&s->ssl, &s->socket, send_socket, receive_socket, nullptr);
  mbed::tell_master_secret<tls_context::state::take_master>(s->ssl, s->context);
  return tls_connection(std::move(s));
}

tls_status tls_connection::handshake() {
  s_->context->exporting = &s_->fingerprint;
  s_->context->psk_identity = &s_->psk_identity;
  const int code = mbedtls_ssl_handshake(&s_->ssl);
  s_->context->exporting = nullptr;
  s_->context->psk_identity = nullptr;
  return s_->status_of(code);
}

tls_io tls_connection::read(std::span<char> out) {
  const int n = mbedtls_ssl_read(&s_->ssl, reinterpret_cast<unsigned char*>(out.data()), out.size());
  if (n == 0) return {tls_status::closed, 0};
  return {s_->status_of(n), n > 0 ? static_cast<std::size_t>(n) : 0};
}

tls_io tls_connection::write(std::span<const char> in) {
  // mbedTLS wants an interrupted write repeated with the same arguments: with a longer buffer it would count what it
  // has never seen as written.
  const std::size_t size = s_->in_record != 0 ? std::min(s_->in_record, in.size()) : in.size();
  const int n = mbedtls_ssl_write(&s_->ssl, reinterpret_cast<const unsigned char*>(in.data()), size);
  s_->in_record = n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE ? size : 0;
  return {s_->status_of(n), n > 0 ? static_cast<std::size_t>(n) : 0};
}

void tls_connection::close_notify() { mbedtls_ssl_close_notify(&s_->ssl); }

std::string tls_connection::failure() const {
  const auto flags = mbedtls_ssl_get_verify_result(&s_->ssl);
  if (flags != 0 && flags != 0xffffffffU) {
    char why[256] = "";
    mbedtls_x509_crt_verify_info(why, sizeof why, "", flags);
    std::string text = why;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    for (auto& c : text)
      if (c == '\n') c = ';';
    return text;
  }
  // A server that refuses our certificate says why and closes; what we write then fails before that is read.
  if (s_->last_code == MBEDTLS_ERR_NET_SEND_FAILED || s_->last_code == MBEDTLS_ERR_NET_RECV_FAILED) {
    std::array<unsigned char, 7> record{};
    if (recv(s_->socket, record.data(), record.size(), MSG_DONTWAIT | MSG_PEEK) ==
            static_cast<ssize_t>(record.size()) &&
        record[0] == 21 && record[4] == 2)
      return "refused by the peer: " + alert_text(record[6]);
  }
  if (s_->last_code == MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE)
    return "refused by the peer: " + alert_text(mbed::last_alert(s_->ssl));
  return describe_code(s_->last_code);
}

std::string tls_connection::suite() const {
  const char* name = mbedtls_ssl_get_ciphersuite(&s_->ssl);
  return name == nullptr ? "" : name;
}

std::string tls_connection::peer_name() const {
  if (!s_->psk_identity.empty()) return s_->psk_identity;
  return common_name(mbedtls_ssl_get_peer_cert(&s_->ssl));
}

const std::array<std::uint8_t, 32>& tls_connection::session_fingerprint() const { return s_->fingerprint; }

}  // namespace prose::function
