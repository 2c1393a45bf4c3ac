// What holds for SigMF metadata of any content: an error or a value, never a crash; what was accepted is written and
// read again unchanged.
#pragma once

#include <cstdlib>
#include <string_view>

#include "phy/io/sigmf_meta.h"

namespace prose::fuzz {

inline void check_sigmf(std::string_view text) {
  using namespace prose::phy;
  auto meta = parse_sigmf_meta(text, "f");
  if (!meta) {
    if (meta.error().message.find('\n') != std::string::npos) std::abort();
    return;
  }
  const auto again = parse_sigmf_meta(to_json_text(*meta), "f");
  if (!again || again->captures.size() != meta->captures.size() || again->sample_rate_hz != meta->sample_rate_hz ||
      again->prose != meta->prose)
    std::abort();
  for (const auto& r : meta->remarks)
    if (r.find('\n') != std::string::npos) std::abort();
  constexpr std::int64_t data_bytes = 10'000;
  const auto n = fit_to_length(*meta, data_bytes, "f");
  if (!n || *n == 0) return;
  if (meta->captures.empty()) std::abort();
  std::int64_t before = 0, headers = 0;
  for (const auto& c : meta->captures) {
    if (c.sample_start < before || c.sample_start >= *n) std::abort();
    before = c.sample_start;
    headers += c.header_bytes;
  }
  if (headers + *n * static_cast<std::int64_t>(meta->bytes_per_frame()) > data_bytes) std::abort();
}

}  // namespace prose::fuzz
