#include "apps/lib/verdict/octet_account.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "apps/lib/verdict/reuse_checks.h"

namespace prose::apps {
namespace {
using bytes = std::span<const std::uint8_t>;
using kind = transmitter_id::kind;

constexpr int count_window = 1024;  // SNs of a channel follow each other, but for losses and reordering
constexpr std::size_t max_seen = 1U << 17;
constexpr int lsb_window = 40;  // slots: a UE's clock may be 16 off, and another's as much the other way
constexpr int n_subframe_numbers = 10'240;
constexpr std::uint32_t shared_account = 0x1000000;  // of senders that come too late for one of their own
constexpr std::size_t max_doubts = 16;               // that are told one by one

std::string hex6(std::uint32_t v) {
  char text[16];
  std::snprintf(text, sizeof text, "%06x", v & 0xffffffU);
  return text;
}
std::uint64_t key_of(const transmitter_id& t) {
  return std::uint64_t{static_cast<std::uint8_t>(t.of)} << 32 | t.number;
}

/// First octet behind the subheaders, whatever version and LCIDs they name.
std::size_t header_end(bytes tb) {
  std::size_t at = 7;
  for (bool more = true; more && at < tb.size();) {
    const std::uint8_t sub = tb[at++];
    more = (sub & 0x20) != 0;
    if (more && (sub & 0x1f) != mac::lcid_padding && at < tb.size()) at += (tb[at] & 0x80) != 0 ? 2 : 1;
  }
  return std::min(at, tb.size());
}
/// Zeros at the ends say nothing of what lies between them.
bytes trimmed(bytes octets) {
  while (!octets.empty() && octets.back() == 0) octets = octets.first(octets.size() - 1);
  while (!octets.empty() && octets.front() == 0) octets = octets.subspan(1);
  return octets;
}
constexpr const char* never_completed = "parts of SDUs that are never completed, though no block is missing";
/// Without the headers of RLC and PDCP, which repeat themselves in whatever is built like the product's blocks.
bytes behind_headers(bytes octets) { return octets.size() > 12 ? octets.subspan(6) : octets; }

void add(octet_sums& sum, const octet_sums& s) {
  sum.heard += s.heard;
  sum.parsed += s.parsed;
  sum.padding += s.padding;
  sum.cut += s.cut;
  sum.waiting += s.waiting;
  sum.unexplained += s.unexplained;
  sum.padding_not_zero += s.padding_not_zero;
}

/// Whether something was sent that is not zero where it must be.
bool has_not_zero(const transmitter_verdict& x) { return x.reserved_not_zero > 0 || x.octets.padding_not_zero > 0; }

/// Whether what was sent leaves a doubt: octets that are not explained, unless they are few, or are not zero.
bool leaves_doubt(const transmitter_verdict& x) { return (x.octets.unexplained > 0 && !x.exempt) || has_not_zero(x); }

/// Exposed transmitters come first, then those that leave a doubt; of each kind, those with the most blocks.
void sort_for_listing(std::vector<transmitter_verdict>& all) {
  const auto order = [](const transmitter_verdict& x) {
    return x.outcome == verdict_outcome::exposed ? 0 : leaves_doubt(x) ? 1 : 2;
  };
  std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
    return std::pair(order(a), ~a.blocks) < std::pair(order(b), ~b.blocks);
  });
}
}  // namespace

std::string text_of(const transmitter_id& t) {
  switch (t.of) {
    case kind::blocks:
      return "src " + hex6(t.number);
    case kind::discovery:
      return "discovery";
    case kind::slss:
      return "slss " + std::to_string(t.number);
    case kind::sci:
      return "sci format " + std::to_string(t.number);
  }
  return "?";
}

octet_account::transmitter& octet_account::of(const transmitter_id& id) {
  const auto at = transmitters_.find(id);
  if (at != transmitters_.end()) return at->second;
  // A flood of made-up senders: those that come late share one account, which is named 1000000.
  if (transmitters_.size() >= max_transmitters) return transmitters_[{id.of, shared_account}];
  return transmitters_[id];
}

void octet_account::name_frame(std::uint64_t frame, const transmitter_id& id) {
  if (of_frame_.size() < max_frames_named && (of_frame_.empty() || of_frame_.back().first < frame))
    of_frame_.emplace_back(frame, id);
}

