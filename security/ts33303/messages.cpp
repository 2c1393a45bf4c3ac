#include "security/ts33303/messages.h"

#include <concepts>

#include "security/messages.h"

namespace prose::security::ts33303 {
namespace {

using namespace unverified;

// This project's own messages have the same numbers.
constexpr bool same_number(pc5s_type standard, message_type own) {
  return static_cast<std::uint8_t>(standard) == static_cast<std::uint8_t>(own);
}
static_assert(same_number(pc5s_type::direct_communication_request, message_type::direct_communication_request));
static_assert(same_number(pc5s_type::direct_communication_accept, message_type::direct_communication_accept));
static_assert(same_number(pc5s_type::keepalive, message_type::keepalive));
static_assert(same_number(pc5s_type::keepalive_ack, message_type::keepalive_ack));
static_assert(same_number(pc5s_type::release, message_type::release));
static_assert(same_number(pc5s_type::release_accept, message_type::release_accept));
static_assert(same_number(pc5s_type::security_mode_command, message_type::security_mode_command));
static_assert(same_number(pc5s_type::security_mode_complete, message_type::security_mode_complete));
static_assert(same_number(pc5s_type::rekeying_request, message_type::rekeying_request));
static_assert(same_number(pc5s_type::rekeying_response, message_type::rekeying_response));

template <class M, class Of>
concept is = std::same_as<std::remove_const_t<M>, Of>;

// The layouts, once for reading and writing (TS 24.334 11.4, NOT VERIFIED): io(...) takes the mandatory IEs in their
// order.
void mandatory(auto& io, is<direct_communication_request> auto& m) {
  io(m.user, m.ip, m.max_inactivity, m.nonce_1, m.capabilities, m.kd_sess_id_msb);
}
void optional(auto& io, is<direct_communication_request> auto& m) {
  io.optional(iei_kd_id, m.kd_id);
  io.optional(iei_relay_service_code, m.relay_service_code);
  io.optional(iei_signature, m.signature);
  io.optional(iei_link_local_ipv6, m.link_local_ipv6);
}
void mandatory(auto& io, is<direct_communication_accept> auto& m) { io(m.ip); }
void optional(auto& io, is<direct_communication_accept> auto& m) {
  io.optional(iei_link_local_ipv6, m.link_local_ipv6);
}
void mandatory(auto& io, is<direct_communication_reject> auto& m) { io(m.cause); }
void mandatory(auto& io, is<keepalive> auto& m) { io(m.counter); }
void optional(auto& io, is<keepalive> auto& m) { io.optional(iei_max_inactivity, m.max_inactivity); }
void mandatory(auto& io, is<keepalive_ack> auto& m) { io(m.counter); }
void mandatory(auto& io, is<release> auto& m) { io(m.reason); }
void mandatory(auto& io, is<security_mode_command> auto& m) {
  io(m.capabilities, m.nonce_2, m.chosen, m.kd_sess_id_lsb);
}
void optional(auto& io, is<security_mode_command> auto& m) {
  io.optional(iei_kd_id_msb, m.kd_id_msb);
  io.optional(iei_kd_freshness, m.kd_freshness);
  io.optional(iei_gpi, m.gpi);
  io.optional(iei_user_info, m.user);
  io.optional(iei_signature, m.signature);
  io.optional(iei_encrypted_payload, m.encrypted_payload);
}
void optional(auto& io, is<security_mode_complete> auto& m) { io.optional(iei_kd_id_lsb, m.kd_id_lsb); }
void mandatory(auto& io, is<security_mode_reject> auto& m) { io(m.cause); }
void optional(auto& io, is<security_mode_reject> auto& m) {
  io.optional(iei_rand, m.rand);
  io.optional(iei_auts, m.auts);
}
void mandatory(auto& io, is<rekeying_request> auto& m) { io(m.capabilities, m.nonce_1, m.kd_sess_id_msb); }
void optional(auto& io, is<rekeying_request> auto& m) {
  io.optional(iei_reauthentication, m.reauthentication);
  io.optional(iei_pruk_id, m.pruk_id);
}
// Release Accept, Complete and Rekeying Response have no mandatory IE; half of the messages have no optional one.
void mandatory(auto&, auto&) {}
void optional(auto&, auto&) {}

constexpr bool known(pc5s_cause c) {
  return (c >= pc5s_cause::not_allowed && c <= pc5s_cause::other) || c == pc5s_cause::capabilities_mismatch ||
         c == pc5s_cause::unspecified || c == pc5s_cause::synchronisation_error;
}
constexpr bool known(release_reason r) {
  return r >= release_reason::no_longer_needed && r <= release_reason::no_longer_available;
}
constexpr bool known(ip_configuration c) {
  return c == ip_configuration::dhcpv4_server || c == ip_configuration::ipv6_router || c == ip_configuration::both ||
         c == ip_configuration::none;
}
constexpr bool known(user_info_type t) {
  return t == user_info_type::upper_layers || t == user_info_type::pruk_id || t == user_info_type::imsi;
}
constexpr bool known(const chosen_algorithms& c) {
  constexpr auto last = static_cast<std::uint8_t>(eea::zuc);
  return c.eea <= last && c.eia <= last;
}

/// n: octets of the contents.
constexpr bool user_info_fits(std::size_t n, bool with_iei) {
  return with_iei ? n >= user_info_tlv_least && n <= user_info_tlv_most
                  : n >= user_info_lv_least && n <= user_info_lv_most;
}

template <class T>
concept enumeration = std::is_enum_v<T>;

class reader {
public:
  explicit reader(bytes_view octets) : left_(octets) {}

