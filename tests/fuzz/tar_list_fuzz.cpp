// A tar archive of any content: an error or members that lie inside it, never a crash.
#include <cstdlib>
#include <cstring>

#include "phy/io/tar_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::phy;
  const auto read = [&](std::uint64_t at, std::span<std::uint8_t> out) {
    if (at > size || out.size() > size - at) return false;
    if (!out.empty()) std::memcpy(out.data(), data + at, out.size());
    return true;
  };
  const auto members = list_tar(read, size, "f");
  if (!members) {
    if (members.error().message.find('\n') != std::string::npos) std::abort();
    return 0;
  }
  if (members->size() > max_tar_members) std::abort();
  for (const auto& m : *members)
    if (m.begin > size || m.size > size - m.begin) std::abort();
  return 0;
}
