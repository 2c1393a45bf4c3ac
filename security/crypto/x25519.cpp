#include "security/crypto/x25519.h"

#include <mbedtls/ecp.h>

#include "security/crypto/declassify.h"
#include "security/crypto/require.h"

namespace prose::security::crypto {

struct mbedtls_x25519::state {
  random_port& blinding;
  mbedtls_ecp_group group;
  explicit state(random_port& r) : blinding(r) {
    mbedtls_ecp_group_init(&group);
    require(mbedtls_ecp_group_load(&group, MBEDTLS_ECP_DP_CURVE25519) == 0);
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;
  ~state() { mbedtls_ecp_group_free(&group); }
};

namespace {
int fill_from_port(void* port, unsigned char* out, std::size_t n) {
  static_cast<random_port*>(port)->fill({out, n});
  return 0;
}
struct scratch {
  mbedtls_mpi scalar;
  mbedtls_ecp_point in, out;
  scratch() {
    mbedtls_mpi_init(&scalar);
    mbedtls_ecp_point_init(&in);
    mbedtls_ecp_point_init(&out);
  }
  scratch(const scratch&) = delete;
  scratch& operator=(const scratch&) = delete;
  ~scratch() {  // these wipe
    mbedtls_mpi_free(&scalar);
    mbedtls_ecp_point_free(&in);
    mbedtls_ecp_point_free(&out);
  }
};
constexpr std::array<std::uint8_t, 32> base_point{9};
}  // namespace

mbedtls_x25519::mbedtls_x25519(random_port& blinding) : state_(std::make_unique<state>(blinding)) {}
mbedtls_x25519::~mbedtls_x25519() = default;

bool mbedtls_x25519::multiply(std::span<const std::uint8_t, 32> scalar, std::span<const std::uint8_t, 32> point,
                              std::span<std::uint8_t, 32> out) {
  scratch s;
  const auto clamped = secret<struct clamped_tag, 32>::make([&](auto k) {  // RFC 7748 5, decodeScalar25519
    std::copy(scalar.begin(), scalar.end(), k.begin());
    k[0] &= 248;
    k[31] = static_cast<std::uint8_t>((k[31] & 127) | 64);
  });
  std::size_t n = 0;
  bool ok =
      mbedtls_mpi_read_binary_le(&s.scalar, clamped.expose().data(), 32) == 0 &&
      mbedtls_ecp_point_read_binary(&state_->group, &s.in, point.data(), 32) == 0 &&
      mbedtls_ecp_mul(&state_->group, &s.out, &s.scalar, &s.in, fill_from_port, &state_->blinding) == 0 &&
      mbedtls_ecp_point_write_binary(&state_->group, &s.out, MBEDTLS_ECP_PF_UNCOMPRESSED, &n, out.data(), 32) == 0 &&
      n == 32;
  // Low-order points give the all-zero output (RFC 7748 6.1); the library refuses most of them itself, some versions
  // not all.
  constexpr std::array<std::uint8_t, 32> zero{};
  if (declassified(ok) && equal_constant_time(out, zero)) ok = false;
  if (!ok) wipe(out);
  return ok;
}

namespace {
template <class Multiply>
std::optional<dh_output> result_of(Multiply&& multiply) {
  bool ok = false;
  auto out = dh_output::make([&](auto o) { ok = multiply(o); });
  if (!ok) return std::nullopt;
  return out;
}
}  // namespace

std::optional<dh_output> mbedtls_x25519::agree(const static_private_key& own, const public_key& other) {
  return result_of([&](auto out) { return multiply(own.expose(), other.octets, out); });
}

std::optional<dh_output> mbedtls_x25519::agree(const ephemeral_private_key& own, const public_key& other) {
  return result_of([&](auto out) { return multiply(own.expose(), other.octets, out); });
}

public_key mbedtls_x25519::public_of(const static_private_key& own) {
  public_key p;
  require(multiply(own.expose(), base_point, p.octets));  // cannot be: the base point has prime order
  declassify(p.octets);
  return p;
}

public_key mbedtls_x25519::public_of(const ephemeral_private_key& own) {
  public_key p;
  require(multiply(own.expose(), base_point, p.octets));
  declassify(p.octets);
  return p;
}

}  // namespace prose::security::crypto
