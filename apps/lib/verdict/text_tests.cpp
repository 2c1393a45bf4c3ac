#include "apps/lib/verdict/text_tests.h"

#include <algorithm>
#include <cmath>

namespace prose::apps {

bool is_printable(std::uint8_t c) { return (c >= 0x20 && c < 0x7f) || c == '\n' || c == '\r' || c == '\t'; }

double text_run_p(std::uint64_t octets, std::size_t longest) {
  if (longest == 0) return 1;
  constexpr double share = 98.0 / 256;
  return std::min(1.0, static_cast<double>(octets) * std::pow(share, static_cast<double>(longest)));
}

void text_run::add(std::span<const std::uint8_t> piece, std::uint64_t frame) {
  for (const auto c : piece) {
    if (!is_printable(c)) {
      now_ = 0;
      run_frames_ = {};
      continue;
    }
    if (run_frames_.first().empty() || run_frames_.first().back() != frame) run_frames_.add(frame);
    if (++now_ > longest_) longest_ = now_, frames_ = run_frames_;
  }
}

void stream_tests::add(std::uint64_t id, std::span<const std::uint8_t> piece, std::uint64_t frame) {
  if (piece.empty()) return;
  octets_ += piece.size();
  ++pieces_;
  double saved = 0;
  for (const auto c : piece) saved += all_.code(c);
  all_saving_.add(saved);
  top_.add(saved, frame);
  // A flood of made-up streams: what was learnt stays in the sums, and the common model goes on.
  if (streams_.size() >= max_streams && !streams_.contains(id)) streams_.erase(streams_.begin());
  auto& s = streams_[id];
  s.frames.add(frame);
  s.run.add(piece, frame);
  if (s.run.longest() > longest_) longest_ = s.run.longest(), run_frames_ = s.run.frames();
  if (!s.model && models_ < max_models) {
    s.model = std::make_unique<octet_model>();
    const auto j = static_cast<double>(++models_);
    s.weight_bits = std::log2(j * (j + 1));  // the price of one more stream: the weights sum to one
  }
  if (!s.model) return;
  double own = 0;
  for (const auto c : piece) own += s.model->code(c);
  s.saving.add(own);
  if (s.saving.most() - s.weight_bits > best_) best_ = s.saving.most() - s.weight_bits, best_frames_ = s.frames;
}

void stream_tests::judge(check_report& out, const std::string& aspect, const std::string& name,
                         const std::string& what) const {
  out.test(aspect, name + "_text", static_cast<double>(longest_), text_run_p(octets_, longest_), octets_,
           "a run of " + std::to_string(longest_) + " printable characters in " + what, run_frames_);
  // Two codes for the same octets: half of the probability each.
  const double most = std::max(all_saving_.most(), best_) - 1;
  out.test(aspect, name + "_octets", most, std::min(1.0, std::exp2(-most)), octets_,
           what + " are compressible: an adaptive code saves " + std::to_string(static_cast<long long>(most)) + " bits",
           best_ > all_saving_.most() ? best_frames_ : top_.list(pieces_));
}

void field_tests::add(kind k, std::span<const std::uint8_t> octets, std::uint64_t frame) {
  octets_ += octets.size();
  runs_[static_cast<std::size_t>(k)].add(octets, frame);
}

void field_tests::judge(check_report& out) const {
  const auto best = std::max_element(runs_.begin(), runs_.end(),
                                     [](const auto& a, const auto& b) { return a.longest() < b.longest(); });
  out.test("identity", "field_text", static_cast<double>(best->longest()), text_run_p(octets_, best->longest()),
           octets_,
           "identifiers, codes and sequence numbers one after the other spell " + std::to_string(best->longest()) +
               " printable characters",
           best->frames());
}

void reserved_stream::add(std::uint32_t value, int n_bits, std::vector<std::uint8_t>& out) {
  if (value != 0) {
    ++not_zero_;
    if (values_.size() < 64) values_.insert(value);
  }
  if (not_zero_ == 0) return;
  bits_ = bits_ << n_bits | value;
  for (n_ += n_bits; n_ >= 8; n_ -= 8) out.push_back(static_cast<std::uint8_t>(bits_ >> (n_ - 8)));
}

}  // namespace prose::apps
