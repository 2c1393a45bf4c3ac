// Link cover in simulated time: links under it, what they carry, and what happens to their places.
#include <gtest/gtest.h>
#include <mbedtls/bignum.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <vector>

#include "mac/cover_cells.h"
#include "mac/default_pools.h"
#include "mac/sl_sch.h"
#include "security/messages.h"
#include "tests/mac/sim_air.h"

using namespace prose;
using namespace prose::mac;
using namespace prose::mac::test;

namespace {
using octets = std::vector<std::uint8_t>;

cover_config small_cover(int flows = 3) {
  cover_config c;
  c.flows = flows;
  c.interval_ms = 300;
  c.round_s = 15;
  return c;
}

struct scene {
  sim_air air;
  sim_node& john;
  sim_node& peter;
  std::map<std::int64_t, std::map<l2_id, int>> sent;  // of John's blocks with cells, by second and source
  scene(phy::transmission_mode tm, const std::optional<cover_config>& johns, const std::optional<cover_config>& peters,
        std::uint64_t seed = 5)
      : air({.seed = seed}),
        john(air.add("john", default_ue_config(tm, 25), {}, johns)),
        peter(air.add("peter", default_ue_config(tm, 25), {}, peters)) {
    air.permit(john, peter);
  }
  bool linked() {
    return john.sec().links().link_with(john.id_of(peter)) && peter.sec().links().link_with(peter.id_of(john));
  }
  int places_with_links() {
    int n = 0;
    for (const auto& p : john.cover()->status()) n += p.peer != 0;
    return n;
  }
  bool placed(std::int64_t within = 60'000) {
    return air.run_until([&] { return linked() && places_with_links() == 1; }, within);
  }
};

std::size_t in_order(const std::vector<octets>& got) {
  for (std::size_t i = 1; i < got.size(); ++i) EXPECT_LT(got[i - 1][0], got[i][0]);
  return got.size();
}

class link_cover_on_air : public testing::TestWithParam<phy::transmission_mode> {};
}  // namespace