/// Whether these octets were tested before: what is sent again has no structure of its own.
bool octet_account::fresh(bytes octets) {
  const auto h = hash_of(octets, 7);
  if (seen_before_.contains(h) || !seen_.insert(h).second) return false;
  if (seen_.size() >= max_seen) seen_before_ = std::move(seen_), seen_.clear();
  return true;
}

void octet_account::unexplained(const transmitter_id& id, std::uint64_t frame, std::size_t octets, bytes tested,
                                const char* why) {
  auto& t = of(id);
  t.sums.unexplained += octets;
  if (t.last_unexplained != frame) ++t.unexplained_blocks, t.last_unexplained = frame;
  if (t.first_reason.empty()) t.first_reason = why;
  t.frames.add(frame);
  if (tested.empty() || !fresh(tested)) return;
  unexplained_tests_.add(key_of(id), tested, frame);
  if (look_) look_(tested, frame);
}

void octet_account::reserved(const transmitter_id& id, std::uint64_t frame, const char* what, std::uint32_t value,
                             int n_bits) {
  if (value == 0 && reserved_.empty()) return;
  auto at = reserved_.find({id, what});
  if (at == reserved_.end()) {
    if (value == 0) return;
    if (reserved_.size() < max_transmitters) at = reserved_.try_emplace({id, what}).first;
  }
  std::vector<std::uint8_t> octets;
  if (at != reserved_.end()) at->second.add(value, n_bits, octets);
  if (!octets.empty() && at->second.varies()) {
    unexplained_tests_.add(key_of(id) | std::uint64_t{1} << 40, octets, frame);
    if (look_) look_(octets, frame);
  }
  if (value == 0 || id.of == kind::sci) return;
  auto& t = of(id);
  ++t.not_zero;
  t.frames.add(frame);
  if (t.first_reason.empty()) t.first_reason = what;
}

// --- blocks
// -------------------------------------------------------------------------------------------------------------------

bool octet_account::add_block(const captured_frame& f, const take_sdu& take) {
  const bytes tb = f.octets;
  const bool named = tb.size() >= 4;
  const transmitter_id id{kind::blocks, named ? std::uint32_t{tb[1]} << 16 | std::uint32_t{tb[2]} << 8 | tb[3] : 0};
  auto& t = of(id);
  ++t.blocks;
  t.sums.heard += tb.size();
  name_frame(f.number, id);
  if (!odd_scis_.empty()) confirm_sci(f);
  const auto pdu = sl_sch_of(f);
  if (!pdu) {
    const bool reserved_version = !tb.empty() && (tb[0] >> 4 < 1 || tb[0] >> 4 > 3);
    unexplained(id, f.number, tb.size(), trimmed(behind_headers(tb.subspan(header_end(tb)))),
                reserved_version ? "blocks of a reserved MAC version" : "malformed blocks, or with a reserved LCID");
    return false;
  }
  // R bits: four beside V, two in each subheader.
  reserved(id, f.number, "reserved bits of MAC headers are not zero", tb[0] & 0x0fU, 4);
  std::size_t at = mac::header_octets(pdu->header.version);
  for (bool more = true; more;) {
    const std::uint8_t sub = tb[at++];
    reserved(id, f.number, "reserved bits of MAC subheaders are not zero", sub >> 6, 2);
    more = (sub & 0x20) != 0;
    if (more && (sub & 0x1f) != mac::lcid_padding) at += (tb[at] & 0x80) != 0 ? 2 : 1;
  }
  std::size_t data = 0;
  for (const auto& s : pdu->all()) data += s.data.size();
  t.sums.parsed += at;
  const bytes padding = tb.subspan(at + data);
  t.sums.padding += padding.size();
  if (const auto n =
          static_cast<std::uint64_t>(std::count_if(padding.begin(), padding.end(), [](auto x) { return x != 0; }));
      n > 0) {
    t.sums.padding_not_zero += n;
    t.frames.add(f.number);
    if (t.first_reason.empty()) t.first_reason = "padding is not zero";
    if (const auto part = trimmed(padding); fresh(part)) {
      unexplained_tests_.add(key_of(id), part, f.number);
      if (look_) look_(part, f.number);
    }
  }
  if (l2_seen_.size() < max_seen) {
    const auto draw = [&](std::uint32_t l2, field_tests::kind k) {
      if (!l2_seen_.insert(std::uint64_t{static_cast<std::uint8_t>(k)} << 32 | l2).second) return;
      const std::uint8_t octets[] = {static_cast<std::uint8_t>(l2 >> 16), static_cast<std::uint8_t>(l2 >> 8),
                                     static_cast<std::uint8_t>(l2)};
      fields_.add(k, octets, f.number);
    };
    draw(pdu->header.src, field_tests::kind::source_id);
    draw(pdu->header.dst, field_tests::kind::destination_id);
  }
  take_ = &take;
  sdus_.add(f, *pdu, *this);
  take_ = nullptr;
  return true;
}

