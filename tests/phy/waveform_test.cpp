// The transmitter against waveforms that other implementations made: every frame of a recording is sent again from its
// payload, and each subframe must correlate with the recorded one. Third-party data: PROSE_SHARED_IQ (generated_a: an
// encoder of srsRAN_4G; generated_b: a corrected lte-sidelink, equal to a second implementation; recorded: an ideal
// generator).
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <complex>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/bits.h"
#include "common/hex.h"
#include "phy/modem/transmitter.h"
#include "phy/types/mib_sl.h"
#include "phy/types/pool.h"
#include "prose_test_paths.h"

namespace prose::phy {
namespace {

using json = nlohmann::json;
namespace fs = std::filesystem;
using bit_vector = std::vector<std::uint8_t>;

bit_vector bits_of(const json& frame, int n) {
  const auto bytes = from_hex(frame.at("hex").get<std::string>()).value();
  bit_vector bits(static_cast<std::size_t>(n));
  unpack_bits(bytes, bits);
  return bits;
}

struct recording {
  json expected;
  carrier_config carrier;
  std::vector<cf32> samples;
  std::span<const cf32> subframe(int i) const {
    const std::size_t n = carrier.samples_per_subframe();
    const auto at = expected.at("first_subframe_sample").get<std::size_t>() + static_cast<std::size_t>(i) * n;
    return std::span(samples).subspan(at, std::min(n, samples.size() - at));
  }
};

recording load(const fs::path& expected_path) {
  recording r;
  r.expected = json::parse(std::ifstream(expected_path));
  const auto& c = r.expected.at("carrier");
  r.carrier =
      carrier_config::make(c.at("n_prb"), c.at("cp") == "extended" ? cyclic_prefix::extended : cyclic_prefix::normal,
                           static_cast<transmission_mode>(c.at("transmission_mode").get<int>()),
                           c.at("sample_rate_hz").get<double>())
          .value();
  auto data = expected_path.string();
  data.replace(data.find(".expected.json"), std::string::npos, ".sigmf-data");
  std::ifstream f(data, std::ios::binary);
  const std::string raw((std::istreambuf_iterator<char>(f)), std::istreambuf_iterator<char>());
  r.samples.resize(raw.size() / sizeof(cf32));
  std::memcpy(static_cast<void*>(r.samples.data()), raw.data(), r.samples.size() * sizeof(cf32));
  return r;
}

/// The frames of a subframe as transmissions; the bits live in `store`.
std::vector<transmission> transmissions_of(const std::vector<json>& frames, const carrier_config& carrier,
                                           std::vector<bit_vector>& store) {
  std::vector<transmission> list;
  store.reserve(frames.size());
  for (const auto& f : frames) {
    const auto channel = f.at("channel").get<std::string>();
    if (channel == "PSBCH") {
      store.push_back(bits_of(f, mib_sl_bits(carrier.tm)));
      list.push_back({psbch_transmission{f.at("n_sl_id"), store.back()}});
    } else if (channel == "PSCCH") {
      store.push_back(bits_of(f, f.at("bits")));
      const auto shift = f.find("cyclic_shift");
      list.push_back({pscch_transmission{
          {.prb = f.at("prb"), .cyclic_shift = shift == f.end() || shift->is_null() ? 0 : shift->get<int>()},
          store.back()}});
    } else if (channel == "PSSCH") {
      pssch_config c{.prb_start = f.at("prb_start"),
                     .n_prb = f.at("n_prb"),
                     .tbs = f.at("tbs"),
                     .modulation_order = f.at("modulation_order"),
                     .rv = f.at("rv"),
                     .n_ssf = f.at("n_ssf")};
      if (!f.at("n_x_id").is_null()) {
        c.n_x_id = f.at("n_x_id");
      } else {  // what the SCI of the same subframe says
        for (std::size_t i = 0; i < list.size(); ++i)
          if (std::holds_alternative<pscch_transmission>(list[i].what)) c.n_x_id = sci_crc(store[i]);
      }
      store.push_back(bits_of(f, c.tbs));
      list.push_back({pssch_transmission{c, store.back()}});
    } else if (channel == "PSDCH") {
      store.push_back(bits_of(f, f.at("bits")));
      list.push_back({psdch_transmission{{.prb = f.at("prb").at(0), .rv = f.at("rv"), .prb_second = f.at("prb").at(1)},
                                         store.back()}});
    }
  }
  return list;
}

double correlation(std::span<const cf32> a, std::span<const cf32> b) {
  std::complex<double> cross{};
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    cross += std::complex<double>(a[i]) * std::conj(std::complex<double>(b[i]));
    aa += std::norm(std::complex<double>(a[i]));
    bb += std::norm(std::complex<double>(b[i]));
  }
  return aa > 0 && bb > 0 ? std::abs(cross) / std::sqrt(aa * bb) : 0;
}

struct outcome {
  int subframes = 0;
  int recordings = 0;
  double worst = 1;
};

/// Reproduces every subframe of a folder that has frames.
outcome reproduce(const std::string& folder, double least, transmitter_config config,
                  bool (*accept)(const json& expected, int index)) {
  outcome o;
  for (const auto& entry : fs::directory_iterator(fs::path(PROSE_SHARED_IQ) / folder)) {
    if (!entry.path().string().ends_with(".expected.json")) continue;
    const auto r = load(entry.path());
    config.carrier = r.carrier;
    config.pscch_boost_db = 0;  // as the files have it
    auto tx = transmitter::make(config);
    EXPECT_TRUE(tx.has_value());
    std::map<int, std::vector<json>> by_subframe;
    for (const auto& f : r.expected.at("frames")) by_subframe[f.at("index")].push_back(f);
    std::vector<cf32> out(static_cast<std::size_t>(r.carrier.samples_per_subframe()));
    double worst = 1;
    int n = 0;
    for (const auto& [index, frames] : by_subframe) {
      if (!accept(r.expected, index)) continue;
      std::vector<bit_vector> store;
      const auto list = transmissions_of(frames, r.carrier, store);
      const auto sent = tx->transmit(list, out);
      EXPECT_TRUE(sent.has_value()) << (sent ? "" : sent.error().message);
      const double c = correlation(out, r.subframe(index));
      EXPECT_GE(c, least) << entry.path().filename() << " subframe " << index << " " << frames[0].at("channel");
      worst = std::min(worst, c);
      ++n;
    }
    if (n == 0) continue;
    std::printf("  %-44s %3d subframes, worst correlation %.7f\n", entry.path().stem().stem().c_str(), n, worst);
    o.subframes += n;
    ++o.recordings;
    o.worst = std::min(o.worst, worst);
  }
  std::printf("%s: %d subframes of %d recordings, worst correlation %.7f\n", folder.c_str(), o.subframes, o.recordings,
              o.worst);
  return o;
}

bool absent(const char* folder) { return !fs::is_directory(fs::path(PROSE_SHARED_IQ) / folder); }

TEST(waveform, generated_b_from_payloads) {
  if (absent("generated_b")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ "/generated_b";
  const auto o = reproduce("generated_b", 0.99999, {}, [](const json&, int) { return true; });
  EXPECT_GE(o.recordings, 30);
}

TEST(waveform, generated_a_from_payloads) {
  if (absent("generated_a")) GTEST_SKIP() << "no recordings at " PROSE_SHARED_IQ "/generated_a";
  // This source lays the PSCCH of extended prefix out in its own way (phy/channels/pscch_extended.h) and scales the
  // SSSS less.
  const auto o = reproduce("generated_a", 0.999, {.carrier = {}, .srsran_extended_pscch = true},
                           [](const json&, int) { return true; });
  EXPECT_GE(o.recordings, 27);
}

}  // namespace
}  // namespace prose::phy
