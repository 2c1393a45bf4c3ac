#include "apps/lib/verdict/content_checks.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>

namespace prose::apps {
namespace {
// Fewer expected counts a cell, and the chi-square tail is too small for this multinomial.

std::string percent(double p) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g %%", 100 * p);
  return text;
}
}  // namespace

void top_frames::add(double weight, std::uint64_t frame) {
  if (best_.size() >= frame_list::most && weight <= best_.back().first) return;
  best_.insert(
      std::upper_bound(best_.begin(), best_.end(), weight, [](double w, const auto& b) { return w > b.first; }),
      {weight, frame});
  if (best_.size() > frame_list::most) best_.pop_back();
}

frame_list top_frames::list(std::uint64_t n) const {
  std::vector<std::uint64_t> frames;
  for (const auto& [w, f] : best_) frames.push_back(f);
  std::sort(frames.begin(), frames.end());
  frame_list out;
  for (const auto f : frames) out.add(f);
  for (std::uint64_t i = frames.size(); i < n; ++i) out.add(frames.empty() ? 0 : frames.back());
  return out;
}

void content_checks::count_bits(std::span<const std::uint8_t> body) {
  for (std::size_t i = 0; i < body.size(); ++i) {
    const std::uint8_t x = body[i];
    ++octet_count_[x];
    ones_ += static_cast<std::uint64_t>(std::popcount(x));
    // Neighbouring bits that differ: the differences of independent fair bits are independent fair bits.
    transitions_ += static_cast<std::uint64_t>(std::popcount(static_cast<unsigned>((x ^ (x >> 1)) & 0x7f)));
    if (i > 0) transitions_ += (body[i - 1] & 1) != (x >> 7) ? 1 : 0;
  }
  pairs_ += 8 * body.size() - 1;
}

/// Bits saved by the better of the two codes, for naming frames.
double content_checks::code_body(codes& c, std::span<const std::uint8_t> body) {
  double order0 = 0, position = 0;
  for (std::size_t i = 0; i < body.size(); ++i) {
    order0 += c.order0.code(body[i]);
    if (i < positions) position += c.at[i].code(body[i]);
  }
  c.order0_saving.add(order0);
  c.position_saving.add(position);
  return std::max(order0, position);
}

double content_checks::code_difference(octet_model& m, std::span<const std::uint8_t> a,
                                       std::span<const std::uint8_t> b) {
  double saved = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) saved += m.code(a[i] ^ b[i]);
  return saved;
}

/// Against records with the same LCID and SN on other links or epochs: there a key used twice repeats its keystream.
/// The mean of the likelihood ratios is one again, so that any number may be compared.
double content_checks::code_across_links(const record_view& r, const stream_id& id) {
  const std::uint32_t at = std::uint32_t{r.lcid} << 16 | r.header.sn;
  const auto body = r.body().first(std::min(r.body().size(), kept_cross_octets));
  auto [place, fresh] = same_count_.try_emplace(at);
  auto& others = place->second;
  double best = -1e300, mean_of = 0;
  std::size_t n = 0;
  const octet_model before = cross_;
  octet_model learnt = cross_;
  for (const auto& o : others) {
    if (o.of == id) continue;
    octet_model trial = before;
    const double saved = code_difference(trial, body, o.octets);
    // log2 of the sum of 2^saved, without overflow.
    mean_of = n == 0 ? saved : std::max(mean_of, saved) + std::log2(1 + std::exp2(-std::abs(mean_of - saved)));
    ++n;
    if (saved > best) best = saved, learnt = trial;
  }
  if (n > 0) cross_saving_.add(mean_of - std::log2(static_cast<double>(n))), cross_ = learnt;
  if (fresh) same_count_order_.push_back(at);
  others.push_back({id, {body.begin(), body.end()}});
  if (others.size() > kept_cross_records) others.pop_front();
  if (same_count_order_.size() > max_cross) {
    same_count_.erase(same_count_order_.front());
    same_count_order_.pop_front();
  }
  return n > 0 ? best : 0;
}

content_checks::stream& content_checks::stream_of(const stream_id& id) {
  if (const auto at = streams_.find(id); at != streams_.end()) return at->second;
  if (streams_.size() >= 16 * max_streams)
    streams_.clear();  // a flood of made-up links; what was learnt stays in the sums
  stream& s = streams_[id];
  if (streams_with_models_ < max_streams) {
    s.own = std::make_unique<codes>();
    const auto j = static_cast<double>(++streams_with_models_);
    s.weight_bits = std::log2(j * (j + 1));
  }
  return s;
}

