// Captures block by block, with whatever header bits a test wants, in the order of RLC sequence numbers.
#pragma once

#include <gtest/gtest.h>

#include <ctime>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "apps/lib/verdict/verdict.h"
#include "mac/rlc_um.h"
#include "security/discovery_code.h"
#include "security/messages.h"
#include "tests/controls/bench.h"

namespace prose::apps {

class block_bench {
public:
  static constexpr std::uint32_t a = 0x123456, b = 0x9a8b7c;
  std::mt19937_64 rng{20261128};
  std::vector<captured_frame> frames;
  verdict_options options;
  double now = 0;

  octets noise(std::size_t n) {
    octets o(n);
    for (auto& x : o) x = static_cast<std::uint8_t>(rng() >> 32);
    return o;
  }
  std::uint16_t id16() { return static_cast<std::uint16_t>(rng() | 1); }
  static std::string words(int i) {
    return "From: John To: Peter. meet me at 48.2082N 16.3738E, bring the documents. message number " +
           std::to_string(i) + ' ';
  }
  static octets text(int i) {
    const auto s = words(i);
    return {s.begin(), s.end()};
  }
  static octets pdcp(int type, int kd, int sn, const octets& body) {
    octets o(5 + body.size());
    const int header[] = {type << 5, kd >> 8, kd, sn >> 8, sn};
    for (std::size_t i = 0; i < o.size(); ++i) o[i] = static_cast<std::uint8_t>(i < 5 ? header[i] : body[i - 5]);
    return o;
  }
  octets request() { return head(1, security::request_octets); }
  octets command() { return head(12, security::command_octets); }
  octets complete() { return head(13, security::complete_octets); }
  void message(std::uint32_t src, std::uint32_t dst, const octets& m) {
    block(src, dst, m[0] == 1 ? 28 : 29, pdcp(2, 0, 0, m));
  }

