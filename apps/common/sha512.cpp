#include "apps/common/sha512.h"

#include <mbedtls/sha512.h>

#include <array>

#include "common/hex.h"

namespace prose::apps {

struct sha512::state {
  state() {
    mbedtls_sha512_init(&context);
    mbedtls_sha512_starts_ret(&context, /*is384=*/0);
  }
  ~state() { mbedtls_sha512_free(&context); }
  mbedtls_sha512_context context;
};

sha512::sha512() : s_(std::make_unique<state>()) {}
sha512::~sha512() = default;
sha512::sha512(sha512&&) noexcept = default;
sha512& sha512::operator=(sha512&&) noexcept = default;

void sha512::add(std::span<const std::uint8_t> bytes) { mbedtls_sha512_update_ret(&s_->context, bytes.data(), bytes.size()); }

std::string sha512::finish() {
  std::array<std::uint8_t, 64> digest{};
  mbedtls_sha512_finish_ret(&s_->context, digest.data());
  return to_hex(digest);
}

}  // namespace prose::apps
