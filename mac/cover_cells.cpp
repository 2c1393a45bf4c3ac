#include "mac/cover_cells.h"

#include <algorithm>

#include "security/pdcp.h"

namespace prose::mac {

namespace {
constexpr unsigned first_bit = 0x8000, last_bit = 0x4000, length_mask = 0x3FFF;
}

bool cell_cutter::enqueue(std::uint8_t kind, std::vector<std::uint8_t> octets, security::time_ms now,
                          std::size_t most) {
  if (octets_ + octets.size() > most) return false;
  octets_ += octets.size();
  // What is not data goes before all data that is not cut yet.
  auto at = queue_.end();
  if (kind < static_cast<std::uint8_t>(cell_kind::data))
    at = std::find_if(queue_.begin() + (done_ > 0 ? 1 : 0), queue_.end(),
                      [](const sdu& s) { return s.kind >= static_cast<std::uint8_t>(cell_kind::data); });
  queue_.insert(at, {kind, std::move(octets), now});
  return true;
}

void cell_cutter::cut(std::span<std::uint8_t> out) {
  std::fill(out.begin(), out.end(), std::uint8_t{0});
  if (queue_.empty()) return;
  const sdu& s = queue_.front();
  const std::size_t n = std::min(out.size() - cell_header_octets, s.octets.size() - done_);
  const bool last = done_ + n == s.octets.size();
  const unsigned word = (done_ == 0 ? first_bit : 0U) | (last ? last_bit : 0U) | static_cast<unsigned>(n);
  out[0] = s.kind;
  out[1] = number_++;
  out[2] = static_cast<std::uint8_t>(word >> 8);
  out[3] = static_cast<std::uint8_t>(word);
  std::copy_n(s.octets.begin() + static_cast<std::ptrdiff_t>(done_), n, out.begin() + cell_header_octets);
  done_ += n;
  if (!last) return;
  octets_ -= s.octets.size();
  done_ = 0;
  queue_.pop_front();
}

std::size_t cell_cutter::expire(security::time_ms since) {
  std::size_t n = 0;
  for (; !queue_.empty() && queue_.front().at < since; ++n) {
    octets_ -= queue_.front().octets.size();
    done_ = 0;
    queue_.pop_front();
  }
  return n;
}

std::optional<cell_joiner::sdu> cell_joiner::join(std::span<const std::uint8_t> cell) {
  if (cell.size() < cell_header_octets || cell[0] == static_cast<std::uint8_t>(cell_kind::empty)) return std::nullopt;
  const auto word = static_cast<unsigned>(cell[2] << 8 | cell[3]);
  const std::size_t n = word & length_mask;
  const bool first = (word & first_bit) != 0;
  const bool follows = first || (open_ && cell[0] == kind_ && cell[1] == next_);
  open_ = false;
  if (n > cell.size() - cell_header_octets || !follows) return std::nullopt;
  if (first) octets_.clear();
  if (octets_.size() + n > security::max_sdu_octets) return std::nullopt;
  const auto piece = cell.subspan(cell_header_octets, n);
  octets_.insert(octets_.end(), piece.begin(), piece.end());
  kind_ = cell[0];
  next_ = static_cast<std::uint8_t>(cell[1] + 1);
  open_ = (word & last_bit) == 0;
  return open_ ? std::nullopt : std::optional(sdu{kind_, octets_});
}

}  // namespace prose::mac