void octet_account::overhead(std::uint32_t src, std::size_t octets) { of({kind::blocks, src}).sums.parsed += octets; }

void octet_account::rlc_padding(const captured_sdu& pdu, std::uint8_t bits) {
  reserved({kind::blocks, pdu.src}, pdu.frame, "padding bits of RLC headers are not zero", bits, 4);
}

void octet_account::malformed(const captured_sdu& pdu) {
  unexplained({kind::blocks, pdu.src}, pdu.frame, pdu.octets.size(), behind_headers(pdu.octets),
              "RLC PDUs that are none");
}

void octet_account::doubted(const captured_sdu& piece, bool begins) {
  const auto tested = begins && piece.octets.size() > security::pdcp_header_octets
                          ? piece.octets.subspan(security::pdcp_header_octets)
                          : piece.octets;
  if (tested.empty() || !fresh(tested)) return;
  unexplained_tests_.add(key_of({kind::blocks, piece.src}), tested, piece.frame);
  if (look_) look_(tested, piece.frame);
}

void octet_account::part(const captured_sdu& piece, bool begins) {
  of({kind::blocks, piece.src}).sums.parsed += piece.octets.size();
  doubted(piece, begins);
}

void octet_account::alternative(const captured_sdu& s) {
  if (doubt_about(s) == nullptr) (*take_)(s, true);
}

void octet_account::cut(const captured_sdu& piece, bool begins, bool by_loss, bool follows) {
  const transmitter_id id{kind::blocks, piece.src};
  doubted(piece, begins);
  if (!by_loss) {
    unexplained(id, piece.frame, piece.octets.size(), {}, never_completed);
    return;
  }
  n_cut_ += follows ? 0 : 1;
  of(id).sums.cut += piece.octets.size();
}

std::uint64_t octet_account::cut_pieces() const {
  std::uint64_t n = n_cut_;
  sdus_.each_doubted([&](const captured_sdu&, bool by_loss, bool follows) { n += by_loss && !follows ? 1 : 0; });
  return n;
}

const char* octet_account::doubt_about(const captured_sdu& s) {
  if (profile_ == judged_profile::ts33303) return standard_doubt_about(s);
  if (s.lcid == mac::lcid_pc5s_unprotected || s.lcid == mac::lcid_pc5s_security_mode) {
    const auto m = setup_of(s);
    if (!m || !std::equal(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end(),
                          s.octets.begin()))
      return "messages of no known type and length on LCID 28 or 29";
    const bool request = m->header.type == security::message_type::direct_communication_request;
    if (request != (s.lcid == mac::lcid_pc5s_unprotected)) return "messages on an LCID that is not theirs";
    return nullptr;
  }
  const auto r = record_of(s);
  if (!r) return "PDCP PDUs of a reserved SDU type, or without data";
  if (!security::channel_carries(s.lcid, r->header.type)) return "PDCP PDUs on an LCID that is not theirs";
  if (s.octets.size() < security::record_overhead_octets) return "PDCP PDUs too short for a record";
  return nullptr;
}

void octet_account::add_message(const captured_sdu& s, const setup_view& m) {
  // Type and length are checked; the sequence number and the version are anybody's choice. The last octet of an X25519
  // value is never above 127.
  const bool request = m.header.type == security::message_type::direct_communication_request;
  const bool command = m.header.type == security::message_type::security_mode_command;
  if (!fresh(m.octets)) return;
  const std::size_t header = request ? 4 : 3;
  fields_.add(field_tests::kind::sequence_number, m.octets.subspan(1, header - 1), s.frame);
  auto body = m.octets.subspan(header);
  if (request || command) {
    message_tests_.add(m.src, body.first(security::public_key_octets - 1), s.frame);
    body = body.subspan(security::public_key_octets);
  }
  message_tests_.add(m.src, body, s.frame);
}

