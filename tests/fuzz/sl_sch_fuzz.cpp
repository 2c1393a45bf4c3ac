// SL-SCH PDU -> RLC UM -> PDCP header, as a receiver would: nothing may read outside the input.
#include <cstdlib>
#include <vector>

#include "mac/rlc_um.h"
#include "mac/sl_sch.h"
#include "security/pdcp.h"

using namespace prose::mac;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  sl_sch_pdu pdu;
  if (parse({data, size}, pdu) != sl_sch_status::ok) return 0;
  unsigned sum = 0;
  rlc_um_rx rx;
  rlc_um_counters c;
  std::size_t octets = 0;
  for (const auto& s : pdu.all()) {
    octets += s.data.size();
    for (auto b : s.data) sum += b;
    rx.receive(s.data, c, [&](std::span<const std::uint8_t> sdu) {
      if (const auto h = prose::security::read_pdcp_header(sdu)) sum += h->sn;
      if (sdu.size() > rlc_max_sdu_octets) std::abort();
    });
  }
  if (octets > size || sum == 0xFFFFFFFF) std::abort();
  // What parsed can be built again, and then parses to the same.
  std::vector<std::uint8_t> again(octets + pdu.n_sdus * 3 + 16);
  sl_sch_builder b(pdu.header, again);
  for (const auto& s : pdu.all()) {
    const auto to = b.add(s.lcid, s.data.size());
    std::copy(s.data.begin(), s.data.end(), to.begin());
  }
  b.finish();
  sl_sch_pdu second;
  if (parse(again, second) != sl_sch_status::ok || second.n_sdus != pdu.n_sdus || !(second.header == pdu.header))
    std::abort();
  for (std::size_t i = 0; i < pdu.n_sdus; ++i)
    if (!std::equal(pdu.sdus[i].data.begin(), pdu.sdus[i].data.end(), second.sdus[i].data.begin(),
                    second.sdus[i].data.end()))
      std::abort();
  return 0;
}
