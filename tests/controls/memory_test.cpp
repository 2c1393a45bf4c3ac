// The analysis at all of its limits at once: fresh links, records, discovery messages and requests, more than it keeps.
#include <gtest/gtest.h>
#include <malloc.h>

#include <random>

#include "apps/lib/verdict/verdict.h"
#include "mac/rlc_um.h"

namespace prose::apps {
namespace {

std::size_t heap_in_use() {
  const auto m = mallinfo2();
  return m.uordblks + m.hblkhd;
}

captured_frame fresh_sdu(std::mt19937_64& rng, std::uint32_t src, std::uint32_t dst, std::uint8_t lcid,
                         const std::vector<std::uint8_t>& pdu) {
  static std::uint64_t number = 0;
  mac::rlc_um_tx rlc;
  rlc.enqueue(pdu);
  captured_frame f;
  f.number = number++;
  f.time_s = static_cast<double>(number) / 1000;
  f.cfo_hz = static_cast<float>(rng() % 1000);
  f.octets.resize(pdu.size() + 20);
  mac::sl_sch_builder build({mac::sl_sch_version::v2x, src, dst}, f.octets);
  rlc.build(build.add(lcid, rlc.wanted_octets()));
  build.finish();
  return f;
}

TEST(memory, of_the_analysis_is_bounded_at_all_limits_at_once) {
  std::mt19937_64 rng(5);
  const auto before = heap_in_use();
  verdict_options o;
  o.compromised = std::make_shared<std::vector<stolen_file>>();
  analysis a(o);
  std::uint32_t src = 0, dst = 0;
  std::uint16_t kd = 0;
  const auto noise = [&](std::size_t n) {
    std::vector<std::uint8_t> out(n);
    for (auto& x : out) x = static_cast<std::uint8_t>(rng() >> 32);
    return out;
  };
  const auto feed = [&](int n) {
    for (int i = 0; i < n; ++i) {
      if (i % 8 == 0) src = rng() & 0xffffff, dst = rng() & 0xffffff, kd = static_cast<std::uint16_t>(rng() | 1);
      auto pdu = noise(520);
      security::write_pdcp_header({security::sdu_type::ip, kd, static_cast<std::uint16_t>(i)},
                                  std::span(pdu).first<5>());
      a.add(fresh_sdu(rng, src, dst, 1, pdu));
      captured_frame d;
      d.kind = frame_kind::discovery;
      d.time_s = i / 100.0;
      d.octets = noise(29);
      d.octets.back() = static_cast<std::uint8_t>(i / 100);
      if (i % 2 == 0) a.add(d);
      if (i % 20 != 0) continue;
      auto request = noise(5 + 65);
      std::copy(security::unprotected_pdcp_header.begin(), security::unprotected_pdcp_header.end(), request.begin());
      request[5] = 1;
      a.add(fresh_sdu(rng, rng() & 0xffffff, rng() & 0xffffff, 28, request));
    }
  };
  std::size_t most = 0;
  for (int i = 0; i < 10; ++i) {
    feed(24'000);
    most = std::max(most, heap_in_use() - before);
    std::printf("%d records: %zu MiB in use\n", 24'000 * (i + 1), (heap_in_use() - before) >> 20);
  }
  const auto v = a.judge();
  EXPECT_EQ(v.records, 240'000U);
  EXPECT_GT(v.frames_not_examined, 0U) << "the limit of kept records is reached";
  EXPECT_LE(most, most_analysis_octets);
  EXPECT_GE(most, most_analysis_octets / 2) << "what is stated is far from what it is";
}

}  // namespace
}  // namespace prose::apps
