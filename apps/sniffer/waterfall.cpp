#include "apps/sniffer/waterfall.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "apps/sniffer/png.h"

namespace prose::apps {

void waterfall::add(std::span<const phy::cf32> block) {
  const auto part = block.first(std::min(block.size(), transformed_samples));
  // The monitor counts samples that are no numbers; here they would blacken the picture.
  if (!std::all_of(part.begin(), part.end(), [](const phy::cf32& v) { return std::norm(v) < 1e20F; })) return;
  spectrum_.write(part);
  waiting_samples_ += block.size();
  if (++blocks_ >= blocks_per_column_) end_column();
}

void waterfall::end_column() {
  spectrum_.psd_db(psd_);
  for (const float db : psd_) columns_.push_back(std::isfinite(db) ? std::pow(10.0F, db / 10) : 0.0F);
  spectrum_.clear();
  blocks_ = 0;
  n_samples_ += std::exchange(waiting_samples_, 0);
  if (n_columns() < max_columns) return;
  for (std::size_t c = 0; c < max_columns / 2; ++c)
    for (std::size_t b = 0; b < n_bins; ++b)
      columns_[c * n_bins + b] = 0.5F * (columns_[2 * c * n_bins + b] + columns_[(2 * c + 1) * n_bins + b]);
  columns_.resize(max_columns / 2 * n_bins);
  blocks_per_column_ *= 2;
}

std::vector<std::uint8_t> waterfall::png(float& low_db, float& high_db) const {
  low_db = high_db = 0;
  if (columns_.empty()) return {};
  std::vector<float> db(columns_.size());
  std::transform(columns_.begin(), columns_.end(), db.begin(),
                 [](float v) { return 10 * std::log10(std::max(v, 1e-20F)); });
  auto sorted = db;
  std::sort(sorted.begin(), sorted.end());
  const auto at = [&sorted](double q) {
    return sorted[static_cast<std::size_t>(q * static_cast<double>(sorted.size() - 1))];
  };
  high_db = at(0.999);
  low_db = std::clamp(at(0.05), high_db - 70, high_db - 10);
  const auto width = n_columns();
  std::vector<std::uint8_t> pixels(db.size());
  for (std::size_t c = 0; c < width; ++c)
    for (std::size_t b = 0; b < n_bins; ++b)  // the highest frequency on top
      pixels[(n_bins - 1 - b) * width + c] =
          static_cast<std::uint8_t>(std::clamp(255 * (db[c * n_bins + b] - low_db) / (high_db - low_db), 0.0F, 255.0F));
  return indexed_png(static_cast<int>(width), n_bins, pixels, heat_palette());
}

}  // namespace prose::apps
