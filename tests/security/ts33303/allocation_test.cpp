// What runs for each message allocates nothing: the global operator new of this program counts. mbedTLS's AES has no
// memory of its own beyond its context.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "security/ts33303/algorithms.h"
#include "tests/security/ts33303/messages_fixture.h"

namespace {
std::atomic<long> allocations{0};
}
void* operator new(std::size_t n) {
  ++allocations;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace prose::security::ts33303 {
namespace {

const std::array<std::uint8_t, 16> key{1, 2, 3};

TEST(ts33303_allocation, algorithms_allocate_for_a_key_only) {
  std::vector<std::uint8_t> text(1500, 1);
  for (const auto a : {eea::none, eea::snow3g, eea::aes, eea::zuc}) {
    const long unkeyed = allocations;
    const ciphering c(a, encryption_key{key});
    const long before = allocations;
    EXPECT_GT(before, unkeyed);  // the counter counts
    c.apply({1, 2, true}, text, 8 * text.size(), text);
    EXPECT_EQ(allocations, before);
  }
  for (const auto a : {eia::snow3g, eia::aes, eia::zuc}) {
    const integrity i(a, integrity_key{key});
    const long before = allocations;
    EXPECT_TRUE(i.verify({1, 2, true}, text, 8 * text.size(), i.mac({1, 2, true}, text, 8 * text.size())));
    EXPECT_EQ(allocations, before);
  }
}

TEST(ts33303_allocation, messages_are_read_and_written_in_place) {
  std::vector<std::uint8_t> out(max_sdu_octets);
  for (const auto& e : test::examples()) {
    const long before = allocations;
    const auto read = parse(e.octets);
    EXPECT_TRUE(read && write(read->message, out) == e.octets.size());
    EXPECT_EQ(allocations, before);
  }
}

}  // namespace
}  // namespace prose::security::ts33303
