#include "tests/noninterference/worlds.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>

#include "mac/default_pools.h"
#include "mac/sl_sch.h"
#include "mac/ue.h"
#include "security/crypto/x25519.h"
#include "tests/mac/diskless_adapter.h"
#include "tests/noninterference/exact_random.h"

namespace prose::noninterference {
namespace {

using namespace prose::mac;
using security::peer_id;
using security::stream_purpose;

// A round: Mary's share, then Peter's. The last 1.5 s of each are silent: what TM4 has sensed in one (1000 subframes)
// is forgotten in the other.
constexpr std::int64_t round_ms = 16'000, peters_share_ms = 7'500, start_ms = 2'000;
constexpr int rounds = 8;
constexpr std::int64_t end_ms = start_ms + rounds * round_ms;
constexpr slot_t first_slot = 1'700'000'000;

enum who : int { john, mary, peter, other_radio, n_radios };

/// The adapter, noting under which layer-2 IDs John sends to whom.
class noting_port final : public security_port {
public:
  explicit noting_port(security::ue_security& s) : s_(s) {}
  bool advance(slot_t t, time_ms now) override { return s_.advance(t, now); }
  std::span<const security::discovery_pdu> announcements(time_ms now) override { return s_.announcements(now); }
  std::vector<security::discovery_pdu> queries(std::span<const peer_id> wanted, time_ms now) override {
    return s_.queries(wanted, now);
  }
  std::optional<security::discovery_event> discovery(std::span<const std::uint8_t, security::discovery_octets> pdu,
                                                     time_ms now) override {
    return s_.discovery(pdu, now);
  }
  bool connect(const security::peer_heard& heard, time_ms now, security::actions& out) override {
    return noted(out, s_.connect(heard, now, out));
  }
  result<security::received_data, security::drop_reason> receive(std::uint8_t lcid, l2_id src, l2_id dst,
                                                                 std::span<const std::uint8_t> octets, time_ms now,
                                                                 std::span<std::uint8_t> buffer,
                                                                 security::actions& out) override {
    auto r = s_.receive(lcid, src, dst, octets, now, buffer, out);
    note(out);
    return r;
  }
  result<security::sealed_pdu, security::drop_reason> seal(security::link_id link, std::uint8_t lcid,
                                                           security::sdu_type type, std::span<const std::uint8_t> data,
                                                           time_ms now, std::span<std::uint8_t> out) override {
    auto r = s_.seal(link, lcid, type, data, now, out);
    if (const auto i = s_.info(link, now); r && i) flows[{r->src, r->dst}] = i->peer;
    return r;
  }
  void tick(time_ms now, security::actions& out) override {
    s_.tick(now, out);
    note(out);
  }
  void release_due(time_ms now, security::actions& out) override {
    s_.release_due(now, out);
    note(out);
  }
  time_ms next_due() const override { return s_.next_due(); }
  bool rekey(security::link_id link, time_ms now, security::actions& out) override {
    return noted(out, s_.rekey(link, now, out));
  }
  bool release(security::link_id link, time_ms now, security::actions& out) override {
    return noted(out, s_.release(link, now, out));
  }
  std::optional<security::link_id> link_with(peer_id peer) const override { return s_.link_with(peer); }
  std::optional<security::link_info> info(security::link_id link, time_ms now) const override {
    return s_.info(link, now);
  }
  security::random_port& random(stream_purpose p) override { return s_.random(p); }
  security::random_port& random(stream_purpose p, peer_id peer) override { return s_.random(p, peer); }
  void append_own_l2_ids(time_ms now, std::vector<l2_id>& out) const override { s_.append_own_l2_ids(now, out); }
  void append_own_l2_pairs(time_ms now, std::vector<security::l2_pair>& out) const override {
    s_.append_own_l2_pairs(now, out);
  }