  void operator()(auto&... fields) { (field(fields), ...); }
  template <class T>
  void optional(std::uint8_t iei, std::optional<T>& value) {
    if (iei != iei_ || matched_) return;
    matched_ = true;
    T read{};
    field(read);
    if (value) {
      ++ignored_;
    } else {
      value = read;
    }
  }

  bool more() const { return !error_ && !left_.empty(); }
  void begin_ie() {
    field(iei_);
    with_iei_ = true;
    matched_ = false;
  }
  /// Passes over an IE that the message does not have: of one octet where bit 8 is 1, else with its length behind it,
  /// which has two octets where the IEI begins with 0111.
  void end_ie() {
    if (matched_ || error_) return;
    ++ignored_;
    if (iei_ >= 0x80) return;
    if (iei_ < comprehension_required_below) return refuse(parse_error::comprehension_required);
    take(number(iei_ >> 4 == 7 ? 2 : 1));
  }
  std::optional<parse_error> error() const { return error_; }
  std::size_t ignored() const { return ignored_; }

private:
  void refuse(parse_error e) {
    if (!error_) error_ = e;
    left_ = {};
  }
  /// n octets, or none and an error.
  bytes_view take(std::size_t n) {
    if (n > left_.size()) {
      refuse(parse_error::truncated);
      return {};
    }
    const auto taken = left_.first(n);
    left_ = left_.subspan(n);
    return taken;
  }
  std::uint32_t number(std::size_t octets) {
    std::uint32_t v = 0;
    for (const auto o : take(octets)) v = v << 8 | o;
    return v;
  }

  template <std::unsigned_integral T>
  void field(T& v) {
    v = static_cast<T>(number(sizeof v));
  }
  template <std::size_t N>
  void field(std::array<std::uint8_t, N>& v) {
    std::ranges::copy(take(N), v.begin());
  }
  template <enumeration E>
  void field(E& v) {
    v = static_cast<E>(number(1));
    if (!known(v)) refuse(parse_error::unknown_value);
  }
  void field(security_capabilities& v) { (*this)(v.eea_bits, v.eia_bits); }
  void field(chosen_algorithms& v) {
    const std::uint32_t octet = number(1);
    v.eea = static_cast<std::uint8_t>(octet >> chosen_eea_shift);
    v.eia = static_cast<std::uint8_t>(octet & ((1U << chosen_eea_shift) - 1));
    if (!known(v)) refuse(parse_error::unknown_value);
  }
  void field(user_info& v) {
    const std::size_t n = number(1);
    if (!user_info_fits(n, with_iei_)) refuse(parse_error::bad_length);
    const auto contents = take(n);
    if (contents.empty()) return;
    v.type = static_cast<user_info_type>(contents[0]);
    v.value.value = contents.subspan(1);
    if (!known(v.type)) refuse(parse_error::unknown_value);
  }
  void field(variable_octets& v) { v.value = take(number(long_length_octets)); }

