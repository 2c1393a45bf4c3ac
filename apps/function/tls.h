// TLS 1.2 with forward secrecy and mutual authentication on mbedTLS, over sockets that do not block.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::function {

/// PEM files: the private CA that both sides trust, and one's own certificate and key.
struct tls_identity {
  std::string ca_path;
  std::string certificate_path;
  std::string key_path;
};

/// Credentials and settings of one side, shared by its connections, which must not outlive it. Only ECDHE suites with
/// AEAD; nothing below TLS 1.2; both sides show a certificate of the CA.
class tls_context {
public:
  static result<tls_context> server(const tls_identity& identity);
  static result<tls_context> client(const tls_identity& identity);
  tls_context(tls_context&&) noexcept;
  tls_context& operator=(tls_context&&) noexcept;
  ~tls_context();
  /// Common name of one's own certificate.
  std::string own_name() const;

private:
  friend class tls_connection;
  struct state;
  explicit tls_context(std::unique_ptr<state> s);
  static result<tls_context> load(const tls_identity& identity, bool is_server);
  std::unique_ptr<state> s_;
};

enum class tls_status : std::uint8_t { done, want_read, want_write, closed, failed };

struct tls_io {
  tls_status status = tls_status::failed;
  std::size_t n = 0;  ///< octets moved, with done
};

/// One connection over a socket, which the caller keeps open and closes.
class tls_connection {
public:
  /// server_name (client only) must be in the server's certificate.
  static result<tls_connection> make(const tls_context& context, int socket, const std::string& server_name);
  tls_connection(tls_connection&&) noexcept;
  tls_connection& operator=(tls_connection&&) noexcept;
  ~tls_connection();

  tls_status handshake();
  tls_io read(std::span<char> out);
  tls_io write(std::span<const char> in);
  void close_notify();
  /// Why the last call failed, one line.
  std::string failure() const;
  /// Common name of the peer's certificate; empty before the handshake is done.
  std::string peer_name() const;
  /// SHA-256 of this session's master secret, known to both ends: separate sessions have different ones. For tests and
  /// for the fingerprint a user sees; tells nothing of the secret.
  const std::array<std::uint8_t, 32>& session_fingerprint() const;

private:
  struct state;
  explicit tls_connection(std::unique_ptr<state> s);
  std::unique_ptr<state> s_;
};

/// A small private CA and the certificates it issues (ECDSA P-256), as files: FOLDER/NAME.crt and FOLDER/NAME.key (mode
/// 0600). Existing files are not overwritten.
result<void> make_authority(const std::string& folder, const std::string& name, int valid_days);
result<void> issue_certificate(const std::string& folder, const std::string& authority, const std::string& name,
                               int valid_days);

}  // namespace prose::function