  void note(const security::actions& out) {
    for (const auto& a : out)
      if (const auto* m = std::get_if<security::send_message>(&a)) flows[{m->src, m->dst}] = m->peer;
  }
  std::map<std::pair<l2_id, l2_id>, peer_id> flows;

private:
  bool noted(const security::actions& out, bool r) {
    note(out);
    return r;
  }
  test::diskless_adapter s_;
};

struct ue_node {
  ue_node(const worlds_config& w, who me, bool small_key) : random(w.seed * 16 + me), dh(random) {
    auto config = default_ue_config(w.tm, 25);
    config.auto_connect = false;
    config.sync.mode = w.slss ? time_mode::slss : time_mode::gnss;
    config.discovery_tx.announce = !w.model_b;
    security::ue_config sec;
    sec.discovery.announce = sec.discovery.monitor = !w.model_b;
    sec.discovery.answer_queries = w.model_b;
    sec.links.epochs.min_ms = 10'000;
    sec.links.epochs.max_ms = 25'000;
    sec.links.keepalive_after_ms =
        40'000;  // each share has data; keep-alives of one's own moment would fall into the other's
    sec.links.lost_after_ms = 120'000;
    std::optional<security::key_pair> pair;
    do pair.emplace(security::key_pair::generate({random, dh}));
    while ((pair->public_part.octets[0] < 128) != small_key);
    key = pair->public_part;
    sec_ue = std::make_unique<security::ue_security>(sec, std::move(*pair), security::ports{random, dh});
    port = std::make_unique<noting_port>(*sec_ue);
    auto made = mac::ue::make(config, *port);
    if (!made) throw std::runtime_error(made.error().message);
    u = std::move(*made);
  }
  void permit(const ue_node& other, const char* name) {
    const auto id = sec_ue->add_peer(name, other.key);
    if (!id) throw std::runtime_error(id.error().message);
    ids[name] = *id;
  }
  peer_id id(const char* name) const {
    const auto at = ids.find(name);
    return at == ids.end() ? 0 : at->second;
  }
  void withdraw(const char* name, time_ms now) {
    const peer_id p = id(name);
    security::actions actions;
    if (!sec_ue->remove_peer(p, now, actions)) return;
    port->note(actions);
    step_output out;
    u->apply(actions, out);
    u->forget(p);
    ids.erase(name);
  }

  exact_random random;
  security::crypto::mbedtls_x25519 dh;
  security::public_key key;
  std::unique_ptr<security::ue_security> sec_ue;
  std::unique_ptr<noting_port> port;
  std::unique_ptr<mac::ue> u;
  std::map<std::string, peer_id> ids;
  std::set<peer_id> all_ids_of_peter;
  int established = 0, rekeyed = 0, epochs = 0, lost = 0, data = 0;
};

/// What one radio sends in one subframe. Of the other radio: what it sends without a UE behind it.
struct heard_block {
  transport_block block;
  std::optional<std::uint8_t> group_destination_id;
};
struct on_air {
  who from;
  subframe_transmission t;
  std::vector<heard_block> blocks;
  std::vector<security::discovery_pdu> messages;
};
using tape = std::multimap<std::int64_t, on_air>;

/// One of John's transmissions, as whoever listens sees it.
struct sight {
  std::int64_t subframe = 0;
  std::string what;
  bool of_discovery = false;
  bool operator==(const sight& o) const { return subframe == o.subframe && what == o.what; }
};

std::string hex(security::bytes_view b) {
  std::string s;
  for (const auto x : b) s += "0123456789abcdef"[x >> 4], s += "0123456789abcdef"[x & 15];
  return s;
}

class world {
public:
  /// `others`: what Peter, the fourth UE and Mary's other radio send; null where Peter is alive and Mary's other radio
  /// decides.
  world(const worlds_config& c, const tape* others) : config_(c), others_(others) {
    nodes_[john] = std::make_unique<ue_node>(c, john, !c.mary_has_smaller_key);
    nodes_[mary] = std::make_unique<ue_node>(c, mary, c.mary_has_smaller_key);
    nodes_[peter] = std::make_unique<ue_node>(c, peter, c.mary_has_smaller_key);
    if (others == nullptr && c.peter_first) permit_peter();
    permit_mary();
    if (others == nullptr && !c.peter_first) permit_peter();
    at(mary).permit(at(john), "john");
    if (others == nullptr)
      at(peter).permit(at(john), "john");
    else
      nodes_[peter].reset();
  }