  bytes_view left_;
  std::optional<parse_error> error_;
  std::size_t ignored_ = 0;
  std::uint8_t iei_ = 0;
  bool with_iei_ = false;  // mandatory IEs have none, and come first
  bool matched_ = false;
};

class writer {
public:
  explicit writer(bytes_span out) : out_(out.first(std::min(out.size(), max_sdu_octets))) {}

  void operator()(const auto&... fields) { (field(fields), ...); }
  template <class T>
  void optional(std::uint8_t iei, const std::optional<T>& value) {
    with_iei_ = true;
    if (value) (*this)(iei, *value);
  }
  std::optional<std::size_t> written() const { return good_ ? std::optional(at_) : std::nullopt; }

private:
  void put(bytes_view octets) {
    good_ = good_ && octets.size() <= out_.size() - at_;
    if (!good_) return;
    std::ranges::copy(octets, out_.begin() + static_cast<std::ptrdiff_t>(at_));
    at_ += octets.size();
  }
  void number(std::size_t v, std::size_t octets) {
    for (std::size_t i = octets; i-- > 0;) {
      const auto o = static_cast<std::uint8_t>(v >> 8 * i);
      put({&o, 1});
    }
  }

  template <std::unsigned_integral T>
  void field(T v) {
    number(v, sizeof v);
  }
  template <std::size_t N>
  void field(const std::array<std::uint8_t, N>& v) {
    put(v);
  }
  template <enumeration E>
  void field(E v) {
    good_ = good_ && known(v);
    number(static_cast<std::size_t>(v), 1);
  }
  void field(const security_capabilities& v) { (*this)(v.eea_bits, v.eia_bits); }
  void field(const chosen_algorithms& v) {
    good_ = good_ && known(v);
    number(std::size_t{v.eea} << chosen_eea_shift | v.eia, 1);
  }
  void field(const user_info& v) {
    const std::size_t n = 1 + v.value.value.size();
    good_ = good_ && user_info_fits(n, with_iei_);
    number(n, 1);
    field(v.type);
    put(v.value.value);
  }
  void field(const variable_octets& v) {
    good_ = good_ && v.value.size() >> 8 * long_length_octets == 0;
    number(v.value.size(), long_length_octets);
    put(v.value);
  }

  bytes_span out_;
  std::size_t at_ = 0;
  bool with_iei_ = false;  // mandatory IEs have none, and come first
  bool good_ = true;
};

template <class M>
bool read_if(std::uint8_t type, reader& in, pc5s_body& body) {
  if (type != static_cast<std::uint8_t>(M::type)) return false;
  auto& m = body.emplace<M>();
  mandatory(in, m);
  while (in.more()) {
    in.begin_ie();
    optional(in, m);
    in.end_ie();
  }
  return true;
}
template <class... M>
bool read_any(std::uint8_t type, reader& in, std::variant<M...>& body) {
  return (read_if<M>(type, in, body) || ...);
}

}  // namespace

result<parsed_message, parse_error> parse(bytes_view octets) {
  reader in(octets);
  std::uint8_t type = 0;
  parsed_message out;
  in(type, out.message.sequence);
  if (!in.error() && !read_any(type, in, out.message.body)) return tl::unexpected(parse_error::unknown_type);
  if (const auto e = in.error()) return tl::unexpected(*e);
  out.ignored_ies = in.ignored();
  return out;
}

std::optional<std::size_t> write(const pc5s_message& message, bytes_span out) {
  writer to(out);
  std::visit(
      [&](const auto& m) {
        to(static_cast<std::uint8_t>(m.type), message.sequence);
        mandatory(to, m);
        optional(to, m);
      },
      message.body);
  return to.written();
}

}  // namespace prose::security::ts33303
