#include "tests/noninterference/cover_town.h"

#include <bit>
#include <random>

#include "mac/default_pools.h"
#include "mac/sl_sch.h"
#include "security/messages.h"
#include "tests/noninterference/exact_random.h"

namespace prose::noninterference {
namespace {

using namespace prose::mac;
using octets = std::vector<std::uint8_t>;

mac::test::air_config air_of(const cover_town_config& c) {
  mac::test::air_config a;
  a.seed = c.seed;
  if (c.mary) a.collisions = false;  // what others send is not what is asked about
  if (c.exact) a.random = [](std::uint64_t seed) { return std::make_unique<exact_random>(seed); };
  return a;
}

l2_id destination(const subframe_transmission& t, const sl_sch_pdu& pdu) {
  return pdu.header.version == sl_sch_version::v2x ? pdu.header.dst
                                                   : pdu.header.dst | static_cast<std::uint8_t>(t.pssch->config.n_x_id);
}

/// RLC framing, and where an SDU begins the clear fields of what it carries: the PDCP header but the KD-sess ID, and
/// the type of a set-up message.
std::string text_of(const sl_sch_sdu& s) {
  std::string text = " LCID " + std::to_string(s.lcid) + " of " + std::to_string(s.data.size());
  if (s.data.empty()) return text;
  text += " RLC " + std::to_string(s.data[0]);
  const bool begins = (s.data[0] & 0xA0) == 0;  // no E, FI: the first octet of an SDU
  if (!begins || s.data.size() < 1 + security::pdcp_header_octets) return text;
  text += " PDCP " + std::to_string(s.data[1]) + " SN " + std::to_string(s.data[4] << 8 | s.data[5]);
  if (is_set_up_channel(s.lcid) && s.data.size() > 6) text += " type " + std::to_string(s.data[6]);
  return text;
}

std::string text_of(const subframe_transmission& t) {
  std::string text;
  if (t.slss) text += "SLSS " + std::to_string(t.slss->n_sl_id);
  if (t.psdch) text += "PSDCH on PRB " + std::to_string(t.psdch->config.prb);
  if (t.pscch) {
    text += "PSCCH on PRB " + std::to_string(t.pscch->config.prb) + " shift " +
            std::to_string(t.pscch->config.cyclic_shift);
    if (const auto* f0 = std::get_if<phy::sci_format0>(&t.pscch->sci)) {
      auto sci = *f0;
      sci.group_destination_id = 0;
      text += " RIV " + std::to_string(sci.resource_block_assignment) + " T-RPT " +
              std::to_string(sci.time_resource_pattern) + " MCS " + std::to_string(sci.mcs);
    } else {
      const auto& f1 = std::get<phy::sci_format1>(t.pscch->sci);
      text += " reservation " + std::to_string(f1.resource_reservation) + " gap " + std::to_string(f1.time_gap) +
              " frequency " + std::to_string(f1.frequency_location) + " index " +
              std::to_string(f1.retransmission_index);
    }
  }
  if (t.pssch) {
    const auto& c = t.pssch->config;
    text += " PSSCH on PRB " + std::to_string(c.prb_start) + "+" + std::to_string(c.n_prb) + " rv " +
            std::to_string(c.rv) + " octets " + std::to_string(t.pssch->block->size());
    sl_sch_pdu pdu;
    if (parse(*t.pssch->block, pdu) == sl_sch_status::ok)
      for (const auto& s : pdu.all()) text += text_of(s);
  }
  return text;
}

}  // namespace

cover_town::cover_town(const cover_town_config& c) : air(air_of(c)), config_(c) {
  auto ue = default_ue_config(c.tm, 25);
  ue.sync.mode = time_mode::gnss;  // a follower's timing would depend on who is there
  security::ue_config sec;
  cover_config cover;
  cover.flows = c.flows;
  cover.interval_ms = c.interval_ms;
  cover.cell_octets = c.cell_octets;
  cover.round_s = cover_round_s;
  john = &air.add("john", ue, sec, cover);
  auto others = cover;
  if (!c.peers_covered) others.flows = 0;
  for (int i = 0; i < c.peers; ++i) {
    auto& p = air.add("peer" + std::to_string(i), ue, sec, others);
    air.permit(*john, p);
    p.on = i < c.present;
    peers.push_back(&p);
  }
  for (auto& n : air.nodes()) n.keep_data = false;
  air.on_air = [this](int node, const subframe_transmission& t) { hear(node, t); };
  if (c.exact) air.inject = [this](int node, std::vector<received_frame>& heard) { only_what_is_equal(node, heard); };
}

/// John, and Mary where there is one, step in every subframe, whatever they hear, and sense nothing: what they select
/// in TM4 depends on it. Nobody's message makes them step.
void cover_town::only_what_is_equal(int node, std::vector<received_frame>& heard) {
  if (node != john->index() && !(config_.mary && node == peers[0]->index())) return;
  std::erase_if(heard, [](const received_frame& r) { return std::holds_alternative<rx_sci1>(r.content); });
  heard.push_back({air.now, rx_discovery{nobodys_message_}});
}

/// Empty: the block is not for her, or she has not its link yet, or it is a first record. That is an Accept or random
/// octets, and what was drawn before them for the place differs.
std::string cover_town::marys_octets(const subframe_transmission& t) {
  sl_sch_pdu pdu;
  if (!config_.mary || !t.pssch || parse(*t.pssch->block, pdu) != sl_sch_status::ok) return "";
  if (pdu.n_sdus != 0 && pdu.sdus[0].lcid == lcid_pc5s_protected) return "";
  for (const auto& i : peers[0]->sec().links().links(air.now))
    if (i.own_l2 == destination(t, pdu) && i.peer_l2 == pdu.header.src) {
      ++marys_blocks;
      std::string text = " for Mary: ";
      for (const auto x : *t.pssch->block) text += "0123456789abcdef"[x >> 4], text += "0123456789abcdef"[x & 15];
      return text;
    }
  return "";
}

void cover_town::hear(int node, const subframe_transmission& t) {
  if (node == john->index()) sights.push_back({t.subframe, text_of(t) + marys_octets(t)});
  if (!t.pssch || t.pssch->config.rv != 0) return;
  sl_sch_pdu pdu;
  if (parse(*t.pssch->block, pdu) != sl_sch_status::ok) return;
  heard_cover_block b{t.subframe,
                      node,
                      pdu.header.src,
                      destination(t, pdu),
                      t.pssch->config.prb_start,
                      t.pssch->config.n_prb,
                      {},
                      0,
                      0,
                      t.pssch->block->size()};
  for (const auto& s : pdu.all()) {
    b.sdus.push_back({s.lcid, s.data.size()});
    for (std::size_t i = 6; i < s.data.size(); ++i) b.ones += std::popcount(s.data[i]);
  }
  blocks.push_back(std::move(b));
}

void cover_town::run(std::int64_t ms) {
  if (!config_.exact) return air.run(ms);
  for (; ms > 0; --ms) air.run(1);
}

void cover_town::run_to(std::int64_t ms_in_round) {
  const std::int64_t at = (mac::test::sim_air::utc_epoch_ms + air.now) % cover_round_ms;
  air.run((ms_in_round - at + cover_round_ms) % cover_round_ms);
}

bool cover_town::linked(int peer) {
  auto& p = *peers[static_cast<std::size_t>(peer)];
  return john->sec().links().link_with(john->id_of(p)) && p.sec().links().link_with(p.id_of(*john));
}

int cover_town::places_with_links() {
  int n = 0;
  for (const auto& p : john->cover()->status()) n += p.peer != 0;
  return n;
}

std::map<l2_id, bool> cover_town::real_sources() {
  std::map<l2_id, bool> s;
  for (const auto& i : john->sec().links().links(air.now))
    for (int k = 0; k < config_.peers; ++k)
      if (i.peer == john->id_of(*peers[static_cast<std::size_t>(k)])) s[i.own_l2] = k < config_.talkers;
  return s;
}

void cover_town::run_answering(std::int64_t until) {
  for (; air.now < until; air.run(std::min<std::int64_t>(2, until - air.now)))
    for (auto* p : peers) {
      const auto n = p->received_sdus[john->index()];
      if (n != answered_[p->index()] && p->on)
        (void)p->mac().send(p->id_of(*john), security::sdu_type::ip, octets(60, 9));
      answered_[p->index()] = n;
    }
}

void cover_town::talk(std::int64_t ms, std::uint64_t seed, bool answer) {
  std::mt19937_64 rng(seed);
  const auto end = air.now + ms;
  while (air.now < end) {
    for (auto* p : peers) {
      if (!p->on || p->index() - peers[0]->index() >= config_.talkers || rng() % 3 == 0) continue;
      (void)john->mac().send(john->id_of(*p), security::sdu_type::ip, octets(20 + rng() % 200, 7));
      if (!answer && rng() % 2 == 0)
        (void)p->mac().send(p->id_of(*john), security::sdu_type::ip, octets(20 + rng() % 200, 9));
    }
    const auto next = std::min<std::int64_t>(air.now + 200 + static_cast<std::int64_t>(rng() % 800), end);
    if (answer)
      run_answering(next);
    else
      air.run(next - air.now);
  }
}

}  // namespace prose::noninterference
