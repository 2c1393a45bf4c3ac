// What travels in the records of a covered flow: cells of one constant size, each with a piece of one SDU or with
// nothing. NOT 3GPP. They are sent on a logical channel of their own, by which the receiver knows them.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

#include "security/types.h"

namespace prose::mac {

inline constexpr std::uint8_t lcid_cells = 10;
inline constexpr std::size_t cell_header_octets = 4;  // kind 1, number 1, first and last piece 2 bits, length 14 bits

/// Of the SDU in a cell. From `data` on: its SDU type is added.
enum class cell_kind : std::uint8_t { empty = 0, signalling = 1, goodbye = 2, data = 16 };

/// Cuts the SDUs for one peer into cells.
class cell_cutter {
public:
  /// Returns false if the queue is full (`most` octets).
  bool enqueue(std::uint8_t kind, std::vector<std::uint8_t> octets, security::time_ms now, std::size_t most);
  /// Fills one cell; out.size() is that of all cells, zeros follow what is carried.
  void cut(std::span<std::uint8_t> out);
  /// Drops whole SDUs that were queued before `since`; returns how many.
  std::size_t expire(security::time_ms since);
  std::size_t octets() const { return octets_; }

private:
  struct sdu {
    std::uint8_t kind;
    std::vector<std::uint8_t> octets;
    security::time_ms at;
  };
  std::deque<sdu> queue_;
  std::size_t octets_ = 0, done_ = 0;  // done_: octets of the first that were cut already
  std::uint8_t number_ = 0;
};

/// Puts the pieces of one peer together again. A lost cell costs the SDU that it belongs to.
class cell_joiner {
public:
  struct sdu {
    std::uint8_t kind;
    std::span<const std::uint8_t> octets;  ///< until the next call
  };
  /// Empty: nothing is complete yet, or the cell is malformed.
  std::optional<sdu> join(std::span<const std::uint8_t> cell);

private:
  std::vector<std::uint8_t> octets_;
  std::uint8_t kind_ = 0, next_ = 0;
  bool open_ = false;
};

}  // namespace prose::mac
