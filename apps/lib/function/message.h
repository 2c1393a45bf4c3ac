// Messages between a UE and the ProSe Function (PC3). NOT 3GPP: TS 24.334 carries its discovery messages as XML over
// HTTP; these are JSON objects, one a TLS-protected frame (4 octets of length, most significant first, then the text).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "apps/lib/function/store.h"
#include "common/result.h"

namespace prose::function {

inline constexpr std::size_t max_request_bytes = 16 * 1024;
inline constexpr std::size_t max_answer_bytes = 512 * 1024;  // a list of max_grants_per_user peers fits
inline constexpr int max_changes_per_answer = 64;
inline constexpr int max_wait_s = 60;
inline constexpr std::size_t max_data_octets = 1500;  // one packet

using proof_octets = std::array<std::uint8_t, 32>;

/// The proof shows that the client holds the private key, to this server, on this connection (possession.h).
struct register_request {
  std::string name;
  public_key key{};
  proof_octets proof{};
  bool replace = false;
};
struct grant_request {
  std::string peer;
};
struct withdraw_request {
  std::string peer;
};
/// The KD of profile ts33303 with a mutual peer (pair_kd.h).
struct kd_request {
  std::string peer;
};
struct list_request {};
/// Answered at once if there is a change after `since`; otherwise when one comes, after wait_s, or at the next request.
struct changes_request {
  std::int64_t since = 0;
  int wait_s = 0;
};
/// Application data for the server. It has no answer, like any packet, and ends no long poll.
struct data_request {
  std::vector<std::uint8_t> octets;
};
using request = std::variant<register_request, grant_request, withdraw_request, list_request, changes_request,
                             data_request, kd_request>;

/// Strict: an unknown operation or key, a missing or ill-typed value, a value out of range is an error of one line.
result<request> parse_request(std::string_view text);
/// Padded like an answer, so that the length of a request does not reveal whom it names.
std::string to_text(const request& r);

/// First message of a connection, from the server.
struct hello {
  std::string server;
  std::array<std::uint8_t, 32> challenge{};
  public_key ephemeral{};
};
struct done_answer {};
struct error_answer {
  std::string reason;
};
struct list_answer {
  std::vector<std::string> granted;
  std::vector<mutual_peer> mutual;
};
/// For the peer's key that the server holds now.
struct kd_answer {
  public_key key{};
  std::uint32_t id = 0;
  std::array<std::uint8_t, 32> kd{};
};
struct changes_answer {
  std::vector<change> changes;
};
/// Application data of the server. It is no answer and may come at any time. Every request except data has one answer,
/// and the answers come in the order of the requests.
struct data_answer {
  std::vector<std::uint8_t> octets;
};
using answer = std::variant<hello, done_answer, error_answer, list_answer, changes_answer, data_answer, kd_answer>;

result<answer> parse_answer(std::string_view text);
/// Padded with a key "pad" to a multiple of answer_granularity_bytes: an answer's length tells little of its content,
/// and nothing of whether a grant was returned.
std::string to_text(const answer& a);
inline constexpr std::size_t answer_granularity_bytes = 512;
inline constexpr std::size_t request_granularity_bytes = 256;

/// One line for a user.
std::string_view describe(refusal r);

/// Cuts a byte stream into messages.
class frame_reader {
public:
  explicit frame_reader(std::size_t max_frame_bytes) : max_frame_bytes_(max_frame_bytes) {}
  /// Adds what arrived. Returns false if the first frame is longer than the limit; the stream cannot be used further.
  bool add(std::string_view bytes);
  std::optional<std::string> next();

private:
  /// Of the frame at the front; empty while its four octets are not there.
  std::optional<std::size_t> front_length() const;
  std::size_t max_frame_bytes_;
  std::string buffer_;
};
std::string frame(std::string_view message);

}  // namespace prose::function
