// What the host gives prose-ue: IP packets of the TUN interface, addresses in text, lines of standard input.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string>

#include "apps/ue/data_port.h"

using namespace prose::apps;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span<const std::uint8_t> octets(data, size);
  for (const auto& a : {source_of(octets), destination_of(octets)})
    if (a && parse_ip_address(to_string(*a)) != a) std::abort();
  (void)parse_ip_address(std::string(reinterpret_cast<const char*>(data), size));

  int in[2];
  if (size > 60'000 || ::pipe(in) != 0) return 0;
  const int nowhere = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (::write(in[1], data, size) != static_cast<ssize_t>(size)) std::abort();
  ::close(in[1]);
  auto port = open_lines({{"john"}, {"p"}, {""}}, in[0], nowhere);
  if (!port) std::abort();
  std::array<std::uint8_t, max_data_packet_bytes> buffer{};
  std::size_t lines = 0;
  while (const auto got = (*port)->poll(buffer)) {
    if (got->peer > 2 || got->size > buffer.size() || ++lines > size + 1) std::abort();
    (*port)->deliver(got->peer, std::span(buffer).first(got->size));
  }
  ::close(in[0]);
  ::close(nowhere);
  return 0;
}