TEST_P(link_cover_on_air, carries_data_to_a_peer_without_cover) {
  scene s(GetParam(), small_cover(), cover_config{});
  ASSERT_TRUE(s.placed());
  for (std::uint8_t i = 1; i <= 40; ++i) {
    ASSERT_TRUE(s.john.mac().send(s.john.id_of(s.peter), security::sdu_type::ip, octets(i % 2 == 0 ? 60 : 300, i)));
    ASSERT_TRUE(s.peter.mac().send(s.peter.id_of(s.john), security::sdu_type::non_ip, octets(80, i)));
    s.air.run(1000);  // over two rounds
  }
  s.air.run(10'000);
  const auto& got = s.peter.received[s.john.index()];
  EXPECT_GE(in_order(got), 36U);
  EXPECT_GE(s.john.received[s.peter.index()].size(), 36U);
  for (const auto& d : got) {
    EXPECT_EQ(d.size(), d[0] % 2 == 0 ? 60U : 300U);
    EXPECT_EQ(octets(d.size(), d[0]), d);
  }
  EXPECT_GE(s.john.established[s.peter.index()], 3) << "each round makes new keys";
  std::printf("%zu and %zu of 40; %d set-ups; lost: %s\n", got.size(), s.john.received[s.peter.index()].size(),
              s.john.established[s.peter.index()], s.john.lost_because.c_str());
}

TEST_P(link_cover_on_air, two_covered_ues_link) {
  scene s(GetParam(), small_cover(3), small_cover(2));
  ASSERT_TRUE(s.placed());
  for (std::uint8_t i = 1; i <= 30; ++i) {
    ASSERT_TRUE(s.john.mac().send(s.john.id_of(s.peter), security::sdu_type::ip, octets(200, i)));
    ASSERT_TRUE(s.peter.mac().send(s.peter.id_of(s.john), security::sdu_type::ip, octets(200, i)));
    s.air.run(1500);
  }
  s.air.run(10'000);
  EXPECT_GE(in_order(s.peter.received[s.john.index()]), 25U);
  EXPECT_GE(in_order(s.john.received[s.peter.index()]), 25U);
  std::printf("%zu and %zu of 30\n", s.peter.received[s.john.index()].size(), s.john.received[s.peter.index()].size());
}

TEST_P(link_cover_on_air, two_covered_ues_link_with_clocks_300_ms_apart) {
  for (const std::int64_t apart : {300, -300}) {
    scene s(GetParam(), small_cover(3), small_cover(2), 6);
    s.peter.clock_offset_ms = apart;
    ASSERT_TRUE(s.placed()) << apart;
    for (int i = 0; i < 10; ++i) {
      (void)s.john.mac().send(s.john.id_of(s.peter), security::sdu_type::ip, octets(60, 1));
      (void)s.peter.mac().send(s.peter.id_of(s.john), security::sdu_type::ip, octets(60, 1));
      s.air.run(3000);
    }
    EXPECT_GE(s.john.received_sdus[s.peter.index()], 7U) << apart;
    EXPECT_GE(s.peter.received_sdus[s.john.index()], 7U) << apart;
  }
}

TEST_P(link_cover_on_air, a_release_reaches_the_peer) {
  for (const bool covered_peer : {false, true}) {
    scene s(GetParam(), small_cover(), covered_peer ? small_cover(2) : cover_config{}, 8);
    ASSERT_TRUE(s.placed());
    ASSERT_TRUE(s.john.mac().release(s.john.id_of(s.peter)));
    s.air.run(50);
    EXPECT_EQ(s.places_with_links(), 0);
    EXPECT_TRUE(s.air.run_until([&] { return s.peter.lost[s.john.index()] > 0; }, 3000)) << s.peter.lost_because;
    EXPECT_NE(s.peter.lost_because.find("released_by_peer"), std::string::npos) << s.peter.lost_because;
  }
}

// The last messages of a set-up reach John when records have gone under its identifiers already; or much too late.
TEST_P(link_cover_on_air, a_link_that_is_late_takes_its_place_or_waits_a_round) {
  for (const bool too_late : {false, true}) {
    scene s(GetParam(), small_cover(), cover_config{}, 9);
    ASSERT_TRUE(s.placed());
    const auto to = [&](std::int64_t in_round) {
      s.air.run((in_round - (sim_air::utc_epoch_ms + s.air.now) % 15'000 + 15'000) % 15'000);
    };
    to(3'600);
    s.air.hears = [&](int a, int) { return a != s.peter.index(); };
    to(too_late ? 10'000 : 7'100);
    s.air.hears = nullptr;
    const auto before = s.peter.received_sdus[s.john.index()];
    for (int i = 0; i < 5; ++i) {
      (void)s.peter.mac().send(s.peter.id_of(s.john), security::sdu_type::ip, octets(20, 1));
      (void)s.john.mac().send(s.john.id_of(s.peter), security::sdu_type::ip, octets(60, 1));
      s.air.run(800);
    }
    EXPECT_TRUE(s.linked());
    EXPECT_EQ(s.places_with_links(), too_late ? 0 : 1);
    EXPECT_EQ(s.peter.received_sdus[s.john.index()] - before >= 3, !too_late);
    to(9'000);
    EXPECT_EQ(s.places_with_links(), 1) << "the next round";
  }
}

TEST_P(link_cover_on_air, a_release_within_a_round_reaches_the_peer_too) {
  for (std::uint64_t seed = 8; seed < 12; ++seed) {
    scene s(GetParam(), small_cover(), seed % 2 == 0 ? small_cover(2) : cover_config{}, seed);
    ASSERT_TRUE(s.placed());
    auto& made = s.john.established[s.peter.index()];
    const auto before = made;
    ASSERT_TRUE(s.air.run_until([&] { return made > before; }, 40'000));
    ASSERT_EQ(s.places_with_links(), 0) << "the round is not over";
    if (seed >= 10) s.air.run(6602 - (sim_air::utc_epoch_ms + s.air.now) % 15'000);  // identifiers have just changed
    ASSERT_TRUE(s.john.mac().release(s.john.id_of(s.peter)));
    EXPECT_GT(s.john.cover()->closing(), 0U);
    const auto told = [&] { return s.peter.lost_because.find("released_by_peer") != std::string::npos; };
    EXPECT_TRUE(s.air.run_until(told, 6000)) << "seed " << seed << ": " << s.peter.lost_because;
    EXPECT_FALSE(s.john.sec().links().link_with(s.john.id_of(s.peter)));
    EXPECT_TRUE(s.air.run_until([&] { return s.john.cover()->closing() == 0; }, 6000));
  }
}

TEST_P(link_cover_on_air, as_many_flows_with_a_link_without_and_after_its_loss) {
  scene s(GetParam(), small_cover(), cover_config{});
  // A flow is a source of John's that has sent cells; counted in windows without a round.
  std::set<std::uint32_t> sources;
  std::set<std::size_t> sizes;
  constexpr std::size_t first_record = 1 + 7 + security::record_overhead_octets;  // RLC, as an Accept
  s.air.on_air = [&](int node, const subframe_transmission& t) {
    if (node != s.john.index() || !t.pssch) return;
    sl_sch_pdu pdu;
    ASSERT_EQ(parse(*t.pssch->block, pdu), sl_sch_status::ok);
    for (const auto& sdu : pdu.all())
      if (sdu.lcid == lcid_cells)
        sources.insert(pdu.header.src), sizes.insert(sdu.data.size());
      else
        EXPECT_TRUE(is_set_up_channel(sdu.lcid) || sdu.data.size() == first_record) << "LCID " << int{sdu.lcid};
  };
  const auto flows = [&] {
    sources.clear();
    s.air.run(5000);
    return sources.size();
  };
  s.peter.on = false;
  s.air.run(15'000 - s.air.now % 15'000 + 7000);
  EXPECT_EQ(flows(), 3U) << "nobody there";
  s.peter.restart();
  ASSERT_TRUE(s.placed());
  s.air.run(500);
  EXPECT_EQ(flows(), 3U) << "one link";
  s.air.run(15'000 - s.air.now % 15'000 + 7000);
  s.peter.kill();
  EXPECT_EQ(flows(), 3U) << "the peer has gone";
  s.air.run(30'000);
  s.air.run(15'000 - s.air.now % 15'000 + 7000);
  EXPECT_EQ(flows(), 3U) << "its link is lost";
  EXPECT_EQ(s.places_with_links(), 0);
}

TEST_P(link_cover_on_air, off_it_changes_no_octet_and_no_draw) {
  // All streams of a node follow from one generator, in the order in which they are made: one more draw would show.
  const auto told = [&](const std::optional<cover_config>& c) {
    scene s(GetParam(), c, c, 12);
    std::vector<std::pair<std::int64_t, octets>> sent;
    s.air.on_air = [&](int node, const subframe_transmission& t) {
      octets o{static_cast<std::uint8_t>(node)};
      if (t.pssch) o.insert(o.end(), t.pssch->block->begin(), t.pssch->block->end());
      if (t.pssch) o.push_back(static_cast<std::uint8_t>(t.pssch->config.prb_start));
      if (t.psdch) o.insert(o.end(), t.psdch->message.begin(), t.psdch->message.end());
      if (t.pscch) o.push_back(static_cast<std::uint8_t>(t.pscch->config.prb));
      sent.emplace_back(t.subframe, std::move(o));
    };
    for (std::uint8_t i = 1; i <= 30; ++i) {
      (void)s.john.mac().send(s.john.id_of(s.peter), security::sdu_type::ip, octets(200, i));
      (void)s.peter.mac().send(s.peter.id_of(s.john), security::sdu_type::non_ip, octets(30, i));
      if (i == 10) (void)s.john.mac().rekey(s.john.id_of(s.peter));
      if (i == 25) (void)s.peter.mac().release(s.peter.id_of(s.john));
      s.air.run(700);
    }
    if (!c || c->flows == 0) {
      EXPECT_GE(s.john.received[s.peter.index()].size(), 15U);
      EXPECT_EQ(s.john.rekeys[s.peter.index()], 1);
    }
    return sent;
  };
  const auto without = told(std::nullopt);
  EXPECT_EQ(told(cover_config{}), without);
  EXPECT_EQ(cover_config{}.flows, 0);
  EXPECT_NE(told(small_cover()), without);
}

INSTANTIATE_TEST_SUITE_P(modes, link_cover_on_air,
                         testing::Values(phy::transmission_mode::tm2, phy::transmission_mode::tm4),
                         [](const auto& i) { return std::string("tm") + std::to_string(static_cast<int>(i.param)); });

namespace {
struct mpi {
  mbedtls_mpi v;
  mpi() { mbedtls_mpi_init(&v); }
  explicit mpi(const char* hex) : mpi() { EXPECT_EQ(mbedtls_mpi_read_string(&v, 16, hex), 0); }
  ~mpi() { mbedtls_mpi_free(&v); }
  mpi(const mpi&) = delete;
  mpi& operator=(const mpi&) = delete;
};

/// RFC 7748 4.1: u^3 + 486662 u^2 + u is a square. So it is for every public key, and for half of all strings.
bool is_on_curve(octets u) {
  const mpi p("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed");
  const mpi half("3ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff6");
  u.back() &= 0x7F;
  mpi x, y, a;
  EXPECT_EQ(mbedtls_mpi_read_binary_le(&x.v, u.data(), u.size()), 0);
  EXPECT_EQ(mbedtls_mpi_add_int(&a.v, &x.v, 486662), 0);  // ((u + A) u + 1) u
  EXPECT_EQ(mbedtls_mpi_mul_mpi(&a.v, &a.v, &x.v), 0);
  EXPECT_EQ(mbedtls_mpi_add_int(&a.v, &a.v, 1), 0);
  EXPECT_EQ(mbedtls_mpi_mul_mpi(&a.v, &a.v, &x.v), 0);
  EXPECT_EQ(mbedtls_mpi_mod_mpi(&a.v, &a.v, &p.v), 0);
  EXPECT_EQ(mbedtls_mpi_exp_mod(&y.v, &a.v, &half.v, &p.v, nullptr), 0);
  return mbedtls_mpi_cmp_int(&y.v, 1) == 0 || mbedtls_mpi_cmp_int(&y.v, 0) == 0;
}

struct seen_message {
  security::message_header header;
  l2_id src, dst;
  octets content;
};
/// Set-up messages of John's that one block carries whole, each once.
std::vector<seen_message> set_up_messages(scene& s, std::int64_t ms) {
  std::vector<seen_message> seen;
  s.air.on_air = [&](int node, const subframe_transmission& t) {
    sl_sch_pdu pdu;
    if (node != s.john.index() || !t.pssch || parse(*t.pssch->block, pdu) != sl_sch_status::ok) return;
    for (const auto& sdu : pdu.all()) {
      if (!is_set_up_channel(sdu.lcid) || sdu.data.size() < 1 + security::pdcp_header_octets) continue;
      const auto message = sdu.data.subspan(1 + security::pdcp_header_octets);
      const auto header = security::read_message_header(message, false);
      octets content(message.begin(), message.end());
      const bool old = std::any_of(seen.begin(), seen.end(), [&](const auto& m) { return m.content == content; });
      if (header && !old)
        seen.push_back({*header, pdu.header.src, pdu.header.dst | static_cast<l2_id>(t.pssch->config.n_x_id & 0xFF),
                        std::move(content)});
    }
  };
  s.air.run(ms);
  s.air.on_air = nullptr;
  return seen;
}
}  // namespace

TEST(link_cover_dummies, messages_have_the_clear_fields_of_real_ones) {
  using security::message_type;
  scene s(phy::transmission_mode::tm2, small_cover(), cover_config{}, 3);
  s.peter.on = false;
  const auto seen = set_up_messages(s, 100'000);
  std::map<message_type, int> n;
  int paired = 0;
  for (const auto& m : seen) {
    ++n[m.header.type];
    if (m.header.type == message_type::direct_communication_request) {
      EXPECT_EQ(m.content[security::message_header_octets], security::protocol_version);
    }
    if (m.header.type == message_type::security_mode_complete) {
      paired += std::any_of(seen.begin(), seen.end(), [&](const auto& r) {
        return r.header.type == message_type::direct_communication_request && r.src == m.src && r.dst == m.dst &&
               r.header.seq == m.header.seq;
      });
      continue;
    }
    const auto key = m.content.begin() + security::message_header_octets +
                     (m.header.type == message_type::direct_communication_request ? 1 : 0);
    EXPECT_TRUE(is_on_curve({key, key + 32}));
  }
  EXPECT_EQ(n.size(), 3U);
  for (const auto& [type, k] : n) EXPECT_GE(k, 15) << "of type " << static_cast<int>(type);
  EXPECT_EQ(paired, n[message_type::security_mode_complete]);
}

TEST(link_cover_clock, a_caller_that_was_late_leaves_cells_out) {
  scene s(phy::transmission_mode::tm2, small_cover(), cover_config{});
  s.peter.on = false;
  s.air.run(15'000 - (sim_air::utc_epoch_ms + s.air.now) % 15'000 + 16'000);
  ASSERT_TRUE(s.john.cover()->status()[0].shown);
  security::actions out;
  s.john.cover()->release_due(s.air.now + 6000, out);
  std::map<l2_id, int> cells;
  for (const auto& a : out)
    if (const auto* m = std::get_if<security::send_message>(&a); m != nullptr && m->lcid == lcid_cells) ++cells[m->src];
  EXPECT_EQ(cells.size(), 3U);
  for (const auto& [src, n] : cells) EXPECT_EQ(n, 1);
}

TEST(link_cover_clock, requests_are_taken_in_rounds_only) {
  scene s(phy::transmission_mode::tm2, small_cover(), cover_config{});
  const auto answer = [&](std::int64_t in_round) {
    s.air.run((in_round - (sim_air::utc_epoch_ms + s.air.now) % 15'000 + 15'000) % 15'000);
    security::actions out;
    octets buffer(200);
    const auto r = s.john.cover()->receive(lcid_pc5s_unprotected, 1, 2, octets(security::request_octets, 1), s.air.now,
                                           buffer, out);
    return r ? security::drop_reason::malformed : r.error();
  };
  EXPECT_EQ(answer(9'000), security::drop_reason::limit);
  EXPECT_NE(answer(500), security::drop_reason::limit);
  EXPECT_EQ(answer(2'000), security::drop_reason::limit);
}

TEST(link_cover_data, what_waits_too_long_for_a_link_goes) {
  scene s(phy::transmission_mode::tm2, small_cover(), cover_config{});
  s.peter.on = false;
  s.air.run(1000);
  const auto peter = s.john.id_of(s.peter);
  int taken = 0;
  while (taken < 1000 && s.john.mac().send(peter, security::sdu_type::ip, octets(500, 1))) ++taken;
  EXPECT_GE(taken, 4);
  EXPECT_LT(taken, 100) << "as much as a place carries in the lifetime of data";
  EXPECT_FALSE(s.john.mac().has_room(peter, 500));
  s.air.run(4000);
  EXPECT_EQ(s.john.mac().counters().tx.sdus_expired, 0U);
  s.air.run(3000);
  EXPECT_EQ(s.john.mac().counters().tx.sdus_expired, static_cast<std::uint64_t>(taken));
  EXPECT_TRUE(s.john.mac().has_room(peter, 500));
  EXPECT_FALSE(s.john.mac().has_queued_data());
}

TEST(link_cover_places, a_link_changes_its_place_with_rounds) {
  scene s(phy::transmission_mode::tm2, small_cover(), cover_config{});
  ASSERT_TRUE(s.placed());
  EXPECT_FALSE(s.john.mac().rekey(s.john.id_of(s.peter))) << "rounds make new keys";
  s.air.run(2000);  // it stays between two rounds
  const auto place = [&] {
    const auto all = s.john.cover()->status();
    return std::find_if(all.begin(), all.end(), [](const auto& p) { return p.peer != 0; }) - all.begin();
  };
  // 1 in 3^11 that it stays where it is by chance.
  std::set<std::ptrdiff_t> seen;
  for (int i = 0; i < 12 && seen.size() < 2; ++i) {
    if (s.places_with_links() == 1) seen.insert(place());
    s.air.run(15'000);
  }
  EXPECT_GE(seen.size(), 2U);
}

TEST(link_cover_places, a_link_takes_any_free_place) {
  // The times of its records tell which place a flow has. 1 in 3^11 that twelve towns agree by chance.
  std::set<std::size_t> taken;
  for (std::uint64_t seed = 1; seed <= 12 && taken.size() < 2; ++seed) {
    scene s(phy::transmission_mode::tm2, small_cover(), cover_config{}, seed);
    ASSERT_TRUE(s.placed());
    const auto places = s.john.cover()->status();
    for (std::size_t i = 0; i < places.size(); ++i)
      if (places[i].peer != 0) taken.insert(i);
  }
  EXPECT_GE(taken.size(), 2U);
}

TEST(cover_cells, sdus_come_back_whole_and_a_lost_cell_costs_one) {
  cell_cutter cutter;
  cell_joiner joiner;
  octets cell(40);
  int got = 0, lost = 0;
  for (std::uint8_t i = 1; i <= 100; ++i) {
    const octets sdu(std::size_t{i} * 3, i);
    ASSERT_TRUE(cutter.enqueue(16, sdu, 0, 1000));
    const bool loses = i % 10 == 0;
    lost += loses;
    for (bool first = true; cutter.octets() != 0; first = false) {
      cutter.cut(cell);
      if (loses && first) continue;
      if (const auto r = joiner.join(cell)) {
        EXPECT_EQ(octets(r->octets.begin(), r->octets.end()), sdu);
        ++got;
      }
    }
  }
  EXPECT_EQ(got, 100 - lost);
  // Signalling overtakes data of which nothing was sent.
  ASSERT_TRUE(cutter.enqueue(16, octets(50, 7), 0, 1000) && cutter.enqueue(16, octets(5, 8), 0, 1000));
  cutter.cut(cell);
  EXPECT_FALSE(joiner.join(cell));
  ASSERT_TRUE(cutter.enqueue(1, octets(3, 9), 0, 1000) && cutter.enqueue(1, octets(3, 10), 0, 1000));
  for (const std::uint8_t first : {7, 9, 10, 8}) {
    cutter.cut(cell);
    const auto r = joiner.join(cell);
    ASSERT_TRUE(r);
    EXPECT_EQ(r->octets[0], first);
  }
  cutter.cut(cell);
  EXPECT_EQ(cell, octets(40)) << "nothing waits: an empty cell";
  EXPECT_FALSE(joiner.join(cell));
  EXPECT_FALSE(cutter.enqueue(16, octets(1001), 0, 1000));
}

TEST(cover_cells, what_is_malformed_is_no_sdu) {
  const auto cell = [](std::uint8_t number, unsigned word, std::size_t size = 40) {
    octets c(size, 7);
    c[0] = 16, c[1] = number, c[2] = static_cast<std::uint8_t>(word >> 8), c[3] = static_cast<std::uint8_t>(word);
    return c;
  };
  constexpr unsigned first = 0x8000, last = 0x4000;
  cell_joiner j;
  EXPECT_FALSE(j.join(octets(3, 16)));
  EXPECT_TRUE(j.join(cell(0, first | last | 36)));
  EXPECT_FALSE(j.join(cell(1, first | last | 37))) << "longer than the cell";
  EXPECT_FALSE(j.join(cell(2, last | 10))) << "no first piece";
  EXPECT_FALSE(j.join(cell(3, first | 36)));
  EXPECT_FALSE(j.join(cell(5, last | 10))) << "a piece is missing";
  EXPECT_FALSE(j.join(cell(6, first | 36)));
  auto other = cell(7, last | 10);
  other[0] = 17;
  EXPECT_FALSE(j.join(other)) << "of another kind";
  // Pieces without an end: no more is kept than an SDU may have.
  EXPECT_FALSE(j.join(cell(0, first | 996, 1000)));
  std::size_t sent = 996;
  std::uint8_t n = 1;
  for (; sent + 996 <= security::max_sdu_octets; sent += 996) EXPECT_FALSE(j.join(cell(n++, 996, 1000)));
  EXPECT_FALSE(j.join(cell(n++, 996, 1000)));
  EXPECT_FALSE(j.join(cell(n, last | 1, 1000)));
  EXPECT_TRUE(j.join(cell(0, first | last | 1)));
}
