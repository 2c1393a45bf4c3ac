#include "apps/lib/common/sample_power.h"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>

#include "apps/lib/common/log.h"

namespace prose::apps {
namespace {
constexpr double loudest = 1e4;      // +40 dBFS: no receiver gives a mean power of this
constexpr std::size_t chunk = 1024;  // floats add up so many squares, 128 a lane: to 1e-5 of the sum
constexpr int lanes = 16;
typedef float floats __attribute__((vector_size(lanes * sizeof(float))));
}  // namespace

void sample_power::add(std::span<const phy::cf32> samples) {
  n += samples.size();
  for (; !samples.empty(); samples = samples.subspan(std::min(samples.size(), chunk))) {
    const auto part = samples.first(std::min(samples.size(), chunk));
    if (!add_finite(part)) add_each(part);
  }
}

// False, and nothing is added, where the sum is not finite.
bool sample_power::add_finite(std::span<const phy::cf32> samples) {
  floats squares{}, largest{};
  const auto add = [&](const phy::cf32* from, std::size_t count) {
    floats x{};
    std::memcpy(&x, from, count * sizeof *from);
    x *= x;
    squares += x;
    const floats power =
        x + __builtin_shufflevector(x, x, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);  // re and im
    largest = power > largest ? power : largest;
  };
  constexpr std::size_t together = lanes / 2;
  std::size_t i = 0;
  for (; i + together <= samples.size(); i += together) add(&samples[i], together);
  if (i < samples.size()) add(&samples[i], samples.size() - i);
  double total = 0;
  for (int lane = 0; lane < lanes; ++lane) total += squares[lane];
  if (!(total <= std::numeric_limits<float>::max())) return false;
  sum += total;
  for (int lane = 0; lane < lanes; ++lane) peak = std::max<double>(peak, largest[lane]);
  return true;
}

void sample_power::add_each(std::span<const phy::cf32> samples) {
  for (const auto& v : samples) {
    const double re = v.real(), im = v.imag();
    const double p = re * re + im * im;  // of floats: finite where they are
    const bool finite = p <= std::numeric_limits<double>::max();
    non_finite += finite ? 0 : 1;
    sum += finite ? p : 0;
    peak = std::max(peak, finite ? p : 0);
  }
}

void sample_power::add(const sample_power& more) {
  sum += more.sum;
  peak = std::max(peak, more.peak);
  n += more.n;
  non_finite += more.non_finite;
}

std::string sample_power::oddity() const {
  if (n > 0 && !any_finite()) return "no sample is finite";
  if (mean() <= loudest) return {};
  char text[80];
  std::snprintf(text, sizeof text, "a mean power of %.1f dBFS is no signal's", 10 * std::log10(mean()));
  return text;
}

void sample_watch::tell(const std::string& oddity) {
  if (oddity.empty() || told_) return;
  told_ = true;
  log_warning("{}: {}{}", name_, oddity, hint_);
}

void sample_watch::add(std::span<const phy::cf32> samples) {
  second_.add(samples);
  if (static_cast<double>(second_.n) < window_) return;
  tell(second_.oddity());
  whole_.add(second_);
  second_ = {};
}

void sample_watch::end() {
  whole_.add(second_);
  second_ = {};
  tell(whole_.oddity());
}

}  // namespace prose::apps
