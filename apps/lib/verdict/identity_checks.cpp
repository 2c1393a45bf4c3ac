#include "apps/lib/verdict/identity_checks.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "apps/lib/verdict/linker_score.h"
#include "apps/lib/verdict/radio_clusters.h"

namespace prose::apps {
namespace {
constexpr std::size_t max_messages = 4096;
constexpr std::size_t max_slots = 2000;
constexpr std::size_t max_slot_entries = 256;
/// The same rendezvous ID serves the requests of one slot (8 s).
constexpr double request_window_s = 12.0;

double pairs_among(std::uint64_t n) { return static_cast<double>(n) * static_cast<double>(n) / 2; }
}  // namespace

// --- discovery
// --------------------------------------------------------------------------------------------------------------

void identity_checks::add_discovery(const captured_frame& f) {
  if (f.kind != frame_kind::discovery || !f.crc_ok || f.octets.size() != security::discovery_octets) return;
  std::array<std::uint8_t, code_octets> code{};
  std::copy_n(f.octets.begin() + 1, code_octets, code.begin());
  const std::uint8_t lsb = f.octets.back();
  if (const auto at = codes_.find(code); at != codes_.end()) {
    auto& seen = at->second;
    if (seen.recurred) return;
    if (seen.lsb != lsb) {
      seen.recurred = true;
      ++codes_in_two_slots_;
      two_slot_frames_.add(seen.frame);
      two_slot_frames_.add(f.number);
    } else if (f.time_s - seen.first_s > longest_slot_s) {
      seen.recurred = true;
      ++codes_too_long_;
      too_long_frames_.add(seen.frame);
      too_long_frames_.add(f.number);
    }
    return;
  }
  if (codes_.size() >= max_codes) codes_.clear();  // the sums stay; recurrences further apart are no longer seen
  codes_.emplace(code, code_seen{lsb, f.number, f.time_s});
  ++n_codes_;
  code_frames_.add(f.number);

  const auto part = std::span(f.octets).subspan(1, checked_octets);
  double position = 0, octets = 0;
  for (std::size_t i = 0; i < part.size(); ++i) {
    position += code_at_[i].code(part[i]);
    octets += code_octet_.code(part[i]);
    discovery_ones_ += static_cast<std::uint64_t>(std::popcount(part[i]));
  }
  code_positions_.add(position);
  code_octets_saving_.add(octets);
  n_code_repeats_ += code_repeats_.add(part, f.number, code_repeat_frames_);

  if (slots_.empty() || slots_.back().lsb != lsb) {
    // Announcements of neighbours with another clock come in between: they join the slot that is there.
    const auto known = std::find_if(slots_.rbegin(), slots_.rend(), [&](const slot& s) { return s.lsb == lsb; });
    if (known != slots_.rend() && f.time_s - known->first_s < longest_slot_s) {
      if (known->entries.size() < max_slot_entries) known->entries.push_back({{}, f.cfo_hz});
      std::copy(part.begin(), part.end(), known->entries.back().octets.begin());
      return;
    }
    slots_.push_back({lsb, f.time_s, {}});
    if (slots_.size() > max_slots) slots_.pop_front();
  }
  auto& entries = slots_.back().entries;
  if (entries.size() >= max_slot_entries) return;
  entries.push_back({{}, f.cfo_hz});
  std::copy(part.begin(), part.end(), entries.back().octets.begin());
}

void identity_checks::judge_discovery(check_report& out) const {
  if (codes_in_two_slots_ > 0)
    out.found("identity", "code_in_two_slots",
              std::to_string(codes_in_two_slots_) + " discovery codes occur in different slots", two_slot_frames_);
  if (codes_too_long_ > 0) {
    const std::string text = std::to_string(codes_too_long_) + " of " + std::to_string(n_codes_) +
                             " discovery messages come again after their slot";
    // A replayer repeats a few; a UE that does not rotate, most of its own.
    if (2 * codes_too_long_ > n_codes_)
      out.found("identity", "code_does_not_rotate", text, too_long_frames_);
    else
      out.remark("identity", "replayed_announcement", text + ": replayed by somebody?", too_long_frames_);
  }
  const std::uint64_t n = n_codes_ * checked_octets;
  out.test("identity", "code_positions", code_positions_.most(), code_positions_.p_value(), n,
           "discovery codes have structure at fixed places: parts of them recur", code_frames_);
  out.test("identity", "code_octets", code_octets_saving_.most(), code_octets_saving_.p_value(), n,
           "discovery codes are compressible", code_frames_);
  out.test("identity", "code_monobit",
           static_cast<double>(discovery_ones_) / static_cast<double>(std::max<std::uint64_t>(1, 8 * n)),
           fair_coin_p(discovery_ones_, 8 * n), 8 * n, "bits of discovery codes are biased", code_frames_);
  out.test("identity", "code_repeats", static_cast<double>(n_code_repeats_),
           poisson_tail(code_repeats_.expected(), n_code_repeats_), n,
           std::to_string(n_code_repeats_) + " strings of 8 octets recur in different discovery codes",
           code_repeat_frames_);
}

/// A linker that uses the octets: for one message of a slot, the message of the next slot with the most equal bits. It
/// is right when both come from the same radio, which the carrier frequency offset tells. Disjoint pairs of slots:
/// independent trials.
void identity_checks::judge_linker(check_report& out) const {
  std::vector<float> cfo;
  for (const auto& s : slots_)
    for (const auto& e : s.entries) cfo.push_back(e.cfo_hz);
  const radio_clusters radios(cfo);
  linker_score score;
  if (radios.count() > 1)
    for (std::size_t i = 0; i + 1 < slots_.size(); i += 2) {
      const auto &a = slots_[i].entries, &b = slots_[i + 1].entries;
      if (a.empty() || b.empty()) continue;
      const auto& from = a[a.size() / 2];
      const auto radio = radios.of(from.cfo_hz);
      std::size_t same = 0, best = 0;
      int fewest = 1 << 30;
      for (std::size_t j = 0; j < b.size(); ++j) {
        same += radios.of(b[j].cfo_hz) == radio ? 1 : 0;
        int differ = 0;
        for (std::size_t k = 0; k < checked_octets; ++k)
          differ += std::popcount(static_cast<unsigned>(from.octets[k] ^ b[j].octets[k]));
        if (differ < fewest) fewest = differ, best = j;
      }
      score.add(static_cast<double>(same) / static_cast<double>(b.size()), radios.of(b[best].cfo_hz) == radio);
    }
  out.test("identity", "code_linker", score.success(), score.p_value(), score.trials(),
           score.trials() == 0 ? "no linking trials: one radio, or less than two slots"
                               : score.text("linking discovery codes across slots by their octets"),
           code_frames_);
}

// --- links
// ------------------------------------------------------------------------------------------------------------------

identity_checks::pair_seen* identity_checks::pair_of(std::uint32_t a, std::uint32_t b, std::uint64_t frame,
                                                     double time_s) {
  const id_pair id{std::min(a, b), std::max(a, b)};
  const auto [at, fresh] = pairs_.try_emplace(id, pair_seen{frame, time_s, {}});
  if (!fresh) return &at->second;
  if (pairs_.size() > max_pairs) {  // a flood of made-up links
    pairs_.erase(at);
    return nullptr;
  }
  for (const std::uint32_t l2 : {id.first, id.second}) {
    const auto [newest, first] = last_pair_s_.try_emplace(l2, time_s);
    newest->second = std::max(newest->second, time_s);
    ++l2_draws_;
    if (l2_uses_[l2]++ > 0) ++l2_collisions_, l2_frames_.add(frame);
    double saved = 0;
    for (std::size_t i = 0; i < 3; ++i) saved += l2_at_[i].code(static_cast<std::uint8_t>(l2 >> (16 - 8 * i)));
    l2_saving_.add(saved);
    l2_id_frames_.add(frame);
  }
  return &at->second;
}

void identity_checks::add_record(const record_view& r, std::uint64_t frame, double time_s) {
  auto* p = pair_of(r.src, r.dst, frame, time_s);
  if (p == nullptr || r.header.kd_sess_id == 0) return;
  const std::uint16_t kd = r.header.kd_sess_id;
  links_.add_kd_sess_id(r.src, r.dst, kd);
  const auto [at, fresh] = p->kd_by_direction.try_emplace(r.src < r.dst, kd);
  if (!fresh && at->second != kd) {
    at->second = kd;
    ++survived_rotations_;
    rotation_frames_.add(frame);
  }
  const id_pair id{std::min(r.src, r.dst), std::max(r.src, r.dst)};
  auto& users = kd_pairs_[kd];
  if (!users.insert(id).second) return;
  ++kd_draws_;
  if (users.size() > 1) ++kd_collisions_, kd_frames_.add(frame);
}

void identity_checks::add_part(message_part& p, std::span<const std::uint8_t> message,
                               std::span<const std::uint8_t> part, std::uint64_t frame) {
  if (p.messages.size() >= max_messages || !p.messages.insert({message.begin(), message.end()}).second) return;
  const auto [at, fresh] = p.values.try_emplace({part.begin(), part.end()}, frame);
  if (fresh) return;
  ++p.collisions;
  p.frames.add(at->second);
  p.frames.add(frame);
}

void identity_checks::add_request(std::uint32_t src, std::uint32_t dst, std::uint64_t frame, double time_s) {
  links_.add_request(src, dst);
  // Several requests may share the rendezvous ID of one slot.
  const id_pair id{std::min(src, dst), std::max(src, dst)};
  const auto newest = last_pair_s_.find(dst);
  const bool shared =
      newest != last_pair_s_.end() && time_s - newest->second < request_window_s && !pairs_.contains(id);
  if (!shared) pair_of(src, dst, frame, time_s);
}

void identity_checks::add_setup(const setup_view& m, std::uint64_t frame, double time_s) {
  if (m.header.type == security::message_type::direct_communication_request) {
    add_request(m.src, m.dst, frame, time_s);
    add_part(request_tokens_, m.octets, m.octets.last(security::request_token_octets), frame);
    add_part(request_ephemerals_, m.octets, m.octets.subspan(4, 32), frame);
  } else if (m.header.type == security::message_type::security_mode_command) {
    add_part(command_tokens_, m.octets, m.octets.last(security::command_token_octets), frame);
    add_part(command_ephemerals_, m.octets, m.octets.subspan(3, 32), frame);
  }
}

void identity_checks::judge_links(check_report& out) const {
  const auto collisions = [&](const char* check, std::uint64_t found, std::uint64_t draws, int bits, const char* what,
                              const frame_list& frames) {
    out.test("identity", check, static_cast<double>(found), poisson_tail(pairs_among(draws) * std::exp2(-bits), found),
             draws, std::to_string(found) + ' ' + what + " (of " + std::to_string(draws) + ')', frames);
  };
  collisions("l2_id_reuse", l2_collisions_, l2_draws_, 24, "layer-2 IDs occur in different links or epochs",
             l2_frames_);
  collisions("kd_sess_id_reuse", kd_collisions_, kd_draws_, 16, "KD-sess IDs occur in different links or epochs",
             kd_frames_);
  collisions("request_token_reuse", request_tokens_.collisions, request_tokens_.messages.size(), 64,
             "different requests carry a token of another", request_tokens_.frames);
  collisions("command_token_reuse", command_tokens_.collisions, command_tokens_.messages.size(), 24,
             "different commands carry a token of another", command_tokens_.frames);
  out.test("identity", "l2_id_octets", l2_saving_.most(), l2_saving_.p_value(), l2_draws_,
           "layer-2 IDs have structure at fixed places", l2_id_frames_);
  if (survived_rotations_ > 0)
    out.found("identity", "l2_id_survives_rotation",
              "layer-2 IDs stay the same while the KD-sess ID changes: they link epochs", rotation_frames_);
  for (const auto* p : {&request_ephemerals_, &command_ephemerals_})
    if (p->collisions > 0)
      out.found("identity", "ephemeral_reuse", "different messages carry the same ephemeral public key", p->frames);
}

void identity_checks::judge(check_report& out) const {
  judge_discovery(out);
  judge_linker(out);
  judge_links(out);
  judge_rotations(links_, out);
}

}  // namespace prose::apps
