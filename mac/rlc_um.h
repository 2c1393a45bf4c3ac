// RLC unacknowledged mode for STCH (TS 36.322 5.1.2, 6.2.1.3; SN of 5 bits, UM_Window_Size 0: TS 36.331 9.1.1.6).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
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
  /// Returns false, and queues nothing, if the queue is full or the SDU is empty or too long.
  bool enqueue(std::vector<std::uint8_t> sdu);
  bool empty() const { return queue_.empty(); }
  std::size_t queued_octets() const { return queued_octets_ - sent_of_head_; }
  /// Octets of a PDU that would carry everything queued (up to what one PDU can name).
  std::size_t wanted_octets() const;
  /// Writes one UMD PDU of at most out.size() octets; returns its size, 0 when nothing is queued or fewer than two
  /// octets are offered.
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
  // of rlc_um_candidates only
  std::uint64_t trials = 0;          ///< SDUs handed over; each may be forged
  std::uint64_t forged = 0;          ///< trials whose authentication failed
  std::uint64_t misfits = 0;         ///< forged ones with other PDUs between their pieces: a piece was lost, or forged
  std::uint64_t trials_refused = 0;  ///< not handed over: the budget of the subframe was used up
  std::uint64_t candidates_dropped = 0;  ///< the oldest of a full sequence number or store
  /// Of the dropped candidates, those that arrived within the last rlc_um_candidates::young_pdus. Losses alone do not
  /// cause that.
  std::uint64_t young_dropped = 0;
  std::uint64_t searches_cut = 0;  ///< SDUs of which not every assembly was tried
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
/// Returns false if the PDU is truncated, has a length of zero, more elements than fit, or no data.
bool parse(std::span<const std::uint8_t> pdu, umd_pdu& out);

/// One receiving entity. With a window of 0 there is no reordering: a PDU that is not the next one starts afresh, and
/// what was half assembled is lost. VR(UR) takes the SN of the first PDU received (TS 36.322 7.1), whatever it is.
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

/// The receiver's judgement of an SDU.
enum class sdu_verdict : std::uint8_t {
  verified,
  refused,  ///< not taken, but nothing says that somebody forged it (a duplicate, for instance)
  forged,   ///< its authentication failed
};

struct rlc_um_candidate_limits {
  std::size_t octets = 64 * 1024 + 4096;  ///< of segments; 8 of the largest SDU fit
  std::size_t segments = 256;
  std::size_t max_sdu_octets = rlc_max_sdu_octets;
  unsigned trials_per_sdu = 16;
};

/// What a search for the beginning of an SDU needs; one serves all stores of a receiver.
class rlc_um_workspace {
public:
  explicit rlc_um_workspace(const rlc_um_candidate_limits& largest)
      : path_(largest.segments), sdu_(largest.max_sdu_octets) {}

private:
  friend class rlc_um_candidates;
  struct step {
    std::uint16_t segment;
    std::int64_t cost;   // PDUs that came between the chosen ones
    std::size_t octets;  // from here to the end of the SDU
  };
  std::vector<step> path_;
  std::vector<std::uint8_t> sdu_;
};

/// The receiving entities of one (SRC, DST) under which anybody may send. NOT 3GPP: TS 36.322 5.1.2.2 keeps one
/// assembly, which a single forged PDU destroys. Here up to 8 candidates of a sequence number are kept (then the oldest
/// is dropped), and an SDU counts once its receiver has verified it; a failed trial changes nothing. As with a window
/// of 0, the PDUs of an SDU arrive in order.
///
/// When a PDU ends an SDU, beginnings and middles that fit are tried, those with the fewest PDUs between them first.
/// Without an attacker the first is right. All memory is taken in the constructor.
class rlc_um_candidates {
  struct segment;

public:
  static constexpr std::size_t per_sn = 8;
  static constexpr std::uint32_t young_pdus = 64;
  /// What a failing trial takes from the budget, in octets of authentication. The fixed cost of one is some 64 octets.
  static constexpr std::size_t trial_cost(std::size_t sdu_octets) { return sdu_octets + 64; }
  /// The memory of several in one piece. It is not initialised: a page that no segment ever used costs nothing.
  class storage {
  public:
    storage(const rlc_um_candidate_limits& limits, std::size_t n);

  private:
    friend class rlc_um_candidates;
    rlc_um_candidate_limits limits_;
    std::shared_ptr<std::uint8_t[]> octets_;
    std::shared_ptr<segment[]> segments_;
  };
  explicit rlc_um_candidates(const rlc_um_candidate_limits& limits) : rlc_um_candidates(storage(limits, 1), 0) {}
  /// The i-th of those that share the storage.
  rlc_um_candidates(const storage& all, std::size_t i);
  void clear();

