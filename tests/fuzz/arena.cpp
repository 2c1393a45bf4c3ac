#include "tests/fuzz/arena.h"

#include <sys/mman.h>

#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace prose::fuzz::arena {
namespace {
constexpr std::size_t region_octets = std::size_t{1} << 30;  // reserved, not used
constexpr std::size_t largest_reused = 4096, step = 16;
bool is_on = false, is_kept = false;
std::uint8_t *region = nullptr, *arrays = nullptr;
std::size_t arrays_used = 0;
void* copy = nullptr;
std::size_t copied = 0;

struct head {  // at the beginning of the region, so that it is set back too
  std::size_t used = sizeof(head);
  std::array<void*, largest_reused / step + 1> freed{};
};
head& top() { return *reinterpret_cast<head*>(region); }

std::uint8_t* reserve() {
  void* p = mmap(nullptr, region_octets, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) std::abort();
  return static_cast<std::uint8_t*>(p);
}
bool within(const std::uint8_t* from, const void* p) {
  return from != nullptr && static_cast<const std::uint8_t*>(p) >= from &&
         static_cast<const std::uint8_t*>(p) < from + region_octets;
}
}  // namespace

void* take(std::size_t n, bool array) {
  if (!is_on) {
    if (void* p = std::malloc(n == 0 ? 1 : n)) return p;
    throw std::bad_alloc();
  }
  n = (n + step - 1) / step * step;
  if (array && !is_kept) {
    void* p = arrays + arrays_used;
    arrays_used += n;
    if (arrays_used > region_octets) std::abort();
    return p;
  }
  if (n <= largest_reused)
    if (void*& first = top().freed[n / step]; first != nullptr) {
      void* p = first;
      std::memcpy(&first, p, sizeof first);
      return p;
    }
  std::uint8_t* p = region + top().used;
  top().used += n + step;
  if (top().used > region_octets) std::abort();
  std::memcpy(p, &n, sizeof n);
  return p + step;
}
void give_back(void* p) {
  if (within(region, p)) {
    std::size_t n = 0;
    std::memcpy(&n, static_cast<std::uint8_t*>(p) - step, sizeof n);
    if (n > largest_reused || n == 0) return;
    std::memcpy(p, &top().freed[n / step], sizeof(void*));
    top().freed[n / step] = p;
  } else if (!within(arrays, p)) {
    std::free(p);
  }
}

void on() {
  if (region == nullptr) {
    region = reserve();
    arrays = reserve();
    new (region) head;
  }
  is_on = true;
}
void off() { is_on = false; }
void keep() {
  copied = top().used;
  copy = std::malloc(copied);
  if (copy == nullptr) std::abort();
  std::memcpy(copy, region, copied);
  is_kept = true;
}
void set_back() { std::memcpy(region, copy, copied); }
std::size_t kept_octets() { return copied; }

}  // namespace prose::fuzz::arena

namespace arena = prose::fuzz::arena;
void* operator new(std::size_t n) { return arena::take(n, false); }
void* operator new[](std::size_t n) { return arena::take(n, true); }
// Without these, libFuzzer's nothrow news would be the sanitizer's and their deletes ours.
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return arena::take(n, false); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return arena::take(n, true); }
void operator delete(void* p) noexcept { arena::give_back(p); }
void operator delete[](void* p) noexcept { arena::give_back(p); }
void operator delete(void* p, std::size_t) noexcept { arena::give_back(p); }
void operator delete[](void* p, std::size_t) noexcept { arena::give_back(p); }
