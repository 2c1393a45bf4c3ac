// A PC5-S message of TS 24.334 with any contents is written and must be read as it was. Then octets are added to it:
// IEs that are repeated or unknown, or anything. What it said before may not change; else it is refused.
#include <cstdlib>
#include <vector>

#include "security/ts33303/messages.h"
#include "tests/fuzz/chooser.h"

using namespace prose::security;
using namespace prose::security::ts33303;
using prose::fuzz::chooser;
using bytes = std::vector<std::uint8_t>;

namespace {

/// Draws the contents of a message; what its views point to lives here.
class maker {
public:
  explicit maker(chooser& from) : from_(from) { kept_.reserve(8); }
  pc5s_message message() {
    pc5s_message m;
    fill(m.sequence);
    draw_body(from_.below(std::variant_size_v<pc5s_body>), m.body);
    return m;
  }

private:
  template <std::size_t I = 0>
  void draw_body(std::size_t which, pc5s_body& body) {
    if constexpr (I < std::variant_size_v<pc5s_body>) {
      if (which == I) {
        draw(body.emplace<I>());
      } else {
        draw_body<I + 1>(which, body);
      }
    }
  }
  void draw(direct_communication_request& m) {
    all(m.user, m.ip, m.max_inactivity, m.nonce_1, m.capabilities, m.kd_sess_id_msb, m.kd_id, m.relay_service_code,
        m.signature, m.link_local_ipv6);
  }
  void draw(direct_communication_accept& m) { all(m.ip, m.link_local_ipv6); }
  void draw(direct_communication_reject& m) { all(m.cause); }
  void draw(keepalive& m) { all(m.counter, m.max_inactivity); }
  void draw(keepalive_ack& m) { all(m.counter); }
  void draw(release& m) { all(m.reason); }
  void draw(release_accept&) {}
  void draw(security_mode_command& m) {
    all(m.capabilities, m.nonce_2, m.chosen, m.kd_sess_id_lsb, m.kd_id_msb, m.kd_freshness, m.gpi, m.user, m.signature,
        m.encrypted_payload);
  }
  void draw(security_mode_complete& m) { all(m.kd_id_lsb); }
  void draw(security_mode_reject& m) { all(m.cause, m.rand, m.auts); }
  void draw(rekeying_request& m) { all(m.capabilities, m.nonce_1, m.kd_sess_id_msb, m.reauthentication, m.pruk_id); }
  void draw(rekeying_response&) {}

  void all(auto&... fields) { (fill(fields), ...); }
  template <std::unsigned_integral T>
  void fill(T& v) {
    for (std::size_t i = 0; i < sizeof v; ++i) v = static_cast<T>(std::uint64_t{v} << 8 | from_.octet());
  }
  template <std::size_t N>
  void fill(octets<N>& v) {
    for (auto& o : v) o = from_.octet();
  }
  template <class T>
  void fill(std::optional<T>& v) {
    if (from_.flag()) fill(v.emplace());
  }
  void fill(pc5s_cause& v) { v = static_cast<pc5s_cause>(1 + from_.below(9)); }
  void fill(release_reason& v) { v = static_cast<release_reason>(1 + from_.below(3)); }
  void fill(ip_configuration& v) { v = static_cast<ip_configuration>(1 + from_.below(4)); }
  void fill(security_capabilities& v) { all(v.eea_bits, v.eia_bits); }
  void fill(chosen_algorithms& v) {
    v = {static_cast<std::uint8_t>(from_.below(4)), static_cast<std::uint8_t>(from_.below(4))};
  }
  void fill(user_info& v) {
    v.type = static_cast<user_info_type>(1 + from_.below(3));
    v.value.value = some(unverified::user_info_tlv_most - 1);
  }
  void fill(variable_octets& v) { v.value = some(3000); }
  bytes_view some(std::size_t most) {
    const std::size_t n = from_.below(most + 1);
    kept_.emplace_back(n, from_.octet());
    return kept_.back();
  }

  chooser& from_;
  std::vector<bytes> kept_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  chooser from({data, size});
  maker make(from);
  const auto message = make.message();
  static std::array<std::uint8_t, max_sdu_octets> out;
  const auto n = write(message, out);
  if (!n) std::abort();
  bytes octets(out.begin(), out.begin() + static_cast<std::ptrdiff_t>(*n));
  const auto read = parse(octets);
  if (!read || read->ignored_ies != 0 || read->message != message) std::abort();
  for (std::size_t cut = 0; cut < octets.size(); cut += 1 + octets.size() / 64)
    if (const auto r = parse(bytes_view(octets).first(cut)); r && r->message.sequence != message.sequence) std::abort();

  // Behind the message: what it has already, what is not known, and the rest of the input.
  static constexpr std::array<std::uint8_t, 4> unknown{0x30, 0x6f, 0x7a, 0x91};
  for (std::size_t i = from.below(4); i > 0; --i) {
    const std::uint8_t iei = from.one_of(unknown);
    octets.push_back(iei);
    if (iei < 0x80) {
      const std::size_t length = from.below(8);
      if (iei >= 0x70) octets.push_back(0);
      octets.push_back(static_cast<std::uint8_t>(length));
      octets.insert(octets.end(), length, from.octet());
    }
    const auto more = parse(octets);
    if (!more || more->message != message || more->ignored_ies == 0) std::abort();
  }
  while (!from.done()) octets.push_back(from.octet());
  const auto more = parse(octets);
  if (more && more->message.body.index() != message.body.index()) std::abort();
  return 0;
}
