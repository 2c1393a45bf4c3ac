#include "apps/lib/verdict/reuse_checks.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "apps/lib/verdict/statistics.h"

namespace prose::apps {
namespace {
std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 31)) * 0x7fb5d329728ea185ULL;
  x = (x ^ (x >> 27)) * 0x81dadef4bc2dd44dULL;
  return x ^ (x >> 33);
}
}  // namespace

std::uint64_t hash_of(std::span<const std::uint8_t> octets, std::uint64_t seed) {
  std::uint64_t h = seed ^ (octets.size() * 0x9e3779b97f4a7c15ULL);
  std::size_t i = 0;
  for (; i + 8 <= octets.size(); i += 8) {
    std::uint64_t w = 0;
    std::memcpy(&w, octets.data() + i, 8);
    h = mix(h ^ w) + 0x9e3779b97f4a7c15ULL;
  }
  std::uint64_t w = 0;
  if (i < octets.size()) std::memcpy(&w, octets.data() + i, octets.size() - i);
  return mix(h ^ w);
}

std::uint64_t repeat_finder::add(std::span<const std::uint8_t> octets, std::uint64_t frame, frame_list& frames) {
  if (octets.size() < length_) return 0;
  std::uint64_t found = 0;
  std::size_t next_allowed = 0;
  for (std::size_t i = 0; i + length_ <= octets.size(); ++i) {
    ++n_;
    const auto part = octets.subspan(i, length_);
    const std::uint64_t h = hash_of(part, 1);
    if ((h & mask_) != 0) continue;
    const std::uint64_t rest = hash_of(part, 2);
    const auto [at, fresh] = seen_.try_emplace(h, place{rest, frame});
    if (fresh || at->second.rest != rest || i < next_allowed) continue;
    ++found;
    next_allowed = i + length_;
    frames.add(at->second.frame);
    frames.add(frame);
  }
  if (seen_.size() > max_kept_) thin_out();
  return found;
}

void repeat_finder::thin_out() {
  mask_ = mask_ << 1 | 1;
  std::erase_if(seen_, [this](const auto& e) { return (e.first & mask_) != 0; });
}

double repeat_finder::expected() const {
  const auto n = static_cast<double>(n_);
  return n * n / 2 * std::exp2(-8.0 * static_cast<double>(length_));
}

reuse_checks::novelty reuse_checks::add(const record_view& r, std::uint64_t frame) {
  const record_id id{std::uint64_t{r.src} << 32 | r.dst,
                     std::uint64_t{r.lcid} << 32 | std::uint64_t{r.header.kd_sess_id} << 16 | r.header.sn};
  const std::uint64_t digest = hash_of(r.pdu);
  const auto [at, fresh] = records_.try_emplace(id, held{digest, frame});
  if (!fresh) {
    if (at->second.digest == digest) return novelty::copy;
    ++n_conflicts_;
    conflicts_.add(at->second.frame);
    conflicts_.add(frame);
    if (first_conflict_.empty()) {
      char text[160];
      std::snprintf(text, sizeof text, "SRC %06x DST %06x LCID %u KD-sess ID %04x COUNT %u carries different octets",
                    r.src, r.dst, static_cast<unsigned>(r.lcid), static_cast<unsigned>(r.header.kd_sess_id),
                    static_cast<unsigned>(r.header.sn));
      first_conflict_ = text;
    }
    // The conflicting record still goes through the content checks, once for each of its forms.
    at->second.digest = digest;
    n_repeats_ += repeats_.add(r.body(), frame, repeat_frames_);
    return novelty::conflict;
  }
  order_.push_back(id);
  if (order_.size() > max_records_) {
    records_.erase(order_.front());
    order_.pop_front();
    ++forgotten_;
  }
  n_repeats_ += repeats_.add(r.body(), frame, repeat_frames_);
  return novelty::fresh;
}

void reuse_checks::judge(check_report& out) const {
  if (n_conflicts_ > 0)
    out.found("content", "count_reuse",
              first_conflict_ + (n_conflicts_ > 1 ? ", and " + std::to_string(n_conflicts_ - 1) + " more" : ""),
              conflicts_);
  out.test("content", "repeated_ciphertext", static_cast<double>(n_repeats_),
           poisson_tail(repeats_.expected(), n_repeats_), repeats_.strings(),
           std::to_string(n_repeats_) + " strings of 12 octets occur again in other places", repeat_frames_);
}

}  // namespace prose::apps
