#include "mac/rlc_um.h"

#include <algorithm>
#include <cstring>

namespace prose::mac {

namespace {
constexpr std::size_t li_octets(std::size_t n_li) { return (n_li * 12 + 7) / 8; }
}  // namespace

bool rlc_um_tx::enqueue(std::vector<std::uint8_t> sdu) {
  if (sdu.empty() || sdu.size() > rlc_max_sdu_octets || queued_octets() + sdu.size() > max_queued_octets_) return false;
  queued_octets_ += sdu.size();
  queue_.push_back(std::move(sdu));
  return true;
}

void rlc_um_tx::clear() {
  queue_.clear();
  sent_of_head_ = queued_octets_ = 0;
}

std::size_t rlc_um_tx::wanted_octets() const {
  if (queue_.empty()) return 0;
  const std::size_t n_li = std::min(queue_.size(), umd_pdu::max_elements) - 1;
  return 1 + li_octets(n_li) + queued_octets();
}

std::size_t rlc_um_tx::build(std::span<std::uint8_t> out) {
  if (queue_.empty() || out.size() < 2) return 0;
  // Element i but the last has a length indicator, so each further SDU costs one more LI in front.
  std::size_t sizes[umd_pdu::max_elements];
  std::size_t n = 0, used = 0;
  const bool starts_inside = sent_of_head_ != 0;
  std::size_t head = sent_of_head_;
  for (;;) {
    const std::size_t left = queue_[n].size() - (n == 0 ? head : 0);
    const std::size_t room = out.size() - 1 - li_octets(n) - used;
    sizes[n] = std::min(left, room);
    used += sizes[n];
    ++n;
    if (sizes[n - 1] < left || left > rlc_max_li || n == queue_.size() || n == umd_pdu::max_elements) break;
    if (1 + li_octets(n) + used + 1 > out.size()) break;  // no room for an LI and one more octet
  }
  const std::size_t last = n - 1;
  const bool ends_inside = sizes[last] < queue_[last].size() - (last == 0 ? head : 0);

  out[0] =
      static_cast<std::uint8_t>((starts_inside ? 0x80 : 0) | (ends_inside ? 0x40 : 0) | (n > 1 ? 0x20 : 0) | vt_us_);
  vt_us_ = static_cast<std::uint8_t>((vt_us_ + 1) % rlc_sn_modulus);
  std::size_t pos = 1;
  std::uint32_t acc = 0;
  int acc_bits = 0;
  for (std::size_t i = 0; i < last; ++i) {
    acc = acc << 12 | (i + 1 < last ? 0x800U : 0U) | static_cast<std::uint32_t>(sizes[i]);
    acc_bits += 12;
    for (; acc_bits >= 8; acc_bits -= 8) out[pos++] = static_cast<std::uint8_t>(acc >> (acc_bits - 8));
  }
  if (acc_bits > 0) out[pos++] = static_cast<std::uint8_t>(acc << (8 - acc_bits));
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t from = i == 0 ? head : 0;
    // The element is the front of the queue: whole SDUs leave it as they are copied.
    std::memcpy(&out[pos], queue_.front().data() + from, sizes[i]);
    pos += sizes[i];
    if (i < last || !ends_inside) {
      queued_octets_ -= queue_.front().size();
      queue_.pop_front();
      sent_of_head_ = 0;
    } else {
      sent_of_head_ = from + sizes[i];
    }
  }
  return pos;
}

bool parse(std::span<const std::uint8_t> pdu, umd_pdu& out) {
  if (pdu.size() < 2) return false;
  out.starts_inside_sdu = (pdu[0] & 0x80) != 0;
  out.ends_inside_sdu = (pdu[0] & 0x40) != 0;
  out.sn = pdu[0] & 0x1F;
  out.n_elements = 0;
  std::size_t lengths[umd_pdu::max_elements];
  std::size_t n = 0, sum = 0;
  bool more = (pdu[0] & 0x20) != 0;
  while (more) {
    // LI n starts at bit 12 n after the first octet.
    const std::size_t at = 1 + n * 12 / 8;
    if (at + 1 >= pdu.size() || n + 1 >= umd_pdu::max_elements) return false;
    const unsigned two = static_cast<unsigned>(pdu[at]) << 8 | pdu[at + 1];
    const unsigned field = n % 2 == 0 ? two >> 4 : two & 0xFFF;
    more = (field & 0x800) != 0;
    lengths[n] = field & 0x7FF;
    if (lengths[n] == 0) return false;
    sum += lengths[n++];
  }
  std::size_t pos = 1 + li_octets(n);
  if (pos + sum >= pdu.size()) return false;  // the last element, without LI, has at least one octet
  for (std::size_t i = 0; i < n; ++i) {
    out.elements[i] = pdu.subspan(pos, lengths[i]);
    pos += lengths[i];
  }
  out.elements[n] = pdu.subspan(pos);
  out.n_elements = n + 1;
  return true;
}