  /// Random records between a and b.
  void good(int n) {
    for (int i = 0; i < n; ++i) block(a, b, 1, pdcp(0, 0xbeef, i, noise(80)));
  }
  void block(std::uint32_t src, std::uint32_t dst, std::uint8_t lcid, const octets& sdu, const octets& in_padding = {},
             int version = 2) {
    auto& tx = flows_[{src, dst, lcid}];
    ASSERT_TRUE(tx.enqueue(sdu));
    octets rlc(sdu.size() + 2);
    rlc.resize(tx.build(rlc));
    put(src, dst, {{lcid, rlc}}, in_padding.size() + 12, static_cast<mac::sl_sch_version>(version));
    std::copy(in_padding.begin(), in_padding.end(), frames.back().octets.end() - in_padding.size());
  }
  void two_sdus(std::uint32_t src, std::uint32_t dst, const octets& record, std::uint8_t other_lcid,
                const octets& other) {
    auto& tx = flows_[{src, dst, 1}];
    ASSERT_TRUE(tx.enqueue(record));
    octets rlc(record.size() + 2);
    rlc.resize(tx.build(rlc));
    put(src, dst, {{1, rlc}, {other_lcid, other}}, 8, mac::sl_sch_version::unicast);
  }
  /// The first segment of an SDU whose rest never comes.
  void segment(std::uint32_t src, std::uint32_t dst, int sn, const octets& body) {
    octets rlc = pdcp(0, 0x1234, sn, body);
    rlc.insert(rlc.begin(), static_cast<std::uint8_t>(0x40 | sn % 32));
    put(src, dst, {{1, rlc}}, 8, mac::sl_sch_version::unicast);
  }
  /// A record in two blocks, of which the first may be lost.
  void cut_in_two(std::uint32_t src, std::uint32_t dst, int sn, const octets& body, bool first_lost) {
    auto& tx = flows_[{src, dst, 1}];
    ASSERT_TRUE(tx.enqueue(pdcp(0, 0xbeef, sn, body)));
    for (const bool first : {true, false}) {
      octets rlc(first ? body.size() / 2 : body.size() + 10);
      rlc.resize(tx.build(rlc));
      if (first && first_lost)
        lost();
      else
        put(src, dst, {{1, rlc}}, 8, mac::sl_sch_version::unicast);
    }
  }
  /// A record in `pieces` blocks; `between` sends something else behind each but the last, and is told the SN of the
  /// next.
  template <class Between>
  void in_pieces(std::uint32_t src, std::uint32_t dst, const octets& pdu, int pieces, Between&& between) {
    const std::size_t each = (pdu.size() + static_cast<std::size_t>(pieces) - 1) / static_cast<std::size_t>(pieces);
    for (int i = 0; i < pieces; ++i) {
      const auto first = pdu.begin() + (static_cast<std::size_t>(i) * each);
      const auto n = std::min<std::ptrdiff_t>(static_cast<std::ptrdiff_t>(each), pdu.end() - first);
      umd(src, dst, (i > 0 ? 2 : 0) | (i + 1 < pieces ? 1 : 0), sn_++, octets(first, first + n));
      if (i + 1 < pieces) between(sn_);
    }
  }
  /// A UMD PDU with whatever framing info and SN.
  void umd(std::uint32_t src, std::uint32_t dst, int fi, int sn, const octets& body) {
    octets rlc(body);
    rlc.insert(rlc.begin(), static_cast<std::uint8_t>(fi << 6 | sn % 32));
    put(src, dst, {{1, rlc}}, 8, mac::sl_sch_version::unicast);
  }
  /// A block that was announced and not decoded.
  void lost() {
    auto& f = next(frame_kind::sl_sch);
    f.crc_ok = false;
  }
  void discovery(int slot) {
    auto& f = next(frame_kind::discovery);
    f.octets = noise(security::discovery_octets);
    f.octets[0] = static_cast<std::uint8_t>(security::discovery_type::announcement);
    f.octets.back() = static_cast<std::uint8_t>(slot);
  }
  void lost_discovery() { next(frame_kind::discovery).crc_ok = false; }
  void mib(std::uint32_t reserved, int frame_number = -1) {
    auto& f = next(frame_kind::mib_sl);
    f.n_sl_id = 7;
    const auto subframe = std::llround(f.time_s * 1000) % 10'240;
    f.mib = {.direct_frame_number = static_cast<std::uint16_t>(frame_number >= 0 ? frame_number : subframe / 10),
             .direct_subframe_number = static_cast<std::uint8_t>(subframe % 10),
             .reserved = reserved};
    put_bits(f, 40, [&](auto bits) { phy::pack(f.mib, bits); });
  }
  void sci0(phy::sci_format0 s) {
    auto& f = next(frame_kind::sci);
    f.sci = s;
    put_bits(f, phy::sci_format0_bits(25), [&](auto bits) { phy::pack(s, 25, bits); });
  }
  void sci1(phy::sci_format1 s, int n_subchannels) {
    auto& f = next(frame_kind::sci);
    f.sci = s;
    f.n_subchannels = n_subchannels;
    put_bits(f, phy::sci_format1_bits, [&](auto bits) { phy::pack(s, n_subchannels, bits); });
  }

private:
  octets head(std::uint8_t type, std::size_t n) {
    auto m = noise(n);
    m[0] = type, m[1] = 0, m[2] = 1;
    if (type == 1) m[3] = 1;
    return m;
  }
  captured_frame& next(frame_kind k) {
    auto& f = frames.emplace_back();
    f.number = number_++;
    f.kind = k;
    f.time_s = now;
    f.sample = static_cast<std::int64_t>(f.number);
    now += 0.05;
    return f;
  }
  template <class Pack>
  static void put_bits(captured_frame& f, int n, Pack&& pack) {
    octets bits(static_cast<std::size_t>(n));
    pack(std::span(bits));
    f.n_bits = n;
    f.octets.assign((bits.size() + 7) / 8, 0);
    for (std::size_t i = 0; i < bits.size(); ++i) f.octets[i / 8] |= static_cast<std::uint8_t>(bits[i] << (7 - i % 8));
  }
  void put(std::uint32_t src, std::uint32_t dst, const std::vector<std::pair<std::uint8_t, octets>>& sdus,
           std::size_t spare, mac::sl_sch_version version) {
    auto& f = next(frame_kind::sl_sch);
    f.n_x_id = dst & 0xff;
    std::size_t n = 7 + 3 + spare;
    for (const auto& [lcid, data] : sdus) n += 3 + data.size();
    f.octets.resize(n);
    mac::sl_sch_builder build({version, src, dst}, f.octets);
    for (const auto& [lcid, data] : sdus) {
      auto place = build.add(lcid, data.size());
      ASSERT_EQ(place.size(), data.size());
      std::copy(data.begin(), data.end(), place.begin());
    }
    build.finish();
    f.tbs = f.n_bits = static_cast<int>(8 * n);
  }
  std::map<std::tuple<std::uint32_t, std::uint32_t, std::uint8_t>, mac::rlc_um_tx> flows_;
  std::uint64_t number_ = 0;
  int sn_ = 0;
};

}  // namespace prose::apps
