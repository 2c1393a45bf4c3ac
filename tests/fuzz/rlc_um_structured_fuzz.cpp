// Two octets an event: SDUs are queued, cut into PDUs, lost, repeated, altered and made up on their way to one
// receiving entity and one store of candidates. As long as nothing was altered, whatever the entity delivers was sent.
#include <cstdlib>
#include <set>

#include "mac/rlc_um.h"
#include "tests/fuzz/chooser.h"

using namespace prose::mac;
using bytes = std::vector<std::uint8_t>;

namespace {

constexpr std::size_t most_events = 400;
constexpr std::size_t budget_octets = 64 * 1024;

class way {
public:
  void happens(std::uint8_t what, std::uint8_t a) {
    switch (what % 8) {
      case 0:
      case 1:
        queue(1 + (what / 8U) * a);
        break;
      case 2:
      case 3:
      case 4:
        arrives(2 + a);
        break;
      case 5:  // fewer in a row than there are sequence numbers: else the gap cannot be seen
        if (lost_in_a_row_ + 1 < rlc_sn_modulus && !build(2 + a).empty()) ++lost_in_a_row_;
        break;
      case 6:
        if (!last_.empty()) receive(last_);
        break;
      default:
        alter(a);
    }
  }

private:
  void queue(std::size_t octets) {
    bytes sdu(std::min(octets, rlc_max_sdu_octets), static_cast<std::uint8_t>(number_));
    for (std::size_t i = 0; i < std::min<std::size_t>(4, sdu.size()); ++i)
      sdu[i] = static_cast<std::uint8_t>(number_ >> (8 * i));
    ++number_;
    if (tx_.enqueue(sdu)) sent_.insert(std::move(sdu));
  }
  bytes build(std::size_t octets) {
    bytes pdu(octets);
    const std::size_t n = tx_.build(pdu);
    if (n > octets) std::abort();
    pdu.resize(n);
    return pdu;
  }
  void arrives(std::size_t octets) {
    last_ = build(octets);
    if (last_.empty()) return;
    lost_in_a_row_ = 0;
    umd_pdu parsed;
    if (!parse(last_, parsed)) std::abort();  // our own are well-formed
    receive(last_);
  }
  void receive(const bytes& pdu) {
    rx_.receive(pdu, counters_, [&](std::span<const std::uint8_t> s) {
      if (s.empty() || s.size() > rlc_max_sdu_octets) std::abort();
      if (!altered_ && !sent_.contains({s.begin(), s.end()})) std::abort();
    });
    if (rx_.held_octets() > rlc_max_sdu_octets) std::abort();
    std::size_t budget = budget_octets;
    candidates_.receive(1, pdu, budget, work_, counters_, [&](std::span<const std::uint8_t> s) {
      if (s.empty() || s.size() > limits_.max_sdu_octets) std::abort();
      return sent_.contains({s.begin(), s.end()}) ? sdu_verdict::verified : sdu_verdict::forged;
    });
    if (budget > budget_octets || candidates_.held_segments() > limits_.segments) std::abort();
  }
  void alter(std::uint8_t a) {
    if (last_.empty()) return;
    altered_ = true;
    bytes pdu = last_;
    pdu[a % pdu.size()] ^= static_cast<std::uint8_t>(1U << (a % 8));
    if (a % 3 == 0) pdu.resize(1 + a % pdu.size());
    receive(pdu);
  }

  const rlc_um_candidate_limits limits_{700, 24, 600, 16};
  rlc_um_tx tx_{1U << 14};
  rlc_um_rx rx_;
  rlc_um_counters counters_;
  rlc_um_candidates candidates_{limits_};
  rlc_um_workspace work_{limits_};
  std::set<bytes> sent_;
  bytes last_;
  std::uint32_t number_ = 0;
  std::size_t lost_in_a_row_ = 0;
  bool altered_ = false;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  prose::fuzz::chooser c({data, size});
  way w;
  for (std::size_t i = 0; i < most_events && !c.done(); ++i) {
    const auto what = c.octet();
    w.happens(what, c.octet());
  }
  return 0;
}