/// Nonces are random; a Complete is ciphered. What else is readable is no secret of this profile.
void octet_account::add_message(const captured_sdu& s, const standard_message& m) {
  namespace ts = security::ts33303;
  if (!fresh(m.octets)) return;
  if (!m.readable) return message_tests_.add(s.src, m.octets, s.frame);
  fields_.add(field_tests::kind::sequence_number, m.octets.subspan(1, 2), s.frame);
  if (const auto* r = std::get_if<ts::direct_communication_request>(&m.readable->body))
    message_tests_.add(s.src, r->nonce_1, s.frame);
  if (const auto* c = std::get_if<ts::security_mode_command>(&m.readable->body))
    message_tests_.add(s.src, c->nonce_2, s.frame);
}

/// False: it is a record.
bool octet_account::took_message(const captured_sdu& s) {
  if (profile_ == judged_profile::ts33303) {
    const auto m = standard_message_of(s);
    if (m) add_message(s, *m);
    return m.has_value();
  }
  const auto m = setup_of(s);
  if (m) add_message(s, *m);
  return m.has_value();
}

void octet_account::whole(const captured_sdu& s) {
  const transmitter_id id{kind::blocks, s.src};
  if (const char* why = doubt_about(s)) {
    unexplained(
        id, s.frame, s.octets.size(),
        s.octets.size() > security::pdcp_header_octets ? s.octets.subspan(security::pdcp_header_octets) : s.octets,
        why);
    return;
  }
  if (took_message(s))
    of(id).sums.parsed += s.octets.size();
  else
    add_record(id, s, *record_of(s));
  (*take_)(s, false);
}

void octet_account::add_record(const transmitter_id& id, const captured_sdu& s, const record_view& r) {
  auto& t = of(id);
  reserved(id, s.frame, "the PGK index of PDCP headers is not zero", s.octets[0] & 0x1fU, 5);
  if (counts_.size() >= max_seen) counts_.clear();
  const std::uint64_t channel =
      hash_of(s.octets.subspan(1, 2), std::uint64_t{s.src} << 40 ^ std::uint64_t{s.dst} << 8 ^ s.lcid);
  const auto [last, first] = counts_.try_emplace(channel, r.header.sn);
  const int step = static_cast<std::int16_t>(r.header.sn - last->second);
  last->second = r.header.sn;
  if (!first && std::abs(step) > count_window) {
    unexplained(id, s.frame, 2, {}, "record counts that leap");
    t.sums.parsed += s.octets.size() - 2;
    fields_.add(field_tests::kind::sequence_number, s.octets.subspan(3, 2), s.frame);
  } else {
    t.sums.parsed += s.octets.size();
  }
  if (kd_seen_.size() < max_seen && kd_seen_.insert(std::uint64_t{s.src} << 16 | r.header.kd_sess_id).second)
    fields_.add(field_tests::kind::kd_sess_id, s.octets.subspan(1, 2), s.frame);
  ++t.records;
  t.record_octets += r.body().size();
}

// --- what names nobody
// --------------------------------------------------------------------------------------------------------

void octet_account::add_discovery(const captured_frame& f) {
  const transmitter_id id{kind::discovery, 0};
  auto& t = of(id);
  if (f.repetition || !fresh(f.octets)) return;
  ++t.blocks;
  t.sums.heard += f.octets.size();
  name_frame(f.number, id);
  using security::discovery_type;
  const auto type = static_cast<discovery_type>(f.octets[0]);
  const bool known =
      type == discovery_type::announcement || type == discovery_type::response || type == discovery_type::query;
  if (f.octets.size() != security::discovery_octets || !known) {
    unexplained(id, f.number, f.octets.size(), bytes(f.octets).subspan(1),
                "discovery messages of no known type and length");
    return;
  }
  t.sums.parsed += f.octets.size();
  fields_.add(field_tests::kind::discovery_code, bytes(f.octets).subspan(1, 27), f.number);
  ++lsb_offsets_[static_cast<std::uint8_t>(f.octets.back() - static_cast<std::int64_t>(std::floor(f.time_s)))];
}

