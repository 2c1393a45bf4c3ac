// The third-party recordings (PROSE_SHARED_IQ) and what an independent implementation decodes from each.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "common/bits.h"
#include "common/hex.h"
#include "phy/modem/monitor.h"
#include "prose_test_paths.h"

namespace prose::phy {

struct shared_recording {
  std::string name;
  carrier_config carrier;
  nlohmann::json expected;
  std::vector<cf32> samples;

  std::int64_t first_sample() const {
    return expected["first_subframe_sample"].is_null() ? 0 : expected["first_subframe_sample"].get<std::int64_t>();
  }
};

/// Those of the folders that hold a frame of `channel`, or all. Empty where the recordings are absent.
inline std::vector<shared_recording> shared_recordings(const std::vector<std::string>& folders,
                                                       const std::string& channel = "") {
  namespace fs = std::filesystem;
  std::vector<shared_recording> out;
  for (const auto& folder : folders) {
    const fs::path dir = fs::path(PROSE_SHARED_IQ) / folder;
    if (!fs::exists(dir)) continue;
    for (const auto& entry : fs::directory_iterator(dir)) {
      const std::string file = entry.path().string();
      const std::string suffix = ".expected.json";
      if (!file.ends_with(suffix)) continue;
      shared_recording r;
      std::ifstream(file) >> r.expected;
      bool wanted = channel.empty();
      for (const auto& f : r.expected["frames"]) wanted = wanted || f["channel"] == channel;
      if (!wanted) continue;
      const auto& c = r.expected["carrier"];
      const auto carrier =
          carrier_config::make(c["n_prb"], c["cp"] == "extended" ? cyclic_prefix::extended : cyclic_prefix::normal,
                               static_cast<transmission_mode>(c["transmission_mode"].get<int>()), c["sample_rate_hz"]);
      if (!carrier) continue;
      r.carrier = *carrier;
      const std::string name = entry.path().filename().string();
      r.name = name.substr(0, name.size() - suffix.size());
      std::ifstream data(file.substr(0, file.size() - suffix.size()) + ".sigmf-data", std::ios::binary);
      data.seekg(0, std::ios::end);
      r.samples.resize(static_cast<std::size_t>(data.tellg()) / sizeof(cf32));
      data.seekg(0);
      data.read(reinterpret_cast<char*>(r.samples.data()),
                static_cast<std::streamsize>(r.samples.size() * sizeof(cf32)));
      out.push_back(std::move(r));
    }
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return out;
}

inline prb_range prb_range_from(const nlohmann::json& p) {
  return {p.at("prb_num").get<int>(), p.at("prb_start").get<int>(), p.at("prb_end").get<int>()};
}

/// The "pool" of an expected.json.
inline monitor_pool pool_from(const nlohmann::json& p) {
  const std::string kind = p.at("kind");
  if (kind == "v2x") {
    v2x_pool_config v;
    v.size_subchannel = p.at("size");
    v.n_subchannels = p.at("count");
    v.start_prb = p.at("start_prb");
    v.adjacent = p.at("adjacent_pscch_pssch");
    v.start_prb_pscch = p.value("start_prb_pscch_pool", 0);
    v.subframe_bitmap = p.value("sl_Subframe_r14", "");
    v.offset_indicator = p.value("sl_OffsetIndicator_r14", 0);
    v.slss_period = p.value("slss_period", 0);
    v.slss_offset = p.value("slss_offset", 0);
    return v;
  }
  const auto subframes = [](const std::string& text) {  // sf40, rf32
    return std::stoi(text.substr(2)) * (text.starts_with("rf") ? 10 : 1);
  };
  if (kind == "sl_comm") {
    comm_pool_config c;
    c.known = p.at("mode") != "unknown";
    if (!c.known) return c;
    c.sc_period_subframes = subframes(p.at("sc_period"));
    c.pscch = prb_range_from(p);
    c.offset_indicator = p.at("offset_indicator");
    c.subframe_bitmap = p.at("subframe_bitmap");
    return c;
  }
  discovery_pool_config d;
  d.disc_period_subframes = subframes(p.at("disc_period"));
  d.num_retx = p.at("num_retx");
  d.num_repetition = p.at("num_repetition");
  d.prb = prb_range_from(p);
  d.offset_indicator = p.at("offset_indicator");
  d.subframe_bitmap = p.at("subframe_bitmap");
  return d;
}

inline std::string hex_of_bits(std::span<const std::uint8_t> bits) {
  std::vector<std::uint8_t> bytes((bits.size() + 7) / 8);
  pack_bits(bits, bytes);
  return to_hex(bytes);
}

}  // namespace prose::phy