  /// Calls attempt(std::span<const std::uint8_t>) -> sdu_verdict for each SDU that this PDU may complete. `budget`
  /// falls by trial_cost() with each forged one; what it does not cover is not tried.
  template <class Attempt>
  void receive(std::uint8_t lcid, std::span<const std::uint8_t> pdu, std::size_t& budget, rlc_um_workspace& work,
               rlc_um_counters& c, Attempt&& attempt) {
    umd_pdu p;
    if (!parse(pdu, p)) {
      ++c.malformed;
      return;
    }
    ++c.pdus;
    ++arrivals_;
    for (std::size_t i = 0; i < p.n_elements; ++i) {
      const bool continues = i == 0 && p.starts_inside_sdu;
      const bool unfinished = i + 1 == p.n_elements && p.ends_inside_sdu;
      if (unfinished) {
        store(lcid, p.sn, !continues, p.elements[i], c);
      } else if (continues) {
        end_of_sdu(lcid, p.sn, p.elements[i], budget, work, c, attempt);
      } else if (p.elements[i].size() > limits_.max_sdu_octets) {
        ++c.malformed;
      } else {
        try_one(p.elements[i], budget, c, attempt);
      }
    }
  }
  std::size_t held_segments() const { return count_; }

private:
  static constexpr std::uint16_t none = 0xFFFF;
  static constexpr unsigned max_steps = 4096;
  struct segment {
    std::uint32_t arrival;
    std::uint32_t at;  // in octets_
    std::uint16_t octets;
    std::uint16_t older;  // of the same SN
    std::uint8_t sn, lcid;
    bool begins, live;
  };
  struct search {
    std::uint8_t lcid, sn;
    std::uint32_t arrival;
    std::size_t tail_octets;
    std::int64_t bound = 0, done = -1, next = INT64_MAX;
    std::size_t depth = 0;
    unsigned steps = max_steps;
    bool begun = false;
  };

  template <class Attempt>
  sdu_verdict try_one(std::span<const std::uint8_t> sdu, std::size_t& budget, rlc_um_counters& c, Attempt&& attempt) {
    const std::size_t cost = trial_cost(sdu.size());
    if (budget < cost) {
      ++c.trials_refused;
      return sdu_verdict::refused;
    }
    ++c.trials;
    const sdu_verdict v = attempt(sdu);
    if (v == sdu_verdict::forged) {
      budget -= cost;
      ++c.forged;
    }
    if (v == sdu_verdict::verified) ++c.sdus;
    return v;
  }
  template <class Attempt>
  void end_of_sdu(std::uint8_t lcid, std::uint8_t sn, std::span<const std::uint8_t> tail, std::size_t& budget,
                  rlc_um_workspace& work, rlc_um_counters& c, Attempt&& attempt) {
    search s{lcid, sn, arrivals_, tail.size()};
    unsigned n = 0;
    for (; n < limits_.trials_per_sdu && next_chain(s, work); ++n) {
      const sdu_verdict v = try_one(assemble(s, tail, work), budget, c, attempt);
      if (v == sdu_verdict::forged && work.path_[s.depth - 1].cost > 0) ++c.misfits;
      if (v != sdu_verdict::verified) continue;
      forget(s, work);
      return;
    }
    ++c.sdus_lost;
    if (n == limits_.trials_per_sdu || s.steps > max_steps) ++c.searches_cut;
  }
  void dropping(const segment& g, rlc_um_counters& c) const {
    ++c.candidates_dropped;
    c.young_dropped += arrivals_ - g.arrival <= young_pdus ? 1 : 0;
  }
  void store(std::uint8_t lcid, std::uint8_t sn, bool begins, std::span<const std::uint8_t> octets, rlc_um_counters& c);
  bool next_chain(search& s, rlc_um_workspace& work) const;
  std::span<const std::uint8_t> assemble(const search& s, std::span<const std::uint8_t> tail,
                                         rlc_um_workspace& work) const;
  void forget(const search& s, const rlc_um_workspace& work);
  void drop(std::uint16_t i);
  void drop_oldest();
  std::span<const std::uint8_t> octets_of(const segment& g) const { return {octets_.get() + g.at, g.octets}; }

  rlc_um_candidate_limits limits_;
  std::shared_ptr<std::uint8_t[]> octets_;  // a ring of segments in the order of their arrival
  std::shared_ptr<segment[]> segments_;     // likewise
  std::array<std::uint16_t, rlc_sn_modulus> newest_{};
  std::size_t write_ = 0;
  std::size_t oldest_ = 0, count_ = 0;
  std::uint32_t arrivals_ = 0;
};

}  // namespace prose::mac