  void run() {
    for (now_ = 0; now_ < end_ms; ++now_) {
      script();
      if (others_ != nullptr) {
        const auto [from, to] = others_->equal_range(now_);
        for (auto o = from; o != to; ++o) air_.emplace(now_, o->second);
      }
      subframe();
    }
  }

  ue_node& at(who w) { return *nodes_[w]; }
  bool peter_is_here() const { return others_ == nullptr; }

  tape of_others;               ///< for the other world: what Peter, Mary's other radio, and John to Peter sent
  std::vector<sight> sights;    ///< of John's transmissions to Mary and everybody
  std::set<std::int64_t> busy;  ///< subframes in which John sent to Peter
  std::size_t to_peter = 0, injected = 0;

private:
  void permit_peter() {
    at(john).permit(at(peter), "peter");
    at(john).all_ids_of_peter.insert(at(john).id("peter"));
  }
  /// Which of the equally likely seats among John's entries is Mary's: the same one in both worlds.
  void permit_mary() {
    const bool after_somebody = !peter_is_here() && config_.peter_first;
    if (after_somebody) {
      if (!somebody_) somebody_ = std::make_unique<ue_node>(config_, other_radio, true);
      at(john).permit(*somebody_, "somebody");
    }
    at(john).permit(at(mary), "mary");
    if (after_somebody) at(john).withdraw("somebody", now_);
  }

  // --- the air ---
  void subframe() {
    std::vector<on_air> sent;
    for (auto [a, b] = air_.equal_range(now_); a != b; ++a) sent.push_back(a->second);
    air_.erase(now_);
    if (const auto m =
            std::find_if(sent.begin(), sent.end(), [](const on_air& s) { return s.from == mary && s.t.pssch; });
        m != sent.end())
      if (auto before = forged_beside()) sent.insert(sent.begin(), std::move(*before));
    std::stable_partition(sent.begin(), sent.end(), [](const on_air& s) { return s.from == other_radio; });
    for (const auto& s : sent) see(s);
    for (int w = john; w <= peter; ++w) {
      if (!nodes_[w]) continue;
      ue_node& n = at(static_cast<who>(w));
      frames_.clear();
      for (const auto& s : sent)
        if (s.from != w) hear(s);
      n.u->step({now_, now_, static_cast<slot_t>(first_slot + now_ / 1000), frames_, {}}, out_);
      for (auto& t : out_.transmissions) {
        const auto when = t.subframe;
        air_.emplace(when, on_air{static_cast<who>(w), std::move(t), {}, {}});
      }
      for (const auto& e : out_.events) {
        n.established += std::holds_alternative<ev_link_established>(e);
        if (const auto* d = std::get_if<ev_data>(&e)) {
          ++n.data;
          // What Mary can elicit: John's application sends back what it is given.
          if (w == john && d->peer == n.id("mary")) n.u->send(d->peer, d->type, d->data);
        }
        n.rekeyed += std::holds_alternative<ev_rekeyed>(e);
        n.epochs += std::holds_alternative<ev_epoch>(e);
        n.lost += std::holds_alternative<ev_link_lost>(e);
      }
    }
  }
  void hear(const on_air& s) {
    const auto& t = s.t;
    if (t.slss)
      frames_.push_back(
          {now_, rx_slss{{t.slss->n_sl_id, t.slss->mib.in_coverage,
                          t.slss->mib.direct_frame_number * 10 + t.slss->mib.direct_subframe_number, now_, -80, 0}}});
    if (t.pscch)
      if (const auto* sci = std::get_if<phy::sci_format1>(&t.pscch->sci))
        frames_.push_back({now_, rx_sci1{*sci, t.pscch->config.prb, -80}});
    if (t.pssch && t.pssch->config.rv == 0) frames_.push_back({now_, rx_block{*t.pssch->block, group_of(t)}});
    if (t.psdch) frames_.push_back({now_, rx_discovery{t.psdch->message}});
    for (const auto& b : s.blocks) frames_.push_back({now_, rx_block{*b.block, b.group_destination_id}});
    for (const auto& m : s.messages) frames_.push_back({now_, rx_discovery{m}});
  }
  std::optional<std::uint8_t> group_of(const subframe_transmission& t) const {
    return phy::is_v2x(config_.tm) ? std::nullopt
                                   : std::optional<std::uint8_t>(static_cast<std::uint8_t>(t.pssch->config.n_x_id));
  }
  peer_id receiver_of(const subframe_transmission& t) {
    sl_sch_pdu pdu;
    if (parse(*t.pssch->block, pdu) != sl_sch_status::ok)
      throw std::runtime_error("John sent a block that cannot be parsed");
    const auto at_flow = at(john).port->flows.find({pdu.header.src, pdu.header.dst | group_of(t).value_or(0)});
    if (at_flow == at(john).port->flows.end()) throw std::runtime_error("John sent a block of no known flow");
    return at_flow->second;
  }

