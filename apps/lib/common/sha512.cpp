#include "apps/lib/common/sha512.h"

#include <array>
#include <cstdlib>

#include "apps/lib/common/mbedtls_versions.h"
#include "common/hex.h"

namespace prose::apps {
namespace {
// They fail only where a driver of the library does; a digest that was not computed must not pass for one.
void must(int code) {
  if (code != 0) std::abort();
}
}  // namespace

struct sha512::state {
  state() {
    mbedtls_sha512_init(&context);
    must(mbed::sha512_starts(context));
  }
  ~state() { mbedtls_sha512_free(&context); }
  mbedtls_sha512_context context;
};

sha512::sha512() : s_(std::make_unique<state>()) {}
sha512::~sha512() = default;
sha512::sha512(sha512&&) noexcept = default;
sha512& sha512::operator=(sha512&&) noexcept = default;

void sha512::add(std::span<const std::uint8_t> bytes) { must(mbed::sha512_update(s_->context, bytes)); }

std::string sha512::finish() {
  std::array<std::uint8_t, 64> digest{};
  must(mbed::sha512_finish(s_->context, digest));
  return to_hex(digest);
}

}  // namespace prose::apps