bool rlc_um_rx::begin(std::span<const std::uint8_t> pdu, umd_pdu& p, rlc_um_counters& c) {
  if (delivered_partial_) {
    partial_.clear();
    delivered_partial_ = false;
  }
  if (!parse(pdu, p)) {
    ++c.malformed;
    return false;
  }
  ++c.pdus;
  in_sequence_ = vr_ur_.has_value() && *vr_ur_ == p.sn;
  if (vr_ur_.has_value() && !in_sequence_) ++c.gaps;
  vr_ur_ = static_cast<std::uint8_t>((p.sn + 1) % rlc_sn_modulus);
  if (assembling_ && (!in_sequence_ || !p.starts_inside_sdu)) {
    assembling_ = false;
    partial_.clear();
    ++c.sdus_lost;
  }
  return true;
}

std::span<const std::uint8_t> rlc_um_rx::take(const umd_pdu& p, std::size_t i, rlc_um_counters& c) {
  const bool continues = i == 0 && p.starts_inside_sdu;
  const bool unfinished = i + 1 == p.n_elements && p.ends_inside_sdu;
  const auto part = p.elements[i];
  if (delivered_partial_) {
    partial_.clear();
    delivered_partial_ = false;
  }
  if (continues && !assembling_) return {};  // its beginning was lost
  if (!continues && !unfinished) {
    if (part.size() > rlc_max_sdu_octets) {
      ++c.malformed;
      return {};
    }
    ++c.sdus;
    return part;
  }
  if (!continues) partial_.clear();
  if (partial_.size() + part.size() > rlc_max_sdu_octets) {
    ++c.malformed;
    partial_.clear();
    assembling_ = false;
    return {};
  }
  partial_.insert(partial_.end(), part.begin(), part.end());
  assembling_ = unfinished;
  if (unfinished) return {};
  delivered_partial_ = true;  // stays valid until the next call
  ++c.sdus;
  return partial_;
}

// --- candidates ------------------------------------------------------------------------------------------------------

rlc_um_candidates::storage::storage(const rlc_um_candidate_limits& limits, std::size_t n)
    : limits_(limits),
      octets_(std::make_shared_for_overwrite<std::uint8_t[]>(n * limits.octets)),
      segments_(std::make_shared_for_overwrite<segment[]>(n * limits.segments)) {}

rlc_um_candidates::rlc_um_candidates(const storage& all, std::size_t i)
    : limits_(all.limits_),
      octets_(all.octets_, all.octets_.get() + i * limits_.octets),
      segments_(all.segments_, all.segments_.get() + i * limits_.segments) {
  clear();
}

void rlc_um_candidates::clear() {
  newest_.fill(none);
  write_ = oldest_ = count_ = 0;
  arrivals_ = 0;
}

void rlc_um_candidates::drop(std::uint16_t i) {
  segment& g = segments_[i];
  if (!g.live) return;
  g.live = false;
  for (std::uint16_t* at = &newest_[g.sn]; *at != none; at = &segments_[*at].older)
    if (*at == i) {
      *at = g.older;
      return;
    }
}

void rlc_um_candidates::drop_oldest() {
  drop(static_cast<std::uint16_t>(oldest_));
  oldest_ = (oldest_ + 1) % limits_.segments;
  --count_;
}

