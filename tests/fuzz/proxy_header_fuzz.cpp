// Headers of the PROXY protocol: what is accepted names an IPv4 or IPv6 address that can be written and read again; a
// reader takes the whole of it, nothing behind it, and never more than the longest one.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "apps/lib/function/proxy_protocol.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace prose::function;
  const std::span all(data, size);
  const auto whole = parse_proxy_header(all);
  if (whole && *whole) {
    const auto again = parse_address((*whole)->text(), (*whole)->port());
    if (!again || !(again->text() == (*whole)->text()) || again->port() != (*whole)->port()) std::abort();
  }
  proxy_header_reader reader;
  std::size_t at = 0;
  while (reader.wanted() > 0 && at < size) {
    const std::size_t n = std::min({reader.wanted(), size - at, std::size_t{7}});
    reader.add(all.subspan(at, n));
    at += n;
  }
  if (reader.octets().size() > 16 + max_proxy_body) std::abort();
  // Whoever is accepted as a whole is read to the end and no further.
  if (whole && (reader.wanted() != 0 || at != size)) std::abort();
  return 0;
}