void octet_account::add_mib(const captured_frame& f) {
  const transmitter_id id{kind::slss, static_cast<std::uint32_t>(f.n_sl_id)};
  auto& t = of(id);
  ++t.blocks;
  t.sums.heard += f.octets.size();
  name_frame(f.number, id);
  const int n_bits = f.n_bits > 0 ? f.n_bits : static_cast<int>(8 * f.octets.size());
  std::vector<std::uint8_t> bits(static_cast<std::size_t>(n_bits));
  for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = (f.octets[i / 8] >> (7 - i % 8)) & 1U;
  const bool sized = n_bits == 40 || n_bits == 48;
  const auto mib = sized ? phy::unpack_mib_sl(bits) : std::nullopt;
  if (!mib) {
    unexplained(id, f.number, f.octets.size(), f.octets, "MIBs with values that are not defined");
    return;
  }
  t.sums.parsed += f.octets.size();
  reserved(id, f.number, "reserved bits of MIBs are not zero", mib->reserved, n_bits == 48 ? 27 : 19);
  auto& c = clocks_[f.n_sl_id];
  const int number = mib->direct_frame_number * 10 + mib->direct_subframe_number;
  const auto now = std::llround(f.time_s * 1000) % n_subframe_numbers;
  const int offset = static_cast<int>((number - now + 2 * n_subframe_numbers) % n_subframe_numbers);
  const int moved = std::abs(offset - c.offset);
  if (c.mibs++ > 0 && std::min(moved, n_subframe_numbers - moved) > 1) {
    ++c.leaps;
    t.frames.add(f.number);
  }
  c.offset = offset;
}

void octet_account::add_sci(const captured_frame& f) {
  const auto* s0 = std::get_if<phy::sci_format0>(&f.sci);
  const transmitter_id id{kind::sci, s0 != nullptr ? 0U : 1U};
  auto& t = of(id);
  ++t.blocks;
  t.sums.heard += f.octets.size();
  t.sums.parsed += f.octets.size();
  name_frame(f.number, id);
  const auto odd = [&](const char* what, std::uint32_t value, int n_bits, std::uint32_t group, int mcs) {
    reserved(id, f.number, what, value, n_bits);
    if (value == 0 || (!odd_scis_.empty() && odd_scis_.back().frame == f.number)) return;
    if (odd_scis_.size() < 4096)
      odd_scis_.push_back({f.number, f.time_s, f.sample, s0 == nullptr, false, group, mcs, what});
    else
      ++odd_sci_beyond_;
  };
  if (s0 != nullptr) {
    odd("the timing advance of SCIs is not zero", s0->timing_advance, 11, s0->group_destination_id, s0->mcs);
    odd("SCIs with a reserved time resource pattern or MCS",
        (s0->time_resource_pattern > 106 ? s0->time_resource_pattern : 0U) |
            (s0->mcs > 28 ? std::uint32_t{s0->mcs} << 7 : 0U),
        12, s0->group_destination_id, s0->mcs);
    return;
  }
  const auto& s1 = std::get<phy::sci_format1>(f.sci);
  if (f.n_subchannels == 0) return;  // the layout is not known, and what follows its fields is a guess
  odd("reserved bits of SCIs are not zero", s1.reserved, std::max(1, 14 - phy::riv_bits(f.n_subchannels)), 0, s1.mcs);
}

/// A block of TM3/4 comes with its SCI, one of TM1/2 after it in the same period (0.32 s at most).
void octet_account::confirm_sci(const captured_frame& block) {
  for (auto at = odd_scis_.rbegin(); at != odd_scis_.rend() && block.time_s - at->time_s <= 0.32; ++at)
    at->confirmed = at->confirmed ||
                    (at->mcs == block.mcs && (at->format1 ? at->sample == block.sample : at->group == block.n_x_id));
}

// --- the end
// ------------------------------------------------------------------------------------------------------------------

