// RLC unacknowledged mode for STCH (TS 36.322 5.1.2, 6.2.1.3; SN of 5 bits, UM_Window_Size 0: TS 36.331 9.1.1.6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <vector>

namespace prose::mac {

inline constexpr unsigned rlc_sn_modulus = 32;
inline constexpr std::size_t rlc_max_li = 2047;
/// Largest SDU accepted: the largest PDCP SDU (8188 octets, TS 36.323 4.3.1), its header and a tag.
inline constexpr std::size_t rlc_max_sdu_octets = 8188 + 5 + 16;

/// One transmitting entity: queues SDUs and cuts them into PDUs of the sizes that the MAC offers.
class rlc_um_tx {
 public:
  explicit rlc_um_tx(std::size_t max_queued_octets = 256 * 1024) : max_queued_octets_(max_queued_octets) {}
  /// False when the queue is full or the SDU is empty or too long; then nothing is queued.
  bool enqueue(std::vector<std::uint8_t> sdu);
  bool empty() const { return queue_.empty(); }
  std::size_t queued_octets() const { return queued_octets_ - sent_of_head_; }
  /// Octets of a PDU that would carry everything queued (up to what one PDU can name).
  std::size_t wanted_octets() const;
  /// Writes one UMD PDU of at most out.size() octets; returns its size, 0 when nothing is queued or fewer than two octets
  /// are offered.
  std::size_t build(std::span<std::uint8_t> out);
  void clear();

 private:
  std::deque<std::vector<std::uint8_t>> queue_;
  std::size_t sent_of_head_ = 0;
  std::size_t queued_octets_ = 0;
  std::size_t max_queued_octets_;
  std::uint8_t vt_us_ = 0;  // VT(US)
};

struct rlc_um_counters {
  std::uint64_t pdus = 0, malformed = 0, gaps = 0, sdus = 0, sdus_lost = 0;
};

/// A UMD PDU's fields; elements point into the PDU.
struct umd_pdu {
  bool starts_inside_sdu = false;  // FI, first bit
  bool ends_inside_sdu = false;    // FI, second bit
  std::uint8_t sn = 0;
  static constexpr std::size_t max_elements = 128;
  std::size_t n_elements = 0;
  std::span<const std::uint8_t> elements[max_elements];
};
/// False: truncated, a length of zero, more elements than fit, or no data.
bool parse(std::span<const std::uint8_t> pdu, umd_pdu& out);

/// One receiving entity. With a window of 0 there is no reordering: a PDU that is not the next one starts afresh, and what was
/// half assembled is lost. VR(UR) takes the SN of the first PDU received (TS 36.322 7.1), whatever it is.
class rlc_um_rx {
 public:
  /// Calls deliver(std::span<const std::uint8_t>) for each SDU completed by this PDU.
  template <class Deliver>
  void receive(std::span<const std::uint8_t> pdu, rlc_um_counters& c, Deliver&& deliver) {
    umd_pdu p;
    if (!begin(pdu, p, c)) return;
    for (std::size_t i = 0; i < p.n_elements; ++i)
      if (const auto sdu = take(p, i, c); !sdu.empty()) deliver(sdu);
  }
  std::size_t held_octets() const { return partial_.size(); }

 private:
  bool begin(std::span<const std::uint8_t> pdu, umd_pdu& p, rlc_um_counters& c);
  std::span<const std::uint8_t> take(const umd_pdu& p, std::size_t i, rlc_um_counters& c);
  std::optional<std::uint8_t> vr_ur_;  // VR(UR); VR(UH) equals it with a window of 0
  bool assembling_ = false;
  bool in_sequence_ = false;
  bool delivered_partial_ = false;
  std::vector<std::uint8_t> partial_;
};

}  // namespace prose::mac