void rlc_um_candidates::store(std::uint8_t lcid, std::uint8_t sn, bool begins, std::span<const std::uint8_t> octets,
                              rlc_um_counters& c) {
  if (octets.size() >= limits_.max_sdu_octets) {
    ++c.malformed;
    return;
  }
  std::size_t same = 0;
  std::uint16_t oldest_same = none;
  for (auto i = newest_[sn]; i != none; i = segments_[i].older) {
    const segment& g = segments_[i];
    if (g.lcid != lcid) continue;
    const auto held = octets_of(g);
    if (g.begins == begins && std::equal(held.begin(), held.end(), octets.begin(), octets.end()))
      return;  // a copy adds nothing
    ++same;
    oldest_same = i;
  }
  if (!begins) {  // a segment that continues no other never becomes part of an SDU
    bool follows = false;
    for (auto i = newest_[(sn + rlc_sn_modulus - 1) % rlc_sn_modulus]; i != none && !follows; i = segments_[i].older)
      follows = segments_[i].lcid == lcid;
    if (!follows) return;
  }
  if (same >= per_sn) {
    dropping(segments_[oldest_same], c);
    drop(oldest_same);
  }
  const auto make_way = [&] {
    if (segments_[oldest_].live) dropping(segments_[oldest_], c);
    drop_oldest();
  };
  while (count_ != 0 && !segments_[oldest_].live) drop_oldest();
  if (count_ == limits_.segments) make_way();
  if (write_ + octets.size() > limits_.octets) {
    // The oldest ones lie between here and the end of the ring.
    while (count_ != 0 && segments_[oldest_].at >= write_) make_way();
    write_ = 0;
  }
  while (count_ != 0 && segments_[oldest_].at >= write_ && segments_[oldest_].at < write_ + octets.size()) make_way();
  const auto i = static_cast<std::uint16_t>((oldest_ + count_) % limits_.segments);
  ++count_;
  std::copy(octets.begin(), octets.end(), octets_.get() + write_);
  segments_[i] = {arrivals_,
                  static_cast<std::uint32_t>(write_),
                  static_cast<std::uint16_t>(octets.size()),
                  newest_[sn],
                  sn,
                  lcid,
                  begins,
                  true};
  newest_[sn] = i;
  write_ += octets.size();
}

/// Depth first from the end to a beginning, with a growing bound on the cost. path_[0] lies right before the end.
bool rlc_um_candidates::next_chain(search& s, rlc_um_workspace& work) const {
  const auto before = [&](std::uint8_t sn) { return newest_[(sn + rlc_sn_modulus - 1) % rlc_sn_modulus]; };
  std::uint16_t at = s.begun ? segments_[work.path_[--s.depth].segment].older : before(s.sn);
  s.begun = true;
  for (;;) {
    if (at == none) {
      if (s.depth != 0) {
        at = segments_[work.path_[--s.depth].segment].older;
        continue;
      }
      if (s.next == INT64_MAX) return false;
      s.done = s.bound;
      s.bound = s.next;
      s.next = INT64_MAX;
      at = before(s.sn);
      continue;
    }
    if (s.steps-- == 0) return false;  // and steps is above max_steps
    const segment& g = segments_[at];
    const rlc_um_workspace::step* behind = s.depth == 0 ? nullptr : &work.path_[s.depth - 1];
    const std::uint32_t arrival = behind == nullptr ? s.arrival : segments_[behind->segment].arrival;
    const std::size_t octets = g.octets + (behind == nullptr ? s.tail_octets : behind->octets);
    const auto gap = static_cast<std::int32_t>(arrival - g.arrival);
    const std::int64_t cost = (behind == nullptr ? 0 : behind->cost) + gap - 1;
    const bool fits = g.lcid == s.lcid && gap > 0 && octets <= limits_.max_sdu_octets && s.depth < work.path_.size();
    if (fits && cost > s.bound) s.next = std::min(s.next, cost);
    if (!fits || cost > s.bound || (g.begins && cost <= s.done)) {
      at = g.older;
      continue;
    }
    work.path_[s.depth++] = {at, cost, octets};
    if (g.begins) return true;
    at = before(g.sn);
  }
}

std::span<const std::uint8_t> rlc_um_candidates::assemble(const search& s, std::span<const std::uint8_t> tail,
                                                          rlc_um_workspace& work) const {
  auto to = work.sdu_.begin();
  for (std::size_t d = s.depth; d-- > 0;) {
    const auto part = octets_of(segments_[work.path_[d].segment]);
    to = std::copy(part.begin(), part.end(), to);
  }
  to = std::copy(tail.begin(), tail.end(), to);
  return {work.sdu_.begin(), to};
}

/// An SDU was verified: its segments are used, and others that came meanwhile on its channel are not of its sender.
void rlc_um_candidates::forget(const search& s, const rlc_um_workspace& work) {
  const std::uint32_t first = segments_[work.path_[s.depth - 1].segment].arrival;
  for (std::size_t n = 0; n < count_; ++n) {
    const auto i = static_cast<std::uint16_t>((oldest_ + n) % limits_.segments);
    if (segments_[i].lcid == s.lcid && segments_[i].arrival - first < s.arrival - first) drop(i);
  }
}

}  // namespace prose::mac
