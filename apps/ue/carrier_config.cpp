#include "apps/ue/carrier_config.h"

#include <algorithm>
#include <bitset>
#include <utility>

#include "apps/lib/listen/pool_keys.h"
#include "apps/ue/program_config.h"

namespace prose::apps {
namespace {
using phy::comm_pool_config;
using phy::discovery_pool_config;
using phy::v2x_pool_config;

constexpr int subframes_a_block = 4;       // TS 36.213 14.1.1.1: transmissions of a transport block in TM2
constexpr int patterns_of_a_ue = 106;      // I_TRP 0..105: those that TM2 permits (TS 36.213 table 14.1.1.3-1, FDD)
constexpr int slss_periods[] = {40, 160};  // of Rel-12 and of V2X

std::string name_of(std::size_t i) { return "pools[" + std::to_string(i) + "]"; }

/// What is not told stays.
void take(const scene& known, carrier_settings& c) {
  c.n_prb = known.n_prb.value_or(c.n_prb);
  c.tm = known.tm.value_or(c.tm);
  c.cp = known.cp.value_or(c.cp);
}

// --- each pool for itself -------------------------------------------------------------------------------------------

void check_comm(told_pool& p, const phy::carrier_config& carrier) {
  auto& c = std::get<comm_pool_config>(p.pool);
  c.n_prb = carrier.n_prb;
  c.tm = carrier.tm;
  if (!c.known) return p.keys.reject("mode", "unknown: a UE must know where to send and to listen; accepted: tm1, tm2");
  const auto pool = phy::comm_pool::make(c);
  if (!pool) return reject_pool(p.keys, pool.error().message);
  if (pool->n_pscch_resources() == 0)
    return p.keys.reject("prb_num",
                         "1: the two transmissions of a PSCCH need a PRB each (TS 36.213 14.2.1), so no UE "
                         "may transmit here; accepted: 2 or more");
  for (int trp = 0; trp < patterns_of_a_ue; ++trp)
    if (pool->n_pssch_transmissions(trp) >= subframes_a_block) return;
  p.keys.reject("sc_period",
                std::to_string(c.sc_period_subframes) + " with data.subframe_bitmap and data.offset_indicator has " +
                    std::to_string(pool->pssch_subframes().size()) +
                    " subframes of PSSCH, and no time pattern finds the four of a block in them; accepted: a longer "
                    "sc_period, or more ones");
}

void check_v2x(told_pool& p, const phy::carrier_config& carrier) {
  auto& c = std::get<v2x_pool_config>(p.pool);
  c.n_prb = carrier.n_prb;
  if (c.subframe_bitmap.find('1') == std::string::npos)
    return p.keys.reject("sl_Subframe_r14",
                         "has no 1, so no UE may transmit here; accepted: a bitmap of the subframes");
  if (const auto pool = phy::v2x_pool::make(c); !pool) return reject_pool(p.keys, pool.error().message);
  const int pssch_end = c.start_prb + c.size_subchannel * c.n_subchannels;
  if (!c.adjacent && c.start_prb_pscch < pssch_end && c.start_prb < c.start_prb_pscch + 2 * c.n_subchannels)
    p.keys.reject("start_prb_pscch_pool", std::to_string(c.start_prb_pscch) +
                                              " lies in the sub-channels, which start_prb, size and count tell; "
                                              "accepted: PRBs beside them, or adjacent_pscch_pssch: true");
}

void check_discovery(told_pool& p, const phy::carrier_config& carrier) {
  auto& d = std::get<discovery_pool_config>(p.pool);
  d.n_prb = carrier.n_prb;
  const auto pool = phy::discovery_pool::make(d);
  if (!pool) return reject_pool(p.keys, pool.error().message);
  for (int a = 0; a < pool->n_frequency(); ++a)
    if (pool->pair_second(a) != pool->pair_first(a) + 1)
      return p.keys.reject("prb_num", std::to_string(d.prb.prb_num) +
                                          " is odd, so that with prb_start and prb_end a message lies across the gap "
                                          "between them, where none is received; accepted: an even one");
}

void check_each(carrier_settings& c, const phy::carrier_config& carrier) {
  bool communication = false, discovery = false;
  for (auto& p : c.pools) {
    if (auto ok = check_pool(p.pool, carrier, ""); !ok) {
      reject_pool(p.keys, ok.error().message);
      continue;
    }
    if (std::holds_alternative<comm_pool_config>(p.pool)) check_comm(p, carrier);
    if (std::holds_alternative<v2x_pool_config>(p.pool)) check_v2x(p, carrier);
    if (std::holds_alternative<discovery_pool_config>(p.pool)) check_discovery(p, carrier);
    (std::holds_alternative<discovery_pool_config>(p.pool) ? discovery : communication) = true;
  }
  if (c.pools.empty() || (communication && discovery)) return;
  const std::string kind = phy::is_v2x(c.tm) ? "v2x" : "sl_comm";
  c.file.reject("pools", "none of them is of kind " + (communication ? "psdch" : kind) + "; accepted: " + kind +
                             " and psdch, as prose-ue --show-pools prints them");
}

void check_what_is_told(config_section& carrier, carrier_settings& c) {
  if (c.tm != phy::transmission_mode::tm2 && c.tm != phy::transmission_mode::tm4)
    return carrier.reject("tm", std::to_string(static_cast<int>(c.tm)) +
                                    ": an eNB schedules it, and prose-ue transmits by itself; accepted: 2, 4");
  if (c.cp == phy::cyclic_prefix::extended && phy::is_v2x(c.tm))
    return carrier.reject("cp",
                          "extended with carrier.tm 4: V2X has the normal prefix alone; accepted: normal, or tm 2");
  const auto made =
      phy::carrier_config::make(c.n_prb, c.cp, c.tm, phy::standard_fft_size(c.n_prb) * phy::subcarrier_spacing_hz);
  if (made) check_each(c, *made);
}

// --- all of them together -------------------------------------------------------------------------------------------

/// What a part of a pool may use.
struct region {
  std::size_t pool;
  const char* channel;
  std::bitset<phy::max_subcarriers / phy::subcarriers_per_prb> prbs{};
  std::bitset<phy::n_absolute_subframes> subframes{};
};

template <class Belongs>
void fill(region& r, Belongs belongs) {
  for (int s = 0; s < phy::n_absolute_subframes; ++s) r.subframes[s] = belongs(s);
}

void add_regions(std::size_t i, const comm_pool_config& c, std::vector<region>& out) {
  const auto pool = phy::comm_pool::make(c);
  if (!pool) return;
  region pscch{i, "PSCCH"}, pssch{i, "PSSCH"};
  fill(pscch, [&](int s) { return !pool->pscch_candidates(s).empty(); });
  fill(pssch, [&](int s) { return pool->pssch_index(s) >= 0; });
  if (const auto prbs = phy::prbs_of(c.pscch, c.n_prb, ""))
    for (const int q : *prbs) pscch.prbs.set(q);
  for (const int q : pool->pssch_prbs()) pssch.prbs.set(q);
  out.push_back(pscch);
  out.push_back(pssch);
}

void add_regions(std::size_t i, const v2x_pool_config& c, std::vector<region>& out) {
  const auto pool = phy::v2x_pool::make(c);
  if (!pool) return;
  region r{i, "PSCCH and PSSCH"};
  fill(r, [&](int s) { return pool->contains(s); });
  for (int q = c.start_prb; q < c.start_prb + c.size_subchannel * c.n_subchannels; ++q) r.prbs.set(q);
  for (const int q : pool->pscch_prbs()) r.prbs.set(q).set(q + 1);
  out.push_back(r);
}

void add_regions(std::size_t i, const discovery_pool_config& c, std::vector<region>& out) {
  const auto pool = phy::discovery_pool::make(c);
  if (!pool) return;
  region r{i, "PSDCH"};
  fill(r, [&](int s) { return pool->n_candidates(s) > 0; });
  for (int a = 0; a < pool->n_frequency(); ++a) r.prbs.set(pool->pair_first(a)).set(pool->pair_second(a));
  out.push_back(r);
}

/// Nobody could tell whose a transmission is that lies in two of them, and what is sent in both is lost.
void check_overlap(carrier_settings& c) {
  std::vector<region> regions;
  for (std::size_t i = 0; i < c.pools.size(); ++i)
    std::visit([&](const auto& p) { add_regions(i, p, regions); }, c.pools[i].pool);
  for (auto b = regions.begin(); b != regions.end(); ++b)
    for (auto a = regions.begin(); a != b; ++a) {
      const auto prbs = a->prbs & b->prbs;
      const auto subframes = a->subframes & b->subframes;
      if (prbs.none() || subframes.none()) continue;
      auto& keys = c.pools[b->pool].keys;
      const bool v2x = keys.has("sl_Subframe_r14");
      return keys.reject(a->pool == b->pool ? "data"
                         : v2x              ? "sl_Subframe_r14"
                                            : "subframe_bitmap",
                         std::string("its ") + b->channel + " shares PRB " + std::to_string(prbs._Find_first()) +
                             " of subframe " + std::to_string(subframes._Find_first()) + " with the " + a->channel +
                             " of " + (a->pool == b->pool ? "the same pool" : name_of(a->pool)) +
                             ": one would disturb the other; accepted: pools apart in PRBs or in subframes");
    }
}

/// By SLSS: t_k^SL leaves out the subframes of SLSS, and where they are follows from it.
void check_slss(carrier_settings& carrier, program_config& c) {
  if (!phy::is_v2x(carrier.tm) || carrier.pools.empty() || c.ue.sync.mode != mac::time_mode::slss) return;
  const v2x_pool_config* first = nullptr;
  for (auto& p : carrier.pools) {
    const auto* v = std::get_if<v2x_pool_config>(&p.pool);
    if (v == nullptr) continue;
    if (first == nullptr) first = v;
    if (std::find(std::begin(slss_periods), std::end(slss_periods), 2 * v->slss_period) == std::end(slss_periods))
      return p.keys.reject("slss_period", std::to_string(v->slss_period) +
                                              " with time.source slss: SLSS would go out in subframes of the pool; "
                                              "accepted: 20 or 80, half the period of SLSS, or time.source gnss");
    if (v->slss_period != first->slss_period || (v->slss_offset - first->slss_offset) % v->slss_period != 0)
      return p.keys.reject("slss_period",
                           "slss_period and slss_offset differ from those of another pool with time.source "
                           "slss; accepted: the same in all");
  }
  if (first == nullptr) return;
  c.ue.sync.period_subframes = 2 * first->slss_period;
  c.ue.sync.offset_2 = first->slss_offset % first->slss_period;
  c.ue.sync.offset_1 = c.ue.sync.offset_2 + first->slss_period;
}

/// A block's second transmission has a place.
void check_retransmission(carrier_settings& carrier, const program_config& c) {
  if (!phy::is_v2x(carrier.tm) || !c.ue.tm4.retransmit || carrier.pools.empty()) return;
  const auto& bits = c.ue.v2x.subframe_bitmap;
  const int gap = mac::most_gap(c.ue.tm4), period = c.ue.tm4.reservation_period_ms;
  for (std::size_t i = 0; i < bits.size(); ++i)
    for (int d = 1; d <= gap; ++d)
      if (bits[i] == '1' && bits[(i + d) % bits.size()] == '1' && (period == 0 || d % period != 0)) return;
  for (auto& p : carrier.pools)
    if (const auto* v = std::get_if<v2x_pool_config>(&p.pool); v != nullptr && v->subframe_bitmap == bits)
      return p.keys.reject("sl_Subframe_r14", "no two subframes of it are within " + std::to_string(gap) +
                                                  " of each other, which sidelink.retransmit needs; accepted: more "
                                                  "ones, or sidelink.retransmit false");
}

result<void> read_own(config_section& file, carrier_settings& c) {
  auto carrier = file.section("carrier");
  scene known;
  known.n_prb = c.n_prb;
  known.tm = c.tm;
  known.cp = c.cp;
  std::string tm = "2";
  carrier.read_choice("tm", tm, {"2", "4"});
  read_carrier_keys(carrier, known);
  take(known, c);
  c.pools = read_pools(file);
  check_what_is_told(carrier, c);
  return {};
}

result<void> read_shared(const std::string& path, carrier_settings& c) {
  auto shared = load_carrier_file(path);
  if (!shared) return tl::unexpected(shared.error());
  take(shared->known, c);
  c.sync = shared->sync;
  c.pools = std::move(shared->pools);
  c.file = shared->file;
  check_what_is_told(shared->carrier, c);
  return c.file.check();
}

/// The pools of a kind: which one to send in, and the others. Null: the default one.
template <class Pool>
told_pool* choose(std::vector<told_pool>& pools, const char* kind, config_section& section, int place,
                  program_config& c) {
  told_pool* chosen = nullptr;
  int n = 0;
  for (auto& p : pools) {
    if (!std::holds_alternative<Pool>(p.pool)) continue;
    if (n++ == place)
      chosen = &p;
    else
      c.other_pools.push_back(p.pool);
  }
  if (chosen == nullptr && place > 0)
    section.reject("transmit_pool", "'" + std::to_string(place) + "' is none of the " + std::to_string(std::max(n, 1)) +
                                        " of kind " + kind + " in pools; accepted: 0 to " +
                                        std::to_string(std::max(n, 1) - 1));
  return chosen;
}

}  // namespace

result<void> read_carrier(config_section& file, carrier_settings& carrier, program_config& c) {
  read_carrier_file_key(file, c.carrier_file);
  carrier.shared = !c.carrier_file.empty();
  if (auto ok = carrier.shared ? read_shared(c.carrier_file, carrier) : read_own(file, carrier); !ok) return ok;
  c.ue = mac::default_ue_config(carrier.tm, carrier.n_prb, carrier.cp);
  c.cp = carrier.cp;
  return {};
}

void choose_communication_pool(carrier_settings& carrier, config_section& sidelink, int place, program_config& c) {
  if (phy::is_v2x(carrier.tm)) {
    const auto* p = choose<v2x_pool_config>(carrier.pools, "v2x", sidelink, place, c);
    if (p == nullptr) return;
    c.ue.v2x = std::get<v2x_pool_config>(p->pool);
    c.ue.tm4.max_subchannels = std::min(c.ue.v2x.n_subchannels, 4);
    return;
  }
  auto* p = choose<comm_pool_config>(carrier.pools, "sl_comm", sidelink, place, c);
  if (p == nullptr) return;
  c.ue.comm = std::get<comm_pool_config>(p->pool);
  if (!c.ue.comm.data)
    p->keys.reject("mode",
                   "tm1: an eNB schedules it, so no UE may transmit here by itself; accepted: tm2, or another "
                   "pool as sidelink.transmit_pool");
}

void choose_discovery_pool(carrier_settings& carrier, config_section& discovery, int place, program_config& c) {
  if (const auto* p = choose<discovery_pool_config>(carrier.pools, "psdch", discovery, place, c))
    c.ue.discovery = std::get<discovery_pool_config>(p->pool);
}

void check_announcements(const program_config& c, config_section& discovery) {
  const auto pool = phy::discovery_pool::make(c.ue.discovery);
  const int messages = c.ue.discovery_tx.per_period;
  if (!pool || !c.ue.discovery_tx.announce || messages < pool->n_time()) return;
  const int times = pool->n_transmissions();
  const std::string most = pool->n_time() > 1 ? "up to " + std::to_string(pool->n_time() - 1) + ", or " : "";
  discovery.reject(discovery.has("per_period") ? "per_period" : "retransmissions",
                   std::to_string(messages) + " messages a period, each sent " + std::to_string(times) +
                       (times == 1 ? " time" : " times") + ", take all " + std::to_string(pool->n_time() * times) +
                       " subframes of the pool, so that the UE would hear nobody; accepted: per_period " + most +
                       "more subframes (subframe_bitmap, num_repetition) or fewer retransmissions");
}

result<void> check_carrier(carrier_settings& carrier, program_config& c) {
  check_overlap(carrier);
  check_slss(carrier, c);
  check_retransmission(carrier, c);
  for (const auto& p : carrier.pools) c.pools.push_back(p.pool);
  return carrier.shared ? carrier.file.check() : result<void>();
}

}  // namespace prose::apps
