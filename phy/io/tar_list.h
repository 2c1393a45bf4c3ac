// The files of a tar archive (POSIX ustar, with pax and GNU names and sizes): where each of them lies. Nothing is
// unpacked.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/result.h"

namespace prose::phy {

struct tar_member {
  std::string name;
  std::uint64_t begin = 0, size = 0;  ///< octets of the archive
};

inline constexpr std::size_t max_tar_members = 4096;

/// Fills `out` with the octets from `at` on; false when they cannot be read.
using octet_reader = std::function<bool(std::uint64_t at, std::span<std::uint8_t> out)>;

/// Regular files only. `archive` names it in errors, which are one line.
result<std::vector<tar_member>> list_tar(const octet_reader& read, std::uint64_t size, const std::string& archive);

/// The header of a regular file; the name has at most 99 octets, the folder at most 154.
void make_tar_header(std::span<std::uint8_t, 512> out, const std::string& folder, const std::string& name,
                     std::uint64_t size);

}  // namespace prose::phy