void octet_account::judge(check_report& out) const {
  unexplained_tests_.judge(out, "content", "unexplained", "octets that belong to no record or message");
  message_tests_.judge(out, "identity", "message", "what set-up messages hold beside their headers");
  fields_.judge(out);
}

/// The findings name frames, and the frames their transmitters. Each keeps the first finding that names it.
std::map<transmitter_id, std::string> octet_account::exposed_by(const std::vector<finding>& findings) const {
  std::map<transmitter_id, std::string> exposed;
  for (const auto& f : findings)
    for (const auto frame : f.frames) {
      const auto at = std::lower_bound(of_frame_.begin(), of_frame_.end(), frame,
                                       [](const auto& a, std::uint64_t b) { return a.first < b; });
      if (at != of_frame_.end() && at->first == frame) exposed.try_emplace(at->second, f.check + ": " + f.reason);
    }
  return exposed;
}

/// Several UEs' clocks explain the slots of one window. The others are counted.
std::uint64_t octet_account::discovery_of_other_times() const {
  std::uint64_t lsb_all = 0, lsb_best = 0;
  for (const auto n : lsb_offsets_) lsb_all += n;
  for (int first = 0; first < 256; ++first) {
    std::uint64_t n = 0;
    for (int i = 0; i <= 2 * lsb_window; ++i) n += lsb_offsets_[(first + i) & 255];
    lsb_best = std::max(lsb_best, n);
  }
  return lsb_all - lsb_best;
}

/// SCIs that count as noise: those that no block belongs to, or none if they are too many for noise.
std::uint64_t octet_account::noise_scis(std::uint64_t pscch_candidates) const {
  const auto confirmed = static_cast<std::uint64_t>(
      std::count_if(odd_scis_.begin(), odd_scis_.end(), [](const auto& s) { return s.confirmed; }));
  const std::uint64_t loose = odd_scis_.size() - confirmed + odd_sci_beyond_;
  const bool noise = loose > 0 && poisson_tail(false_scis_a_candidate * static_cast<double>(pscch_candidates), loose) >
                                      least_false_sci_p;
  return noise ? loose : 0;
}

/// These pieces will be cut unless something ends their SDU after all.
std::map<transmitter_id, octet_account::transmitter> octet_account::unfinished_pieces() const {
  std::map<transmitter_id, transmitter> unfinished;
  sdus_.each_doubted([&](const captured_sdu& piece, bool by_loss, bool) {
    const transmitter_id id{kind::blocks, piece.src};
    auto& t = unfinished[transmitters_.contains(id) ? id : transmitter_id{id.of, shared_account}];
    if (by_loss) {
      t.sums.cut += piece.octets.size();
      return;
    }
    t.sums.unexplained += piece.octets.size();
    ++t.unexplained_blocks;
    t.frames.add(piece.frame);
  });
  return unfinished;
}

void octet_account::add_unfinished(transmitter& t, const transmitter& unfinished) {
  t.sums.cut += unfinished.sums.cut;
  t.sums.unexplained += unfinished.sums.unexplained;
  t.unexplained_blocks += unfinished.unexplained_blocks;
  for (const auto frame : unfinished.frames.first()) t.frames.add(frame);
  if (t.first_reason.empty() && unfinished.unexplained_blocks > 0) t.first_reason = never_completed;
}

/// Octets that were parsed, but whose values nothing explains.
void octet_account::take_back(transmitter& t, std::uint64_t blocks, std::uint64_t octets, const char* why) {
  t.sums.unexplained += octets;
  t.sums.parsed -= octets;
  t.unexplained_blocks += blocks;
  if (t.first_reason.empty()) t.first_reason = why;
}

void octet_account::add_odd_scis(transmitter& t, bool format1, bool only_confirmed) const {
  for (const auto& s : odd_scis_) {
    if (s.format1 != format1 || (only_confirmed && !s.confirmed)) continue;
    ++t.not_zero;
    t.frames.add(s.frame);
    if (t.first_reason.empty()) t.first_reason = s.what;
  }
}

