// How often a test program asked for memory: link `counting_new`, whose global operator new counts (of every size and
// alignment, the libraries below included). What C libraries take with malloc() is not counted.
#pragma once

#include <atomic>

namespace prose::test {

extern std::atomic<long> allocations;

}  // namespace prose::test