void content_checks::add(const record_view& r, std::uint64_t frame) {
  const auto body = r.body();
  if (body.empty()) return;
  ++n_records_;
  n_octets_ += body.size();
  count_bits(body);
  double plain = code_body(all_, body);
  double order1 = 0;
  for (std::size_t i = 1; i < body.size(); ++i) order1 += order1_[body[i - 1]].code(body[i]);
  order1_saving_.add(order1);

  const stream_id id{r.header.kd_sess_id, r.src, r.dst, r.lcid};
  stream& s = stream_of(id);
  double difference = 0;
  if (!s.last.empty()) {
    difference = code_difference(all_.difference, body, s.last);
    all_.difference_saving.add(difference);
  }
  if (s.own) {
    plain = std::max(plain, code_body(*s.own, body));
    if (!s.last.empty()) s.own->difference_saving.add(code_difference(s.own->difference, body, s.last));
    best_stream_order0_ = std::max(best_stream_order0_, s.own->order0_saving.most() - s.weight_bits);
    best_stream_position_ = std::max(best_stream_position_, s.own->position_saving.most() - s.weight_bits);
    best_stream_difference_ = std::max(best_stream_difference_, s.own->difference_saving.most() - s.weight_bits);
  }
  s.last.assign(body.begin(), body.begin() + std::min(body.size(), kept_octets));
  const double cross = code_across_links(r, id);
  plain_.add(plain, frame);
  difference_.add(difference, frame);
  cross_frames_.add(cross, frame);
}

void content_checks::judge(check_report& out) const {
  const std::uint64_t bits = 8 * n_octets_;
  const auto plain = plain_.list(n_records_);
  const double n = static_cast<double>(std::max<std::uint64_t>(bits, 1));
  out.test("content", "monobit", static_cast<double>(ones_) / n, fair_coin_p(ones_, bits), bits,
           percent(static_cast<double>(ones_) / n) + " of the payload bits are ones", plain);
  out.test("content", "runs",
           static_cast<double>(transitions_) / static_cast<double>(std::max<std::uint64_t>(pairs_, 1)),
           fair_coin_p(transitions_, pairs_), pairs_, "payload bits change too often or too seldom", plain);
  double chi = 0, entropy = 0;
  const double expected = static_cast<double>(n_octets_) / 256;
  for (const auto c : octet_count_) {
    if (n_octets_ == 0) break;
    const auto x = static_cast<double>(c);
    chi += (x - expected) * (x - expected) / expected;
    if (c > 0) entropy -= x / static_cast<double>(n_octets_) * std::log2(x / static_cast<double>(n_octets_));
  }
  const bool enough = n_octets_ >= min_octets_for_chi_square;
  char text[120];
  std::snprintf(text, sizeof text, "octet values are not uniform (entropy of the histogram %.4f bits an octet)%s",
                entropy, enough ? "" : "; too few octets for this test");
  out.test("content", "octet_chi_square", chi, enough ? chi_square_p(chi, 255) : 1.0, n_octets_, text, plain);

  const auto saving = [&](const char* check, double most, const char* what, const frame_list& frames) {
    out.test("content", check, most, std::min(1.0, std::exp2(-most)), n_octets_,
             std::string(what) + ": an adaptive code saves " + std::to_string(static_cast<long long>(most)) + " bits",
             frames);
  };
  saving("code_octets", all_.order0_saving.most(), "payloads are compressible", plain);
  saving("code_octet_pairs", order1_saving_.most(), "payloads are compressible", plain);
  saving("code_positions", all_.position_saving.most(), "payloads have structure at fixed places", plain);
  saving("code_octets_of_a_link", best_stream_order0_, "payloads of one link are compressible", plain);
  saving("code_positions_of_a_link", best_stream_position_, "payloads of one link have structure at fixed places",
         plain);
  saving("xor_of_neighbours", all_.difference_saving.most(),
         "XOR of records that follow each other has structure (keystream reuse)", difference_.list(n_records_));
  saving("xor_of_neighbours_of_a_link", best_stream_difference_,
         "XOR of records that follow each other on one link has structure (keystream reuse)",
         difference_.list(n_records_));
  saving("xor_across_links", cross_saving_.most(),
         "XOR of records with equal LCID and SN on different links has structure (keystream reuse)",
         cross_frames_.list(n_records_));
}

}  // namespace prose::apps
