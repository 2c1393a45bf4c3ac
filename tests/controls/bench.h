// A capture made up frame by frame: random but for what a test puts into it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <variant>

#include "apps/lib/verdict/verdict.h"
#include "mac/rlc_um.h"
#include "security/types.h"

namespace prose::apps {

using octets = std::vector<std::uint8_t>;

class bench {
public:
  std::mt19937_64 rng{20240611};
  std::vector<captured_frame> frames;
  verdict_options options;

  octets noise(std::size_t n) {
    return make(n, [&] { return rng(); });
  }
  template <class F>
  octets make(std::size_t n, F&& next) {
    octets o(n);
    for (auto& x : o) x = static_cast<std::uint8_t>(next());
    return o;
  }
  /// Independent bits that are one with this probability.
  std::uint8_t biased(double ones) {
    std::bernoulli_distribution one(ones);
    int x = 0;
    for (int b = 0; b < 8; ++b) x = 2 * x + one(rng);
    return static_cast<std::uint8_t>(x);
  }

  void record(std::uint32_t src, std::uint32_t dst, std::uint16_t kd, std::uint16_t sn, const octets& body) {
    octets pdu(5);
    security::write_pdcp_header({security::sdu_type::ip, kd, sn}, std::span(pdu).first<5>());
    pdu.insert(pdu.end(), body.begin(), body.end());
    sdu(src, dst, 1, pdu);
  }
  /// So many records of random octets on a link of its own.
  void link(std::uint32_t a, std::uint32_t b, std::uint16_t kd, int records = 16) {
    for (int i = 0; i < records; ++i) record(a, b, kd, static_cast<std::uint16_t>(i), noise(64));
  }
  void message(std::uint32_t src, std::uint32_t dst, const octets& m) {
    octets pdu(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end());
    pdu.insert(pdu.end(), m.begin(), m.end());
    sdu(src, dst, m[0] == 1 ? 28 : 29, pdu);
  }
  octets request() { return head(1, security::request_octets); }
  octets command() { return head(12, security::command_octets); }
  octets complete() { return head(13, security::complete_octets); }

  /// So many links, of which one after another changes its identifiers, one every 8 s; each end of each sends a record
  /// every 4 s. Radios are 500 Hz apart.
  struct ids {
    std::uint32_t a, b;
    std::uint16_t ab, ba;
  };
  ids random_ids() { return {id24(), id24(), id16(), id16()}; }
  std::uint32_t id24() { return static_cast<std::uint32_t>(rng() & 0xffffff); }
  std::uint16_t id16() { return static_cast<std::uint16_t>(rng() | 1); }
  template <class Next>  // ids next(int link, const ids& before)
  void rotations(int links, int epochs, Next&& next, const std::function<void(int link, bool back)>& prepare = {}) {
    std::vector<ids> now_used;
    for (int l = 0; l < links; ++l) now_used.push_back(next(l, random_ids()));
    for (int step = 0; step < links * epochs; ++step) {
      now_used[step % links] = next(step % links, now_used[step % links]);
      for (int half = 0; half < 2; ++half) {
        for (int l = 0; l < links; ++l)
          for (const bool back : {false, true}) {
            const auto& i = now_used[l];
            if (prepare) prepare(l, back);
            cfo = radios_differ ? 500.0F * static_cast<float>(2 * l + (back ? 1 : 0)) : 0;
            record(back ? i.b : i.a, back ? i.a : i.b, back ? i.ba : i.ab, static_cast<std::uint16_t>(2 * step + half),
                   noise(40));
          }
        now += 4;
      }
    }
    cfo = 0;
  }
  bool radios_differ = true;
  /// Goes before each block; format 0 gets the destination's LSBs as its group destination ID, and the block the SCI's
  /// MCS.
  std::optional<std::variant<phy::sci_format0, phy::sci_format1>> sci;
  int prb_start = 4, n_prb = 5;

  void discovery(const octets& code_and_mic, std::uint8_t lsb, float cfo_hz = 0) {
    auto& f = next(frame_kind::discovery);
    f.octets.assign(1, 0x81);
    f.octets.insert(f.octets.end(), code_and_mic.begin(), code_and_mic.end());
    f.octets.push_back(lsb);
    f.cfo_hz = cfo_hz;
  }
  double now = 0;
  float cfo = 0;
  void sdu(std::uint32_t src, std::uint32_t dst, std::uint8_t lcid, const octets& pdu) {
    mac::rlc_um_tx rlc;
    ASSERT_TRUE(rlc.enqueue(pdu));
    std::int64_t same_sample = 0;
    if (sci) {
      auto& s = next(frame_kind::sci);
      if (auto* s0 = std::get_if<phy::sci_format0>(&*sci))
        s0->group_destination_id = static_cast<std::uint8_t>(dst);
      else
        same_sample = s.sample;
      s.sci = *sci;
      s.octets = noise(5);
      s.n_subchannels = 5;
      s.prb_start = prb_start - 2;
      s.n_prb = 2;
    }
    auto& f = next(frame_kind::sl_sch);
    if (same_sample != 0) f.sample = same_sample;
    f.prb_start = prb_start;
    f.n_prb = n_prb;
    if (sci) {
      f.mcs = std::visit([](const auto& s) { return s.mcs; }, *sci);
      f.n_x_id = dst & 0xff;
    }
    f.octets.resize(pdu.size() + 20);
    mac::sl_sch_builder b({mac::sl_sch_version::v2x, src, dst}, f.octets);
    rlc.build(b.add(lcid, rlc.wanted_octets()));
    b.finish();
  }

private:
  octets head(std::uint8_t type, std::size_t n) {
    auto m = noise(n);
    m[0] = type, m[1] = 0, m[2] = 1;
    return m;
  }
  captured_frame& next(frame_kind k) {
    auto& f = frames.emplace_back();
    f.number = frames.size() - 1;
    f.kind = k;
    f.time_s = now += 0.01;
    f.sample = static_cast<std::int64_t>(frames.size());
    f.cfo_hz = cfo;
    return f;
  }
};

}  // namespace prose::apps
