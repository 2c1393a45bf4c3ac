// Batches of equal-length DFTs over contiguous rows (FFTW, single precision).
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

#include "phy/types/cf32.h"

namespace prose::phy {

/// Memory on the boundary that the vector units and FFTW like.
template <class T>
struct aligned_allocator {
  using value_type = T;
  aligned_allocator() = default;
  template <class U>
  aligned_allocator(const aligned_allocator<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new (n * sizeof(T), std::align_val_t{64})); }
  void deallocate(T* p, std::size_t) { ::operator delete (p, std::align_val_t{64}); }
  bool operator==(const aligned_allocator&) const { return true; }
};
template <class T>
using aligned_vector = std::vector<T, aligned_allocator<T>>;

/// Row r of a table whose rows of `width` values lie one after another.
template <class T>
T* row_of(aligned_vector<T>& table, std::size_t r, std::size_t width) {
  return table.data() + r * width;
}
template <class T>
const T* row_of(const aligned_vector<T>& table, std::size_t r, std::size_t width) {
  return table.data() + r * width;
}

/// `rows` unnormalised DFTs of `size` points each, row after row, out of place. Planned once; execute() allocates
/// nothing.
class batch_dft {
public:
  enum class direction { forward, backward };
  batch_dft(int size, int rows, direction d);
  ~batch_dft();
  batch_dft(batch_dft&&) noexcept;
  batch_dft& operator=(batch_dft&&) noexcept;
  int size() const { return size_; }
  int rows() const { return rows_; }
  /// in and out: size() * rows() values, both on 64-byte boundaries. in is preserved.
  void execute(const cf32* in, cf32* out) const noexcept;

private:
  struct plan;
  std::unique_ptr<plan> plan_;
  int size_;
  int rows_;
};

}  // namespace prose::phy
