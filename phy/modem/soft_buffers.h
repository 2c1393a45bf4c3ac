// A fixed number of soft buffers for the transport blocks that are being combined. If all are in use, the one that was
// unused longest is taken. What is decoded once and not kept has one of its own.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "phy/coding/transport_code.h"

namespace prose::phy {

class soft_buffers {
public:
  /// The right to a buffer. It ends when the buffer is taken for another block.
  struct loan {
    int slot = -1;
    std::uint64_t generation = 0;
  };

  soft_buffers(int count, int max_tbs) : scratch_(max_tbs) {
    slots_.reserve(count);
    for (int i = 0; i < count; ++i) slots_.push_back({soft_buffer(max_tbs), 0, 0, false});
  }

  loan borrow(int tbs, std::int64_t now, std::uint64_t& evicted) {
    const loan l = take(now, evicted);
    slots_[l.slot].buffer.reset(tbs);
    return l;
  }
  /// Returns null if the loan has ended.
  soft_buffer* get(const loan& l, std::int64_t now) {
    if (l.slot < 0) return nullptr;
    slot& s = slots_[l.slot];
    if (!s.used || s.generation != l.generation) return nullptr;
    s.last_use = now;
    return &s.buffer;
  }
  /// An empty buffer for one decoding. Valid until the next call of this or of copy_of().
  soft_buffer& scratch(int tbs) {
    scratch_.reset(tbs);
    return scratch_;
  }
  /// Likewise a copy of a borrowed one; null if the loan has ended.
  soft_buffer* copy_of(const loan& l, std::int64_t now) {
    const soft_buffer* of = get(l, now);
    if (of == nullptr) return nullptr;
    scratch_.copy(*of);
    return &scratch_;
  }
  /// What these two gave last is borrowed from now on.
  loan keep_scratch(std::int64_t now, std::uint64_t& evicted) {
    const loan l = take(now, evicted);
    std::swap(slots_[l.slot].buffer, scratch_);
    return l;
  }
  /// All loans end.
  void clear() {
    for (slot& s : slots_) {
      s.used = false;
      ++s.generation;
    }
  }
  void give_back(loan& l) {
    if (l.slot >= 0 && slots_[l.slot].generation == l.generation) slots_[l.slot].used = false;
    l = {};
  }

private:
  struct slot {
    soft_buffer buffer;
    std::uint64_t generation;
    std::int64_t last_use;
    bool used;
  };
  loan take(std::int64_t now, std::uint64_t& evicted) {
    std::size_t pick = 0;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (!slots_[i].used) {
        pick = i;
        break;
      }
      if (slots_[i].last_use < slots_[pick].last_use) pick = i;
    }
    slot& s = slots_[pick];
    if (s.used) ++evicted;
    s.used = true;
    s.last_use = now;
    return {static_cast<int>(pick), ++s.generation};
  }
  std::vector<slot> slots_;
  soft_buffer scratch_;
};

}  // namespace prose::phy
