#include "apps/lib/common/sha256.h"

#include <array>
#include <cstdlib>

#include "apps/lib/common/mbedtls_versions.h"

namespace prose::apps {
namespace {
// They fail only where a driver of the library does; a digest that was not computed must not pass for one.
void must(int code) {
  if (code != 0) std::abort();
}
}  // namespace

struct sha256::state {
  state() {
    mbedtls_sha256_init(&context);
    must(mbed::sha256_starts(context));
  }
  ~state() { mbedtls_sha256_free(&context); }
  mbedtls_sha256_context context;
};

sha256::sha256() : s_(std::make_unique<state>()) {}
sha256::~sha256() = default;
sha256::sha256(sha256&&) noexcept = default;
sha256& sha256::operator=(sha256&&) noexcept = default;

void sha256::add(std::span<const std::uint8_t> bytes) { must(mbed::sha256_update(s_->context, bytes)); }

std::array<std::uint8_t, 32> sha256::finish() {
  std::array<std::uint8_t, 32> digest{};
  must(mbed::sha256_finish(s_->context, digest));
  return digest;
}

}  // namespace prose::apps
