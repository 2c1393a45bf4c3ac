#include "phy/dsp/batch_dft.h"

#include <fftw3.h>

#include <mutex>
#include <utility>

namespace prose::phy {
namespace {
// Only FFTW's execute functions are safe to call from several threads.
std::mutex& planner_mutex() {
  static std::mutex m;
  return m;
}
}  // namespace

struct batch_dft::plan {
  fftwf_plan p = nullptr;
  ~plan() {
    const std::scoped_lock lock(planner_mutex());
    if (p != nullptr) fftwf_destroy_plan(p);
  }
};

batch_dft::batch_dft(int size, int rows, direction d) : plan_(std::make_unique<plan>()), size_(size), rows_(rows) {
  const auto n = static_cast<std::size_t>(size) * static_cast<std::size_t>(rows);
  aligned_vector<cf32> in(n);
  aligned_vector<cf32> out(n);
  const std::scoped_lock lock(planner_mutex());
  plan_->p =
      fftwf_plan_many_dft(1, &size, rows, reinterpret_cast<fftwf_complex*>(in.data()), nullptr, 1, size,
                          reinterpret_cast<fftwf_complex*>(out.data()), nullptr, 1, size,
                          d == direction::forward ? FFTW_FORWARD : FFTW_BACKWARD, FFTW_ESTIMATE | FFTW_PRESERVE_INPUT);
}
batch_dft::~batch_dft() = default;
batch_dft::batch_dft(batch_dft&&) noexcept = default;
batch_dft& batch_dft::operator=(batch_dft&&) noexcept = default;

void batch_dft::execute(const cf32* in, cf32* out) const noexcept {
  // FFTW's interface is not const-correct; FFTW_PRESERVE_INPUT keeps `in` as it is.
  fftwf_execute_dft(plan_->p, reinterpret_cast<fftwf_complex*>(const_cast<cf32*>(in)),
                    reinterpret_cast<fftwf_complex*>(out));
}

}  // namespace prose::phy
