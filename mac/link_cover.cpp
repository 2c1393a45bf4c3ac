#include "mac/link_cover.h"

#include <algorithm>
#include <numeric>

#include "mac/random.h"
#include "mac/sl_sch.h"
#include "security/messages.h"
#include "security/record.h"

namespace prose::mac {

namespace {
using security::bytes_span;
using security::bytes_view;
using security::message_type;
using security::sdu_type;
using security::stream_purpose;

// Times in a round, from the UTC second on. A real Request is composed answer_delay_ms beforehand; the answers to what
// may be heard until then are ready before their first copy is due.
constexpr time_ms plan_before_ms = security::answer_delay_ms + 100;
constexpr time_ms copies_apart_ms = 400, places_apart_ms = 20;
constexpr int copies = 3;
constexpr std::array<time_ms, 4> first_copy_ms{0, 1900, 3700, 5000};  // Request, Command, Complete, first record
constexpr time_ms last_request_ms = 1400;                             // what comes later would be answered too late
constexpr time_ms change_ms = 6600;
constexpr time_ms heard_lately_ms = 3000;
constexpr std::size_t most_signalling_octets = 2048;
constexpr int goodbye_cells = 5;
constexpr std::size_t l2_octets = 3;
constexpr std::size_t first_record_octets = security::accept_octets + security::record_overhead_octets;
constexpr int most_late_records = 8;
constexpr std::size_t least_queue_octets = 4 * 1500;  // four packets of a host

l2_id read_l2(bytes_view b) { return l2_id{b[0]} << 16 | l2_id{b[1]} << 8 | b[2]; }
void put_l2(l2_id v, std::vector<std::uint8_t>& out) {
  for (const int shift : {16, 8, 0}) out.push_back(static_cast<std::uint8_t>(v >> shift));
}
std::uint8_t kind_of(sdu_type t) {
  return static_cast<std::uint8_t>(static_cast<unsigned>(cell_kind::data) + static_cast<unsigned>(t));
}
std::uint16_t seq_of(bytes_view message) { return static_cast<std::uint16_t>(message[1] << 8 | message[2]); }
bool is_place(peer_id peer) { return peer >= first_cover_peer; }
}  // namespace

link_cover::link_cover(const cover_config& config, security_port& inner, security::random_port& system,
                       security::dh_port& dh)
    : config_(config), inner_(inner), system_(system), dh_(dh), places_(static_cast<std::size_t>(config.flows)) {
  const std::size_t carried = (static_cast<std::size_t>(config_.cell_octets) - cell_header_octets) *
                              static_cast<std::size_t>(config_.data_lifetime_ms / config_.interval_ms);
  config_.max_queued_octets = std::min(config_.max_queued_octets, std::max(carried, least_queue_octets));
}

// --- the clock ------------------------------------------------------------------------------------------------------

bool link_cover::advance(slot_t t, time_ms now) {
  const bool ok = inner_.advance(t, now);
  // A round that is planned goes on as it was planned.
  if (ok && covers() && !planned_) {
    const auto round = static_cast<slot_t>(config_.round_s);
    round_at_ = now + time_ms{round - t % round} * 1000;
  }
  return ok;
}

time_ms link_cover::cell_time(std::int64_t n) const { return first_cell_ + n * config_.interval_ms / config_.flows; }

time_ms link_cover::next_round_step() const {
  if (round_at_ == INT64_MAX) return INT64_MAX;
  if (!planned_) return round_at_ - plan_before_ms;
  return plan_done_ < plan_.size() ? plan_[plan_done_].at : round_at_ + change_ms;
}

time_ms link_cover::next_due() const {
  time_ms next = inner_.next_due();
  if (!covers()) return next;
  if (first_cell_ != INT64_MAX) next = std::min(next, cell_time(cells_));
  return std::min(next, next_round_step());
}

void link_cover::release_due(time_ms now, security::actions& out) {
  inner_.release_due(now, out);
  if (!covers()) return;
  sift(out, now);  // what has become ready can still go into this round
  while (now >= next_round_step()) {
    if (!planned_) {
      plan(now, out);
    } else if (plan_done_ < plan_.size()) {
      send_set_up(plan_[plan_done_++], out);
    } else {
      change_identifiers();
      if (first_cell_ == INT64_MAX) first_cell_ = now;
    }
  }
  if (first_cell_ == INT64_MAX) return;
  // A caller that was late leaves cells out, whatever they would have carried.
  while (cell_time(cells_ + config_.flows) <= now) ++cells_;
  for (; now >= cell_time(cells_); ++cells_) send_cell(static_cast<std::size_t>(cells_ % config_.flows), now, out);
}

void link_cover::tick(time_ms now, security::actions& out) {
  inner_.tick(now, out);
  for (auto& [peer, queue] : out_)
    if (!inner_.link_with(peer)) expired_ += queue.expire(now - config_.data_lifetime_ms);
}

// --- rounds ---------------------------------------------------------------------------------------------------------

/// Which the peer has after the round that is planned.
link_cover::place* link_cover::next_place_of(peer_id peer) {
  for (auto& p : places_)
    if (p.asked == peer || p.answered == peer) return &p;
  return nullptr;
}

bool link_cover::carries(security::link_id link) const {
  return std::any_of(places_.begin(), places_.end(), [link](const place& p) { return p.link == link; });
}

/// The peer has a link that was not shown yet.
bool link_cover::is_new(peer_id peer) const {
  const auto link = inner_.link_with(peer);
  const auto shown = was_shown_.find(peer);
  return link && (shown == was_shown_.end() || shown->second != *link);
}

void link_cover::plan(time_ms now, security::actions& out) {
  planned_ = true;
  for (const auto link : leaving_) (void)inner_.release(link, now, out);  // no place came to carry them
  leaving_.clear();
  plan_.clear();
  plan_done_ = 0;
  for (std::size_t i = 0; i < places_.size(); ++i) {
    auto& p = places_[i];
    if (!inner_.link_with(p.peer)) p.peer = 0;  // its set-up failed, or its link was lost
    p.asked = p.answered = 0;
    p.messages = {};
    for (const auto what : all_messages)
      for (int c = 0; c < copies; ++c)
        plan_.push_back({round_at_ + first_copy_ms[static_cast<std::size_t>(what)] + c * copies_apart_ms +
                             static_cast<time_ms>(i) * places_apart_ms,
                         i, what});
  }
  std::stable_sort(plan_.begin(), plan_.end(), [](const planned& a, const planned& b) { return a.at < b.at; });
  draw_order();
  for (const auto& p : places_)
    if (p.peer != 0) free_place(p.peer)->asked = p.peer;
  std::erase_if(heard_, [&](const auto& h) { return now - h.second.at > heard_lately_ms; });
  std::erase_if(wanted_, [&](const auto& w) { return now - w.second > heard_lately_ms; });
  for (const auto& [peer, h] : heard_) {
    if (next_place_of(peer) != nullptr || !(wanted_.contains(peer) || inner_.link_with(peer))) continue;
    place* free = free_place(peer);
    if (free == nullptr) break;
    free->asked = peer;
  }
  for (const auto& p : places_)
    if (const auto h = heard_.find(p.asked); h != heard_.end() && !is_new(p.asked))
      (void)inner_.connect(h->second.heard, now, out);
}

bool link_cover::takes_requests(time_ms now) const {
  return planned_ && now >= round_at_ - plan_before_ms && now <= round_at_ + last_request_ms;
}

/// The times of its records tell which place a flow has.
void link_cover::draw_order() {
  order_.resize(places_.size());
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  auto& choice = random(stream_purpose::connect_backoff, first_cover_peer);  // the MAC draws none of these for places
  for (std::size_t n = order_.size(); n > 1; --n)
    std::swap(order_[n - 1], order_[static_cast<std::size_t>(below(choice, static_cast<int>(n)))]);
}

/// Each peer looks from a position of its own in the order that was drawn. So its place does not depend on other links,
/// but where two peers have the same position.
link_cover::place* link_cover::free_place(peer_id peer) {
  for (std::size_t i = 0; i < order_.size(); ++i)
    if (auto& p = places_[order_[(peer + i) % order_.size()]]; p.asked == 0 && p.answered == 0) return &p;
  return nullptr;
}

/// The peer's own place; else one that is for nobody.
link_cover::place* link_cover::place_for_answer(peer_id peer) {
  place* own = next_place_of(peer);
  return own != nullptr ? own : free_place(peer);
}

/// What a place has shown once it goes on showing.
void link_cover::keep_set_up(const security::send_message& m) {
  if (!planned_ || m.octets.empty()) return;
  const auto type = static_cast<message_type>(m.octets[0]);
  const auto what = type == message_type::direct_communication_request ? message::request
                    : type == message_type::security_mode_command      ? message::command
                                                                       : message::complete;
  place* p = what == message::command ? place_for_answer(m.peer) : next_place_of(m.peer);
  if (p == nullptr) return;
  if (what == message::command) p->answered = m.peer;
  auto& kept = p->messages[static_cast<std::size_t>(what)];
  // A Complete belongs to the Request that this place has shown.
  const auto& request = p->messages[static_cast<std::size_t>(message::request)];
  if (!kept.octets.empty() || (what == message::complete && (request.src != m.src || request.dst != m.dst))) return;
  kept = {m.src, m.dst, m.octets};
}

void link_cover::send_set_up(const planned& p, security::actions& out) {
  auto& m = places_[p.place].messages[static_cast<std::size_t>(p.what)];
  if (p.what == message::first_record && !places_[p.place].chosen) choose_identifiers(p.place);
  if (m.octets.empty()) make_dummy(places_[p.place], p.place, p.what);
  const auto lcid = p.what == message::request        ? lcid_pc5s_unprotected
                    : p.what == message::first_record ? lcid_pc5s_protected
                                                      : lcid_pc5s_security_mode;
  out.push_back(security::send_message{first_cover_peer + static_cast<peer_id>(p.place), lcid, m.src, m.dst, m.octets});
}

/// The MAC draws nothing for this purpose.
security::random_port& link_cover::octets_of(std::size_t index) {
  return random(stream_purpose::set_up_identifiers, first_cover_peer + static_cast<peer_id>(index));
}

l2_id link_cover::draw_l2(std::size_t index) {
  std::array<std::uint8_t, l2_octets> b{};
  octets_of(index).fill(b);
  return read_l2(b);
}

/// As long as a real one, with a real ephemeral key (a random string is no point of the curve in half of the cases);
/// the rest of a real one is encrypted or a token, and looks random.
void link_cover::make_dummy(place& p, std::size_t index, message what) {
  auto& m = p.messages[static_cast<std::size_t>(what)];
  const auto& request = p.messages[static_cast<std::size_t>(message::request)];
  auto& octets = octets_of(index);
  if (what == message::first_record) {
    m = {p.next.src, p.next.dst, std::vector<std::uint8_t>(first_record_octets)};
    octets.fill(m.octets);
    security::write_pdcp_header({sdu_type::pc5s, p.next.kd_sess_id, 0},
                                bytes_span(m.octets).first<security::pdcp_header_octets>());
    return;
  }
  const bool complete = what == message::complete;
  m.src = complete ? request.src : draw_l2(index);
  m.dst = complete ? request.dst : draw_l2(index);
  m.octets.resize(what == message::request   ? security::request_octets
                  : what == message::command ? security::command_octets
                                             : security::complete_octets);
  octets.fill(m.octets);
  if (complete) {
    security::write_message_header({message_type::security_mode_complete, seq_of(request.octets)}, m.octets);
    return;
  }
  std::size_t at = security::message_header_octets;
  const bool asks = what == message::request;
  security::write_message_header(
      {asks ? message_type::direct_communication_request : message_type::security_mode_command, seq_of(m.octets)},
      m.octets);
  if (asks) m.octets[at++] = security::protocol_version;
  const auto key = security::ephemeral_private_key::make([&](auto out) { octets.fill(out); });
  const auto shown = dh_.public_of(key);
  std::copy(shown.octets.begin(), shown.octets.end(), m.octets.begin() + static_cast<std::ptrdiff_t>(at));
}

std::optional<link_cover::identifiers> link_cover::identifiers_with(peer_id peer) const {
  if (is_new(peer)) {
    const auto i = inner_.info(*inner_.link_with(peer), 0);
    return i ? std::optional(identifiers{i->own_l2, i->peer_l2, i->kd_sess_id}) : std::nullopt;
  }
  const auto i = inner_.pending(peer);
  return i ? std::optional(identifiers{i->own_l2, i->peer_l2, i->kd_sess_id}) : std::nullopt;
}

void link_cover::choose_identifiers(std::size_t index) {
  auto& p = places_[index];
  auto& octets = octets_of(index);
  p.chosen = true;
  // Drawn in any case: what is drawn for a place does not depend on whose it is.
  p.next.src = draw_l2(index);
  p.next.dst = draw_l2(index);
  const int msb = 1 + below(octets, UINT8_MAX), lsb = 1 + below(octets, UINT8_MAX);
  p.next.kd_sess_id = static_cast<std::uint16_t>(msb << 8 | lsb);
  p.next_peer = p.answered != 0 ? p.answered : p.asked;
  const auto real = p.next_peer != 0 ? identifiers_with(p.next_peer) : std::nullopt;
  if (real)
    p.next = *real;
  else
    p.next_peer = 0;
  auto& record = p.messages[static_cast<std::size_t>(message::first_record)];
  if (record.src != p.next.src || record.dst != p.next.dst) record = {};
}

void link_cover::change_identifiers() {
  planned_ = false;
  round_at_ += time_ms{config_.round_s} * 1000;  // until the clock says it better
  for (auto& p : places_) {
    p.sealed.clear();
    p.shown = true;
    p.ids = p.next;
    p.peer = p.next_peer;
    p.link = 0;
    p.sn = 0;
    p.asked = p.answered = 0;
    p.chosen = false;
  }
}

/// The link of a place is there with its first record, or a little later. Records that were random until then count.
void link_cover::join(place& p, time_ms now) {
  if (p.peer == 0 || p.link != 0 || p.sn > most_late_records || !is_new(p.peer)) return;
  if (identifiers_with(p.peer) != p.ids) return;
  p.link = *inner_.link_with(p.peer);
  was_shown_[p.peer] = p.link;
  std::vector<std::uint8_t> pdu(static_cast<std::size_t>(config_.cell_octets) + security::record_overhead_octets);
  const std::vector<std::uint8_t> cell(static_cast<std::size_t>(config_.cell_octets));
  for (int i = 0; i < p.sn; ++i) (void)inner_.seal(p.link, lcid_cells, sdu_type::non_ip, cell, now, pdu);
}

// --- cells out ------------------------------------------------------------------------------------------------------

/// Returns false where the record would not look like the place's next one: its link was lost, or goes on under other
/// identifiers because its peer made it. Then nothing more of it is sent in this place.
bool link_cover::seal_cell(place& p, std::vector<std::uint8_t>& pdu, std::span<const std::uint8_t> cell, time_ms now) {
  const auto sealed = inner_.seal(p.link, lcid_cells, sdu_type::non_ip, cell, now, pdu);
  const security::pdcp_header expected{sdu_type::non_ip, p.ids.kd_sess_id, p.sn};
  if (sealed && sealed->src == p.ids.src && sealed->dst == p.ids.dst && security::read_pdcp_header(pdu) == expected)
    return true;
  p.peer = 0;
  p.link = 0;
  return false;
}

void link_cover::send_cell(std::size_t index, time_ms now, security::actions& out) {
  auto& p = places_[index];
  const auto n = static_cast<std::size_t>(config_.cell_octets);
  std::vector<std::uint8_t> pdu(n + security::record_overhead_octets);
  bool real = false;
  join(p, now);
  if (p.link != 0 && std::erase(leaving_, p.link) != 0) (void)release(p.link, now, out);
  if (!p.sealed.empty()) {
    pdu = std::move(p.sealed.front());
    p.sealed.erase(p.sealed.begin());
    real = true;
  } else if (p.link != 0) {
    auto& queue = out_[p.peer];
    std::vector<std::uint8_t> cell(n);
    if (inner_.link_with(p.peer) == p.link) queue.cut(cell);
    real = seal_cell(p, pdu, cell, now);
  }
  if (!real) {
    octets_of(index).fill(pdu);
    security::write_pdcp_header({sdu_type::non_ip, p.ids.kd_sess_id, p.sn},
                                bytes_span(pdu).first<security::pdcp_header_octets>());
  }
  ++p.sn;
  out.push_back(security::send_message{first_cover_peer + static_cast<peer_id>(index), lcid_cells, p.ids.src, p.ids.dst,
                                       std::move(pdu)});
}

/// Of the actions that the security sublayer gave: what it sends goes into a round or into cells.
void link_cover::sift(security::actions& actions, time_ms now) {
  if (!covers()) return;
  std::erase_if(actions, [&](security::action& a) {
    if (const auto* lost = std::get_if<security::link_lost>(&a)) {
      std::erase(leaving_, lost->link);
      for (auto& p : places_)
        if (p.link == lost->link) p.link = 0, p.peer = lost->reason == security::lost_reason::replaced ? p.peer : 0;
    }
    auto* m = std::get_if<security::send_message>(&a);
    if (m == nullptr || is_place(m->peer)) return false;
    if (m->lcid == lcid_pc5s_protected)
      keep_signalling(*m, now);
    else
      keep_set_up(*m);
    return true;
  });
}

/// A sealed PC5-S message goes with its identifiers into a cell of its link. What a link sends before it has a place
/// can only be an Accept; its first is the place's first record.
void link_cover::keep_signalling(security::send_message& m, time_ms now) {
  const auto link = inner_.link_with(m.peer);
  if (link && carries(*link)) {
    std::vector<std::uint8_t> sdu;
    put_l2(m.src, sdu);
    put_l2(m.dst, sdu);
    sdu.insert(sdu.end(), m.octets.begin(), m.octets.end());
    (void)out_[m.peer].enqueue(static_cast<std::uint8_t>(cell_kind::signalling), std::move(sdu), now,
                               config_.max_queued_octets + most_signalling_octets);
    return;
  }
  place* p = next_place_of(m.peer);
  if (p == nullptr || !planned_ || !is_new(m.peer)) return;
  auto& record = p->messages[static_cast<std::size_t>(message::first_record)];
  if (record.octets.empty() && m.octets.size() == first_record_octets) record = {m.src, m.dst, std::move(m.octets)};
}

bool link_cover::enqueue(peer_id peer, sdu_type type, std::span<const std::uint8_t> data, time_ms now) {
  if (data.empty() || data.size() > security::max_sdu_octets) return false;
  return out_[peer].enqueue(kind_of(type), {data.begin(), data.end()}, now, config_.max_queued_octets);
}

bool link_cover::has_room(peer_id peer, std::size_t octets) const {
  const auto q = out_.find(peer);
  return (q == out_.end() ? 0 : q->second.octets()) + octets <= config_.max_queued_octets;
}

std::size_t link_cover::queued_octets() const {
  std::size_t n = 0;
  for (const auto& [peer, q] : out_) n += q.octets();
  return n;
}

/// The peer whose link a round has set up, and no place shows yet; 0: none.
peer_id link_cover::waits_for_place(security::link_id link, time_ms now) const {
  const auto made = inner_.info(link, now);
  if (!made || !is_new(made->peer)) return 0;
  const auto has = [&](const place& p) {
    return p.peer == made->peer || p.asked == made->peer || p.answered == made->peer;
  };
  return std::any_of(places_.begin(), places_.end(), has) ? made->peer : 0;
}

/// The peer is told in the place's next records, which are sealed before the link goes.
bool link_cover::release(security::link_id link, time_ms now, security::actions& out) {
  if (!covers()) return inner_.release(link, now, out);
  if (const auto peer = waits_for_place(link, now); peer != 0) {
    wanted_.erase(peer);
    if (std::find(leaving_.begin(), leaving_.end(), link) == leaving_.end()) leaving_.push_back(link);
    return true;
  }
  for (auto& p : places_) {
    if (p.link != link) continue;
    wanted_.erase(p.peer);
    const auto sn = p.sn;
    for (int i = 0; i < goodbye_cells; ++i, ++p.sn) {
      cell_cutter goodbye;
      (void)goodbye.enqueue(static_cast<std::uint8_t>(cell_kind::goodbye), {0}, now, 1);
      std::vector<std::uint8_t> cell(static_cast<std::size_t>(config_.cell_octets));
      goodbye.cut(cell);
      std::vector<std::uint8_t> pdu(cell.size() + security::record_overhead_octets);
      if (!seal_cell(p, pdu, cell, now)) break;
      p.sealed.push_back(std::move(pdu));
    }
    p.sn = sn;
    break;
  }
  return inner_.release(link, now, out);
}

std::size_t link_cover::closing() const {
  return leaving_.size() + static_cast<std::size_t>(std::count_if(places_.begin(), places_.end(),
                                                                  [](const place& p) { return !p.sealed.empty(); }));
}

time_ms link_cover::longest_goodbye_ms() const { return covers() ? change_ms + 2 * config_.interval_ms : 0; }

// --- reception ------------------------------------------------------------------------------------------------------

std::optional<security::discovery_event> link_cover::discovery(
    std::span<const std::uint8_t, security::discovery_octets> pdu, time_ms now) {
  auto e = inner_.discovery(pdu, now);
  if (covers() && e)
    if (const auto* h = std::get_if<security::peer_heard>(&*e)) heard_.insert_or_assign(h->peer, heard_peer{*h, now});
  return e;
}

bool link_cover::connect(const security::peer_heard& heard, time_ms now, security::actions& out) {
  if (!covers()) return inner_.connect(heard, now, out);
  wanted_[heard.peer] = now;
  return false;
}

result<security::received_data, security::drop_reason> link_cover::receive(std::uint8_t lcid, l2_id src, l2_id dst,
                                                                           std::span<const std::uint8_t> octets,
                                                                           time_ms now, std::span<std::uint8_t> buffer,
                                                                           security::actions& out) {
  if (covers() && lcid == lcid_pc5s_unprotected && !takes_requests(now))
    return tl::unexpected(security::drop_reason::limit);
  auto r = inner_.receive(lcid, src, dst, octets, now, buffer, out);
  return r && r->is_data && lcid == lcid_cells ? open_cell(*r, now, out) : r;
}

result<security::received_data, security::drop_reason> link_cover::open_cell(const security::received_data& r,
                                                                             time_ms now, security::actions& out) {
  security::received_data nothing{r.peer, r.link, false, sdu_type::pc5s, {}};
  const auto sdu = in_[r.peer].join(r.data);
  if (!sdu) return nothing;
  if (sdu->kind == static_cast<std::uint8_t>(cell_kind::goodbye)) {
    on_goodbye(r, now, out);
    return nothing;
  }
  if (sdu->kind == static_cast<std::uint8_t>(cell_kind::signalling)) {
    if (sdu->octets.size() < 2 * l2_octets) return nothing;
    const auto pdu = sdu->octets.subspan(2 * l2_octets);
    nested_.resize(pdu.size());
    (void)inner_.receive(lcid_pc5s_protected, read_l2(sdu->octets), read_l2(sdu->octets.subspan(l2_octets)), pdu, now,
                         nested_, out);
    return nothing;
  }
  for (const auto type : {sdu_type::ip, sdu_type::arp, sdu_type::non_ip})
    if (sdu->kind == kind_of(type)) return security::received_data{r.peer, r.link, true, type, sdu->octets};
  return nothing;
}

/// A covered peer has released the link. It sends no Release that could be told from other records, and needs no
/// Accept.
void link_cover::on_goodbye(const security::received_data& r, time_ms now, security::actions& out) {
  security::actions caused;
  (void)inner_.release(r.link, now, caused);
  for (auto& a : caused)
    if (auto* lost = std::get_if<security::link_lost>(&a)) {
      lost->reason = security::lost_reason::released_by_peer;
      out.push_back(*lost);
    }
}

// --- streams, status ------------------------------------------------------------------------------------------------

security::random_port& link_cover::random(stream_purpose p, peer_id peer) {
  if (!is_place(peer)) return inner_.random(p, peer);
  auto& s = streams_[{peer, p}];
  if (!s) {
    security::public_key label;  // of nobody: it names the place
    label.octets[0] = static_cast<std::uint8_t>(peer - first_cover_peer);
    s = system_.stream({p, &label});
  }
  if (!s)
    s = std::make_unique<security::random_stream>(security::stream_key::make([&](auto out) { system_.fill(out); }));
  return *s;
}

std::vector<link_cover::place_status> link_cover::status() const {
  std::vector<place_status> s;
  for (const auto& p : places_) s.push_back({p.shown, p.link != 0 ? p.peer : 0});
  return s;
}

}  // namespace prose::mac