  /// Notes what John sends, and for the other world what is not his there.
  void see(const on_air& s) {
    if (s.from != john) {
      if (is_noted(s.from)) of_others.emplace(now_, s);
      if (s.from != other_radio) captured(s);
      if (s.from == peter && s.t.pssch && s.t.pssch->config.rv == 0) beside_ = {s.t.pssch->block, group_of(s.t)};
      return;
    }
    captured(s);
    const auto& t = s.t;
    on_air fourth{peter, {}, {}, {}};  // whose it is does not matter to John and Mary
    fourth.t.subframe = t.subframe, fourth.t.absolute_subframe = t.absolute_subframe;
    bool peters = false;
    if (t.pssch)
      peters = at(john).all_ids_of_peter.contains(receiver_of(t));
    else if (t.pscch)
      peters = sci_is_for_peter(t);
    if (peters) {
      fourth.t.pscch = t.pscch;
      fourth.t.pssch = t.pssch;
      busy.insert(now_);
      ++to_peter;
    } else {
      if (t.pscch)
        note("PSCCH on PRB " + std::to_string(t.pscch->config.prb) + " shift " +
                 std::to_string(t.pscch->config.cyclic_shift) + ' ' + sci_text(t),
             false);
      if (t.pssch) {
        const auto& c = t.pssch->config;
        note("PSSCH on PRB " + std::to_string(c.prb_start) + '+' + std::to_string(c.n_prb) + " rv " +
                 std::to_string(c.rv) + ' ' + hex(*t.pssch->block),
             false);
      }
    }
    if (t.slss)
      note("SLSS " + std::to_string(t.slss->n_sl_id) + " DFN " + std::to_string(t.slss->mib.direct_frame_number),
           false);
    if (t.psdch) {
      std::string octets = hex(t.psdch->message);
      switch (whose(t.psdch->message)) {
        case entry::anybody:
          break;
        case entry::in_peters_place:
          octets = "another's entry, type " + octets.substr(0, 2) + ", counter " + octets.substr(56);
          break;
        case entry::response_to_peter:
          fourth.t.psdch = t.psdch;
          ++to_peter;
          break;
      }
      if (!fourth.t.psdch) note("PSDCH on PRB " + std::to_string(t.psdch->config.prb) + ' ' + octets, true);
    }
    if (!fourth.t.empty()) of_others.emplace(now_, fourth);
  }
  void note(std::string what, bool of_discovery) { sights.push_back({now_, std::move(what), of_discovery}); }
  bool is_noted(who w) const { return peter_is_here() && (w == peter || w == other_radio); }

