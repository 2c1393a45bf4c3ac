// Memory and losses over a long time. Simulated time; seeds are fixed.
#include <gtest/gtest.h>
#include <malloc.h>

#include <cmath>
#include <cstdio>
#include <tuple>

#include "mac/sl_sch.h"
#include "tests/mac/sim_air.h"
#include "tests/mac/simulation.h"

namespace prose::mac::test {

namespace {
/// What the air did to the blocks with data for one node. RLC UM sends nothing again: a message whose block was heard
/// in none of its four transmissions is lost.
class block_account {
public:
  block_account(sim_air& air, int to) {
    air.on_outcome = [this, to, &air](int from, int at, const subframe_transmission& t, outcome pscch, outcome pssch) {
      if (at != to) return;
      const std::int64_t period =
          air.now - t.absolute_subframe % 40;  // by its begin: numbers of subframes come again after 10.24 s
      if (pscch != outcome::not_sent) {
        auto& s =
            scis_[{from, period, static_cast<int>(std::get<phy::sci_format0>(t.pscch->sci).group_destination_id)}];
        ++s.sent, s.heard += pscch == outcome::heard, s.collided += pscch == outcome::collided;
      }
      sl_sch_pdu pdu;
      if (pssch == outcome::not_sent || parse(*t.pssch->block, pdu) != sl_sch_status::ok) return;
      if (std::none_of(pdu.all().begin(), pdu.all().end(), [](const auto& sdu) { return carries_data(sdu.lcid); }))
        return;
      auto& b = blocks_[t.pssch->block];
      b.from = from;
      b.sci = {from, period, static_cast<int>(t.pssch->config.n_x_id)};
      ++b.copies.sent, b.copies.heard += pssch == outcome::heard, b.copies.collided += pssch == outcome::collided;
      b.no_sci += pssch == outcome::no_sci;
    };
  }
  enum class verdict { heard, pscch_collided, pssch_collided, half_duplex };
  /// Of the blocks that a node sent since the last begin(): why one was not heard. An own SLSS may have taken the place
  /// of a transmission.
  verdict of(int from) const {
    for (const auto& [octets, b] : blocks_) {
      if (b.from != from || b.copies.heard != 0) continue;
      if (b.no_sci > 0) {
        const auto s = scis_.find(b.sci);
        if (s == scis_.end() || s->second.heard != 0) continue;
        return s->second.collided == s->second.sent ? verdict::pscch_collided : verdict::half_duplex;
      }
      return b.copies.collided == b.copies.sent ? verdict::pssch_collided : verdict::half_duplex;
    }
    return verdict::heard;
  }
  void begin() { blocks_.clear(), scis_.clear(); }

private:
  using sci_key = std::tuple<int, std::int64_t, int>;
  struct tally {
    int sent = 0, heard = 0, collided = 0;
  };
  struct data_block {
    int from = 0, no_sci = 0;
    sci_key sci;
    tally copies;
  };
  std::map<transport_block, data_block> blocks_;
  std::map<sci_key, tally> scis_;
};

void long_run(std::int64_t hours) {
  sim_air air({});
  auto c = tm2();
  security::ue_config s;
  auto& mary = air.add("mary", c, s);
  auto& john = air.add("john", c, s);
  auto& peter = air.add("peter", c, s);
  air.permit(mary, john);
  air.permit(john, peter);
  for (auto* n : {&mary, &john, &peter}) n->keep_data = false;
  ASSERT_TRUE(air.run_until([&] { return linked(mary, john) && linked(john, peter); }, 30'000));
  const auto held = [&] {
    std::size_t n = 0;
    for (auto* x : {&mary, &john, &peter})
      n += x->mac().held_items() + x->sec().discovery().monitor_table_size() +
           x->sec().discovery().rendezvous_table_size();
    return n;
  };
  std::size_t first_heap = 0, worst_heap = 0, first_held = 0, worst_held = 0;
  std::uint64_t sent = 0, unexplained = 0;
  std::map<block_account::verdict, std::uint64_t> lost_by;
  block_account account(air, john.index());
  for (std::int64_t minute = 0; minute < hours * 60; ++minute) {
    mary.mac().send(mary.id_of(john), security::sdu_type::ip, numbered(static_cast<int>(minute)));
    peter.mac().send(peter.id_of(john), security::sdu_type::ip, numbered(static_cast<int>(minute)));
    sent += 2;
    account.begin();
    const auto before = john.received_sdus;
    air.run(60'000);
    for (const int from : {mary.index(), peter.index()}) {
      if (john.received_sdus[from] == (before.contains(from) ? before.at(from) : 0) + 1) continue;
      const auto why = account.of(from);
      if (why == block_account::verdict::heard)
        ++unexplained;
      else
        ++lost_by[why];
    }
    if (minute % 10 != 9) continue;
    const std::size_t heap = mallinfo2().uordblks;
    if (minute < std::max<std::int64_t>(30, hours * 60 / 10)) {
      first_heap = std::max(first_heap, heap);
      first_held = std::max(first_held, held());
    }
    worst_heap = std::max(worst_heap, heap);
    worst_held = std::max(worst_held, held());
  }
  EXPECT_LE(worst_heap, first_heap + 64 * 1024);
  EXPECT_LE(worst_held, first_held + first_held / 4 + 50);
  EXPECT_TRUE(linked(mary, john) && linked(john, peter));
  EXPECT_TRUE(mary.lost.empty() && peter.lost.empty())
      << "Mary: " << mary.lost_because << " Peter: " << peter.lost_because;
  EXPECT_EQ(mary.discovered, (std::set<int>{1}));
  EXPECT_EQ(peter.discovered, (std::set<int>{1}));
  EXPECT_GE(mary.rekeys[1], hours);
  const auto got = john.received_sdus[0] + john.received_sdus[2];
  // Whatever is lost, is lost on the air. Mary and Peter send at one instant and choose without knowing of each other
  // (TS 36.213 14.2.1.2).
  using verdict = block_account::verdict;
  EXPECT_EQ(unexplained, 0U);
  // No more than by chance: both draw one resource of the PSCCH, or one of 70 patterns and one of the two places that 9
  // of 25 PRBs have; then both are lost.
  const double pairs =
      static_cast<double>(sent) / 2 * (1.0 / phy::comm_pool::make(c.comm)->n_pscch_resources() + 1.0 / 140);
  EXPECT_LE(static_cast<double>(sent - got) / 2, pairs + 4 * std::sqrt(pairs));
  EXPECT_EQ(got + lost_by[verdict::pscch_collided] + lost_by[verdict::pssch_collided] + lost_by[verdict::half_duplex],
            sent);
  printf(
      "  %.1f expected to be lost; %llu by collisions on PSCCH, %llu on PSSCH, %llu where John sent himself, %llu for "
      "no cause found\n",
      2 * pairs, static_cast<unsigned long long>(lost_by[verdict::pscch_collided]),
      static_cast<unsigned long long>(lost_by[verdict::pssch_collided]),
      static_cast<unsigned long long>(lost_by[verdict::half_duplex]), static_cast<unsigned long long>(unexplained));
  printf(
      "  %lld h: heap %zu octets early, %zu at most; tables %zu, %zu; %llu of %llu SDUs; %d rekeyings, %d epochs on "
      "Mary's link\n",
      static_cast<long long>(hours), first_heap, worst_heap, first_held, worst_held,
      static_cast<unsigned long long>(got), static_cast<unsigned long long>(sent), mary.rekeys[1], mary.epochs[1]);
}
}  // namespace

TEST(long_time, an_hour_without_growth) { long_run(1); }
// Runs in a ctest of its own, labelled slow.
TEST(long_time_slow, a_day_without_growth) { long_run(24); }

}  // namespace prose::mac::test