/// The account of a transmitter, with what only the end of the capture tells.
octet_account::transmitter octet_account::closed(const transmitter_id& id, const transmitter& heard,
                                                 const closing_facts& facts) const {
  transmitter t = heard;
  if (const auto at = facts.unfinished.find(id); at != facts.unfinished.end()) add_unfinished(t, at->second);
  if (id.of == kind::discovery && facts.of_other_times > 0)
    take_back(t, facts.of_other_times, facts.of_other_times, "discovery messages that name slots of another time");
  if (id.of == kind::sci) add_odd_scis(t, id.number == 1, facts.noise_scis > 0);
  if (id.of == kind::slss)
    if (const auto c = clocks_.find(static_cast<int>(id.number));
        c != clocks_.end() && c->second.leaps >= 4 && 20 * c->second.leaps > c->second.mibs)
      take_back(t, c->second.leaps, 2 * c->second.leaps, "frame numbers of MIBs that leap");
  t.sums.waiting = t.sums.heard - t.sums.parsed - t.sums.padding - t.sums.cut - t.sums.unexplained;
  return t;
}

/// The verdict on a transmitter by its account alone. It does not look at findings.
transmitter_verdict octet_account::verdict_on(const transmitter_id& id, const transmitter& t,
                                              const verdict_options& o) {
  transmitter_verdict x{
      text_of(id), verdict_outcome::opaque, {},    t.sums,          t.blocks, t.unexplained_blocks, t.not_zero,
      t.records,   t.record_octets,         false, t.frames.first()};
  const auto below = [&](std::uint64_t part, std::uint64_t whole) {
    return static_cast<double>(part) < o.max_unexplained_share * static_cast<double>(whole);
  };
  const bool few = below(t.unexplained_blocks, t.blocks) && below(t.sums.unexplained, t.sums.heard) &&
                   t.sums.unexplained < o.max_unexplained_octets && id.number < shared_account;
  x.exempt = t.sums.unexplained > 0 && few && !has_not_zero(x);
  if (leaves_doubt(x)) {
    x.outcome = verdict_outcome::nothing_proven;
    x.reason = t.first_reason + ": " + std::to_string(t.sums.unexplained) + " of " + std::to_string(t.sums.heard) +
               " octets unexplained, in " + std::to_string(t.unexplained_blocks) + " of " + std::to_string(t.blocks) +
               "; " + std::to_string(t.sums.padding_not_zero) + " octets of padding and " + std::to_string(t.not_zero) +
               " reserved fields that are not zero";
  } else if (id.of == kind::blocks && (t.records < o.min_records || t.record_octets < o.min_record_octets)) {
    x.outcome = verdict_outcome::nothing_proven;
    x.reason = "too little of it was heard: " + std::to_string(t.records) + " records with " +
               std::to_string(t.record_octets) + " octets";
  } else {
    x.reason = "nothing found";
  }
  return x;
}

void octet_account::conclude(const verdict_options& o, verdict& v) const {
  const auto exposed = exposed_by(v.findings);
  v.noise_scis = noise_scis(v.heard.pscch_candidates);
  const closing_facts facts{unfinished_pieces(), discovery_of_other_times(), v.noise_scis};
  std::vector<transmitter_verdict> all;
  std::size_t n_doubted = 0;
  for (const auto& [id, heard] : transmitters_) {
    auto x = verdict_on(id, closed(id, heard, facts), o);
    add(v.octets, x.octets);
    if (x.exempt) v.exempt_octets += x.octets.unexplained;
    if (leaves_doubt(x) && n_doubted++ < max_doubts)
      v.doubts.push_back({"unexplained", x.who + ": " + x.reason, x.frames});
    if (const auto e = exposed.find(id); e != exposed.end()) x.outcome = verdict_outcome::exposed, x.reason = e->second;
    all.push_back(std::move(x));
  }
  if (n_doubted > max_doubts)
    v.doubts.push_back(
        {"unexplained", std::to_string(n_doubted - max_doubts) + " more transmitters send what is not explained", {}});
  v.n_transmitters = all.size();
  v.rlc_gaps = sdus_.gaps();
  v.assemblies_untried = sdus_.untried();
  if (v.assemblies_untried > 0)
    v.doubts.push_back({"assembly",
                        std::to_string(v.assemblies_untried) +
                            " times more blocks came under one pair of layer-2 IDs than are tried as parts of its SDUs",
                        {}});
  sort_for_listing(all);
  if (all.size() > max_listed) all.resize(max_listed);
  v.transmitters = std::move(all);
}

}  // namespace prose::apps