  std::string sci_text(const subframe_transmission& t) const {
    if (const auto* f0 = std::get_if<phy::sci_format0>(&t.pscch->sci))
      return "SCI 0: " + std::to_string(f0->resource_block_assignment) + ' ' +
             std::to_string(f0->time_resource_pattern) + ' ' + std::to_string(f0->mcs) + ' ' +
             std::to_string(f0->group_destination_id);
    const auto& f1 = std::get<phy::sci_format1>(t.pscch->sci);
    return "SCI 1: " + std::to_string(f1.priority) + ' ' + std::to_string(f1.resource_reservation) + ' ' +
           std::to_string(f1.frequency_location) + ' ' + std::to_string(f1.time_gap) + ' ' + std::to_string(f1.mcs) +
           ' ' + std::to_string(f1.retransmission_index);
  }
  /// TM2: an SCI precedes its blocks and names eight bits of the destination. In Peter's share it is for Peter.
  bool sci_is_for_peter(const subframe_transmission& t) {
    const auto* f0 = std::get_if<phy::sci_format0>(&t.pscch->sci);
    bool marys = false, peters = false;
    for (const auto& [ids, p] : at(john).port->flows)
      if (f0 != nullptr && (ids.second & 0xFF) == f0->group_destination_id)
        (at(john).all_ids_of_peter.contains(p) ? peters : marys) = true;
    return peters && (!marys || in_peters_share());
  }
  enum class entry { anybody, in_peters_place, response_to_peter };
  /// Peter's codes, and without Peter those of the dummy in his place: the octets differ, nothing else may.
  entry whose(const security::discovery_pdu& m) {
    using security::discovery_type;
    const auto t = static_cast<slot_t>(first_slot + now_ / 1000);
    for (slot_t s = t - 2; s <= t; ++s) {
      if (peter_is_here()) {
        const auto& peters = *at(peter).sec_ue->peers().find(std::string_view("john"));
        if (m == make_discovery(discovery_type::response, peters.theirs, s)) return entry::response_to_peter;
        if (m == make_discovery(discovery_type::announcement, peters.theirs, s) ||
            m == make_discovery(discovery_type::query, peters.ours, s))
          return entry::in_peters_place;
      }
      const auto& dummy = at(john).sec_ue->discovery().dummies()[config_.peter_first ? 0 : 1];
      if (m == make_discovery(discovery_type::announcement, dummy, s) ||
          m == make_discovery(discovery_type::query, dummy, s))
        return entry::in_peters_place;
    }
    return entry::anybody;
  }

  // --- Mary's other radio ---
  void captured(const on_air& s) {
    if (!peter_is_here()) return;
    if (s.t.pssch && s.t.pssch->config.rv == 0) blocks_.push_back({s.t.pssch->block, group_of(s.t)});
    if (s.t.psdch) messages_.push_back(s.t.psdch->message);
    if (blocks_.size() > 400) blocks_.erase(blocks_.begin(), blocks_.begin() + 100);
    if (messages_.size() > 200) messages_.erase(messages_.begin(), messages_.begin() + 100);
  }
  /// Everything that was heard again, altered, and blocks of her own to every address that was heard. The second world
  /// repeats it.
  void inject() {
    if (!peter_is_here()) return;
    on_air o{other_radio, {}, {}, {}};
    o.t.subframe = now_;
    const auto r = [&] { return next_random(); };
    for (int i = 0; i < 2 && !blocks_.empty(); ++i) {
      heard_block b = blocks_[r() % blocks_.size()];
      auto octets = std::make_shared<std::vector<std::uint8_t>>(*b.block);
      const auto how = r() % 4;
      if (how == 1) (*octets)[r() % octets->size()] ^= static_cast<std::uint8_t>(1U << (r() % 8));
      if (how == 2)  // a block of her own under the same layer-2 IDs
        for (std::size_t k = 7; k < octets->size(); ++k) (*octets)[k] = static_cast<std::uint8_t>(r());
      if (how == 3)  // from an invented source
        for (std::size_t k = 1; k < 4; ++k) (*octets)[k] = static_cast<std::uint8_t>(r());
      b.block = std::move(octets);
      o.blocks.push_back(std::move(b));
    }
    if (!messages_.empty()) {
      auto m = messages_[r() % messages_.size()];
      if (r() % 2 == 0) m[r() % m.size()] ^= static_cast<std::uint8_t>(1U << (r() % 8));
      o.messages.push_back(m);
    }
    injected += o.blocks.size() + o.messages.size();
    air_.emplace(now_, std::move(o));
  }

