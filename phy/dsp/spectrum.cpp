#include "phy/dsp/spectrum.h"

#include <cassert>
#include <complex>

#include <liquid/liquid.h>

#include <cmath>

namespace prose::phy {

struct spectrum::state {
  explicit state(int n) : q(spgramcf_create_default(static_cast<unsigned>(n))) { spgramcf_set_alpha(q, -1.0F); }
  ~state() { spgramcf_destroy(q); }
  spgramcf q;
};

spectrum::spectrum(int n_bins) : n_bins_(n_bins), s_(std::make_unique<state>(n_bins)) { assert(n_bins >= 2); }
spectrum::~spectrum() = default;
spectrum::spectrum(spectrum&&) noexcept = default;
spectrum& spectrum::operator=(spectrum&&) noexcept = default;

void spectrum::write(std::span<const cf32> samples) {
  // liquid's interface lacks the const; it only reads.
  spgramcf_write(s_->q, const_cast<cf32*>(samples.data()), static_cast<unsigned>(samples.size()));
}

void spectrum::psd_db(std::span<float> psd) const {
  assert(static_cast<int>(psd.size()) == n_bins_);
  spgramcf_get_psd(s_->q, psd.data());
  // liquid scales the window to unit power over the transform, so noise of power P gives P in every bin.
  const float per_bin = 10.0F * std::log10(static_cast<float>(n_bins_));
  for (auto& v : psd) v -= per_bin;
}

void spectrum::clear() { spgramcf_reset(s_->q); }

}  // namespace prose::phy
