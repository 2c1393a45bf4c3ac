// Must not get as far as this.
#include <cstdio>

namespace {
struct early {
  early() { std::puts("a constructor ran"); }
} const at_start;
}  // namespace

int main() { std::puts("main ran"); }