  /// In the same subframe as Mary's own block and heard before it: 90 SDUs with nothing behind their headers, under the
  /// identifiers of what was heard beside her. Does John's work on them take anything from her own?
  std::optional<on_air> forged_beside() {
    if (!peter_is_here() || !beside_.block || now_ < start_ms || in_peters_share() || (now_ - start_ms) / round_ms != 4)
      return std::nullopt;
    sl_sch_pdu heard;
    if (parse(*beside_.block, heard) != sl_sch_status::ok || heard.n_sdus == 0) return std::nullopt;
    const auto& s = heard.sdus[0];
    if (s.data.size() < 30 || (s.data[0] & 0xA0) != 0) return std::nullopt;  // the RLC PDU begins with an SDU
    on_air o{other_radio, {}, {}, {}};
    o.t.subframe = now_;
    for (int i = 0; i < 3; ++i) {
      auto octets = std::make_shared<std::vector<std::uint8_t>>(1000);
      sl_sch_builder b(heard.header, *octets);
      for (int k = 0; k < 30; ++k) {
        const auto rlc = b.add(s.lcid, 28);
        std::copy_n(s.data.begin(), 4, rlc.begin());  // RLC, then SDU type and KD-sess ID
        rlc[0] = static_cast<std::uint8_t>(next_random() & 0x1F);
        for (std::size_t x = 4; x < rlc.size(); ++x) rlc[x] = static_cast<std::uint8_t>(next_random());
      }
      b.finish();
      o.blocks.push_back({std::move(octets), beside_.group_destination_id});
    }
    injected += o.blocks.size();
    return o;
  }
  std::size_t next_random() {
    return static_cast<std::size_t>(lcg_ = lcg_ * 6364136223846793005ULL + 1442695040888963407ULL) >> 33;
  }

  // --- what happens when; the same in both worlds but for Peter ---
  bool in_peters_share() const { return now_ >= start_ms && (now_ - start_ms) % round_ms >= peters_share_ms; }
  void say(ue_node& from, const char* to, int times = 1, std::size_t octets = 60) {
    if (const auto p = from.id(to))
      for (int i = 0; i < times; ++i)
        from.u->send(p, security::sdu_type::ip, std::vector<std::uint8_t>(octets, static_cast<std::uint8_t>(i)));
  }
  void script() {
    if (config_.model_b)
      for (int w = john; w <= peter; ++w)
        if (nodes_[w] && now_ % 1000 == (w == peter ? 900 : 500)) {
          const ue_node& n = at(static_cast<who>(w));
          // John cannot sense while he answers Peter: so Peter asks when it is forgotten before Mary's share. Nor in
          // one discovery period with her: two answers in it keep out of each other's way.
          if (w == peter && (!in_peters_share() || (now_ - start_ms) % round_ms > round_ms - 3000)) continue;
          if (w != john)
            n.u->query(std::array{n.id("john")});
          else if (config_.asks_only_without_link)
            ask_without_link(n);
          else if (config_.peter_first)
            n.u->query(std::array{n.id("peter"), n.id("mary")});
          else
            n.u->query(std::array{n.id("mary"), n.id("peter")});
        }
    if (now_ < start_ms) return;
    const auto round = static_cast<int>((now_ - start_ms) / round_ms);
    const auto into = (now_ - start_ms) % round_ms;
    marys_share(round, into);
    if (peter_is_here()) peters_share(round, into - peters_share_ms);
  }
  static void ask_without_link(const ue_node& n) {
    std::vector<peer_id> wanted;
    for (const auto& [name, id] : n.ids)
      if (!n.sec_ue->links().link_with(id)) wanted.push_back(id);
    if (!wanted.empty()) n.u->query(wanted);
  }
  void marys_share(int round, std::int64_t into) {
    ue_node &j = at(john), &m = at(mary);
    const bool linked_before = round != 0;
    if (into == 0 && round == 0) m.u->want(m.id("john"));
    if (linked_before && (into == 0 || into == 1000)) say(j, "mary"), say(m, "john");
    if (into == 4500) say(j, "mary", round == 3 ? 12 : 2, 300), say(m, "john", 2);
    if (into == 5500) say(m, "john"), say(j, "mary");
    switch (round) {
      case 1:
        if (into == 1500) j.u->rekey(j.id("mary"));
        break;
      case 2:
        if (into == 400) m.u->rekey(m.id("john"));
        break;
      case 3:  // probes and replays, through a set-up too
        if (into == 1200) j.u->release(j.id("mary"));
        if (into == 1500) m.u->want(m.id("john"));
        if (into >= 300 && into < 5000 && into % 7 == 0) inject();
        break;
      case 4:
        if (into == 1200) m.u->release(m.id("john"));
        if (into == 1500) j.u->want(j.id("mary"));
        break;
      case 5:
        if (into == 1200) j.withdraw("mary", now_);
        if (into == 2000) permit_mary(), m.u->want(m.id("john"));
        break;
      case 6:
        if (into == 1200) m.u->rekey(m.id("john")), j.u->rekey(j.id("mary"));
        break;
      case 7:
        if (into >= 2000 && into < 4000 && into % 11 == 0) inject();
        break;
      default:
        break;
    }
  }
  void peters_share(int round, std::int64_t into) {
    if (into < 0) return;
    ue_node &j = at(john), &p = at(peter);
    if (into == 0 && round == 0) p.u->want(p.id("john"));
    if (round != 0 && (into == 0 || into == 400)) say(j, "peter"), say(p, "john");
    if (into == 4200) say(j, "peter", 6, 400), say(p, "john", 2);
    if (into == 4600) say(p, "john"), say(j, "peter");
    switch (round) {
      case 2:
      case 6:
        if (into == 4000) j.u->rekey(j.id("peter"));
        break;
      case 1:  // less than 5 s before Mary asks
        if (into == 4500) p.u->rekey(p.id("john"));
        break;
      case 3:
        if (into == 800) j.u->release(j.id("peter"));
        if (into == 900) j.u->want(j.id("peter"));
        break;
      case 4:
        if (into == 800) p.u->release(p.id("john"));
        if (into == 900) p.u->want(p.id("john"));
        break;
      case 5:
        if (into == 800) j.withdraw("peter", now_);
        if (into == 2500) permit_peter(), p.u->want(p.id("john"));
        break;
      default:
        break;
    }
  }

