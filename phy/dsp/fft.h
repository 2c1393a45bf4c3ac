// Fourier transforms of the sizes that SC-FDMA needs: 128..2048 and 12 * 2^a 3^b 5^c.
#pragma once

#include <memory>
#include <span>

#include "phy/types/cf32.h"

namespace prose::phy {

enum class fft_direction {
  forward,   ///< X(k) = sum x(n) exp(-j 2 pi k n / N)
  backward,  ///< x(n) = sum X(k) exp(+j 2 pi k n / N)
};

/// A planned transform with its own buffers: fill input(), call execute(), read output(). Neither direction scales;
/// forward then backward multiplies by N. One object a thread; making one is slow and takes a process-wide lock, using
/// one allocates nothing.
///
/// The plan is FFTW's, the library that liquid-dsp itself computes with. liquid's public fft_create_plan() does not
/// reach FFTW in Debian's build: it took 10 to 25 times as long at these sizes (25.6 us against 1.7 us at 2048).
class fft {
public:
  fft(int size, fft_direction direction);
  ~fft();
  fft(fft&&) noexcept;
  fft& operator=(fft&&) noexcept;

  int size() const noexcept;
  std::span<cf32> input() noexcept;  ///< kept by execute()
  std::span<const cf32> output() const noexcept;
  std::span<cf32> output() noexcept;
  void execute() noexcept;
  /// Transforms in to out, of size() each, through the buffers where they do not suit FFTW. No overlap other than in ==
  /// out.
  void execute(std::span<const cf32> in, std::span<cf32> out) noexcept;

private:
  struct state;
  std::unique_ptr<state> s_;
};

}  // namespace prose::phy
