// Above the MAC: what Mary's IP packets elicit from John's host, with and without a link to Peter, and what Peter sees,
// with and without Mary.
#pragma once

#include <cstddef>
#include <string>

namespace prose::noninterference {

struct addresses_comparison {
  std::string difference;       ///< empty: none
  std::size_t packets = 0;      ///< that Mary sent
  std::size_t taken = 0;        ///< of these, by John's host
  std::size_t on_her_link = 0;  ///< John's to her
  std::size_t on_peters_link = 0;
};
addresses_comparison compare_addresses(bool peter_first);

}  // namespace prose::noninterference