  worlds_config config_;
  const tape* others_;
  std::array<std::unique_ptr<ue_node>, 3> nodes_;
  std::unique_ptr<ue_node> somebody_;
  std::int64_t now_ = 0;
  tape air_;
  std::vector<received_frame> frames_;
  step_output out_;
  std::vector<heard_block> blocks_;
  heard_block beside_;  ///< the last that Mary heard from a UE that is not John
  std::vector<security::discovery_pdu> messages_;
  std::uint64_t lcg_ = 12345;
};

std::string text(const sight& s) { return std::to_string(s.subframe) + ": " + s.what.substr(0, 200); }

}  // namespace

comparison compare(const worlds_config& config) {
  world first(config, nullptr);
  first.run();
  world second(config, &first.of_others);
  second.run();

  comparison c;
  c.to_peter = first.to_peter;
  c.injected = first.injected;
  auto &j = first.at(john), &m = first.at(mary), &p = first.at(peter);
  c.links_with_mary = m.established;
  c.links_with_peter = p.established;
  c.rekeyings_with_mary = m.rekeyed;
  c.rekeyings_with_peter = p.rekeyed;
  c.epochs_with_mary = m.epochs;
  c.heard_by_mary = m.data;
  c.lost_links_with_mary = m.lost;
  (void)j;
  std::size_t i = 0, k = 0;
  while (i < first.sights.size() || k < second.sights.size()) {
    if (i < first.sights.size() && k < second.sights.size() && first.sights[i] == second.sights[k]) {
      ++i, ++k, ++c.compared;
      continue;
    }
    // Where John sends to Peter, a discovery message of the same subframe gives way.
    if (k < second.sights.size() && second.sights[k].of_discovery && first.busy.contains(second.sights[k].subframe)) {
      ++k, ++c.hidden;
      continue;
    }
    c.difference = "with Peter, subframe " + (i < first.sights.size() ? text(first.sights[i]) : std::string("end")) +
                   "; with a fourth UE in his place, " +
                   (k < second.sights.size() ? text(second.sights[k]) : std::string("end"));
    return c;
  }
  return c;
}

}  // namespace prose::noninterference
