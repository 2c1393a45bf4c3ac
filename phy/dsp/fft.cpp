#include "phy/dsp/fft.h"

#include <fftw3.h>

#include <algorithm>
#include <cassert>
#include <mutex>
#include <new>

namespace prose::phy {
namespace {

// FFTW's planner is the one part of it that is not thread-safe.
std::mutex& planner_lock() {
  static std::mutex m;
  return m;
}

fftwf_complex* raw(cf32* p) { return reinterpret_cast<fftwf_complex*>(p); }

}  // namespace

struct fft::state {
  state(int n, fft_direction direction) : size(static_cast<std::size_t>(n)) {
    in = reinterpret_cast<cf32*>(fftwf_alloc_complex(size));
    out = reinterpret_cast<cf32*>(fftwf_alloc_complex(size));
    if (in == nullptr || out == nullptr) throw std::bad_alloc();
    const std::lock_guard lock(planner_lock());
    // PRESERVE_INPUT, so that what a caller left in the unused bins is still zero the next time. ESTIMATE makes plans
    // that do not depend on timings: the same samples on every run.
    plan = fftwf_plan_dft_1d(n, raw(in), raw(out), direction == fft_direction::forward ? FFTW_FORWARD : FFTW_BACKWARD,
                             FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
    std::fill_n(in, size, cf32{});
    std::fill_n(out, size, cf32{});
  }
  ~state() {
    {
      const std::lock_guard lock(planner_lock());
      fftwf_destroy_plan(plan);
    }
    fftwf_free(in);
    fftwf_free(out);
  }
  state(const state&) = delete;
  state& operator=(const state&) = delete;

  std::size_t size;
  cf32* in = nullptr;
  cf32* out = nullptr;
  fftwf_plan plan = nullptr;
};

fft::fft(int size, fft_direction direction) : s_(std::make_unique<state>(size, direction)) { assert(size > 0); }
fft::~fft() = default;
fft::fft(fft&&) noexcept = default;
fft& fft::operator=(fft&&) noexcept = default;

int fft::size() const noexcept { return static_cast<int>(s_->size); }
std::span<cf32> fft::input() noexcept { return {s_->in, s_->size}; }
std::span<const cf32> fft::output() const noexcept { return {s_->out, s_->size}; }
std::span<cf32> fft::output() noexcept { return {s_->out, s_->size}; }
void fft::execute() noexcept { fftwf_execute(s_->plan); }

void fft::execute(std::span<const cf32> in, std::span<cf32> out) noexcept {
  assert(in.size() == s_->size && out.size() == s_->size);
  std::copy(in.begin(), in.end(), s_->in);
  fftwf_execute(s_->plan);
  std::copy_n(s_->out, s_->size, out.begin());
}

}  // namespace prose::phy
