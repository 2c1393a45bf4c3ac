// TLS 1.2 with forward secrecy and mutual authentication on mbedTLS, over sockets that do not block.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::function {

/// PEM files: the private CA that both sides trust, and one's own certificate and key. Or pre-shared keys, always with
/// ECDHE (RFC 5489, RFC 7905): they authenticate, and a stolen one opens no recorded session.
struct tls_identity {
  std::string ca_path;
  std::string certificate_path;
  std::string key_path;
  // Client: certificate or pre-shared key, not both.
  std::string psk_path{};      ///< file of prose-keys gen --psk
  std::string psk_identity{};  ///< the user's name
  // Server: with certificates or instead of them.
  std::string
      psk_folder{};  ///< FOLDER/NAME.psk is the user's key; read at each handshake, so removing it locks the user out
};

/// What a session's traffic keys come from, for a key log that the user asked for, and for tests.
struct tls_secret {
  std::array<std::uint8_t, 32> client_random{}, server_random{};
  std::array<std::uint8_t, 48> master{};
};
using tls_secret_observer = std::function<void(const tls_secret&)>;

/// Credentials and settings of one side, shared by its connections, which must not outlive it. Only ECDHE suites with
/// AEAD; nothing below TLS 1.2; both sides show a certificate of the CA or know the pre-shared key.
class tls_context {
public:
  static result<tls_context> server(const tls_identity& identity);
  static result<tls_context> client(const tls_identity& identity);
  tls_context(tls_context&&) noexcept;
  tls_context& operator=(tls_context&&) noexcept;
  ~tls_context();
  /// Common name of one's own certificate; empty without one.
  std::string own_name() const;
  /// Own certificate and authority are valid at this moment. An error names the file and the date.
  result<void> check_dates() const;
  /// Told of every session's secret from now on.
  void observe_secrets(tls_secret_observer observer);

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
  /// After want_read or want_write the next call must bring the same octets again, and may bring more behind them: TLS
  /// has taken the first ones into a record, and only they count as written by the next call.
  tls_io write(std::span<const char> in);
  void close_notify();
  /// Name of the cipher suite; empty before the handshake is done.
  std::string suite() const;
  /// Why the last call failed, one line.
  std::string failure() const;
  /// Common name of the peer's certificate, or the identity of its pre-shared key; empty before the handshake is done.
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
/// 0600). Existing files are not overwritten. `at_s`: UTC of issue, empty for now.
enum class certificate_use : std::uint8_t { ue, server };
result<void> make_authority(const std::string& folder, const std::string& name, int valid_days,
                            std::optional<std::int64_t> at_s = std::nullopt);
/// A UE's certificate does not serve as a server's, nor the other way round (RFC 5280 4.2.1.12).
result<void> issue_certificate(const std::string& folder, const std::string& authority, const std::string& name,
                               certificate_use use, int valid_days, std::optional<std::int64_t> at_s = std::nullopt);

}  // namespace prose::function
