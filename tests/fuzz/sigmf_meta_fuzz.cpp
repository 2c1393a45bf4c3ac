// SigMF metadata of any text.
#include "tests/fuzz/sigmf_check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  prose::fuzz::check_sigmf({reinterpret_cast<const char*>(data), size});
  return 0;
}
